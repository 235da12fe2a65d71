"""What an agreement is: complete, with dates that follow one another; in force from its start until its end, both to the microsecond."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.agreement import REVIEW_AHEAD_US, Agreement, Signatory, checked_agreement, next_moment
from hub.domain.ids import AgreementId, GroupId, MemberId
from hub.domain.label import Tlp
from hub.domain.member import Member, MemberKind
from hub.domain.taxii import Grantee, GranteeKind
from hub.errors import Invalid

ENERGY = Member(
    MemberId("identity--e"), "energy", "Energy", MemberKind.OPERATOR, frozenset({"energy"}), groups=frozenset({GroupId("circle")})
)
WATER = Member(MemberId("identity--w"), "water", "Water", MemberKind.PARTNER, frozenset({"water"}))
DAY_US = 24 * 3600 * 1_000_000
START, END = 10 * DAY_US, 20 * DAY_US
AGREEMENT = Agreement(
    AgreementId("a"), "cni", "CNI arrangement", frozenset({Grantee(GranteeKind.SECTOR, "energy")}), "A memorandum", "Defence of networks",
    starts_us=START, review_us=15 * DAY_US, signatories=(Signatory(ENERGY.id, "Ann", "Director", 0),), ends_us=END,
)  # fmt: skip


def test_it_is_in_force_from_its_start_until_just_before_its_end():
    moments = {START - 1: False, START: True, END - 1: True, END: False}
    assert {moment: AGREEMENT.is_in_force(moment) for moment in moments} == moments


def test_one_that_was_ended_has_ended_by_every_clock():
    ended = replace(AGREEMENT, ended_us=15 * DAY_US)
    assert not any(ended.is_in_force(moment) for moment in (START, 15 * DAY_US - 1, 15 * DAY_US, END))
    assert ended.has_ended(START - 1)


def test_one_without_an_end_goes_on():
    assert replace(AGREEMENT, ends_us=None).is_in_force(10**18)


@pytest.mark.parametrize(
    ("party", "included"),
    [
        (Grantee(GranteeKind.EVERYONE), ["energy", "water"]),
        (Grantee(GranteeKind.KIND, "operator"), ["energy"]),
        (Grantee(GranteeKind.SECTOR, "water"), ["water"]),
        (Grantee(GranteeKind.GROUP, "circle"), ["energy"]),
        (Grantee(GranteeKind.MEMBER, WATER.id), ["water"]),
    ],
    ids=str,
)
def test_parties_are_named_as_rights_on_collections_are(party: Grantee, included: list[str]):
    agreement = replace(AGREEMENT, parties=frozenset({party}))
    assert [member.slug for member in (ENERGY, WATER) if agreement.includes(member)] == included


def test_a_review_is_due_from_thirty_days_ahead_until_the_agreement_ends():
    agreement = replace(AGREEMENT, review_us=100 * DAY_US, ends_us=200 * DAY_US)
    due = {100 * DAY_US - REVIEW_AHEAD_US - 1: False, 100 * DAY_US - REVIEW_AHEAD_US: True, 200 * DAY_US - 1: True, 200 * DAY_US: False}
    assert {moment: agreement.is_due(moment) for moment in due} == due


FAULTS = {
    "slug: write": {"slug": "No Slug"},
    "title: write": {"title": ""},
    "parties: name at least one": {"parties": frozenset()},
    "legal_basis: it is empty; write the law": {"legal_basis": "  "},
    "purpose: it is empty; write what": {"purpose": ""},
    "topics: write a word": {"topics": frozenset({"IP advice"})},
    "ends_at: it ends before it has started (1970-01-11T00:00:00.000000Z); write a later moment": {"ends_us": START},
    "review_at: it is reviewed before it has started": {"review_us": START - 1},
    "review_at: it is reviewed after its end (1970-01-21T00:00:00.000000Z); write an earlier moment": {"review_us": END + 1},
    "signatories: name at least one": {"signatories": ()},
    "signatories: person: write": {"signatories": (Signatory(ENERGY.id, "", "Director", 0),)},
    "signatories: role: write": {"signatories": (Signatory(ENERGY.id, "Ann", " Director", 0),)},
}


@pytest.mark.parametrize("said", FAULTS)
def test_one_that_is_not_in_order_is_refused_saying_what_to_write_instead(said: str):
    with pytest.raises(Invalid) as refused:
        checked_agreement(replace(AGREEMENT, **FAULTS[said]))
    assert refused.value.detail.startswith(said)


def test_one_that_just_fits_is_taken():
    for agreement in (AGREEMENT, replace(AGREEMENT, ends_us=START + 1, review_us=START), replace(AGREEMENT, review_us=END)):
        assert checked_agreement(agreement) is agreement


@pytest.mark.parametrize(
    ("topic", "tlp", "said"),
    [
        ("threat", Tlp.AMBER, None),
        ("vulnerability", Tlp.CLEAR, None),
        (
            "ip-protection",
            Tlp.CLEAR,
            "topic: the sharing agreement cni (CNI arrangement, a), on which this collection rests, covers threat, vuln",
        ),
        (
            "threat",
            Tlp.AMBER_STRICT,
            "marking: the sharing agreement cni (CNI arrangement, a), on which this collection rests, covers content up",
        ),
    ],
)
def test_content_outside_its_topics_or_above_its_colour_is_refused_by_name(topic: str, tlp: Tlp, said: str | None):
    agreement = replace(AGREEMENT, topics=frozenset({"threat", "vulnerability"}), tlp_max=Tlp.AMBER)
    refusal = agreement.refusal_of(topic, tlp)
    assert refusal is None if said is None else refusal is not None and refusal.startswith(said)
    assert AGREEMENT.refusal_of(topic, tlp) is None


def test_who_is_no_party_brings_nothing_and_learns_no_name_and_content_may_wait_for_the_start():
    assert AGREEMENT.refusal(ENERGY, START - 1) is None
    assert AGREEMENT.refusal(ENERGY, END - 1) is None
    assert "cni (CNI arrangement, a)" in str(AGREEMENT.refusal(ENERGY, END))
    assert "cni" not in str(AGREEMENT.refusal(WATER, END)).lower()
    assert AGREEMENT.refusal(WATER, START) is not None


@given(
    spans=st.lists(st.tuples(st.integers(0, 30), st.none() | st.integers(1, 9), st.booleans()), max_size=4),
    at_us=st.integers(0, 50),
    later=st.integers(0, 50),
)
def test_nothing_starts_or_ends_before_the_next_moment(spans: list[tuple[int, int | None, bool]], at_us: int, later: int):
    agreements = [
        replace(AGREEMENT, id=AgreementId(str(n)), starts_us=start, ends_us=length and start + length, ended_us=0 if ended else None)
        for n, (start, length, ended) in enumerate(spans)
    ]
    until_us = next_moment(agreements, at_us)

    def in_force(moment_us: int) -> set[str]:
        return {agreement.id for agreement in agreements if agreement.is_in_force(moment_us)}

    assert until_us is None or until_us > at_us
    moment_us = at_us + later
    if until_us is None or moment_us < until_us:
        assert in_force(moment_us) == in_force(at_us)
