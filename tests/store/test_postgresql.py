"""Connections to PostgreSQL are lent and taken back: nobody goes without, and none that is dead is lent again."""

import asyncio
import contextlib

import asyncpg
import pytest
from sqlalchemy import text

from hub.errors import Unavailable
from hub.store.database import Database, open_database, prepare
from hub.store.directory import bump_revision

PROCESS = prepare(text("SELECT pg_backend_pid()"))


async def process(db: Database) -> int:
    async with db.read() as conn:
        return int(await conn.fetch_value(PROCESS))


async def test_more_readers_than_connections_are_served_in_turn(postgresql_url: str) -> None:
    db = await open_database(postgresql_url, connections_max=2)
    served = await asyncio.gather(*(process(db) for _ in range(20)))
    await db.close()
    assert len(served) == 20
    assert len(set(served)) <= 2


async def test_a_connection_that_the_server_ended_is_lent_once_more_at_the_most(postgresql_url: str) -> None:
    db = await open_database(postgresql_url, connections_max=2)
    ended = await process(db)
    other = await asyncpg.connect(postgresql_url)
    await other.execute("SELECT pg_terminate_backend($1)", ended)
    await other.close()
    with contextlib.suppress(Unavailable):  # where the news has not come yet
        await process(db)
    assert await process(db) != ended
    await db.close()


async def test_a_server_that_only_reads_is_unavailable_to_who_writes(postgresql_url: str) -> None:
    db = await open_database(f"{postgresql_url}&default_transaction_read_only=on", connections_max=1)
    with pytest.raises(Unavailable, match="the database cannot take this now"):
        await db.write(bump_revision)
    assert await process(db) > 0
    await db.close()


async def test_what_failed_leaves_nothing_to_the_next_that_is_lent_its_connection(postgresql_url: str) -> None:
    db = await open_database(postgresql_url, connections_max=1)
    with pytest.raises(asyncpg.UndefinedTableError):
        async with db.snapshot() as conn:
            await conn.fetch_value(prepare(text("SELECT * FROM nowhere")))
    assert await process(db) > 0
    await db.close()
