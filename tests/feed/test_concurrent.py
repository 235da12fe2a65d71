"""Promise 1 under real concurrency: eight writers, rights that change meanwhile, clocks that disagree, several processes on PostgreSQL."""

import asyncio
import json

import pytest

from hub.config import load_config
from hub.domain.member import Principal, Role
from hub.domain.taxii import ALL_VERSIONS, Query, VersionMatch
from hub.service.admit import push
from hub.service.context import Hub, now_us, open_hub
from hub.service.install import install
from hub.service.retrieve import list_objects
from hub.store.database import open_database
from tests.feed.world import START_US, Site, World
from tests.processes import PIPE, start

WRITERS = 8
PUSHES = 12
OBJECTS = 5


@pytest.fixture
async def world(database_url: str) -> World:
    db = await open_database(database_url)
    await install(db, now_us=START_US, title="Test")
    hub = await open_hub(load_config(environ={}, database_url=database_url), db)
    world = World(Site(hub, db))
    await world.begin()
    return world


async def test_pollers_miss_nothing_of_eight_writers_while_rights_change(world: World, database_url: str) -> None:
    writing, settled = asyncio.Event(), asyncio.Event()  # all is written; and all rights stand as they stay
    followers = [
        asyncio.create_task(_follow(world, member, by_date=by_date, versions=versions, settled=settled))
        for member in (1, 2)
        for by_date, versions in ((True, VersionMatch()), (False, VersionMatch()), (True, ALL_VERSIONS), (False, ALL_VERSIONS))
    ]
    changing = asyncio.create_task(_change_rights(world, writing))
    if database_url.startswith("sqlite"):
        await asyncio.gather(*(_write(world, world.hub, number) for number in range(WRITERS)))
    else:
        await asyncio.gather(*(_write_from_another_process(world, database_url, number) for number in range(4)))
        await asyncio.gather(*(_write(world, world.hub, number) for number in range(4, WRITERS)))
    writing.set()
    await changing
    settled.set()
    wanted = {str(_object(world, w, p, o)["id"]) for w in range(WRITERS) for p in range(PUSHES) for o in range(OBJECTS)}
    for got in await asyncio.gather(*followers):
        assert wanted - got == set()
    await world.site.db.close()


def _object(world: World, writer: int, number: int, place: int) -> dict[str, object]:
    """Every third is for the group only, so that some come into view as a backlog."""
    serial = (writer * PUSHES + number) * OBJECTS + place
    return {**world.indicator(1, 1, "group" if serial % 3 == 0 else "green"), "id": f"indicator--00000000-0000-4000-8000-{serial:012d}"}


async def _write(world: World, hub: Hub, writer: int, skew_us: int = 0) -> None:
    hub.now_us = lambda: now_us() + skew_us
    directory = await hub.directory()
    principal = Principal("test", Role.PUBLISHER, directory.members[world.members[0]])
    for number in range(PUSHES):
        body = json.dumps({"objects": [_object(world, writer, number, place) for place in range(OBJECTS)]}).encode()
        status = await push(hub, await hub.directory(), principal, "hub", world.alias, body)
        assert not status.failures, status.failures


async def _write_from_another_process(world: World, url: str, writer: int) -> None:
    """A node of its own, whose clock is off: by an hour ahead, by an hour behind, …"""
    bodies = [[_object(world, writer, number, place) for place in range(OBJECTS)] for number in range(PUSHES)]
    skew_us = (-1) ** writer * 3_600_000_000
    process = await start("tests.feed.writer", url, world.alias, world.members[0], str(skew_us), stdin=PIPE)
    await process.communicate(json.dumps(bodies).encode())
    assert process.returncode == 0


async def _change_rights(world: World, writing: asyncio.Event) -> None:
    """Members join and leave the group for as long as there are writers; at the end both belong to it."""
    while not writing.is_set():
        for member in (1, 2):
            await world.change(member, "group")
            await asyncio.sleep(0.005)
    for member in (1, 2):
        if not world.in_group[member]:
            await world.change(member, "group")


async def _follow(world: World, member: int, *, by_date: bool, versions: VersionMatch, settled: asyncio.Event) -> set[str]:
    """Page on and on, until there was nothing twice since the last writer ended and rights are settled."""
    got: set[str] = set()
    after_us: int | None = None
    next: str | None = None
    quiet = 0
    while quiet < 2:
        was_settled = settled.is_set()
        directory = await world.hub.directory()
        principal = Principal("test", Role.READER, directory.members[world.members[member]])
        query = Query(added_after_us=after_us, next=next, limit=7, versions=versions)
        page = await list_objects(world.hub, directory, principal, "hub", world.alias, query)
        got.update(json.loads(body)["id"] for body in page.bodies)
        if page.last_us is not None and (by_date or page.next is None):
            after_us, next = page.last_us, None
        else:
            next = page.next
        quiet = quiet + 1 if was_settled and not page.bodies else 0
        await asyncio.sleep(0.001)
    return got
