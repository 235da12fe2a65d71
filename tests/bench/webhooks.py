"""Webhooks: how soon they arrive, how many a second against a bare sender, and whether what hangs or waits holds anything up.

The receiver is in this process; the hub, and the bare sender, have processes of their own.
"""

import asyncio
import contextlib
import http.client
import itertools
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace

from aiohttp import web
from sqlalchemy import update

from hub.config import Config
from hub.domain.ids import SubscriptionId, new_uuid
from hub.domain.webhooks.subscription import Subscription
from hub.service.administer import COMMAND_LINE
from hub.service.context import open_hub
from hub.service.sending import sending
from hub.service.subscriptions import Wish, add_subscription, get_subscription
from hub.store import subscriptions as store
from hub.store.database import Connection, open_database, prepare
from hub.store.subscriptions import read_positions
from hub.store.tables import table
from tests.bench import load
from tests.bench.community import OBJECTS_PATH
from tests.bench.content import envelope, indicator
from tests.bench.databases import Databases, databases
from tests.bench.processes import Server, hub_server
from tests.bench.report import Finding, Target
from tests.bench.seed import Seeded, seed
from tests.bench.settings import Settings

SOON_MS = Target(200, at_most=True)
SHARE = Target(0.4)
OUT_S = Target(2, at_most=True)
SLOWED = Target(2, at_most=True)
GROWN_MIB = Target(16, at_most=True)

_READERS = ("whole", "most", "rare", "pusher", "producer")
_ENDPOINTS, _OBJECTS = 40, 100  # for the rate: so many times so many deliveries
_ENDPOINTS_BESIDE = 300  # more hang than requests are made at a time
_PUSHES = 30  # for the time to receipt
_BACKLOG = 1_000_000
_WATCHED_S = 15.0
_FIRST_NEW = 1 << 34
_FROM_START = prepare(update(table("subscription_cursor")).values(after_us=-1, urgent_us=-1, caught_up_us=-1))


@dataclass
class Receiver:
    """Counts what comes, and when. What is sent to /hang is not answered before the end, what is sent to /fail is refused."""

    url: str = ""
    came: list[tuple[float, str]] = field(default_factory=list)  # when, and by which path
    size: int = 0
    is_over: asyncio.Event = field(default_factory=asyncio.Event)  # nothing hangs any more
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, count: int, *, within_s: float = 120.0) -> None:
        """Wait until so many messages have come."""
        async with asyncio.timeout(within_s):
            while len(self.came) < count:
                self._more.clear()
                await self._more.wait()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if b'"challenge"' in body:
            return web.json_response({"challenge": json.loads(body)["challenge"]})
        if request.path == "/hang":
            await self.is_over.wait()
        if request.path == "/fail":
            return web.Response(status=503)
        self.came.append((time.perf_counter(), request.path))
        self.size = len(body)
        self._more.set()
        return web.Response(status=204)


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Serve a receiver."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)  # 0 is for ever to aiohttp
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=2_048).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        receiver.is_over.set()
        await runner.cleanup()


async def measure(settings: Settings) -> AsyncIterator[Finding]:
    numbers = itertools.count(_FIRST_NEW)
    for engine in settings.engines:
        with databases(engine) as made:
            async with receiving() as receiver:
                yield await _soon(made, receiver, numbers)
            async with receiving() as receiver:
                yield await _rate(made, receiver, numbers, rounds=max(3, settings.rounds // 2))
            async with receiving() as receiver:
                yield await _all_out(made, receiver, numbers, rounds=3)
            yield await _beside_hanging(made, numbers)
            async with receiving() as receiver:
                yield await _backlog(made, receiver, settings.entries or _BACKLOG)


async def _soon(made: Databases, receiver: Receiver, numbers: Iterator[int]) -> Finding:
    seeded = await seed(made.create("soon"), 100)
    await _subscribe(seeded, [("whole", f"{receiver.url}/hook")])
    async with _hub(seeded) as hub:
        times = [await _one_receipt_ms(hub, seeded, receiver, next(numbers)) for _ in range(_PUSHES)]
    shown = f"p50 {statistics.median(times):.0f} ms, at most {max(times):.0f} ms"
    return Finding("webhook: ms from acknowledgement to receipt", made.engine, times, SOON_MS, shown, f"{_PUSHES} pushes of one object")


async def _one_receipt_ms(hub: Server, seeded: Seeded, receiver: Receiver, number: int) -> float:
    count = len(receiver.came)
    acknowledged = await asyncio.to_thread(_push, hub, seeded, [number])
    await receiver.until(count + 1)
    return max(0.0, receiver.came[-1][0] - acknowledged) * 1_000


async def _rate(made: Databases, receiver: Receiver, numbers: Iterator[int], *, rounds: int) -> Finding:
    seeded = await seed(made.create("rate"), 100)
    await _subscribe(seeded, [("whole", f"{receiver.url}/hook")] * _ENDPOINTS)
    count = _ENDPOINTS * _OBJECTS
    rates, floors = [], []
    async with _hub(seeded) as hub:
        for n in range(rounds + 1):
            before = len(receiver.came)
            began = time.perf_counter()
            await asyncio.to_thread(_push, hub, seeded, list(itertools.islice(numbers, _OBJECTS)))
            await receiver.until(before + count)
            took_s = receiver.came[-1][0] - began
            floor_s = await _floor_s(receiver, count)
            if n:  # the first is to warm up
                rates.append(count / took_s)
                floors.append(count / floor_s)
    shown = f"{statistics.median(rates):.0f}/s, the push included"
    ratios = [rate / floor for rate, floor in zip(rates, floors, strict=True)]
    return Finding("webhook: deliveries a second", made.engine, ratios, SHARE, shown, f"bare sender {statistics.median(floors):.0f}/s")


async def _floor_s(receiver: Receiver, count: int) -> float:
    command = ("-m", "tests.bench.webhook_floor", f"{receiver.url}/bare", str(count), str(receiver.size))
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    receiver.came.clear()
    seconds, _ = json.loads(out)
    return float(seconds)


async def _all_out(made: Databases, receiver: Receiver, numbers: Iterator[int], *, rounds: int) -> Finding:
    seeded = await seed(made.create("out"), 100)
    await _subscribe(seeded, [(member, f"{receiver.url}/hook") for member in _READERS for _ in range(200)])
    times = []
    async with _hub(seeded) as hub:
        for n in range(rounds + 1):
            before = len(receiver.came)
            acknowledged = await asyncio.to_thread(_push, hub, seeded, [next(numbers)])
            await receiver.until(before + 1_000)
            if n:
                times.append(receiver.came[-1][0] - acknowledged)
    shown = f"{statistics.median(times):.2f} s"
    return Finding("webhook: s until 1,000 endpoints have one object", made.engine, times, OUT_S, shown, "from acknowledgement to the last")


async def _beside_hanging(made: Databases, numbers: Iterator[int]) -> Finding:
    """Compare the 99th percentile of healthy endpoints where one in five hangs with that where none does."""
    percentiles = []
    for each in (0, 5):  # of so many one hangs
        async with receiving() as receiver:
            seeded = await seed(made.create(f"hang{each}"), 100)
            hanging = {n for n in range(_ENDPOINTS_BESIDE) if each and n % each == 0}
            urls = [f"{receiver.url}/{'hang' if n in hanging else 'hook'}" for n in range(_ENDPOINTS_BESIDE)]
            await _subscribe(seeded, [(_READERS[n % len(_READERS)], url) for n, url in enumerate(urls)])
            async with _hub(seeded) as hub:
                percentiles.append(await _p99_ms(hub, seeded, receiver, numbers, _ENDPOINTS_BESIDE - len(hanging)))
    without, beside = percentiles
    shown = f"p99 {beside:.0f} ms beside {_ENDPOINTS_BESIDE // 5} of {_ENDPOINTS_BESIDE} that hang"
    return Finding(
        "webhook: p99 of the healthy beside what hangs", made.engine, [beside / without], SLOWED, shown, f"{without:.0f} ms without"
    )


async def _p99_ms(hub: Server, seeded: Seeded, receiver: Receiver, numbers: Iterator[int], healthy: int) -> float:
    times: list[float] = []
    for _ in range(_PUSHES):
        before = len(receiver.came)
        acknowledged = await asyncio.to_thread(_push, hub, seeded, [next(numbers)])
        await receiver.until(before + healthy)
        times += [(at - acknowledged) * 1_000 for at, _ in receiver.came[before:]]
        await asyncio.sleep(0.1)
    return statistics.quantiles(times, n=100)[98]


async def _backlog(made: Databases, receiver: Receiver, entries: int) -> Finding:
    """Measure how the hub's memory grows while endpoints refuse a backlog of the whole feed."""
    seeded = await seed(made.create("backlog"), entries)
    await made.settle(seeded.url)
    await _subscribe(seeded, [("whole", f"{receiver.url}/{path}") for path in ("fail", "hook")], from_start=True)
    async with _hub(seeded) as hub:
        await receiver.until(2_000)  # it is at work
        before = hub.memory_kib()["Pss_Anon"]
        await asyncio.sleep(_WATCHED_S)
        grown = [(hub.memory_kib()["Pss_Anon"] - before) / 1_024]
        shown = f"{grown[0]:.1f} MiB in {_WATCHED_S:.0f} s, {len(receiver.came):,} delivered"
    return Finding(
        "webhook: MiB grown with a backlog", made.engine, grown, GROWN_MIB, shown, f"{entries:,} entries for each of two endpoints"
    )


def _push(hub: Server, seeded: Seeded, numbers: Sequence[int]) -> float:
    """Push objects that all members see, and return when that was acknowledged."""
    connection = http.client.HTTPConnection("127.0.0.1", hub.port, timeout=60)
    headers = {"Accept": load.MEDIA_TYPE, "Authorization": f"Bearer {seeded.community.tokens['pusher']}"}
    body = envelope(indicator(number) for number in numbers)
    connection.request("POST", OBJECTS_PATH, body, {**headers, "Content-Type": load.MEDIA_TYPE})
    response = connection.getresponse()
    acknowledged = time.perf_counter()
    status = json.loads(response.read())
    assert status["success_count"] == len(numbers), status
    connection.close()
    return acknowledged


@contextlib.asynccontextmanager
async def _hub(seeded: Seeded) -> AsyncIterator[Server]:
    async with hub_server(seeded.url, webhooks_allow_http="true", webhooks_ports="", log_level="warning") as hub:
        yield hub


async def _subscribe(seeded: Seeded, endpoints: Sequence[tuple[str, str]], *, from_start: bool = False) -> None:
    """Subscribe members to everything at endpoints of this machine: one of each kind as members do, the others as copies of it."""
    db = await open_database(seeded.url)
    try:
        hub = await open_hub(Config(database_url=seeded.url, webhooks_allow_http=True, webhooks_ports=()), db)
        async with sending(hub):
            for (member, url), count in Counter(endpoints).items():
                wish = Wish("bench", url, private_cidrs=("127.0.0.0/8",))
                added = await add_subscription(hub, await hub.directory(), COMMAND_LINE, wish, member=member)
                assert added.problem is None, added.problem
                await db.write(_copy, hub.secret, (await get_subscription(hub, COMMAND_LINE, added.subscription.id)), count - 1)
        if from_start:
            await db.write(_rewind)
    finally:
        await db.close()


async def _copy(conn: Connection, secret: bytes, subscription: Subscription, count: int) -> None:
    positions = await read_positions(conn, [subscription.row])
    for _ in range(count):
        copy = replace(subscription, id=SubscriptionId(new_uuid()))
        await store.add_subscription(conn, secret, copy, [(collection, position) for (_, collection), position in positions.items()])


async def _rewind(conn: Connection) -> None:
    await conn.execute(_FROM_START)
