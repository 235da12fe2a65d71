"""The ledger and the audit trail only grow: the database itself refuses everything else, on both engines."""

import sqlite3

import asyncpg
import pytest
from sqlalchemy import Table, delete, insert, select, update

from hub.store.database import Connection, open_database, prepare
from hub.store.tables import table

LEDGER, AUDIT = table("ledger"), table("audit")
LINES = {
    "ledger": {
        "at_us": 1, "member_id": "identity--1", "kind": "accepted", "version_row": 1, "collection_row": 1, "label_id": 1,
        "detail": "", "assessed": 0,
    },
    "audit": {"at_us": 1, "actor": "person:ann", "action": "member.suspended", "target": "energy", "detail": "{}"},
}  # fmt: skip
OTHER = {
    "row": 7, "at_us": 2, "member_id": "identity--2", "kind": "ruled", "version_row": 2, "collection_row": 2, "label_id": 2, "subject": 1,
    "detail": "other", "actor": "person:bob", "action": "other", "target": "water",
}  # fmt: skip
REFUSED = (sqlite3.IntegrityError, asyncpg.RestrictViolationError)


async def _lines(conn: Connection, kept: Table) -> list[tuple[object, ...]]:
    return [tuple(row) for row in await conn.fetch(prepare(select(kept)))]


@pytest.mark.parametrize("kept", [LEDGER, AUDIT], ids=lambda kept: kept.name)
async def test_no_statement_changes_or_deletes_a_line(database_url: str, kept: Table) -> None:
    db = await open_database(database_url)
    for _ in range(2):
        await db.write(lambda conn: conn.execute(prepare(insert(kept).values(LINES[kept.name]))))
    async with db.read() as conn:
        before = await _lines(conn, kept)
    changes = [update(kept).values({column.name: OTHER[column.name]}) for column in kept.columns if column.name != "assessed"]
    for statement in [*changes, delete(kept), delete(kept).where(kept.c.row == before[0][0])]:
        with pytest.raises(REFUSED, match=f"{kept.name} is append-only"):
            await db.write(lambda conn, statement=statement: conn.execute(prepare(statement)))
    async with db.read() as conn:
        assert len(before) == 2
        assert await _lines(conn, kept) == before
    await db.close()


async def test_the_mark_of_what_was_assessed_alone_may_change(database_url: str) -> None:
    db = await open_database(database_url)
    await db.write(lambda conn: conn.execute(prepare(insert(LEDGER).values(LINES["ledger"]))))
    for mark in (1, 0):  # taken into account, and opened again for other rules
        assert await db.write(lambda conn, mark=mark: conn.execute(prepare(update(LEDGER).values(assessed=mark)))) == 1
    with pytest.raises(REFUSED):
        await db.write(lambda conn: conn.execute(prepare(update(LEDGER).values(assessed=1, detail="other"))))
    await db.close()
