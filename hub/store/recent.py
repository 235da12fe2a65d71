"""What the feed got lately, label by label: on what a change of policy would show."""

from dataclasses import dataclass

from sqlalchemy import bindparam, func, select

from hub.domain.ids import LabelId
from hub.store.database import Connection, prepare
from hub.store.tables import table

ENTRY = table("entry")
OBJECT = table("object")

_COUNTS = prepare(
    select(ENTRY.c.label_id, func.count(), func.min(ENTRY.c.object_row), func.max(ENTRY.c.object_row))
    .where(ENTRY.c.collection_row == bindparam("collection"), ENTRY.c.date_us > bindparam("after"))
    .group_by(ENTRY.c.label_id)
)
_STIX_ID = prepare(select(OBJECT.c.stix_id).where(OBJECT.c.row == bindparam("object")))


@dataclass(frozen=True, slots=True)
class Recent:
    """What came into a collection under one label since some date."""

    entries: int
    examples: tuple[str, ...]  # STIX ids of the first and the last object


async def count_recent(conn: Connection, collection_row: int, *, after_us: int) -> dict[LabelId, Recent]:
    """Return what was added to a collection after a date, by label."""
    found: dict[LabelId, Recent] = {}
    for label, entries, first, last in await conn.fetch(_COUNTS, collection=collection_row, after=after_us):
        examples = [await conn.fetch_value(_STIX_ID, object=row) for row in sorted({first, last})]
        found[LabelId(label)] = Recent(entries, tuple(examples))
    return found
