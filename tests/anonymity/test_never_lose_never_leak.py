"""Promises 1 and 2 where producers are not known: who follows misses no rendition and gets nothing else, whatever stops in between."""

import asyncio
import json
import random

import pytest

from hub.domain.signing.extension import definition_ids
from hub.domain.taxii import Query, VersionMatch
from hub.errors import NotFound
from hub.service.context import open_hub
from hub.service.renditions import publish_renditions
from hub.service.retrieve import list_objects
from tests.anonymity.world import MINUTE_US, Anonymous, hidden
from tests.taxii.content import Object, indicator, version_of

DAYS = [f"2026-01-{day:02}T00:00:00.000Z" for day in range(1, 29)]


async def test_a_hub_that_stops_between_the_push_and_the_append_loses_nothing(either_anonymous: Anonymous) -> None:
    world = either_anonymous.world
    await either_anonymous.push("energy", given := indicator(**hidden()))
    again = await open_hub(world.hub.config, world.hub.db)
    world.now_us += MINUTE_US
    again.now_us = lambda: world.now_us
    assert await publish_renditions(again)
    assert not await publish_renditions(world.hub)
    assert [obj["name"] for obj in await either_anonymous.renditions()] == [given["name"]]


async def test_two_nodes_that_append_at_once_append_once(either_anonymous: Anonymous) -> None:
    world = either_anonymous.world
    await either_anonymous.push("energy", *(indicator(**hidden()) for _ in range(5)))
    given_us = world.now_us
    world.now_us += MINUTE_US
    await asyncio.gather(*(publish_renditions(world.hub) for _ in range(4)))
    assert len(await either_anonymous.renditions()) == 5
    dates = [date_us for (date_us,) in await world.rows("entry", "date_us") if date_us >= given_us]
    assert len(dates) == 5 + 5 + 1  # originals, renditions, and the hub's identity


async def test_two_versions_to_two_collections_at_once_follow_each_other(either_anonymous: Anonymous) -> None:
    given = indicator(**hidden())
    later = version_of(given, DAYS[1], name="Later")
    await asyncio.gather(either_anonymous.push("energy", given), either_anonymous.push("energy", later, to="public"))
    await either_anonymous.publish()
    seen = [*await either_anonymous.renditions(), *await either_anonymous.renditions(of="public")]
    times = [obj["modified"] for obj in sorted(seen, key=lambda obj: obj["name"] == "Later")]
    assert times == sorted(set(times))


@pytest.mark.parametrize("seed", range(4))
async def test_who_follows_gets_every_version_of_every_rendition_and_no_original(anonymous: Anonymous, seed: int) -> None:
    chance = random.Random(seed)
    objects: list[Object] = [indicator(**hidden()) for _ in range(6)]
    given: dict[tuple[int, str], str] = {}  # what stands: name, by object and version
    latest = [0] * len(objects)
    got: dict[str, set[str]] = {"water": set(), "telecoms": set()}
    cursors: dict[str, int | None] = dict.fromkeys(got)
    for step in range(60):
        number, act = chance.randrange(len(objects)), chance.choice(["push", "push", "publish", "follow", "delete", "minute"])
        if act == "push":
            name = f"step {step}"
            status = await anonymous.push("energy", version_of(objects[number], DAYS[latest[number]], name=name))
            assert not status.failures
            given[number, DAYS[latest[number]]] = name
            latest[number] += 1
        elif act == "publish":
            await anonymous.publish()
        elif act == "minute":
            anonymous.world.now_us += chance.randrange(MINUTE_US)
        elif act == "delete" and latest[number]:
            last = next((v for n, v in sorted(given, reverse=True) if n == number), None)
            if last is not None:
                await anonymous.delete(objects[number], VersionMatch())
                del given[number, last]
        else:
            await follow(anonymous, chance.choice(sorted(got)), got, cursors)
    await anonymous.publish()
    for slug, names in got.items():
        await follow(anonymous, slug, got, cursors)
        assert set(given.values()) <= names
        assert {obj["name"] for obj in await anonymous.renditions(slug)} == set(given.values())


async def follow(anonymous: Anonymous, slug: str, got: dict[str, set[str]], cursors: dict[str, int | None]) -> None:
    """Follow to the end by date, as a client would, and check that nothing came that names the producer."""
    hub, principal = anonymous.world.hub, await anonymous.world.principal(slug)
    identity = (await hub.directory()).identity
    while True:
        query = Query(added_after_us=cursors[slug], limit=3, versions=VersionMatch(all=True))
        page = await list_objects(hub, await hub.directory(), principal, "hub", "shared", query)
        if not page.bodies:
            return
        cursors[slug] = page.last_us
        objects = [obj for obj in map(json.loads, page.bodies) if obj["id"] not in definition_ids()]
        assert all(obj["created_by_ref"] == identity for obj in objects)
        got[slug] |= {obj["name"] for obj in objects}


async def test_nothing_that_was_never_given_can_be_deleted(anonymous: Anonymous) -> None:
    with pytest.raises(NotFound):
        await anonymous.delete(indicator())
