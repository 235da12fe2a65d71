"""What a million entries cost: pages, pushes and memory of a hub over a large feed, against one over a feed of 1,000."""

import itertools
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from tests.bench import load
from tests.bench.community import RARE_ONE_IN
from tests.bench.databases import Databases, Unmeasured, databases
from tests.bench.invariants import check_feed
from tests.bench.load import Load
from tests.bench.poll import hub_requests
from tests.bench.processes import Server, hub_server
from tests.bench.push import hub_post, push
from tests.bench.report import Finding, Target
from tests.bench.rounds import Side, in_turns, median_of
from tests.bench.seed import Seeded, seed
from tests.bench.settings import Settings

SMALL, LARGE = 1_000, 1_000_000
LIMIT = 100
BUNDLE = 1_000
PAGE = Target(1.3, at_most=True)
DEEP = Target(1.2, at_most=True)
RARE = Target(3, at_most=True)
PUSH = Target(0.8)
MEMORY = Target(1.15, at_most=True)

_PAGES_BEFORE_MEMORY = 2_000
_BUNDLES_BEFORE_MEMORY = 5
_BUNDLES = 4
_FIRST_NEW = 1 << 34


@dataclass(frozen=True, slots=True)
class Place:
    """A hub and the feed that it serves."""

    seeded: Seeded
    hub: Server

    async def poll(self, member: str, share: float, seconds: float) -> Load:
        """Poll the page that follows that share of the feed, again and again."""
        requests = hub_requests(self.seeded, member, LIMIT, [self.seeded.date_at(share) - 1])
        return await load.run(self.hub.port, requests, connections=1, seconds=seconds)

    async def page_objects(self, member: str) -> int:
        """Return how many objects the member's first page has."""
        request = next(hub_requests(self.seeded, member, LIMIT, [self.seeded.first_us - 1]))
        return len(json.loads(await load.fetch(self.hub.port, request))["objects"])


async def measure(settings: Settings) -> AsyncIterator[Finding]:
    entries = settings.entries or LARGE
    if entries < LIMIT * RARE_ONE_IN:
        raise Unmeasured(f"a full page of who sees 1 in {RARE_ONE_IN:,} needs {LIMIT * RARE_ONE_IN:,} entries")
    numbers = itertools.count(_FIRST_NEW)
    for engine in settings.engines:
        with databases(engine) as made:
            small_feed, large_feed = [await _feed(made, stored) for stored in (SMALL, entries)]
            async with hub_server(small_feed.url) as small_hub, hub_server(large_feed.url) as large_hub:
                small, large = Place(small_feed, small_hub), Place(large_feed, large_hub)
                yield await _memory(engine, small, large, numbers)
                async for finding in _pages(settings, engine, small, large):
                    yield finding
                yield await _pushes(settings, engine, small, large, numbers)


async def _feed(made: Databases, entries: int) -> Seeded:
    seeded = await seed(made.create(f"feed-{entries}"), entries)
    await made.settle(seeded.url)
    await check_feed(seeded)
    return seeded


async def _pages(settings: Settings, engine: str, small: Place, large: Place) -> AsyncIterator[Finding]:
    stored = f"{large.seeded.entries:,} stored"
    cases = (
        (f"p50 of a page, {stored}", PAGE, (large, "whole", 0.0), (small, "whole", 0.0), f"{small.seeded.entries:,} stored"),
        (f"p50 at 90 % depth, {stored}", DEEP, (large, "whole", 0.9), (large, "whole", 0.0), "first page"),
        (f"p50 of who sees 1 in {RARE_ONE_IN:,}, {stored}", RARE, (large, "rare", 0.0), (large, "whole", 0.0), "who sees all"),
    )
    for name, target, ours, theirs, against in cases:
        for place, member, _ in (ours, theirs):
            assert await place.page_objects(member) == LIMIT, f"the page of {member} is not full"
        sides = [
            Side(place.hub, lambda p=place, m=member, s=share: p.poll(m, s, settings.seconds)) for place, member, share in (ours, theirs)
        ]
        rounds = await in_turns(*sides, settings.rounds)
        ratios = [a.load.median_ms / b.load.median_ms for a, b in rounds]
        figures = [f"{median_of([side[n].load.median_ms for side in rounds], 3)} ms" for n in (0, 1)]
        yield Finding(name, engine, ratios, target, figures[0], f"{against} {figures[1]}")


async def _pushes(settings: Settings, engine: str, small: Place, large: Place, numbers: Iterator[int]) -> Finding:
    sides = [Side(place.hub, lambda p=place: push(p.hub, hub_post(p.seeded), BUNDLE, 1, numbers, _BUNDLES)) for place in (large, small)]
    rounds = await in_turns(*sides, settings.rounds)
    ratios = [a.load.per_s / b.load.per_s for a, b in rounds]
    figures = [f"{median_of([side[n].load.per_s * BUNDLE for side in rounds])} objects/s" for n in (0, 1)]
    name = f"push of {BUNDLE:,}, {large.seeded.entries:,} stored"
    return Finding(name, engine, ratios, PUSH, figures[0], f"{small.seeded.entries:,} stored {figures[1]}")


async def _memory(engine: str, small: Place, large: Place, numbers: Iterator[int]) -> Finding:
    """Compare the proportional set sizes of two fresh processes after the same requests."""
    sizes = [await _used_kib(place, numbers) for place in (large, small)]
    figures = [f"{whole / 1024:.0f} MiB, {anonymous / 1024:.0f} of it anonymous" for whole, anonymous in sizes]
    name = f"memory (PSS), {large.seeded.entries:,} stored"
    return Finding(name, engine, [sizes[0][0] / sizes[1][0]], MEMORY, figures[0], f"{small.seeded.entries:,} stored {figures[1]}")


async def _used_kib(place: Place, numbers: Iterator[int]) -> tuple[int, int]:
    members: Sequence[str] = ("whole", "most", "rare")
    positions = [place.seeded.date_at(n / 100) for n in range(100)]
    for member in members:
        requests = itertools.islice(hub_requests(place.seeded, member, LIMIT, positions), _PAGES_BEFORE_MEMORY // len(members))
        await load.run(place.hub.port, requests, connections=4)
    await push(place.hub, hub_post(place.seeded), BUNDLE, 1, numbers, _BUNDLES_BEFORE_MEMORY)
    memory = place.hub.memory_kib()
    return memory["Pss"], memory["Pss_Anon"]
