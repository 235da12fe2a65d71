"""The audit trail: what administrators did, and markings that producers lowered, appended in the transaction of the change itself.

Each line is chained to those before it, and the chain anchored in the transparency log, within a second (`hub.service.sequence`).
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select

from hub.domain.directory import AuditEntry
from hub.domain.json import INTEGER_MAX
from hub.store.database import Change, Connection, prepare
from hub.store.tables import table
from hub.store.tlog import audited

AUDIT = table("audit")

_COLUMNS = ("row", "at_us", "actor", "action", "target", "detail")
_PAGE = prepare(
    select(AUDIT.c.row, AUDIT.c.at_us, AUDIT.c.actor, AUDIT.c.action, AUDIT.c.target, AUDIT.c.detail)
    .where(AUDIT.c.row < bindparam("before"))
    .order_by(AUDIT.c.row.desc())
    .limit(bindparam("limit"))
)

ROW_MAX = 2**63 - 1


async def add_audit(conn: Connection, *, at_us: int, actor: str, action: str, target: str, detail: Mapping[str, object]) -> None:
    """Append what was done. `detail` holds no secret; what canonical JSON cannot say of it, and so no link, is written as a text."""
    (row,) = await conn.next_rows(AUDIT, 1)
    line = (row, at_us, _chainable(actor), action, _chainable(target), json.dumps(_chainable(dict(detail)), sort_keys=True))
    await conn.change([Change(AUDIT, _COLUMNS, [line]), audited(row, at_us=at_us)])


def _chainable(value: Any) -> Any:
    """Return a value without integers beyond ±(2^53 - 1) and halves of surrogate pairs: whoever asks for something chooses its numbers."""
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case int() if abs(value) > INTEGER_MAX:
            return str(value)
        case dict():
            return {_chainable(name): _chainable(part) for name, part in value.items()}
        case list() | tuple():
            return [_chainable(part) for part in value]
    return value


async def list_audit(conn: Connection, *, before: int | None, limit: int) -> list[AuditEntry]:
    """Return at most `limit` entries, the latest first, from below the row `before`; None begins at the latest."""
    rows = await conn.fetch(_PAGE, before=ROW_MAX if before is None else before, limit=limit)
    return [AuditEntry(row, at_us, actor, action, target, json.loads(detail)) for row, at_us, actor, action, target, detail in rows]
