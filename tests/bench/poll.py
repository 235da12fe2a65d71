"""Pages of 100 and of 1,000 objects from the hub, with authentication and policy, over the floor's; and over OpenTAXII's."""

import itertools
import json
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from hub.domain.timestamp import format_timestamp
from tests.bench import load, peer
from tests.bench.community import OBJECTS_PATH
from tests.bench.databases import Unmeasured, databases
from tests.bench.load import Load
from tests.bench.processes import Server, floor_server, hub_server
from tests.bench.report import Finding, Target
from tests.bench.rounds import Side, Turn, in_turns, median_of
from tests.bench.seed import Seeded, seed
from tests.bench.settings import Settings

ENTRIES = 20_000
PEER_ENTRIES = 1_000  # OpenTAXII's polls take twenty times as long with 20,000 stored, so this is where it does best
CONNECTIONS = 4  # enough to keep the server busy all the time
TARGETS = {100: Target(0.5), 1_000: Target(0.7)}
TARGET_OPENTAXII = Target(20)
_POSITIONS = 64


@dataclass(frozen=True, slots=True)
class Servers:
    """A hub and a floor over one database."""

    seeded: Seeded
    hub: Server
    floor: Server


async def measure(settings: Settings) -> AsyncIterator[Finding]:
    for engine in settings.engines:
        with databases(engine) as made:
            seeded = await seed(made.create("poll"), settings.entries or ENTRIES)
            await made.settle(seeded.url)
            async with hub_server(seeded.url) as hub, floor_server(seeded.url, seeded.collection_row) as floor:
                servers = Servers(seeded, hub, floor)
                await _check_same_page(servers)
                for limit, member in itertools.product(TARGETS, ("whole", "most")):
                    yield await _over_floor(settings, engine, servers, member, limit)
                if engine == "sqlite":
                    async for finding in _over_opentaxii(settings, servers):
                        yield finding


async def _over_floor(settings: Settings, engine: str, servers: Servers, member: str, limit: int) -> Finding:
    after = _positions(servers.seeded, limit)
    hub = Side(servers.hub, lambda: _poll(settings, servers.hub, hub_requests(servers.seeded, member, limit, after)))
    floor = Side(servers.floor, lambda: _poll(settings, servers.floor, _floor_requests(limit, after)))
    rounds = await in_turns(hub, floor, settings.rounds)
    ratios = [a.load.per_s / b.load.per_s for a, b in rounds]
    return Finding(
        f"page of {limit:,}, member sees {'all' if member == 'whole' else '3 of 4'}", engine, ratios, TARGETS[limit],
        _figures([a for a, _ in rounds]), f"floor {_figures([b for _, b in rounds])}",
    )  # fmt: skip


async def _over_opentaxii(settings: Settings, servers: Servers) -> AsyncIterator[Finding]:
    try:
        async with peer.server(PEER_ENTRIES) as (other, path):
            for limit in TARGETS:
                after = _positions(servers.seeded, limit)
                hub = Side(servers.hub, lambda: _poll(settings, servers.hub, hub_requests(servers.seeded, "whole", limit, after)))  # noqa: B023
                requests = itertools.repeat(load.get(f"{path}?limit={limit}"))
                theirs = Side(other, lambda: _poll(settings, other, requests))  # noqa: B023
                rounds = await in_turns(hub, theirs, settings.rounds)
                ratios = [a.load.per_s / b.load.per_s for a, b in rounds]
                hub_figures, peer_figures = _figures([a for a, _ in rounds]), _figures([b for _, b in rounds])
                yield Finding(
                    f"page of {limit:,}",
                    "sqlite",
                    ratios,
                    TARGET_OPENTAXII,
                    hub_figures,
                    f"{peer.NAME} with {PEER_ENTRIES:,} stored {peer_figures}",
                )
    except Unmeasured as e:
        print(f"skipped: {peer.NAME}: {e}", flush=True)


def hub_requests(seeded: Seeded, member: str, limit: int, after: Sequence[int]) -> Iterator[bytes]:
    """Return polls without end, each from the next of the dates in `after`."""
    token = seeded.community.tokens[member]
    polls = [load.get(f"{OBJECTS_PATH}?limit={limit}&added_after={quote(format_timestamp(date_us))}", token) for date_us in after]
    return itertools.cycle(polls)


def _floor_requests(limit: int, after: Sequence[int]) -> Iterator[bytes]:
    return itertools.cycle([load.get(f"/objects?limit={limit}&after={date_us}") for date_us in after])


def _positions(seeded: Seeded, limit: int) -> list[int]:
    """Return dates all over the feed, so that no page is asked for again and again, and each is full for a member that sees 3 of 4."""
    share_max = max(0.0, 1 - 2 * limit / seeded.entries)
    chosen = random.Random(limit)
    return [seeded.date_at(chosen.random() * share_max) for _ in range(_POSITIONS)]


async def _poll(settings: Settings, server: Server, requests: Iterator[bytes]) -> Load:
    return await load.run(server.port, requests, connections=CONNECTIONS, seconds=settings.seconds)


async def _check_same_page(servers: Servers) -> None:
    """Make sure that hub and floor do the same work: the same objects, in the same order."""
    for limit in TARGETS:
        after = _positions(servers.seeded, limit)[:1]
        hub = json.loads(await load.fetch(servers.hub.port, next(hub_requests(servers.seeded, "whole", limit, after))))
        floor = json.loads(await load.fetch(servers.floor.port, next(_floor_requests(limit, after))))
        assert hub["objects"] == floor["objects"], "the hub and the floor give different pages"
        assert len(hub["objects"]) == limit


def _figures(turns: Sequence[Turn]) -> str:
    return f"{median_of([t.load.per_s for t in turns])} pages/s, {median_of([t.cpu_us for t in turns])} µs CPU"
