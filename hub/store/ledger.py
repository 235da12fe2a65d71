"""The ledger: appended in the transactions of what it tells, read line by line."""

import json
from collections.abc import Iterable, Mapping

from sqlalchemy import bindparam, select

from hub.domain.appending import Batch
from hub.domain.ids import LabelId, MemberId
from hub.domain.ledger import LedgerEvent, LedgerKind, read_detail
from hub.store.database import Change, Connection, Row, prepare
from hub.store.tables import table

LEDGER = table("ledger")

_COLUMNS = ("at_us", "member_id", "kind", "version_row", "collection_row", "label_id", "subject", "detail", "assessed")
EVENT_COLUMNS = (
    LEDGER.c.row, LEDGER.c.at_us, LEDGER.c.member_id, LEDGER.c.kind, LEDGER.c.version_row, LEDGER.c.collection_row, LEDGER.c.label_id,
    LEDGER.c.subject, LEDGER.c.detail,
)  # fmt: skip
_FIND = prepare(select(*EVENT_COLUMNS).where(LEDGER.c.row == bindparam("row")))


def accepted(batch: Batch) -> Change:
    """Return the lines for the versions that a batch brings, each once; what the hub itself renders anew is nobody's gift."""
    given = [(v.row, v.incoming) for _, v in batch.new_versions if v.incoming is not None and not v.incoming.label.anonymous]
    labels = {id(incoming.label): incoming.label for _, incoming in given}  # few, each one value of its own
    rows = {key: batch.labels[label.digest()].id for key, label in labels.items()}
    at_us, kind, collection = batch.now_us, LedgerKind.ACCEPTED.value, batch.collection_row
    return Change(
        LEDGER, _COLUMNS, [(at_us, i.producer, kind, row, collection, rows[id(i.label)], None, "", 0) for row, i in given]
    )  # fmt: skip


def moved(details: Iterable[tuple[MemberId, Mapping[str, object]]], *, at_us: int) -> Change:
    """Return the lines for members that came to another standing; nothing else follows from them."""
    rows = [
        (at_us, member, LedgerKind.MOVED.value, None, None, None, None, json.dumps(detail, sort_keys=True), 1) for member, detail in details
    ]
    return Change(LEDGER, _COLUMNS, rows)


async def add_event(
    conn: Connection, kind: LedgerKind, member: MemberId, *, at_us: int, version_row: int | None = None, collection_row: int | None = None,
    subject: int | None = None, detail: Mapping[str, object] | None = None,
) -> int:  # fmt: skip
    """Append a line and return its row. `detail` is plain JSON."""
    (row,) = await conn.next_rows(LEDGER, 1)
    text = "" if detail is None else json.dumps(detail, sort_keys=True)
    values = (row, at_us, member, kind.value, version_row, collection_row, None, subject, text, 0)
    await conn.insert_many(LEDGER, ("row", *_COLUMNS), [values])
    return row


async def find_event(conn: Connection, row: int) -> LedgerEvent | None:
    """Return a line of the ledger."""
    found = await conn.fetch_one(_FIND, row=row)
    return None if found is None else event_of(found)


def event_of(row: Row) -> LedgerEvent:
    """Return a line from its EVENT_COLUMNS."""
    number, at_us, member, kind, version, collection, label, subject, detail = row
    known = None if label is None else LabelId(label)
    return LedgerEvent(number, at_us, MemberId(member), LedgerKind(kind), version, collection, known, subject, read_detail(detail))
