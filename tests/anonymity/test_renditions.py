"""What others get of what is given anonymously, and when: rendition by rendition."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from hub.domain.label import Attribution, Tlp
from hub.domain.marking import SHARING_EXTENSION, TLP2_IDS
from hub.domain.signing.extension import ATTESTATION_EXTENSION
from hub.domain.signing.object_signature import SIGNATURE_EXTENSION, sign_object, signatures_of, verify_object
from hub.domain.taxii import ALL_VERSIONS, Query, VersionMatch
from hub.domain.timestamp import parse_timestamp
from hub.errors import Invalid
from hub.service.administer import COMMAND_LINE
from hub.service.admit import push
from hub.service.members import suspend_member
from hub.service.remove import delete_object
from hub.service.renditions import publish_renditions
from tests.anonymity.world import MINUTE_US, OTHERS, Anonymous, hidden
from tests.standing.world import shared_with
from tests.taxii.content import DAY_1, DAY_2, DAY_3, Object, domain_name, indicator, malware, statement, version_of


async def test_known_to_the_hub_only_others_get_a_rendition_and_the_producer_keeps_the_original(either_anonymous: Anonymous) -> None:
    given = indicator(**hidden())
    await either_anonymous.give(given)
    assert given in await either_anonymous.seen("energy")
    for slug in OTHERS:
        (rendition,) = await either_anonymous.renditions(slug)
        assert rendition["id"] != given["id"]
        assert rendition["type"] == "indicator"
        assert rendition["pattern"] == given["pattern"]


async def test_agencies_see_the_original_where_the_producer_is_known_to_them(anonymous: Anonymous) -> None:
    given = indicator(**hidden("agencies"))
    await anonymous.give(given)
    assert await anonymous.renditions("agency") == [given]
    assert [obj["id"] == given["id"] for obj in await anonymous.renditions("water")] == [False]


async def test_the_producer_named_in_a_rendition_is_the_hub_which_everybody_can_look_up(anonymous: Anonymous) -> None:
    await anonymous.give(indicator(created_by_ref=(await anonymous.world.member("energy")).id, **hidden()))
    (rendition,) = await anonymous.renditions()
    identity = (await anonymous.world.hub.directory()).identity
    assert rendition["created_by_ref"] == identity
    (named,) = [obj for obj in await anonymous.seen("water") if obj["id"] == identity]
    assert named["type"] == "identity"


async def test_a_rendition_is_signed_by_the_hub_which_says_in_it_that_a_member_gave_it(anonymous: Anonymous) -> None:
    await anonymous.push("energy", sign_object(indicator(**hidden()), await anonymous.key()))
    await anonymous.publish()
    (rendition,) = await anonymous.renditions()
    key = anonymous.world.hub.keys.object.public
    assert verify_object(rendition, {key.kid: key}.get) == (key,)
    assert rendition["extensions"][ATTESTATION_EXTENSION]["attestation"] == "member-verified"
    assert len(signatures_of(rendition)) == 1
    with pytest.raises(Invalid, match="was not made with"):
        verify_object({**rendition, "extensions": {**rendition["extensions"], ATTESTATION_EXTENSION: {}}}, {key.kid: key}.get)


async def test_a_rendition_comes_with_the_next_minute_and_says_when_the_hub_received_it(anonymous: Anonymous) -> None:
    await anonymous.push("energy", indicator(**hidden()))
    received_us = anonymous.world.now_us
    assert not await publish_renditions(anonymous.world.hub)
    assert await anonymous.seen("water") == []
    await anonymous.publish()
    (rendition,) = await anonymous.renditions()
    assert parse_timestamp(rendition["modified"]) == received_us - received_us % MINUTE_US
    assert rendition["created"] == rendition["modified"]


async def test_times_that_tools_write_into_many_objects_are_widened_to_the_minute(anonymous: Anonymous) -> None:
    given = indicator(valid_from="2026-03-04T05:06:07.891Z", valid_until="2026-03-04T05:06:07.892Z", **hidden())
    await anonymous.give(given)
    (rendition,) = await anonymous.renditions()
    assert (rendition["valid_from"], rendition["valid_until"]) == ("2026-03-04T05:06:00.000Z", "2026-03-04T05:07:00.000Z")


async def test_versions_line_up_and_a_revocation_reaches_everybody(either_anonymous: Anonymous) -> None:
    given = indicator(**hidden())
    for modified, change in ((DAY_1, {}), (DAY_2, {"name": "Another name"}), (DAY_3, {"revoked": True})):
        await either_anonymous.give(version_of(given, modified, **change))
    versions = await either_anonymous.renditions()
    assert len({obj["id"] for obj in versions}) == 1
    assert len({obj["created"] for obj in versions}) == 1
    times = [obj["modified"] for obj in versions]
    assert times == sorted(set(times))
    assert [obj.get("revoked", False) for obj in versions] == [False, False, True]


async def test_versions_that_come_within_a_minute_still_follow_each_other(anonymous: Anonymous) -> None:
    given = indicator(**hidden())
    await anonymous.give(given, version_of(given, DAY_2, name="Second"))
    first, second = await anonymous.renditions()
    assert (first["name"], second["name"]) == (given["name"], "Second")
    assert first["modified"] < second["modified"]


async def test_an_older_version_that_comes_late_is_refused(anonymous: Anonymous) -> None:
    given = indicator(modified=DAY_2, **hidden())
    await anonymous.give(given)
    status = await anonymous.push("energy", {**given, "modified": DAY_1})
    assert "in their order" in str(status.failures[0].failure)


async def test_deleting_the_original_takes_the_rendition_back(either_anonymous: Anonymous) -> None:
    given, late, sco = indicator(**hidden()), indicator(**hidden()), domain_name(**hidden())
    await either_anonymous.give(given, sco)
    await either_anonymous.push("energy", late)
    for obj in (given, late, sco):
        await either_anonymous.delete(obj)
    await either_anonymous.publish()
    assert await either_anonymous.renditions() == []


async def test_deleting_the_latest_version_brings_the_rendition_of_the_one_before_back(anonymous: Anonymous) -> None:
    given = indicator(name="First", **hidden())
    await anonymous.give(given)
    await anonymous.give(version_of(given, DAY_2, name="Second"))
    await anonymous.delete(given, VersionMatch())
    (rendition,) = await anonymous.renditions(versions=VersionMatch())
    assert rendition["name"] == "First"


async def test_an_object_in_two_collections_is_one_rendition(anonymous: Anonymous) -> None:
    given = indicator(**hidden())
    await anonymous.give(given)
    await anonymous.give(given, to="public")
    assert await anonymous.renditions() == await anonymous.renditions(of="public")


async def test_references_among_anonymous_objects_lead_to_renditions_in_whatever_order_they_come(anonymous: Anonymous) -> None:
    source, target = indicator(**hidden()), malware(**hidden())
    tie = relationship(source["id"], target["id"], **hidden())
    await anonymous.give(tie)
    await anonymous.give(source, target)
    by_type = {obj["type"]: obj for obj in await anonymous.renditions()}
    assert by_type["relationship"]["source_ref"] == by_type["indicator"]["id"]
    assert by_type["relationship"]["target_ref"] == by_type["malware"]["id"]


async def test_a_reference_to_what_others_gave_stays(anonymous: Anonymous) -> None:
    of_water = malware()
    await anonymous.push("water", of_water)
    await anonymous.give(relationship(indicator()["id"], of_water["id"], **hidden()))
    (tie,) = [obj for obj in await anonymous.renditions() if obj["type"] == "relationship"]
    assert tie["target_ref"] == of_water["id"]


async def test_what_needs_a_named_object_of_the_producer_is_refused_and_what_does_not_is_taken_without(anonymous: Anonymous) -> None:
    named = malware()
    await anonymous.push("energy", named)
    status = await anonymous.push("energy", relationship(indicator()["id"], named["id"], **hidden()))
    assert "without target_ref too little is left" in str(status.failures[0].failure)
    energy = await anonymous.world.member("energy")
    sighting = {
        "type": "sighting", "spec_version": "2.1", "id": f"sighting--{uuid.uuid4()}", "created": DAY_1, "modified": DAY_1,
        "sighting_of_ref": malware()["id"], "where_sighted_refs": [energy.id], **hidden(),
    }  # fmt: skip
    status = await anonymous.push("energy", sighting)
    assert status.successes[0].warning == "attribution: what others get of it is without where_sighted_refs"


async def test_what_could_name_the_producer_is_left_out_and_the_producer_is_told(anonymous: Anonymous) -> None:
    given = indicator(
        labels=["soc-7"], lang="en", x_case="42", confidence=80, object_marking_refs=[TLP2_IDS[Tlp.GREEN]],
        external_references=[
            {"source_name": "mitre-attack", "external_id": "T1059.001", "url": "https://intranet.example/T1059"},
            {"source_name": "our wiki", "url": "https://intranet.example/"},
        ],
        **hidden(topic="phishing"),
    )  # fmt: skip
    status = await anonymous.push("energy", given)
    assert status.successes[0].warning == "attribution: what others get of it is without external_references, labels, lang, x_case"
    await anonymous.publish()
    (rendition,) = await anonymous.renditions()
    assert rendition["external_references"] == [{"source_name": "mitre-attack", "external_id": "T1059.001"}]
    assert rendition["confidence"] == 80
    assert rendition["object_marking_refs"] == [TLP2_IDS[Tlp.GREEN]]
    assert rendition["extensions"].keys() == {SHARING_EXTENSION, ATTESTATION_EXTENSION, SIGNATURE_EXTENSION}
    assert rendition["extensions"][SHARING_EXTENSION] == {"extension_type": "property-extension", "topic": "phishing"}
    assert rendition.keys().isdisjoint({"labels", "lang", "x_case"})


@pytest.mark.parametrize(
    "write",
    [
        lambda _: {"description": "Seen at The Energy Firm last week."},
        lambda _: {"description": "Seen at ENERGY, in the lobby."},
        lambda _: {"name": "Mail to soc@gridworks.example"},
        lambda _: {"description": "hxxps://portal.gridworks[.]example/login"},
        lambda _: {"pattern": "[url:value = 'https://www.gridworks.example/%2e']"},
        lambda _: {"description": "A note of Gridworks plc on it"},
        lambda member: {"description": f"as {member.partition('--')[2]} saw it"},
        lambda _: {"description": f"see indicator--{uuid.uuid4()}"},
    ],
)
async def test_a_text_that_names_the_producer_is_refused_with_the_property(
    anonymous: Anonymous, write: Callable[[str], dict[str, Any]]
) -> None:
    energy = await anonymous.world.member("energy")
    identity = {
        "type": "identity", "spec_version": "2.1", "id": energy.id, "created": DAY_1, "modified": DAY_1, "name": "Gridworks plc",
        "contact_information": "desk@gridworks.example",
    }  # fmt: skip
    await anonymous.push("energy", identity)
    said = write(energy.id)
    status = await anonymous.push("energy", indicator(**said, **hidden()))
    assert str(status.failures[0].failure).startswith(f"attribution: it cannot be given anonymously: {next(iter(said))} ")


async def test_no_rendition_is_made_of_what_only_names_its_producer(anonymous: Anonymous) -> None:
    energy = await anonymous.world.member("energy")
    identity = {"type": "identity", "spec_version": "2.1", "id": energy.id, "created": DAY_1, "modified": DAY_1, "name": "The energy firm"}
    await anonymous.hide()
    await anonymous.give(identity, statement())
    assert await anonymous.seen("water") == []


async def test_the_narrower_of_what_the_object_and_its_producer_say_counts(anonymous: Anonymous) -> None:
    await anonymous.hide(Attribution.AGENCIES)
    for_agencies, for_none, loosely = indicator(), indicator(**hidden("hub")), indicator(**hidden("everyone"))
    await anonymous.give(for_agencies, for_none, loosely)
    seen = {obj["id"] for obj in await anonymous.seen("agency")}
    assert {for_agencies["id"], loosely["id"]} <= seen
    assert for_none["id"] not in seen
    assert not {obj["id"] for obj in await anonymous.seen("water")} & {for_agencies["id"], for_none["id"], loosely["id"]}


async def test_what_was_given_by_name_stays_so_and_cannot_become_anonymous(anonymous: Anonymous) -> None:
    given = indicator()
    await anonymous.give(given)
    status = await anonymous.push("energy", version_of(given, DAY_2, **hidden()))
    assert "that never changes" in str(status.failures[0].failure)
    await anonymous.hide()
    await anonymous.give(version_of(given, DAY_3))
    assert {obj["id"] for obj in await anonymous.renditions()} == {given["id"]}


async def test_what_was_given_anonymously_cannot_come_by_name(anonymous: Anonymous) -> None:
    given, sco = indicator(**hidden()), domain_name(**hidden())
    await anonymous.give(given, sco)
    for loose in (version_of({**given, "extensions": {}}, DAY_2), {name: value for name, value in sco.items() if name != "extensions"}):
        loose.pop("extensions", None)
        status = await anonymous.push("energy", loose)
        assert "that never changes" in str(status.failures[0].failure)
        status = await anonymous.push("energy", loose, to="public")
        assert "that never changes" in str(status.failures[0].failure)


async def test_an_attribution_whose_name_is_written_with_escapes_counts(anonymous: Anonymous) -> None:
    given = indicator(**hidden())
    text = json.dumps({"objects": [given]}).replace("attribution", "attr\\u0069bution")
    world = anonymous.world
    status = await push(world.hub, await world.hub.directory(), await world.principal("energy"), "hub", "shared", text.encode())
    assert not status.failures
    assert await anonymous.seen("water") == []


async def test_an_attribution_in_a_marking_definition_counts_for_what_refers_to_it(anonymous: Anonymous) -> None:
    marking = statement(**hidden())
    await anonymous.give(marking)
    await anonymous.give(indicator(object_marking_refs=[marking["id"]]))
    (rendition,) = await anonymous.renditions()
    assert "object_marking_refs" not in rendition


async def test_nobody_hides_among_fewer_than_five_writers(anonymous: Anonymous) -> None:
    status = await anonymous.push("energy", indicator(**hidden()), to="private")
    assert "fewer than 5 members may write to this collection" in str(status.failures[0].failure)
    await suspend_member(anonymous.world.hub, COMMAND_LINE, "sister")
    status = await anonymous.push("energy", indicator(**hidden()))
    assert "fewer than 5 members may write to this collection" in str(status.failures[0].failure)


async def test_what_is_for_few_is_refused(anonymous: Anonymous) -> None:
    water = await anonymous.world.member("water")
    for said in (hidden(recipients=[water.id]), {**hidden(), "object_marking_refs": [TLP2_IDS[Tlp.RED]]}):
        status = await anonymous.push("energy", indicator(**said))
        assert "it is for fewer than 5 members" in str(status.failures[0].failure)


async def test_a_rendition_is_the_hubs_and_nobody_elses(anonymous: Anonymous) -> None:
    await anonymous.give(indicator(**hidden()))
    (rendition,) = await anonymous.renditions()
    for slug in ("water", "energy"):
        status = await anonymous.push(slug, {**rendition, "modified": "2027-01-01T00:00:00.000Z"})
        assert "not-owner" in str(status.failures[0].failure) or "future" in str(status.failures[0].failure)
    identity = (await anonymous.world.hub.directory()).identity
    status = await anonymous.push("water", indicator(created_by_ref=identity))
    assert "created_by_ref is an identity that another member owns" in str(status.failures[0].failure)


async def test_what_another_gave_by_name_and_what_was_given_anonymously_go_each_by_itself(either_anonymous: Anonymous) -> None:
    anonymous, obj = either_anonymous, domain_name()
    await anonymous.world.push("water", obj)
    await anonymous.hide()
    await anonymous.give(obj)
    assert (await anonymous.renditions("energy"))[:2] == [obj, obj]
    named, rendition = await anonymous.renditions("telecoms")
    assert (named, rendition["value"]) == (obj, obj["value"])
    await anonymous.delete(obj)
    assert await anonymous.renditions("telecoms") == [obj]
    world, directory = anonymous.world, await anonymous.world.hub.directory()
    await delete_object(world.hub, directory, await world.principal("water"), "hub", "shared", obj["id"], Query(versions=ALL_VERSIONS))
    assert await anonymous.renditions("energy") == []


async def test_a_rendition_of_an_observable_has_no_times(anonymous: Anonymous) -> None:
    await anonymous.give(domain_name(**hidden()))
    (rendition,) = await anonymous.renditions()
    assert rendition.keys() == {"type", "spec_version", "id", "value", "extensions"}


async def test_a_standard_object_without_a_word_about_attribution_stays_as_it_is(anonymous: Anonymous) -> None:
    given = indicator(**shared_with(topic="phishing"))
    await anonymous.give(given)
    assert await anonymous.seen("water") == [given]


def relationship(source: str, target: str, **properties: Any) -> Object:
    return {
        "type": "relationship", "spec_version": "2.1", "id": f"relationship--{uuid.uuid4()}", "created": DAY_1, "modified": DAY_1,
        "relationship_type": "indicates", "source_ref": source, "target_ref": target, **properties,
    }  # fmt: skip
