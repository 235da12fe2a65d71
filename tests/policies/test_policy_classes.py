"""Labels that are decided about together, for whatever producer, are decided alike."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.ids import CollectionId, MemberId
from hub.domain.label import Label, Tlp
from hub.domain.member import Member, MemberKind
from hub.domain.policy import PolicyBundle
from hub.domain.policy_classes import for_any_other
from hub.domain.taxii import Collection
from tests.policies.bundles import files_with
from tests.policies.test_policy_floor import site_policies
from tests.policies.test_policy_reference import MEMBERS, collections, labels, members

NOBODY_KNOWS = [MemberId("identity--north"), MemberId("identity--south")]
ABOUT_PRODUCERS = (
    f'resource has producer && resource.producer == Member::"{MEMBERS[0]}"',
    "resource has producer && resource.recipients.contains(resource.producer)",
    "resource has producer && [principal].contains(resource.producer)",
    "resource has producer && resource.producer.tier > 1",  # of which nothing is known, so it refuses
)


def _about_producers(condition: str) -> str:
    scope = 'permit (principal is Member, action in Action::"see", resource is Label)'
    return f'@id("by-producer")\n@reason("Because.")\n{scope}\nwhen {{ {condition} }};'


sites = st.one_of(st.sampled_from(ABOUT_PRODUCERS).map(_about_producers), site_policies())


@settings(max_examples=25, deadline=None)
@given(site=sites, member=members, label=labels, collection=collections)
def test_labels_that_differ_in_a_producer_whom_no_policy_can_tell_are_decided_alike(
    site: str, member: Member, label: Label, collection: Collection
):
    bundle = PolicyBundle.from_files(files_with(site))
    produced = [replace(label, producer=MemberId(id)) for id in (*MEMBERS, *NOBODY_KNOWS)]
    answers: dict[Label, set[object]] = {}
    for one, decision in zip(produced, bundle.decide_labels(member, [(one, collection) for one in produced]), strict=True):
        answer = (decision.allowed, decision.delay_s, decision.rules, decision.waits, bool(decision.errors))
        answers.setdefault(for_any_other(one, member, bundle.named), set()).add(answer)
    assert {len(found) for found in answers.values()} == {1}


@pytest.mark.parametrize(
    ("asking", "recipients", "condition"),
    [
        ("identity--reader", (), ABOUT_PRODUCERS[0]),
        ("identity--reader", (MEMBERS[0],), ABOUT_PRODUCERS[1]),
        (MEMBERS[0], (), ABOUT_PRODUCERS[2]),
    ],
)
def test_a_producer_whom_a_policy_can_tell_is_decided_about_apart_from_others(asking: str, recipients: tuple[str, ...], condition: str):
    bundle = PolicyBundle.from_files(files_with(_about_producers(condition)))
    member = Member(MemberId(asking), "one", "One", MemberKind.OPERATOR)
    label = Label(CollectionId("here"), Tlp.GREEN, MemberKind.OPERATOR, recipients=frozenset(map(MemberId, recipients)))
    told, north, south = (
        for_any_other(replace(label, producer=MemberId(id)), member, bundle.named) for id in (MEMBERS[0], *NOBODY_KNOWS)
    )  # fmt: skip
    assert told != north
    assert north == south
