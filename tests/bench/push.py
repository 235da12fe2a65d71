"""Pushes of one object and of 1,000, fully checked, over the floor's: bundles from one client, and from four at once."""

import itertools
import json
from collections.abc import AsyncIterator, Callable, Iterator

from tests.bench import load
from tests.bench.community import OBJECTS_PATH
from tests.bench.content import envelope, indicator
from tests.bench.databases import databases
from tests.bench.load import Load
from tests.bench.processes import Server, floor_server, hub_server
from tests.bench.report import Finding, Target
from tests.bench.rounds import Side, Turn, in_turns, median_of
from tests.bench.seed import Seeded, seed
from tests.bench.settings import Settings

ENTRIES = 1_000
TARGET = Target(0.25)
CASES = ((1_000, 1), (1_000, 4), (1, 1), (1, 4))  # objects in a bundle, clients
_REQUESTS = {1_000: 8, 1: 200}  # in a turn
_FIRST_NEW = 1 << 32  # indicators from this number on are pushed, never seeded


async def measure(settings: Settings) -> AsyncIterator[Finding]:
    numbers = itertools.count(_FIRST_NEW)
    for engine in settings.engines:
        with databases(engine) as made:
            seeded = await seed(made.create("hub"), settings.entries or ENTRIES)
            beside = await seed(made.create("floor"), 1)
            async with hub_server(seeded.url) as hub, floor_server(beside.url, beside.collection_row) as floor:
                await _check_accepted(hub, seeded, numbers)
                for size, clients in CASES:
                    yield await _over_floor(settings, engine, seeded, hub, floor, size, clients, numbers)


async def _over_floor(
    settings: Settings, engine: str, seeded: Seeded, hub: Server, floor: Server, size: int, clients: int, numbers: Iterator[int]
) -> Finding:
    ours = Side(hub, lambda: push(hub, hub_post(seeded), size, clients, numbers))
    theirs = Side(floor, lambda: push(floor, lambda body: load.post("/objects", body), size, clients, numbers))
    rounds = await in_turns(ours, theirs, settings.rounds)
    ratios = [a.load.per_s / b.load.per_s for a, b in rounds]
    name = f"push of {size:,}, {clients} client{'s' if clients > 1 else ''}"
    figures = [_figures([side[n] for side in rounds], size) for n in (0, 1)]
    return Finding(name, engine, ratios, TARGET, figures[0], f"floor {figures[1]}")


def hub_post(seeded: Seeded) -> Callable[[bytes], bytes]:
    """Return what makes a push to the hub of an envelope."""
    token = seeded.community.tokens["pusher"]
    return lambda body: load.post(OBJECTS_PATH, body, token)


async def push(server: Server, request: Callable[[bytes], bytes], size: int, clients: int, numbers: Iterator[int], count: int = 0) -> Load:
    """Push bundles of objects that nobody has pushed before; they are made before the clock starts."""
    bundles = [envelope(indicator(next(numbers)) for _ in range(size)) for _ in range(count or _REQUESTS[size])]
    return await load.run(server.port, iter([request(body) for body in bundles]), connections=clients)


async def _check_accepted(hub: Server, seeded: Seeded, numbers: Iterator[int]) -> None:
    body = envelope(indicator(next(numbers)) for _ in range(10))
    status = json.loads(await load.fetch(hub.port, hub_post(seeded)(body)))
    assert (status["status"], status["success_count"]) == ("complete", 10), status


def _figures(turns: list[Turn], size: int) -> str:
    objects = median_of([turn.load.per_s * size for turn in turns])
    return f"{objects} objects/s, {median_of([turn.cpu_us / size for turn in turns])} µs CPU each"
