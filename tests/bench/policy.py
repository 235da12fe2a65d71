"""Policy at the size of a community: a poll among 2,000 members, 500 labels and 50 policies, over the same poll with one of each.

Times are processor time, so that other work on the machine does not count: of `hub serve` for a poll as a client sends it, and of this
process for the same page asked of the services, without the HTTP that costs both the same.
"""

import asyncio
import gc
import itertools
import random
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote

from hub.config import Config
from hub.domain.appending import Incoming
from hub.domain.directory import HeldCollection, Token
from hub.domain.ids import MemberId
from hub.domain.label import Label, Tlp
from hub.domain.member import SECTORS, Member, MemberKind, Principal, Role, Standing
from hub.domain.policy import PolicyBundle
from hub.domain.policy_floor import FLOOR, check_bundle
from hub.domain.taxii import Query
from hub.domain.timestamp import format_timestamp
from hub.domain.token import TEST, hash_secret, new_token
from hub.service.context import Hub, open_hub
from hub.service.install import install
from hub.service.preview import decide_all
from hub.service.retrieve import list_objects
from hub.store.append import load_batch, write_batch
from hub.store.collections import add_collection
from hub.store.credentials import add_token
from hub.store.database import Connection, Database, open_database
from hub.store.directory import bump_revision, load_directory
from hub.store.members import add_member
from hub.store.migrate import upgrade
from hub.store.policies import put_in_force
from hub.store.state import read_state
from tests.bench import load
from tests.bench.community import COLLECTION, OBJECTS_PATH
from tests.bench.content import as_read, indicator
from tests.bench.databases import databases
from tests.bench.load import Load
from tests.bench.poll import CONNECTIONS
from tests.bench.processes import Server, hub_server
from tests.bench.report import Finding, Target
from tests.bench.rounds import Side, in_turns
from tests.bench.seed import mark_ledger
from tests.bench.settings import Settings

POLL = Target(1.3, at_most=True)
PREVIEW_S = Target(1, at_most=True)
_MEMBERS, _LABELS, _POLICIES = 2_000, 500, 50
_ENTRIES, _BATCH, _POLLS, _PAGE = 10_000, 2_500, 300, 100
_READER = Member(MemberId("identity--0b5e0000-0000-4000-8000-0000000000aa"), "reader", "Reader", MemberKind.OPERATOR, frozenset({"energy"}))
_SPREAD_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Community:
    """A hub with a feed, and where in the feed polls begin."""

    url: str
    hub: Hub
    db: Database
    token: str  # of the member that polls
    positions: Sequence[int]


async def measure(settings: Settings) -> AsyncIterator[Finding]:
    with databases("sqlite") as place:
        many = await _community(place.create("many"), _MEMBERS, _LABELS, _POLICIES)
        one = await _community(place.create("one"), 1, 1, 0)
        gc.collect()
        gc.freeze()  # as `hub serve` does
        try:
            yield await _over_http(settings, many, one)
            rounds = [(await _poll_us(many), await _poll_us(one)) for _ in range(settings.rounds + 1)][1:]
            yield _compared("the same of the services, without HTTP", rounds, None)
            spent = [await _preview_s(many) for _ in range(settings.rounds)]
            yield Finding(
                f"audience of a draft among {_MEMBERS:,} members, s of CPU", "sqlite", spent, PREVIEW_S, f"{min(spent):.3f} s at best", ""
            )
        finally:
            gc.unfreeze()
            await many.db.close()
            await one.db.close()


async def _over_http(settings: Settings, many: Community, one: Community) -> Finding:
    async with hub_server(many.url) as first, hub_server(one.url) as second:
        turns = await in_turns(
            Side(first, lambda: _polls(settings, first, many)), Side(second, lambda: _polls(settings, second, one)), settings.rounds
        )
    name = f"page of {_PAGE}, {_MEMBERS:,} members, {_LABELS} labels, {_POLICIES} policies"
    return _compared(name, [(a.cpu_us, b.cpu_us) for a, b in turns], POLL)


async def _polls(settings: Settings, server: Server, community: Community) -> Load:
    after = [quote(format_timestamp(date_us)) for date_us in community.positions]
    requests = itertools.cycle([load.get(f"{OBJECTS_PATH}?limit={_PAGE}&added_after={date}", community.token) for date in after])
    return await load.run(server.port, requests, connections=CONNECTIONS, seconds=settings.seconds)


def _compared(name: str, rounds: Sequence[tuple[float, float]], target: Target | None) -> Finding:
    hub = f"{min(many for many, _ in rounds):.0f} µs of CPU at best"
    return Finding(name, "sqlite", [many / one for many, one in rounds], target, hub, f"one of each {min(one for _, one in rounds):.0f} µs")


async def _community(url: str, members: int, labels: int, policies: int) -> Community:
    await asyncio.to_thread(upgrade, url)
    db = await open_database(url)
    now_us = time.time_ns() // 1_000
    await install(db, now_us=now_us, title="Bench")
    token = await db.write(_settle, members, policies, now_us=now_us - 2 * _SPREAD_US)
    async with db.read() as conn:
        held = (await load_directory(conn, now_us)).collections[COLLECTION.id]
    dates = [await db.write(_append, held, start, _labels(labels), now_us=now_us - _SPREAD_US) for start in range(0, _ENTRIES, _BATCH)]
    await db.write(mark_ledger, assessed=1)  # a feed of long ago was assessed long ago
    chance = random.Random(1)
    positions = [chance.randrange(dates[0], dates[-1]) for _ in range(64)]
    return Community(url, await open_hub(Config(database_url=url), db), db, token, positions)


async def _settle(conn: Connection, members: int, policies: int, *, now_us: int) -> str:
    """Add the members, the collection, and so many policies of a site's own as make the number whole; return the reader's token."""
    await bump_revision(conn)
    chance = random.Random(2)
    await add_member(conn, _READER, now_us=now_us)
    for n in range(members - 1):
        sectors = frozenset(chance.sample(sorted(SECTORS), chance.choice((1, 1, 2))))
        id = MemberId(f"identity--0b5e0000-0000-4000-8000-{n + 4096:012x}")
        kind, standing = chance.choice(list(MemberKind)), chance.choice(list(Standing))
        await add_member(conn, Member(id, f"member-{n}", f"Member {n}", kind, sectors, standing), now_us=now_us)
    await add_collection(conn, COLLECTION, now_us=now_us)
    shipped = PolicyBundle.load(PolicyBundle.shipped_directory())
    own = "\n".join(
        f'@id("own-{n}")\n@reason("A rule of the site.")\nforbid (principal is Member, action in Action::"see", resource)\n'
        f'when {{ resource.topic == "closed-{n}" && principal.tier < {n % 3 + 1} }}\nunless {{ {FLOOR} }};'
        for n in range(policies - len(shipped.rules))
    )
    if own:
        bundle = check_bundle({**shipped.files, "site.cedar": own.encode()})
        await put_in_force(conn, bundle.digest, bundle.files, actor="bench", approver=None, now_us=now_us, before=1)
    secret = bytes.fromhex(await read_state(conn, "secret"))
    token, text = new_token(TEST)
    await add_token(conn, Token(token.id, _READER.id, "bench", Role.READER, hash_secret(secret, token.secret), now_us, None, None))
    return text


def _labels(count: int) -> list[Label]:
    """Return labels of which the reader sees half: of the others one half waits, one half is for another sector."""
    plain = Label(COLLECTION.id, Tlp.GREEN, MemberKind.OPERATOR)
    kinds = (plain, replace(plain, reciprocal=True), plain, replace(plain, tlp=Tlp.AMBER, sectors=frozenset({"water"})))
    return [replace(kinds[n % len(kinds)], topic=f"topic-{n}") for n in range(count)]


async def _append(conn: Connection, held: HeldCollection, start: int, labels: Sequence[Label], *, now_us: int) -> int:
    incoming = [Incoming(as_read(n, indicator(n, ()), ()), labels[n % len(labels)], _READER.id) for n in range(start, start + _BATCH)]
    at_us = now_us + _SPREAD_US // 2 * start // _ENTRIES
    batch = await load_batch(conn, held.row, incoming, frozenset({_READER.id}), at_us)
    for one in incoming:
        batch.add(one)
    await write_batch(conn, batch)
    return batch.appended[0][1].date_us


async def _poll_us(community: Community) -> float:
    """Return the time that a page takes, from who asks to the bytes."""
    hub = community.hub
    principal = Principal("bench", Role.READER, (await hub.directory()).members[_READER.id])
    began = time.process_time()
    for n in range(_POLLS):
        after = community.positions[n % len(community.positions)]
        page = await list_objects(
            hub, await hub.directory(), principal, "hub", COLLECTION.id, Query(limit=_PAGE, added_after_us=after)
        )  # fmt: skip
        assert page.next is not None, "the page is full"
    spent_s = time.process_time() - began
    assert len(page.bodies) == _PAGE
    return 1e6 * spent_s / _POLLS


async def _preview_s(community: Community) -> float:
    directory = await community.hub.directory()
    bundle = await community.hub.policies(directory)
    label = replace(_labels(2)[1], tlp=Tlp.AMBER, sectors=frozenset({"energy"}))
    began = time.process_time()
    assert len(decide_all(bundle, list(directory.members.values()), label, COLLECTION)) == _MEMBERS
    return time.process_time() - began
