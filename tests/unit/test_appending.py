"""A batch that holds what several producers send decides as if each had sent alone, one after the other."""

import json
from dataclasses import replace

import msgspec

from hub.domain.appending import Batch, Incoming
from hub.domain.ids import CollectionId, MemberId
from hub.domain.label import Label, Tlp
from hub.domain.member import MemberKind
from hub.domain.stix import Limits, read_object

NORTH = MemberId("identity--00000000-0000-4000-8000-00000000000a")
SOUTH = MemberId("identity--00000000-0000-4000-8000-00000000000b")
EAST = MemberId("identity--00000000-0000-4000-8000-00000000000e")
WEST = MemberId("identity--00000000-0000-4000-8000-00000000000f")
DEPARTMENT = "identity--00000000-0000-4000-8000-00000000000c"
LABEL = Label(CollectionId("c"), Tlp.GREEN, MemberKind.OPERATOR)
TIMES = {"created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z"}


def batch(**owners: MemberId) -> Batch:
    return Batch(
        collection_row=1, clock_us=0, label_count=0, revision=1, now_us=8_000, labels={}, lineages={}, identity_owners=dict(owners)
    )


def sent(producer: MemberId, **properties: object) -> Incoming:
    raw = json.dumps({"spec_version": "2.1", **properties}).encode()
    return Incoming(read_object(raw, limits=Limits()), LABEL, producer)


def identity(producer: MemberId) -> Incoming:
    return sent(producer, type="identity", id=DEPARTMENT, name="Department", identity_class="organization", **TIMES)


def address(producer: MemberId, value: str = "198.51.100.7", **more: object) -> Incoming:
    id = "ipv4-addr--00000000-0000-5000-8000-000000000001"
    return sent(producer, type="ipv4-addr", id=id, value=value, **more)


def test_an_identity_that_one_brings_is_not_for_another_to_sign_with() -> None:
    both = batch()
    assert both.add(identity(NORTH))[1] is None
    report = {"type": "note", "id": "note--00000000-0000-4000-8000-000000000001", "content": "x", "object_refs": [DEPARTMENT], **TIMES}
    assert "owns" in str(both.add(sent(SOUTH, created_by_ref=DEPARTMENT, **report))[1])
    assert both.add(sent(NORTH, created_by_ref=DEPARTMENT, **report))[1] is None


def test_an_identity_that_one_brings_is_not_for_another_to_change() -> None:
    both = batch()
    assert both.add(identity(NORTH))[1] is None
    assert "not-owner" in str(both.add(identity(SOUTH))[1])


def test_equal_copies_of_an_observable_are_one_entry() -> None:
    both = batch()
    assert [both.add(address(NORTH))[1], both.add(address(SOUTH))[1], both.add(address(SOUTH))[1]] == [None, None, None]
    assert [lineage.owner for lineage, _ in both.appended] == [NORTH]
    assert [version.incoming.producer for version in both.put_beside if version.incoming] == [SOUTH]


def test_what_takes_the_place_of_a_copy_has_its_label_if_it_can() -> None:
    """So whoever saw the one that went goes on seeing it; of several such, the one that was numbered first."""
    several = batch()
    kinds = {NORTH: MemberKind.OPERATOR, EAST: MemberKind.AGENCY, SOUTH: MemberKind.OPERATOR, WEST: MemberKind.OPERATOR}
    for producer, kind in kinds.items():
        copy = msgspec.structs.replace(address(producer), label=replace(LABEL, producer_kind=kind))
        assert several.add(copy)[1] is None
    for row, (_, version) in enumerate(several.new_versions):
        version.row = row  # as the store numbers them
    served = []
    while held := [lineage for lineage in several.lineages.values() if lineage.entries]:
        (lineage,) = held
        served.append(lineage.owner)
        several.hand_over(lineage, lineage.entries.pop())
    assert served == [NORTH, SOUTH, WEST, EAST]


def test_copies_of_an_observable_that_differ_are_an_entry_each() -> None:
    both = batch()
    assert [both.add(address(NORTH))[1], both.add(address(SOUTH, x_seen=2))[1]] == [None, None]
    assert [lineage.owner for lineage, _ in both.appended] == [NORTH, SOUTH]


ADVICE = {"type": "x-advice", "id": "x-advice--00000000-0000-4000-8000-000000000001", "text": "patch"}


def test_what_somebody_owns_is_not_taken_over_by_leaving_out_its_times() -> None:
    both = batch()
    assert both.add(sent(NORTH, **ADVICE, **TIMES))[1] is None
    assert "not-owner" in str(both.add(sent(SOUTH, **ADVICE))[1])
    assert "send them again" in str(both.add(sent(NORTH, **ADVICE))[1])


def test_what_belongs_to_nobody_is_not_made_anybodys_by_adding_times() -> None:
    both = batch()
    assert both.add(sent(NORTH, **ADVICE))[1] is None
    for producer in (NORTH, SOUTH):
        assert "held without `created`" in str(both.add(sent(producer, **ADVICE, **TIMES))[1])
    assert both.add(sent(SOUTH, **{**ADVICE, "text": "another copy"}))[1] is None


def test_an_id_in_capitals_is_still_its_owners() -> None:
    both = batch()
    note = {"type": "note", "content": "x", "object_refs": [DEPARTMENT], **TIMES}
    lower, upper = "note--0000000a-0000-4000-8000-000000000001", "note--0000000A-0000-4000-8000-000000000001"
    assert both.add(sent(NORTH, id=lower, **note))[1] is None
    assert "not-owner" in str(both.add(sent(SOUTH, id=upper, **note))[1])


def statement(producer: MemberId, text: str = "North says", **more: object) -> Incoming:
    id = "marking-definition--00000000-0000-4000-8000-000000000001"
    said = {"created": TIMES["created"], "definition_type": "statement", "definition": {"statement": text}, **more}
    return sent(producer, type="marking-definition", id=id, **said)


def test_who_passes_on_a_members_marking_definition_passes_it_on_as_it_was_given() -> None:
    both = batch(**{NORTH: NORTH})
    assert "not-owner" in str(both.add(statement(SOUTH, created_by_ref=NORTH))[1]), "nobody knows whether the member ever said so"
    assert both.add(statement(NORTH, created_by_ref=NORTH))[1] is None
    assert both.add(statement(SOUTH, created_by_ref=NORTH))[1] is None
    assert "not-owner" in str(both.add(statement(SOUTH, "South says", created_by_ref=NORTH))[1])


def test_a_marking_definition_has_no_versions() -> None:
    both = batch()
    assert both.add(statement(NORTH))[1] is None
    assert "never changes" in str(both.add(statement(NORTH, "another", created="2026-02-01T00:00:00.000Z"))[1])
    assert "under another id" in str(both.add(statement(NORTH, "another"))[1])


def test_created_is_a_moment_and_not_a_text() -> None:
    both = batch()
    assert both.add(identity(NORTH))[1] is None
    later = {"created": "2026-01-01T00:00:00.000000Z", "modified": "2026-01-02T00:00:00.000000Z"}
    assert both.add(sent(NORTH, type="identity", id=DEPARTMENT, name="Department", identity_class="organization", **later))[1] is None


def test_an_equal_copy_is_said_to_have_the_version_that_is_held() -> None:
    both = batch()
    first, _ = both.add(address(NORTH))
    both.now_us += 5_000_000
    assert both.add(address(SOUTH)) == (first, None)
