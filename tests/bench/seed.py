"""Filling a database fast: by the hub's own rules for appending and its own statements, without the checks at its door.

Object `n` of the feed is indicator `n`. What the checks at the door would have made of it is compared with the real thing on a sample.
"""

import asyncio
import time
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, update

from hub.domain.appending import Incoming
from hub.domain.ids import MemberId
from hub.domain.stix import Limits, read_object
from hub.service.install import install
from hub.store.append import load_batch, write_batch
from hub.store.database import Connection, Database, open_database, prepare
from hub.store.directory import load_directory
from hub.store.migrate import upgrade
from hub.store.state import read_state
from hub.store.tables import table
from tests.bench.community import COLLECTION, RARE_ONE_IN, Community, Marked, add_community, common_labels, rare_labels
from tests.bench.content import as_read, indicator

_BATCH = 5_000
_MARK_LEDGER = prepare(update(table("ledger")).values(assessed=bindparam("mark")))
_FORGET_PENDING = prepare(delete(table("log_pending")))
_SPREAD_US = 3_600_000_000  # the seeded feed spans an hour that lies in the past


@dataclass(frozen=True, slots=True)
class Seeded:
    """A database with a community in it and a feed."""

    url: str
    community: Community
    entries: int
    collection_row: int
    first_us: int  # date added of the first entry
    last_us: int

    def date_at(self, share: float) -> int:
        """Return the date up to which about that share of the feed was added."""
        return self.first_us + round(share * (self.last_us - self.first_us))


async def seed(url: str, entries: int) -> Seeded:
    """Migrate the database at `url`, install a hub with the community, and append `entries` entries."""
    await asyncio.to_thread(upgrade, url)
    db = await open_database(url)
    try:
        now_us = time.time_ns() // 1_000
        await install(db, now_us=now_us, title="Bench")
        async with db.read() as conn:
            secret = bytes.fromhex(await read_state(conn, "secret"))
        community = await db.write(add_community, secret, now_us=now_us - 2 * _SPREAD_US)
        async with db.read() as conn:
            collection_row = (await load_directory(conn, now_us)).collections[COLLECTION.id].row
        first_us, last_us = await _fill(db, community, collection_row, entries, now_us - _SPREAD_US)
        await db.write(mark_ledger, assessed=1)  # a feed of long ago was assessed long ago
        await db.write(forget_pending)
    finally:
        await db.close()
    return Seeded(url, community, entries, collection_row, first_us, last_us)


async def mark_ledger(conn: Connection, *, assessed: int) -> None:
    """Say of every line of the ledger whether it was taken into account."""
    await conn.execute(_MARK_LEDGER, mark=assessed)


async def forget_pending(conn: Connection) -> None:
    """Leave out of the transparency log what waits to be entered: a hub that is measured would be at it for a while."""
    await conn.execute(_FORGET_PENDING)


async def _fill(db: Database, community: Community, collection_row: int, entries: int, from_us: int) -> tuple[int, int]:
    producer = community.members["producer"]
    common, rare = common_labels(producer), rare_labels(producer)
    member_ids = frozenset(member.id for member in community.members.values())
    first_us = last_us = from_us
    for start in range(0, entries, _BATCH):
        end = min(start + _BATCH, entries)
        incoming = [_incoming(n, _marked(n, common, rare), producer.id) for n in range(start, end)]
        now_us = from_us + _SPREAD_US // 2 * start // entries
        low_us, last_us = await db.write(_append, collection_row, incoming, member_ids, now_us)
        first_us = first_us if start else low_us
    return first_us, last_us


def _marked(n: int, common: list[Marked], rare: list[Marked]) -> Marked:
    turn, place = divmod(n, RARE_ONE_IN)
    return rare[turn % len(rare)] if place == RARE_ONE_IN // 2 else common[n % len(common)]


def _incoming(n: int, marked: Marked, producer: MemberId) -> Incoming:
    body = indicator(n, marked.markings)
    obj = as_read(n, body, marked.markings)
    if n % _BATCH == 0:
        read = read_object(body, limits=Limits())
        for name in ("id", "type", "version", "version_us", "created_us", "digest", "body"):
            assert getattr(read, name) == getattr(obj, name), f"{name} is not what the hub would have read"
        assert set(read.marking_refs) == set(obj.marking_refs)
    return Incoming(obj, marked.label, producer)


async def _append(
    conn: Connection, collection_row: int, incoming: list[Incoming], member_ids: frozenset[MemberId], now_us: int
) -> tuple[int, int]:
    batch = await load_batch(conn, collection_row, incoming, member_ids, now_us)
    for one in incoming:
        _, refused = batch.add(one)
        assert refused is None, refused
    await write_batch(conn, batch)
    return batch.appended[0][1].date_us, batch.appended[-1][1].date_us
