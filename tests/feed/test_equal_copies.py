"""What several give alike and nobody owns, as a property: it is served, once, while anybody holds it, and who follows the feed has it then.

The plain account: a member holds what it gave and has not taken back; what it took back it cannot give again.
"""

import asyncio
import json
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import bindparam, update

from hub.domain.member import MemberKind
from hub.domain.taxii import ALL_VERSIONS, Outcome, Query
from hub.errors import NotFound, Withheld
from hub.service.admit import push
from hub.service.remove import delete_object
from hub.service.retrieve import list_manifest, list_objects
from hub.store.database import Connection, Database, prepare
from hub.store.directory import bump_revision
from hub.store.tables import table
from tests.feed.world import Site, World
from tests.watched import Watched, WatchedConnection

MEMBERS, NUMBERS = st.integers(0, 2), st.integers(1, 3)
PUSH = st.tuples(st.just("push"), MEMBERS, st.lists(NUMBERS, min_size=1, max_size=4))
DELETE = st.tuples(st.just("delete"), MEMBERS, NUMBERS)
FOLLOW = st.tuples(st.just("follow"), st.integers(0, 1), st.integers(1, 3))
HISTORIES = st.lists(st.one_of(PUSH, PUSH, DELETE, DELETE, FOLLOW), min_size=4, max_size=30)

_MEMBER = table("member")
_BE_AGENCY = prepare(update(_MEMBER).where(_MEMBER.c.id == bindparam("of")).values(kind=MemberKind.AGENCY.value))


@dataclass
class Copies:
    """A collection to which two operators and an agency give the same observables."""

    world: World
    holders: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    given_up: set[tuple[str, int]] = field(default_factory=set)
    got: list[set[str]] = field(default_factory=lambda: [set(), set()])  # by follower: what it has of what is there
    after_us: list[int | None] = field(default_factory=lambda: [None, None])  # by follower: its cursor

    @classmethod
    async def begin(cls, site: Site) -> "Copies":
        world = World(site)
        await world.begin()

        async def be_agency(conn) -> None:  # noqa: ANN001
            await conn.execute(_BE_AGENCY, of=world.members[2])
            await bump_revision(conn)

        await site.db.write(be_agency)
        return cls(world)

    def observable(self, number: int) -> dict[str, object]:
        id = f"ipv4-addr--{uuid.uuid5(uuid.UUID(self.world.members[0][10:]), str(number))}"
        return {"type": "ipv4-addr", "spec_version": "2.1", "id": id, "value": f"198.51.100.{number}"}

    async def push(self, member: int, numbers: list[int]) -> list[Outcome]:
        return await self.give(member, [self.observable(number) for number in numbers])

    async def give(self, member: int, objects: list[dict[str, object]]) -> list[Outcome]:
        hub, directory = self.world.hub, await self.world.hub.directory()
        body = json.dumps({"objects": objects}).encode()
        status = await push(hub, directory, self.world.principal(member, directory), "hub", self.world.alias, body)
        return [*status.successes, *status.failures]

    async def push_and_check(self, member: int, numbers: list[int]) -> None:
        for outcome in await self.push(member, numbers):
            if (outcome.id, member) in self.given_up:
                assert str(outcome.failure).startswith("deleted")
            else:
                assert outcome.failure is None
                self.holders[outcome.id].add(member)

    async def delete(self, member: int, number: int) -> None:
        hub, directory = self.world.hub, await self.world.hub.directory()
        principal, id = self.world.principal(member, directory), str(self.observable(number)["id"])
        await delete_object(hub, directory, principal, "hub", self.world.alias, id, Query(versions=ALL_VERSIONS))

    async def delete_and_check(self, member: int, number: int) -> None:
        id, clock_us, before = str(self.observable(number)["id"]), await self.world.clock(), await self.served()
        holders = self.holders[id]
        if member not in holders:
            with pytest.raises(Withheld if holders else NotFound):
                await self.delete(member, number)
            return
        await self.delete(member, number)
        holders.remove(member)
        self.given_up.add((id, member))
        if holders:
            after = (await self.served())[id]
            assert after == before[id] or after > clock_us, "where it was, or in front of every cursor"
        else:
            for got in self.got:
                got.discard(id)

    async def served(self) -> dict[str, int]:
        """Return the dates of what is served, by id; each is there once."""
        directory = await self.world.hub.directory()
        query = Query(limit=100, versions=ALL_VERSIONS)
        page = await list_manifest(self.world.hub, directory, self.world.principal(0, directory), "hub", self.world.alias, query)
        dates = {id: date_us for id, date_us, _ in page.records}
        assert len(dates) == len(page.records)
        return dates

    async def follow(self, follower: int) -> int:
        """Fetch the next page as a client does, and return how many objects there were."""
        directory = await self.world.hub.directory()
        query = Query(added_after_us=self.after_us[follower], limit=1 + follower)
        principal = self.world.principal(follower, directory)
        page = await list_objects(self.world.hub, directory, principal, "hub", self.world.alias, query)
        self.after_us[follower] = page.last_us or self.after_us[follower]
        self.got[follower].update(json.loads(body)["id"] for body in page.bodies)
        return len(page.bodies)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=HISTORIES)
def test_what_anybody_holds_is_served_once_and_who_follows_has_it(history: list, site: Site, runner: asyncio.Runner) -> None:
    served, held, got = runner.run(_live(site, history))
    assert served == held, "after each step"
    assert got == [held[-1]] * 2


async def _live(site: Site, history: list) -> tuple[list[set[str]], list[set[str]], list[set[str]]]:
    """Return what was served and what was held after each step, and what each follower has at last."""
    copies = await Copies.begin(site)
    served, held = [], []
    for kind, who, what in history:
        if kind == "push":
            await copies.push_and_check(who, what)
        elif kind == "delete":
            await copies.delete_and_check(who, what)
        else:
            for _ in range(what):
                await copies.follow(who)
        served.append(set(await copies.served()))
        held.append({id for id, holders in copies.holders.items() if holders})
    for follower in range(2):
        while await copies.follow(follower):
            pass
    return served, held, copies.got


def test_a_copy_that_comes_while_another_goes_is_there_afterwards(site: Site, runner: asyncio.Runner) -> None:
    numbers = [1, 2, 3]
    afterwards, at_last = runner.run(_race(site, numbers))
    assert len(afterwards) == len(numbers)
    assert at_last == {}


async def _race(site: Site, numbers: list[int]) -> tuple[dict[str, int], dict[str, int]]:
    """Return what is served after the first producer's deletions, and after those of the two that came meanwhile."""
    copies = await Copies.begin(site)
    for number in numbers:
        await copies.push(0, [number])
        acts = [copies.push(1, [number]), copies.push(2, [number])]
        acts.insert(number - 1, copies.delete(0, number))
        await asyncio.gather(*acts)
    afterwards = await copies.served()
    for member in (1, 2):
        for number in numbers:
            await copies.delete(member, number)
    return afterwards, await copies.served()


class Tally(Watched):
    """Counts what the database is asked in transactions that write."""

    def __init__(self, inner: Database) -> None:
        super().__init__(inner)
        self.asked = 0

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        async def counted(conn: Connection, *args: Any, **kwargs: Any) -> Any:
            return await work(Tallied(conn, self), *args, **kwargs)

        return await self.inner.write(counted, *args, **kwargs)


class Tallied(WatchedConnection):
    """A connection of which the tally is kept."""

    def __init__(self, inner: Connection, tally: Tally) -> None:
        super().__init__(inner)
        self.tally = tally

    def __getattribute__(self, name: str) -> Any:
        if name in ("fetch", "execute", "change", "next_rows"):
            self.tally.asked += 1
        return super().__getattribute__(name)


def test_what_brings_nothing_equal_costs_nothing_more(site: Site, runner: asyncio.Runner) -> None:
    """New observables cost what new indicators do, which are never held beside anything; so do observables that come again."""
    asked = runner.run(_tally(site))
    assert all(asked.values())
    assert asked["observable 0"] == asked["indicator 0"]
    assert asked["observable 1"] == asked["indicator 1"]


async def _tally(site: Site) -> dict[str, int]:
    """Return how often the database is asked for each of two pushes of an indicator and an observable."""
    copies, tally = await Copies.begin(site), Tally(site.db)
    asked: dict[str, int] = {}
    await copies.give(0, [copies.world.indicator(0, 1, "green")])  # so that their label is known
    objects = {"indicator": copies.world.indicator(1, 1, "green"), "observable": copies.observable(1)}
    copies.world.hub.db = tally
    try:
        for n in range(2):
            for kind, obj in objects.items():
                tally.asked = 0
                await copies.give(0, [obj])
                asked[f"{kind} {n}"] = tally.asked
    finally:
        copies.world.hub.db = site.db
    return asked
