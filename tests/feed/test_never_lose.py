"""Promise 3: what was acknowledged survives kill -9, neither lost nor doubled."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hub.config import load_config
from hub.domain.ids import MemberId
from hub.domain.member import Principal, Role
from hub.domain.taxii import Query, Status
from hub.service.admit import get_status, push
from hub.service.context import Hub, open_hub
from hub.service.install import install
from hub.service.retrieve import list_objects
from hub.store.database import open_database
from hub.work.pushes import finish_pushes
from tests.feed.pusher import ENVELOPE_OBJECTS, POINTS, indicators
from tests.feed.world import START_US, Site, World
from tests.processes import PIPE, start


@dataclass(frozen=True)
class Place:
    """Where to push, and as whom."""

    url: str
    alias: str
    member: MemberId


@pytest.fixture
async def place(database_url: str) -> Place:
    """A hub with one collection, closed again: others work on its database."""
    db = await open_database(database_url)
    await install(db, now_us=START_US, title="Test")
    hub = await open_hub(load_config(environ={}, database_url=database_url), db)
    await (world := World(Site(hub, db))).begin()
    await db.close()
    return Place(database_url, world.alias, world.members[0])


async def _open(place: Place) -> tuple[Hub, Principal]:
    db = await open_database(place.url)
    hub = await open_hub(load_config(environ={}, database_url=place.url), db)
    return hub, Principal("test", Role.PUBLISHER, (await hub.directory()).members[place.member])


async def _stored(hub: Hub, principal: Principal, place: Place) -> Counter[str]:
    """Every object that a member gets by paging to the end, with how often."""
    got: Counter[str] = Counter()
    query = Query(limit=7)
    while True:
        page = await list_objects(hub, await hub.directory(), principal, "hub", place.alias, query)
        got.update(json.loads(body)["id"] for body in page.bodies)
        if page.next is None:
            return got
        query = Query(limit=7, next=page.next)


async def _until(is_so: Callable[[Status], bool], hub: Hub, principal: Principal, status_id: str) -> Status:
    """Ask for a status as a client would, until something holds of it."""
    async with asyncio.timeout(30):
        while True:
            status = await get_status(hub, await hub.directory(), principal, "hub", status_id)
            if is_so(status):
                return status
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("point", POINTS)
async def test_what_was_acknowledged_before_a_kill_is_there_once(place: Place, point: str) -> None:
    process = await start("tests.feed.pusher", place.url, place.alias, place.member, point, "0", "4", stdout=PIPE)
    out = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == -signal.SIGKILL
    acknowledged = [int(line) for line in out.split()]
    assert acknowledged == [0, 1, 2]

    hub, principal = await _open(place)
    stored = await _stored(hub, principal, place)
    wanted = {str(o["id"]) for number in acknowledged for o in indicators(number)}
    assert wanted <= stored.keys()
    assert len(stored) in (len(wanted), len(wanted) + ENVELOPE_OBJECTS), "an envelope is there whole or not at all"
    assert set(stored.values()) == {1}

    # The client that got no answer sends again: success, and still nothing twice.
    for number in (2, 3):
        body = json.dumps({"objects": indicators(number)}).encode()
        status = await push(hub, await hub.directory(), principal, "hub", place.alias, body)
        assert len(status.successes) == ENVELOPE_OBJECTS
    stored = await _stored(hub, principal, place)
    assert len(stored) == 4 * ENVELOPE_OBJECTS
    assert set(stored.values()) == {1}
    await hub.db.close()


async def test_a_pending_push_survives_a_restart_and_is_finished_after_it(place: Place) -> None:
    objects = [o for number in range(30) for o in indicators(number)]
    hub, principal = await _open(place)
    small = load_config(environ={}, database_url=place.url, push_inline_objects_max=10, push_chunk_objects=40)
    hub.config = small
    status = await push(hub, await hub.directory(), principal, "hub", place.alias, json.dumps({"objects": objects}).encode())
    assert (status.complete, status.total) == (False, 300)
    # One node begins, and goes away in the middle.
    stop = asyncio.Event()
    task = asyncio.create_task(finish_pushes(hub, stop))
    await _until(lambda s: bool(s.successes), hub, principal, status.id)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await hub.db.close()

    hub, principal = await _open(place)
    hub.config = small
    # Its lease runs out (on SQLite there is no other process, so it is let go at the start).
    hub.now_us = lambda real=hub.now_us: real() + 60_000_000  # type: ignore[misc]
    stop = asyncio.Event()
    task = asyncio.create_task(finish_pushes(hub, stop))
    done = await _until(lambda s: s.complete, hub, principal, status.id)
    stop.set()
    await task
    assert (len(done.successes), len(done.failures)) == (300, 0)
    assert set((await _stored(hub, principal, place)).values()) == {1}
    assert len(await _stored(hub, principal, place)) == 300
    await hub.db.close()
