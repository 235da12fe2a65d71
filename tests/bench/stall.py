"""What a push of 10,000 objects costs those who poll meanwhile: the 99th percentile of their polls, with it and without it."""

import asyncio
import http.client
import itertools
import json
import statistics
import time
from collections.abc import AsyncIterator, Iterator

from tests.bench import load
from tests.bench.community import OBJECTS_PATH
from tests.bench.content import envelope, indicator
from tests.bench.databases import databases
from tests.bench.load import Load
from tests.bench.poll import hub_requests
from tests.bench.processes import Server, hub_server
from tests.bench.report import Finding, Target
from tests.bench.seed import Seeded, seed
from tests.bench.settings import Settings

ENTRIES = 10_000
OBJECTS = 10_000
POLLERS = 4
ADDED_MS_MAX = Target(50, at_most=True)
_QUIET_S = 2.0
_PUSH_S_MAX = 180.0
_ASK_S = 1.0  # as taxii2-client does
_FIRST_NEW = 1 << 33


async def measure(settings: Settings) -> AsyncIterator[Finding]:
    numbers = itertools.count(_FIRST_NEW)
    for engine in settings.engines:
        with databases(engine) as made:
            seeded = await seed(made.create("hub"), settings.entries or ENTRIES)
            async with hub_server(seeded.url) as hub:
                rounds = [await _round(hub, seeded, numbers) for _ in range(max(3, settings.rounds // 2))]
        added = [during - without for without, during, _ in rounds]
        without, during, seconds = (statistics.median(column) for column in zip(*rounds, strict=True))
        name = f"ms added to p99 of polls by a push of {OBJECTS:,}"
        yield Finding(
            name, engine, added, ADDED_MS_MAX, f"p99 {during:.1f} ms during {seconds:.1f} s of push", f"p99 {without:.1f} ms without"
        )


async def _round(hub: Server, seeded: Seeded, numbers: Iterator[int]) -> tuple[float, float, float]:
    """Return the 99th percentile of polls without a push and during one, in milliseconds, and how long the push took."""
    body = envelope(indicator(next(numbers)) for _ in range(OBJECTS))
    polls = hub_requests(seeded, "whole", 100, [seeded.first_us])
    quiet = await load.run(hub.port, polls, connections=POLLERS, seconds=_QUIET_S)
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        busy = group.create_task(load.run(hub.port, _until(over, polls), connections=POLLERS))
        pushing = group.create_task(asyncio.to_thread(_push, hub, seeded, body))
        pushing.add_done_callback(lambda _: over.set())
    during: Load = busy.result()
    seconds, status = pushing.result()
    assert json.loads(status)["success_count"] == OBJECTS, status[:500]
    return quiet.percentile_ms(99), during.percentile_ms(99), seconds


def _until(over: asyncio.Event, requests: Iterator[bytes]) -> Iterator[bytes]:
    return itertools.takewhile(lambda _: not over.is_set(), requests)


def _push(hub: Server, seeded: Seeded, body: bytes) -> tuple[float, bytes]:
    """Push, and wait until every object is in the feed; return how many seconds that took, and the status.

    Runs in a thread, and leaves the status unread: what this process does meanwhile would count as the hub's delay.
    """
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=_PUSH_S_MAX)
    headers = {"Accept": load.MEDIA_TYPE, "Authorization": f"Bearer {seeded.community.tokens['pusher']}"}
    connection.request("POST", OBJECTS_PATH, body, {**headers, "Content-Type": load.MEDIA_TYPE})
    status = connection.getresponse().read()
    path = f"{OBJECTS_PATH.partition('collections/')[0]}status/{json.loads(status)['id']}/"
    while b'"pending"' in status and time.monotonic() < began + _PUSH_S_MAX:
        time.sleep(_ASK_S)
        connection.request("GET", path, headers=headers)
        status = connection.getresponse().read()
    connection.close()
    return time.monotonic() - began, status
