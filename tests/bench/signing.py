"""Signed objects over unsigned ones, on the same hub: pushes of which every signature is verified, and pages of what they brought."""

import itertools
import json
from collections.abc import AsyncIterator, Iterator

import rfc8785

from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.object_signature import sign_object
from tests.bench import load
from tests.bench.community import OBJECTS_PATH
from tests.bench.content import envelope, indicator
from tests.bench.databases import databases
from tests.bench.load import Load
from tests.bench.messages import finding, register
from tests.bench.processes import Server, floor_server, hub_server
from tests.bench.report import Finding, Target
from tests.bench.rounds import Side, in_turns
from tests.bench.seed import Seeded, seed
from tests.bench.settings import Settings

PUSH, POLL = Target(0.4), Target(0.95)
CLIENTS = 4
PAGE = 100
_REQUESTS = {1_000: 4, 1: 200}  # in a turn, by the objects of each
_SLICES = 6  # of a round of polls
_FIRST_NEW = 1 << 34  # indicators from this number on are pushed here, and nowhere else


async def measure(settings: Settings) -> AsyncIterator[Finding]:
    key = PrivateKey.generate()
    numbers = itertools.count(_FIRST_NEW)
    for engine in settings.engines:
        with databases(engine) as made:
            signed, plain = [await seed(made.create(name), 1) for name in ("signed", "plain")]
            for seeded in (signed, plain):
                await register(seeded, key)
            async with hub_server(signed.url) as hub, hub_server(plain.url) as beside:
                for size in _REQUESTS:
                    yield await _pushes(settings, engine, (hub, signed), (beside, plain), key, size, numbers)
                yield await _polls(settings, engine, (hub, signed), (beside, plain))
            async with floor_server(signed.url, signed.collection_row) as floor, floor_server(plain.url, plain.collection_row) as other:
                yield await _floor_polls(settings, engine, floor, other)


async def _pushes(
    settings: Settings, engine: str, ours: tuple[Server, Seeded], theirs: tuple[Server, Seeded], key: PrivateKey, size: int,
    numbers: Iterator[int],
) -> Finding:  # fmt: skip
    rounds = await in_turns(
        Side(ours[0], lambda: push(*ours, key, size, numbers)), Side(theirs[0], lambda: push(*theirs, None, size, numbers)), settings.rounds
    )
    return finding(f"push of {size:,} signed, {CLIENTS} clients", engine, rounds, PUSH)


async def _polls(settings: Settings, engine: str, ours: tuple[Server, Seeded], theirs: tuple[Server, Seeded]) -> Finding:
    seconds = settings.seconds / _SLICES
    sides = [Side(server, lambda server=server, seeded=seeded: poll(server, seeded, seconds)) for server, seeded in (ours, theirs)]
    for server, _ in (ours, theirs):
        await server.settle()
    rounds = await in_turns(*sides, settings.rounds, slices=_SLICES)
    return finding(f"page of {PAGE} signed, {CLIENTS} clients", engine, rounds, POLL)


async def _floor_polls(settings: Settings, engine: str, ours: Server, theirs: Server) -> Finding:
    """The same pages from the floor: what their bytes alone cost."""
    request = load.get(f"/objects?limit={PAGE}&after=0")

    async def polled(server: Server) -> Load:
        return await load.run(server.port, itertools.repeat(request), connections=CLIENTS, seconds=settings.seconds / _SLICES)

    sides = [Side(server, lambda server=server: polled(server)) for server in (ours, theirs)]
    return finding(f"page of {PAGE} signed, of the floor", engine, await in_turns(*sides, settings.rounds, slices=_SLICES), None)


async def push(server: Server, seeded: Seeded, key: PrivateKey | None, size: int, numbers: Iterator[int]) -> Load:
    """Push objects that nobody has pushed before; they are made, and signed, before the clock starts."""
    bodies = [envelope(_signed(indicator(next(numbers)), key) for _ in range(size)) for _ in range(_REQUESTS[size])]
    requests = [load.post(OBJECTS_PATH, body, seeded.community.tokens["pusher"]) for body in bodies]
    return await load.run(server.port, iter(requests), connections=CLIENTS)


async def poll(server: Server, seeded: Seeded, seconds: float) -> Load:
    """Poll the first page again and again."""
    request = load.get(f"{OBJECTS_PATH}?limit={PAGE}", seeded.community.tokens["whole"])
    return await load.run(server.port, itertools.repeat(request), connections=CLIENTS, seconds=seconds)


def _signed(body: bytes, key: PrivateKey | None) -> bytes:
    return body if key is None else rfc8785.dumps(sign_object(json.loads(body), key))
