"""What holds of every feed that the hub itself has written, so of a seeded one too."""

from sqlalchemy import bindparam, func, select

from hub.domain.feed import TICK_US
from hub.store.database import open_database, prepare
from hub.store.tables import table
from tests.bench.seed import Seeded

ENTRY, LABEL, VERSION, CLOCK = (table(name) for name in ("entry", "label", "version", "collection_clock"))

_WHOLE = prepare(
    select(
        func.count(), func.count(ENTRY.c.date_us.distinct()), func.min(ENTRY.c.date_us), func.max(ENTRY.c.date_us),
        func.max(ENTRY.c.date_us % TICK_US), func.count(ENTRY.c.superseded_us), func.count(ENTRY.c.object_row.distinct()),
    )
)  # fmt: skip
_BY_LABEL = prepare(
    select(
        ENTRY.c.label_id, func.count(), func.max(ENTRY.c.date_us), func.max(ENTRY.c.bytes),
        func.min(ENTRY.c.ordinal), func.max(ENTRY.c.ordinal),
    )
    .group_by(ENTRY.c.label_id)
)  # fmt: skip
_LABELS = prepare(select(LABEL.c.id, LABEL.c.entries, LABEL.c.last_us, LABEL.c.bytes_max))
_BODIES = prepare(
    select(func.count()).join_from(ENTRY, VERSION, VERSION.c.row == ENTRY.c.version_row).where(func.length(VERSION.c.body) == ENTRY.c.bytes)
)
_CLOCK = prepare(select(CLOCK.c.clock_us, CLOCK.c.labels).where(CLOCK.c.collection_row == bindparam("collection")))


async def check_feed(seeded: Seeded) -> int:
    """Return how many entries there are: their dates rise and are unique, the counters say what is there, every entry has its bytes."""
    db = await open_database(seeded.url)
    try:
        async with db.read() as conn:
            whole = await conn.fetch_one(_WHOLE)
            by_label = {row[0]: row for row in await conn.fetch(_BY_LABEL)}
            labels = await conn.fetch(_LABELS)
            bodies = await conn.fetch_value(_BODIES)
            clock = await conn.fetch_one(_CLOCK, collection=seeded.collection_row)
    finally:
        await db.close()
    n = seeded.entries
    assert tuple(whole or ()) == (n, n, seeded.first_us, seeded.last_us, 0, 0, n)
    assert bodies == n
    assert tuple(clock or ()) == (seeded.last_us, len(labels))
    assert by_label.keys() == {row[0] for row in labels}
    for label, entries, last_us, bytes_max in labels:
        _, count, latest_us, largest, first, last = by_label[label]
        assert (count, latest_us, largest, first, last) == (entries, last_us, bytes_max, 0, entries - 1)
    return n
