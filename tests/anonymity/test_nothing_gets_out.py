"""Nothing that leaves the hub names or links a producer that is not to be known: every answer, page, log line and number is searched."""

import json
import logging
from typing import Any

import pytest

from hub.domain.handle import Handles
from hub.domain.json import read_document
from hub.domain.member import Principal, Role
from hub.domain.taxii import ALL_VERSIONS, Query
from hub.errors import NotFound
from hub.service.adjudicate import get_item
from hub.service.administer import COMMAND_LINE
from hub.service.audit import list_audit
from hub.service.explain import explain
from hub.service.exporting import export_objects
from hub.service.report_backs import list_report_backs
from hub.service.standing import get_standing
from hub.web.api import items, render, report_backs, standing
from tests.anonymity.world import OTHERS, Anonymous, hidden
from tests.taxii.content import DAY_2, domain_name, indicator, malware, version_of


@pytest.fixture
async def given(anonymous: Anonymous) -> list[dict[str, Any]]:
    """Objects of several kinds that energy gave with nothing named, some in two versions."""
    await anonymous.push("water", malware())
    wanted = {"report_back": {"by": "2027-01-01T00:00:00Z", "from": ["everyone"], "nil_returns": True}}
    source, target, sco = indicator(**hidden()), malware(**hidden("agencies")), domain_name(**hidden())
    asking = indicator(**hidden(**wanted))
    await anonymous.push("energy", source, target, sco, asking, indicator(name="by name"))
    await anonymous.publish()
    later = version_of(source, DAY_2, description="More of it.")
    await anonymous.give(later)
    return [source, target, sco, asking, later]


async def told_to(anonymous: Anonymous, slug: str, given: list[dict[str, Any]]) -> str:
    """Return all that the services tell a member, as the API shows it."""
    hub, principal = anonymous.world.hub, await anonymous.world.principal(slug)
    directory = await hub.directory()
    said: list[object] = await anonymous.seen(slug)
    said += [body.decode() async for page in export_objects(hub, principal, "hub", "shared", Query(versions=ALL_VERSIONS)) for body in page]
    for obj in [*given, *await anonymous.renditions(slug)]:
        try:
            said.append(render.explanation(await explain(hub, directory, principal, slug, obj["id"])).model_dump_json())
        except NotFound as e:
            said.append(e.detail)
    said += [report_backs.shown(one).model_dump_json() for one in await list_report_backs(hub, directory, principal, after=0, limit=100)]
    said.append(standing.shown(await get_standing(hub, directory, principal)).model_dump_json())
    return json.dumps(said)


async def traces_of(anonymous: Anonymous, given: list[dict[str, Any]]) -> list[str]:
    """Return what would name or link the producer: its names, its id, the ids and times of its objects."""
    energy = await anonymous.world.member("energy")
    return [energy.name, energy.id.partition("--")[2], *{obj["id"].partition("--")[2] for obj in given}]


async def test_no_answer_to_another_member_holds_a_trace_of_the_producer(anonymous: Anonymous, given: list[dict[str, Any]]) -> None:
    await anonymous.world.settle()
    for slug in OTHERS:
        known = [obj for obj in given if slug == "agency" and "agencies" in json.dumps(obj)]
        told = await told_to(anonymous, slug, given)
        for trace in await traces_of(anonymous, [obj for obj in given if obj not in known]):
            assert trace not in told, (slug, trace)


async def test_what_the_producer_itself_is_told_holds_the_traces_that_are_looked_for(
    anonymous: Anonymous, given: list[dict[str, Any]]
) -> None:
    await anonymous.world.settle()
    told = await told_to(anonymous, "energy", given)
    for obj in given:
        assert obj["id"] in told


async def test_a_sighting_of_a_rendition_counts_for_both_and_tells_neither_the_original(
    anonymous: Anonymous, given: list[dict[str, Any]]
) -> None:
    rendition = next(obj for obj in await anonymous.renditions() if obj["type"] == "indicator" and "description" in obj)
    await anonymous.push("water", anonymous.world.sighting(rendition))
    await anonymous.world.settle()
    hub, water = anonymous.world.hub, await anonymous.world.principal("water")
    told = standing.shown(await get_standing(hub, await hub.directory(), water)).model_dump_json()
    assert rendition["id"] in told
    assert given[0]["id"] not in told


async def test_officers_see_neither_the_producer_nor_its_objects_in_items_audit_trail_and_standings(
    anonymous: Anonymous, given: list[dict[str, Any]]
) -> None:
    await anonymous.world.settle()
    hub, officer = anonymous.world.hub, Principal("person:officer", Role.ADMIN)
    directory = await hub.directory()
    found = [items.shown(await get_item(hub, directory, officer, row)) for (row,) in await anonymous.world.rows("item", "row")]
    hidden_items = [one for one in found if one.producer is None]
    assert len(hidden_items) >= 3
    ids = {obj["id"] for obj in given}
    assert not ids & {one.object for one in found}
    about_energy = standing.shown(await get_standing(hub, directory, officer, "energy"))
    assert {line.event for line in about_energy.lines}.isdisjoint({Handles.of(hub.secret).find_row(one.id) for one in hidden_items})
    for slug in ("energy", *OTHERS):
        with pytest.raises(NotFound):
            await explain(hub, directory, officer, slug, given[0]["id"])
        with pytest.raises(NotFound):
            await explain(hub, directory, None, slug, given[0]["id"])
    entries = await list_audit(hub, COMMAND_LINE, before=None, limit=1000)
    assert not any(id in repr(entries) for id in ids)


async def test_no_log_line_of_the_append_names_anybody(anonymous: Anonymous, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await anonymous.give(given := indicator(**hidden()))
    for trace in await traces_of(anonymous, [given]):
        assert trace not in caplog.text


async def test_the_store_of_renditions_tells_nothing_to_who_reads_it_alone(anonymous: Anonymous, given: list[dict[str, Any]]) -> None:
    await anonymous.push("energy", last := indicator(**hidden()))  # still to be appended
    for name in ("rendition", "rendition_version", "rendition_work"):
        text = repr(await anonymous.world.rows(name))
        for trace in await traces_of(anonymous, [*given, last]):
            assert trace not in text, name


async def test_dates_of_renditions_stand_beside_none_of_the_same_push(anonymous: Anonymous) -> None:
    await anonymous.push("energy", indicator(name="by name"), *(indicator(**hidden()) for _ in range(20)))
    named_us = anonymous.world.now_us
    await anonymous.publish()
    rows = await anonymous.world.rows("entry", "date_us", "label_id")
    labels = dict(await anonymous.world.rows("label", "id", "canonical"))
    hubs = [date_us for date_us, label in rows if read_document(labels[label].encode(), depth_max=8)[0].get("anonymous")]
    dates = [date_us for date_us in hubs if date_us >= named_us]
    assert len(dates) == 21  # with the hub's identity; its definitions were there before
    assert all(date_us - named_us >= 1_000_000 for date_us in dates)


async def test_the_order_of_renditions_is_not_that_of_the_push(anonymous: Anonymous) -> None:
    objects = [indicator(**hidden()) for _ in range(20)]
    await anonymous.give(*objects)
    names = [obj["name"] for obj in await anonymous.renditions()]
    assert sorted(names) == sorted(obj["name"] for obj in objects)
    assert names != [obj["name"] for obj in objects]
