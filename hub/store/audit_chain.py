"""The chain of the audit trail."""

import json
from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, select

from hub.domain.audit_chain import START, Link, describe
from hub.domain.directory import AuditEntry
from hub.store.database import Change, Connection, Row, among, prepare
from hub.store.tables import table

AUDIT = table("audit")
CHAIN = table("audit_chain")

_ENTRY = (AUDIT.c.row, AUDIT.c.at_us, AUDIT.c.actor, AUDIT.c.action, AUDIT.c.target, AUDIT.c.detail)
_ENTRIES = prepare(select(*_ENTRY).where(among(AUDIT.c.row, "rows")).order_by(AUDIT.c.row))
_LAST = prepare(select(CHAIN.c.number, CHAIN.c.chain).order_by(CHAIN.c.number.desc()).limit(bindparam("limit")))
_LINKS = prepare(
    select(CHAIN.c.number, CHAIN.c.chain, *_ENTRY)
    .outerjoin(AUDIT, AUDIT.c.row == CHAIN.c.audit_row)
    .where(CHAIN.c.number > bindparam("after"))
    .order_by(CHAIN.c.number)
    .limit(bindparam("limit"))
)


async def load_entries(conn: Connection, rows: Collection[int]) -> list[AuditEntry]:
    """Return lines of the audit trail, in the order of their rows."""
    return [_entry(row) for row in await conn.fetch(_ENTRIES, rows=sorted(rows))]


async def last_link(conn: Connection) -> tuple[int, bytes]:
    """Return the number of the last link and the link; 0 and `START` where nothing is chained yet."""
    row = await conn.fetch_one(_LAST, limit=1)
    return (0, START) if row is None else (row[0], bytes(row[1]))


def new_links(links: Sequence[tuple[int, int, bytes]]) -> Change:
    """Return links to be written: number, row of the line, link.

    Where another node chained the same lines first, their numbers meet, and this transaction is undone.
    """
    return Change(CHAIN, ("number", "audit_row", "chain"), links)


async def list_links(conn: Connection, *, after: int, limit: int) -> list[Link]:
    """Return at most `limit` links with their lines, from after the number `after`. Where a line is gone, its link says nothing."""
    rows = await conn.fetch(_LINKS, after=after, limit=limit)
    return [Link(number, {} if rest[0] is None else describe(_entry(rest)), bytes(chain)) for number, chain, *rest in rows]


def _entry(row: Row) -> AuditEntry:
    number, at_us, actor, action, target, detail = row
    return AuditEntry(number, at_us, actor, action, target, json.loads(detail))
