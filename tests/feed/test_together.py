"""Pushes that come at the same time share a transaction, and nothing else: neither outcomes nor faults."""

import asyncio
import json

import msgspec
import pytest

from hub.config import load_config
from hub.domain.appending import Incoming
from hub.domain.ids import CollectionId, MemberId, StatusId, new_uuid
from hub.domain.label import Label, Tlp
from hub.domain.member import MemberKind, Principal, Role
from hub.domain.stix import Limits, read_object
from hub.domain.taxii import Outcome, Query, Status
from hub.service.admit import get_status, push
from hub.service.append import append_in_turn
from hub.service.context import Moved, open_hub
from hub.service.install import install
from hub.service.line import Checked, Stretch
from hub.service.retrieve import list_objects
from hub.store.database import open_database
from hub.store.pushes import Push
from tests.feed.world import START_US, Site, World


@pytest.fixture
async def world(database_url: str) -> World:
    db = await open_database(database_url)
    await install(db, now_us=START_US, title="Test")
    hub = await open_hub(load_config(environ={}, database_url=database_url), db)
    await (world := World(Site(hub, db))).begin()
    return world


def indicator(n: int, **more: object) -> dict[str, object]:
    return {
        "type": "indicator", "spec_version": "2.1", "id": f"indicator--00000000-0000-4000-8000-{n:012d}",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern_type": "stix",
        "pattern": "[ipv4-addr:value = '203.0.113.1']", "valid_from": "2026-01-01T00:00:00Z", **more,
    }  # fmt: skip


async def _push(world: World, member: int, *objects: dict[str, object]) -> Status:
    directory = await world.hub.directory()
    principal = Principal(f"test {member}", Role.PUBLISHER, directory.members[world.members[member]])
    return await push(world.hub, directory, principal, "hub", world.alias, json.dumps({"objects": objects}).encode())


async def _stored(world: World) -> list[str]:
    directory = await world.hub.directory()
    principal = Principal("test", Role.READER, directory.members[world.members[0]])
    page = await list_objects(world.hub, directory, principal, "hub", world.alias, Query(limit=1000))
    return [json.loads(body)["id"] for body in page.bodies]


async def test_each_of_many_pushes_at_once_is_told_its_own_outcomes(world: World) -> None:
    statuses = await asyncio.gather(
        *(_push(world, n % 3, indicator(n), indicator(100 + n, created="x"), indicator(200, description=f"by {n % 3}")) for n in range(12))
    )
    for n, status in enumerate(statuses):
        assert str(indicator(n)["id"]) in [o.id for o in status.successes]
        refused = {o.id: str(o.failure) for o in status.failures}
        assert refused.pop(str(indicator(100 + n)["id"])).startswith("created")
        assert all("not-owner" in failure for failure in refused.values())
    # One producer was first with what all sent; the others were refused it, and it alone.
    assert {len(s.successes) for s in statuses} == {1, 2}
    assert sorted(await _stored(world)) == sorted([*(str(indicator(n)["id"]) for n in range(12)), str(indicator(200)["id"])])
    for n, status in enumerate(statuses):
        directory = await world.hub.directory()
        principal = Principal("test", Role.PUBLISHER, directory.members[world.members[n % 3]])
        assert await get_status(world.hub, directory, principal, "hub", status.id) == status
    await world.site.db.close()


def _stretch(world: World, row: int, obj: dict[str, object], id: str | None = None, *, assumed: int | None = None) -> Stretch:
    read = read_object(json.dumps(obj).encode(), limits=Limits())
    member = MemberId(world.members[0])
    label = Label(CollectionId(world.alias), Tlp.GREEN, MemberKind.OPERATOR)
    incoming = Incoming(msgspec.structs.replace(read, id=id or read.id), label, member)
    push = Push(StatusId(new_uuid()), "hub", row, member, "test", Role.PUBLISHER, START_US, 1, 0)
    return Stretch(push, [Checked(incoming, Outcome(read.id, read.version or ""))], frozenset(), None, assumed)


async def test_what_no_database_can_take_fails_alone(world: World) -> None:
    """Text that is no Unicode cannot pass the door; were it to, those beside it are appended all the same."""
    row = world.row
    first, bad, *good = (_stretch(world, row, indicator(n), "indicator--\ud800" if n == 1 else None) for n in range(5))
    results = await asyncio.gather(*(append_in_turn(world.hub, s) for s in (first, bad, *good)), return_exceptions=True)
    assert "surrogates" in str(results[1])
    assert [len(r) for n, r in enumerate(results) if n != 1 and isinstance(r, list)] == [1, 1, 1, 1]
    await world.site.db.close()


async def test_what_was_judged_by_a_directory_that_has_moved_is_sent_back_alone(world: World) -> None:
    now = (await world.hub.directory()).revision
    stretches = [_stretch(world, world.row, indicator(n), assumed=assumed) for n, assumed in enumerate((now, now - 1, None, now))]
    nothing_comes = _stretch(world, world.row, indicator(4), assumed=now - 1)
    nothing_comes.checked = []
    results = await asyncio.gather(*(append_in_turn(world.hub, s) for s in (*stretches, nothing_comes)), return_exceptions=True)
    assert [type(result) for result in results] == [list, Moved, list, list, Moved]
    again = _stretch(world, world.row, indicator(1), assumed=now)
    assert [outcome.failure for outcome in await append_in_turn(world.hub, again)] == [None]
    await world.site.db.close()


async def test_who_gives_up_waiting_is_not_appended_and_holds_up_nobody(world: World) -> None:
    first, given_up, last = (_stretch(world, world.row, indicator(n)) for n in range(3))
    begun = asyncio.create_task(append_in_turn(world.hub, first))
    waiting = asyncio.create_task(append_in_turn(world.hub, given_up))
    await asyncio.sleep(0)
    waiting.cancel()
    outcomes = await append_in_turn(world.hub, last)
    assert [o.failure for o in [*await begun, *outcomes]] == [None, None]
    assert waiting.cancelled()
    assert given_up.outcomes is None
    await world.site.db.close()
