"""The transparency log of a million leaves: entering, receipts, the check at the start; and how soon an acknowledged push is in it.

Processor time of this process for all but the last, which is what a client sees of a hub that serves.
"""

import asyncio
import hashlib
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Iterator

from hub.config import Config
from hub.domain.member import Principal, Role
from hub.domain.signing.object_signature import object_digest
from hub.domain.tlog.leaf import LeafKind
from hub.domain.tlog.proof_file import ProofFile
from hub.domain.tlog.receipt import check_receipt
from hub.service.context import Hub, open_hub
from hub.service.hub_keys import open_keys
from hub.service.log_condition import LogCondition
from hub.service.log_keeping import is_sound, open_log, sign
from hub.service.proofs import get_receipt
from hub.service.sequence import enter
from hub.store.database import Connection, open_database
from hub.store.tables import table
from tests.bench import load
from tests.bench.community import OBJECTS_PATH
from tests.bench.content import envelope, indicator
from tests.bench.databases import databases
from tests.bench.load import Refused
from tests.bench.processes import Server, hub_server
from tests.bench.report import Finding, Target
from tests.bench.seed import Seeded, seed
from tests.bench.settings import Settings

RECEIPT_MS = Target(5, at_most=True)
CHECK_S = Target(5, at_most=True)
WITHIN_S = Target(1, at_most=True)
_LEAVES = 1_000_000
_RECEIPTS = 200
_PUSHES = 20
_TOGETHER = 10_000
_FIRST_NEW = 1 << 34  # indicators from this number on are pushed here, and nowhere else
_LOOK_S = 0.005


async def measure(settings: Settings) -> AsyncIterator[Finding]:
    leaves = settings.entries or _LEAVES
    for engine in settings.engines:
        with databases(engine) as made:
            seeded = await seed(made.create("log"), 1_000)
            async for finding in _kept(engine, seeded, leaves):
                yield finding
            async with hub_server(seeded.url) as hub:
                yield await _inclusion(engine, seeded, hub)


async def _kept(engine: str, seeded: Seeded, leaves: int) -> AsyncIterator[Finding]:
    db = await open_database(seeded.url)
    try:
        hub = await open_hub(Config(database_url=seeded.url), db)
        await open_keys(hub)
        assert await is_sound(hub)
        rounds = [await _entered_us(hub, first, min(_TOGETHER, leaves - first)) for first in range(0, leaves, _TOGETHER)]
        yield Finding("entering a leaf, µs of CPU", engine, rounds, None, f"{min(rounds):.0f} µs at best", f"{leaves:,} leaves")
        await sign(hub)
        receipts = [await _receipt_ms(hub, number) for number in random.Random(1).sample(range(leaves), _RECEIPTS)]
        yield Finding("receipt, ms of CPU", engine, receipts, RECEIPT_MS, f"{min(receipts):.2f} ms at best", f"{leaves:,} leaves")
        hub.log = LogCondition()
        began = time.process_time()
        assert await is_sound(hub)
        spent_s = time.process_time() - began
        yield Finding("the whole tree found anew, s of CPU", engine, [spent_s], CHECK_S, f"{spent_s:.1f} s", f"{leaves:,} leaves")
    finally:
        await db.close()


async def _entered_us(hub: Hub, first: int, count: int) -> float:
    await hub.db.write(_leave_pending, first, count)
    began = time.process_time()
    entered = 0
    while new := await enter(hub):
        entered += new
    return 1e6 * (time.process_time() - began) / entered


async def _leave_pending(conn: Connection, first: int, count: int) -> None:
    rows = [(0, LeafKind.KEY.value, "[]", _digest(number)) for number in range(first, first + count)]
    await conn.insert_many(table("log_pending"), ("due_us", "kind", "about", "digest"), rows)


async def _receipt_ms(hub: Hub, number: int) -> float:
    directory = await hub.directory()
    anybody = Principal("bench", Role.READER)
    began = time.process_time()
    receipt = await get_receipt(hub, directory, anybody, _digest(number).hex())
    spent_ms = 1e3 * (time.process_time() - began)
    check_receipt(ProofFile.parse(receipt), await open_log(hub), _digest(number))
    return spent_ms


async def _inclusion(engine: str, seeded: Seeded, hub: Server) -> Finding:
    numbers = itertools.count(_FIRST_NEW)
    await _until_included_s(seeded, hub, numbers)  # the first waits for the check at the start
    rounds = [await _until_included_s(seeded, hub, numbers) for _ in range(_PUSHES)]
    return Finding(
        "in the log after its acknowledgement, s", engine, rounds, WITHIN_S, f"{max(rounds):.2f} s at worst", "one push at a time"
    )


async def _until_included_s(seeded: Seeded, hub: Server, numbers: Iterator[int]) -> float:
    body, token = indicator(next(numbers)), seeded.community.tokens["pusher"]
    await load.fetch(hub.port, load.post(OBJECTS_PATH, envelope([body]), token))
    began = time.perf_counter()
    wanted = load.get(f"/trust/v1/proof/{object_digest(json.loads(body)).hex()}", token)
    while True:
        try:
            await load.fetch(hub.port, wanted)
        except Refused:
            await asyncio.sleep(_LOOK_S)
        else:
            return time.perf_counter() - began


def _digest(number: int) -> bytes:
    return hashlib.sha256(f"leaf {number}".encode()).digest()
