"""What markings mean: colours, sharing groups, the sharing extension, and that putting them together never widens."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.label import Severity, Tlp
from hub.domain.marking import (
    SHARING_EXTENSION,
    TLP2_IDS,
    TLP_DEFINITIONS,
    TLP_OF,
    MarkingMeaning,
    Resolution,
    meaning_of,
    resolve,
)
from hub.domain.stix import Limits, StixObject, read_object
from hub.errors import Invalid

LIMITS = Limits()
A, B, C = (f"identity--{digit * 8}-17d4-4cbf-938f-98ee46b3cd3f" for digit in "abc")
GROUP, OTHER_GROUP, STATEMENT, UNKNOWN = (f"marking-definition--{digit * 8}-17d4-4cbf-938f-98ee46b3cd3f" for digit in "1234")
TLP1 = {tlp["name"]: marking_id for marking_id, tlp in TLP_DEFINITIONS.items() if "definition" in tlp}
TLP2_EXTENSION = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d"
IEP_EXTENSION = "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a"


def read(properties: dict[str, Any]) -> StixObject:
    return read_object(json.dumps(properties).encode(), limits=LIMITS)


def report(*refs: str, granular: tuple[str, ...] = (), sharing: dict[str, Any] | None = None) -> StixObject:
    properties: dict[str, Any] = {
        "type": "report",
        "spec_version": "2.1",
        "id": "report--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
        "created": "2026-04-06T20:03:48.000Z",
        "modified": "2026-04-06T20:03:48.000Z",
        "name": "x",
        "published": "2026-04-06T20:03:48Z",
        "object_refs": [A],
    }
    if refs:
        properties["object_marking_refs"] = list(refs)
    if granular:
        properties["granular_markings"] = [{"marking_ref": ref, "selectors": ["name"]} for ref in granular]
    if sharing is not None:
        properties["extensions"] = {SHARING_EXTENSION: {"extension_type": "property-extension", **sharing}}
    return read(properties)


def marking(**properties: Any) -> StixObject:
    base = {"type": "marking-definition", "spec_version": "2.1", "id": STATEMENT, "created": "2026-01-01T00:00:00Z"}
    return read(base | properties)


def resolved(obj: StixObject, default: Tlp = Tlp.AMBER, **known: MarkingMeaning) -> Resolution:
    return resolve(obj, known={globals()[name]: meaning for name, meaning in known.items()}, groups={GROUP, OTHER_GROUP}, default=default)


def test_what_is_unmarked_takes_the_default_and_says_nothing_else():
    assert resolved(report(), default=Tlp.GREEN) == Resolution(
        tlp=Tlp.GREEN,
        groups=frozenset(),
        recipients=frozenset(),
        sectors=frozenset(),
        topic=None,
        severity=Severity.ROUTINE,
        unresolved=False,
    )


@pytest.mark.parametrize(("name", "tlp"), [("TLP:WHITE", "clear"), ("TLP:GREEN", "green"), ("TLP:AMBER", "amber"), ("TLP:RED", "red")])
def test_colours_of_tlp_1_are_read_as_those_of_tlp_2(name: str, tlp: str):
    assert resolved(report(TLP1[name]), default=Tlp.RED).tlp == Tlp(tlp)


@pytest.mark.parametrize("tlp", Tlp)
def test_colours_of_tlp_2_are_themselves_whatever_the_default(tlp: Tlp):
    assert resolved(report(TLP2_IDS[tlp]), default=Tlp.RED).tlp == tlp
    assert resolved(report(TLP2_IDS[tlp]), default=Tlp.CLEAR).tlp == tlp


@given(st.lists(st.sampled_from(sorted(TLP_OF)), max_size=4), st.lists(st.sampled_from(sorted(TLP_OF)), max_size=4), st.sampled_from(Tlp))
def test_the_strictest_colour_of_the_object_and_its_parts_counts(refs: list[str], granular: list[str], default: Tlp):
    colours = [TLP_OF[ref] for ref in refs + granular]
    strictest = max(colours or [default], key=list(Tlp).index)
    assert resolved(report(*refs, granular=tuple(granular)), default=default).tlp == strictest


def test_sharing_groups_are_named_by_their_marking_definitions_on_the_object_or_a_part():
    assert resolved(report(GROUP, granular=(OTHER_GROUP,))).groups == {GROUP, OTHER_GROUP}
    assert not resolved(report(GROUP)).unresolved


@pytest.mark.parametrize(
    ("refs", "default", "tlp"),
    [
        ((UNKNOWN,), Tlp.CLEAR, Tlp.AMBER),
        ((UNKNOWN,), Tlp.RED, Tlp.RED),
        ((UNKNOWN, TLP2_IDS[Tlp.CLEAR]), Tlp.GREEN, Tlp.AMBER),
        ((UNKNOWN, TLP2_IDS[Tlp.AMBER_STRICT]), Tlp.GREEN, Tlp.AMBER_STRICT),
    ],
)
def test_an_unknown_marking_definition_leaves_it_unresolved_and_at_least_amber(refs: tuple[str, ...], default: Tlp, tlp: Tlp):
    for obj in (report(*refs), report(granular=refs)):
        resolution = resolved(obj, default=default)
        assert (resolution.unresolved, resolution.tlp) == (True, tlp)


def test_a_known_marking_without_a_colour_leaves_the_default():
    resolution = resolved(report(STATEMENT), default=Tlp.GREEN, STATEMENT=MarkingMeaning())
    assert (resolution.tlp, resolution.unresolved) == (Tlp.GREEN, False)


def test_the_sharing_extension_says_more_than_a_colour():
    resolution = resolved(
        report(sharing={"recipients": [A, B], "sectors": ["energy", "water"], "topic": "ip-protection", "severity": "imminent"})
    )
    assert resolution.recipients == {A, B}
    assert resolution.sectors == {"energy", "water"}
    assert (resolution.topic, resolution.severity) == ("ip-protection", Severity.IMMINENT)


def test_a_marking_definition_can_carry_the_sharing_extension():
    carrier = marking(extensions={SHARING_EXTENSION: {"extension_type": "property-extension", "recipients": [A], "topic": "vulnerability"}})
    resolution = resolved(report(STATEMENT), STATEMENT=meaning_of(carrier))
    assert (resolution.recipients, resolution.topic, resolution.unresolved) == ({A}, "vulnerability", False)


def test_recipients_are_those_that_all_name_and_sectors_those_that_any_names():
    said = MarkingMeaning(recipients=frozenset({B, C}), sectors=frozenset({"water"}), topic="vulnerability", severity=Severity.IMMINENT)
    resolution = resolved(report(STATEMENT, sharing={"recipients": [A, B], "sectors": ["energy"], "topic": "threat"}), STATEMENT=said)
    assert resolution.recipients == {B}
    assert resolution.sectors == {"energy", "water"}
    assert (resolution.topic, resolution.severity) == ("threat", Severity.IMMINENT)


def test_recipients_that_nobody_shares_make_it_red_not_public():
    resolution = resolved(
        report(STATEMENT, TLP2_IDS[Tlp.CLEAR], sharing={"recipients": [A]}), STATEMENT=MarkingMeaning(recipients=frozenset({B}))
    )
    assert (resolution.recipients, resolution.tlp) == (frozenset(), Tlp.RED)


@pytest.mark.parametrize(
    "sharing",
    [
        {"recipients": []},
        {"recipients": A},
        {"recipients": [5]},
        {"recipients": ["energy"]},
        {"recipients": [A.upper()]},
        {"recipients": [A] * 1_001},
        {"sectors": ["energie"]},
        {"sectors": ["Energy"]},
        {"sectors": "energy"},
        {"topic": ""},
        {"topic": "IP protection"},
        {"topic": "a" * 65},
        {"topic": 5},
        {"severity": "high"},
        {"severity": ["imminent"]},
        {"recipient": [A]},
        {"Sectors": ["energy"]},
    ],
    ids=lambda sharing: str(sharing)[:40],
)
def test_a_sharing_extension_that_is_not_understood_is_refused(sharing: dict[str, Any]):
    with pytest.raises(Invalid):
        resolved(report(sharing=sharing))


class TestMeaning:
    def test_of_a_statement_is_nothing(self):
        assert meaning_of(marking(definition_type="statement", definition={"statement": "Copyright"})) == MarkingMeaning()

    def test_of_a_permissible_action_marking_is_no_colour_of_tlp(self):
        pap = {"extension-definition--f8d78575-edfd-406e-8e84-6162a8450f5b": {"extension_type": "property-extension", "pap": "red"}}
        assert meaning_of(marking(name="PAP:RED", extensions=pap)) == MarkingMeaning()

    @pytest.mark.parametrize("marking_id", TLP_DEFINITIONS)
    def test_of_the_nine_is_their_colour_and_a_copy_of_theirs_is_accepted(self, marking_id: str):
        assert meaning_of(read(dict(TLP_DEFINITIONS[marking_id]))).tlp == TLP_OF[marking_id]

    @pytest.mark.parametrize(
        "properties",
        [
            {"extensions": {TLP2_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "amber+strict"}}},
            {
                "definition_type": "TLP:AMBER+STRICT",
                "extensions": {TLP2_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "amber+strict"}},
            },
            {"definition_type": "tlp-2.0", "definition": {"tlp": "AMBER+STRICT"}},
            {"definition_type": "statement", "definition": {"statement": "TLP:AMBER+STRICT"}},
            {"name": "tlp:amber+strict", "definition_type": "x-acme", "definition": {}},
            {"name": "TLP:CLEAR", "definition_type": "statement", "definition": {"statement": "tlp:amber-strict"}},
        ],
    )
    def test_of_a_writers_own_marking_is_the_strictest_colour_that_it_names(self, properties: dict[str, Any]):
        assert meaning_of(marking(**properties)).tlp == Tlp.AMBER_STRICT

    def test_of_an_information_exchange_policy_is_the_colour_in_it(self):
        policy = {IEP_EXTENSION: {"extension_type": "property-extension", "tlp": "white", "name": "x"}}
        assert meaning_of(marking(extensions=policy)).tlp == Tlp.CLEAR

    def test_of_an_unheard_of_colour_is_refused(self):
        with pytest.raises(Invalid, match="chartreuse"):
            meaning_of(marking(extensions={TLP2_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "chartreuse"}}))

    meanings = st.builds(
        MarkingMeaning,
        tlp=st.none() | st.sampled_from(Tlp),
        recipients=st.none() | st.frozensets(st.sampled_from([A, B, C]), min_size=1),
        sectors=st.frozensets(st.sampled_from(["energy", "water"])),
        topic=st.none() | st.just("threat"),
        severity=st.none() | st.sampled_from(Severity),
    )

    @given(meanings)
    def test_is_kept_as_text_and_read_back(self, meaning: MarkingMeaning):
        assert MarkingMeaning.from_json(meaning.to_json()) == meaning

    @given(st.lists(meanings, min_size=1, max_size=3))
    def test_another_marking_never_widens_who_is_named(self, said: list[MarkingMeaning]):
        refs = [STATEMENT, UNKNOWN, A.replace("identity", "marking-definition")][: len(said)]
        narrow = resolve(report(*refs), known=dict(zip(refs, said, strict=True)), groups=(), default=Tlp.CLEAR)
        wide = resolve(report(*refs[:-1]), known=dict(zip(refs, said, strict=True)), groups=(), default=Tlp.CLEAR)
        assert narrow.tlp.rank >= wide.tlp.rank
        if wide.recipients:
            assert narrow.recipients <= wide.recipients
            assert narrow.recipients or narrow.tlp == Tlp.RED


@pytest.mark.parametrize("marking_id", TLP_DEFINITIONS)
@pytest.mark.parametrize(
    "change",
    [
        {"name": "TLP:SOMETHING"},
        {"name": "TLP:AMBER+STRICT and more"},
        {"definition_type": "statement", "definition": {"statement": "also this"}},
        {"created": "2020-01-01T00:00:00.000Z"},
        {"extensions": {TLP2_EXTENSION: {"extension_type": "property-extension", "tlp_2_0": "blue"}}},
        {"extensions": {TLP2_EXTENSION: {"extension_type": "property-extension"}}},
    ],
    ids=str,
)
def test_under_a_fixed_id_nothing_else_can_be_said(marking_id: str, change: dict[str, Any]):
    with pytest.raises(Invalid):
        read(dict(TLP_DEFINITIONS[marking_id]) | change)


OTHER_COLOURS = [(one, other) for one in TLP_DEFINITIONS for other in TLP_DEFINITIONS if TLP_OF[one] != TLP_OF[other]]


@pytest.mark.parametrize(("marking_id", "other_id"), OTHER_COLOURS)
def test_under_a_fixed_id_no_other_colour_can_be_said(marking_id: str, other_id: str):
    said_elsewhere = {name: value for name, value in TLP_DEFINITIONS[other_id].items() if name not in ("id", "created")}
    with pytest.raises(Invalid):
        read(dict(TLP_DEFINITIONS[marking_id]) | said_elsewhere)
