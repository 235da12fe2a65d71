"""Writing the feed: what a batch needs to know is read under the collection's clock, and what it changed is written with it.

The clock's row is locked first and held to the end of the transaction, so dates rise in commit order and nobody else changes
the collection's entries meanwhile. Two batches that bring the same new object to two collections meet at its unique id:
the second is undone whole (`Duplicate`) and comes again, and then finds it.
"""

from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import Integer, and_, bindparam, delete, func, literal_column, or_, select, update

from hub.domain.appending import Batch, EntryState, Incoming, LabelState, LineageState, VersionState, is_ownerless
from hub.domain.ids import LabelId, MemberId
from hub.domain.timestamp import format_timestamp
from hub.store.database import Connection, Row, Statement, among, prepare
from hub.store.tables import table

CLOCK = table("collection_clock")
LABEL = table("label")
OBJECT = table("object")
VERSION = table("version")
ENTRY = table("entry")
DELETION = table("deletion")

_LOCK = prepare(select(CLOCK.c.clock_us, CLOCK.c.labels).where(CLOCK.c.collection_row == bindparam("collection")).with_for_update())
_SET_CLOCK = prepare(
    update(CLOCK)
    .where(CLOCK.c.collection_row == bindparam("collection"))
    .values(clock_us=bindparam("clock"), labels=bindparam("label_count"))
)
_LABELS = prepare(
    select(
        LABEL.c.id, LABEL.c.number, LABEL.c.digest, LABEL.c.canonical, LABEL.c.parts, LABEL.c.entries, LABEL.c.last_us, LABEL.c.bytes_max
    )
    .where(LABEL.c.collection_row == bindparam("collection"))
)  # fmt: skip
_LABEL_OF = prepare(
    select(
        LABEL.c.id, LABEL.c.number, LABEL.c.digest, LABEL.c.canonical, LABEL.c.parts, LABEL.c.entries, LABEL.c.last_us, LABEL.c.bytes_max
    )
    .where(LABEL.c.collection_row == bindparam("collection"), LABEL.c.digest == bindparam("digest_sought"))
)  # fmt: skip
_COUNT_LABEL = prepare(
    update(LABEL)
    .where(LABEL.c.id == bindparam("label"))
    .values(entries=bindparam("count"), last_us=bindparam("last"), bytes_max=bindparam("largest"))
)
_OBJECTS = prepare(
    select(OBJECT.c.row, OBJECT.c.stix_id, OBJECT.c.lineage, OBJECT.c.type, OBJECT.c.owner_id, OBJECT.c.created, OBJECT.c.created_by_ref)
    .where(among(OBJECT.c.stix_id, "ids"))
)  # fmt: skip
_OWNERS = prepare(select(OBJECT.c.stix_id, OBJECT.c.owner_id).where(among(OBJECT.c.stix_id, "ids"), OBJECT.c.lineage == ""))
_VERSIONS = prepare(
    select(VERSION.c.object_row, VERSION.c.version_us, VERSION.c.row, VERSION.c.digest, DELETION.c.deleted_us)
    .outerjoin(DELETION, and_(DELETION.c.version_row == VERSION.c.row, DELETION.c.collection_row == bindparam("collection")))
    .where(among(VERSION.c.object_row, "objects"), or_(among(VERSION.c.version_us, "versions"), among(VERSION.c.object_row, "whole")))
)
_ENTRY_COLUMNS = (
    ENTRY.c.object_row, ENTRY.c.version_us, ENTRY.c.version_row, ENTRY.c.date_us, ENTRY.c.label_id, ENTRY.c.ordinal,
    ENTRY.c.bytes, ENTRY.c.superseded_us, VERSION.c.digest,
)  # fmt: skip
_LATEST_ENTRIES = prepare(
    select(*_ENTRY_COLUMNS)
    .join(VERSION, VERSION.c.row == ENTRY.c.version_row)
    .where(among(ENTRY.c.object_row, "objects"), ENTRY.c.collection_row == bindparam("collection"), ENTRY.c.superseded_us.is_(None))
)
_ALL_ENTRIES = prepare(
    select(*_ENTRY_COLUMNS)
    .join(VERSION, VERSION.c.row == ENTRY.c.version_row)
    .where(among(ENTRY.c.object_row, "objects"), ENTRY.c.collection_row == bindparam("collection"))
)
_WITHDRAW = prepare(delete(ENTRY).where(ENTRY.c.collection_row == bindparam("collection"), among(ENTRY.c.date_us, "dates")))
_SUPERSEDE = prepare(
    update(ENTRY)
    .where(ENTRY.c.collection_row == bindparam("collection"), ENTRY.c.date_us == bindparam("date"))
    .values(superseded_us=bindparam("by"))
)
_NEXT_ROW_SQLITE = {t.name: prepare(select(func.coalesce(func.max(t.c.row), 0) + 1)) for t in (OBJECT, VERSION)}
_NEXT_ROWS_POSTGRES = {
    t.name: prepare(
        select(func.nextval(literal_column(f"'{t.name}_row_seq'"))).select_from(
            func.generate_series(1, bindparam("count", type_=Integer()))
        )
    )
    for t in (OBJECT, VERSION)
}

_LABELS_SOUGHT_MAX = 4  # more than this are found by reading all

_LABEL_COLUMNS = ("id", "collection_row", "number", "digest", "canonical", "parts", "entries", "last_us", "bytes_max")
_OBJECT_COLUMNS = ("row", "stix_id", "lineage", "type", "owner_id", "created", "created_by_ref")
_VERSION_COLUMNS = ("row", "object_row", "version_us", "version", "spec_version", "digest", "producer_id", "accepted_us", "body")
_ENTRY_INSERT = (
    "collection_row", "date_us", "label_id", "ordinal", "object_row", "version_row", "version_us", "type", "bytes", "superseded_us",
)  # fmt: skip
_DELETION_COLUMNS = ("collection_row", "version_row", "deleted_us", "deleted_by")


async def lock_collection(conn: Connection, collection_row: int) -> tuple[int, int]:
    """Lock a collection's clock for the rest of the transaction; return it, and how many labels the collection has."""
    row = await conn.fetch_one(_LOCK, collection=collection_row)
    assert row is not None, "every collection has a clock"
    return row[0], row[1]


async def load_batch(
    conn: Connection, collection_row: int, incoming: Sequence[Incoming], member_ids: Collection[str], now_us: int
) -> Batch:
    """Lock the collection and read what the append of `incoming` has to know.

    Args:
        member_ids: the ids of all members: each owns the identity of that id.
    """
    clock_us, label_count = await lock_collection(conn, collection_row)
    lineages = await _load_lineages(conn, sorted({i.object.id for i in incoming}))
    ownerless = {i.object.id for i in incoming if is_ownerless(i.object)}
    batch = Batch(
        collection_row,
        clock_us,
        label_count,
        now_us,
        await _load_labels_for(conn, collection_row, incoming, lineages),
        {(lineage.stix_id, lineage.lineage): lineage for lineage in lineages},
        _copies(lineages, ownerless, incoming),
        await _load_owners(conn, incoming, member_ids),
    )
    stored = {lineage.row: lineage for lineage in lineages if lineage.row is not None}
    if stored:
        await _load_versions(conn, batch, stored, incoming)
        await _load_entries(conn, batch, _LATEST_ENTRIES, stored)
        behind = _to_load_whole(batch, incoming)
        if behind:
            for lineage in behind.values():
                lineage.entries.clear()
            await _load_entries(conn, batch, _ALL_ENTRIES, behind)
    return batch


async def write_batch(conn: Connection, batch: Batch) -> None:
    """Write what a batch changed."""
    if not batch.appended:
        return
    await _write_objects(conn, batch)
    if batch.withdrawn:
        await conn.execute(_WITHDRAW, collection=batch.collection_row, dates=batch.withdrawn)
    superseded = [e for lineage in batch.lineages.values() for e in lineage.entries if e.superseded_now and not e.new]
    if superseded:
        await conn.execute_many(
            _SUPERSEDE, [{"collection": batch.collection_row, "date": e.date_us, "by": e.superseded_us} for e in superseded]
        )
    await _write_labels(conn, batch)
    owners = {id(entry): lineage for lineage in batch.lineages.values() for entry in lineage.entries if entry.new}
    await conn.insert_many(ENTRY, _ENTRY_INSERT, [_entry_row(batch, e, owners[id(e)]) for e in batch.appended])
    await conn.execute(_SET_CLOCK, collection=batch.collection_row, clock=batch.clock_us, label_count=batch.label_count)


async def delete_versions(conn: Connection, batch: Batch, lineage: LineageState, gone: Iterable[EntryState], *, deleted_by: str) -> None:
    """Withdraw entries for good, and put an older version that is the latest again in front of every cursor.

    `batch` was loaded for the object, whole; nothing else was added to it.
    """
    gone = list(gone)
    rows = [(batch.collection_row, entry.version.row, batch.now_us, deleted_by) for entry in gone]
    await conn.insert_many(DELETION, _DELETION_COLUMNS, rows)
    batch.withdrawn.extend(entry.date_us for entry in gone)
    lineage.entries = [entry for entry in lineage.entries if entry not in gone]
    if lineage.entries and lineage.entries[-1].superseded_us is not None:
        batch.reissue(lineage, lineage.entries[-1])
        await write_batch(conn, batch)
    else:
        await conn.execute(_WITHDRAW, collection=batch.collection_row, dates=batch.withdrawn)


async def load_object(conn: Connection, collection_row: int, stix_id: str, now_us: int) -> Batch:
    """Lock the collection and read everything of one object in it."""
    clock_us, label_count = await lock_collection(conn, collection_row)
    lineages = await _load_lineages(conn, [stix_id])
    batch = Batch(
        collection_row, clock_us, label_count, now_us, await _load_labels(conn, collection_row),
        {(lineage.stix_id, lineage.lineage): lineage for lineage in lineages}, {}, {},
    )  # fmt: skip
    stored = {lineage.row: lineage for lineage in lineages if lineage.row is not None}
    if stored:
        await _load_entries(conn, batch, _ALL_ENTRIES, stored)
    return batch


async def _load_labels_for(
    conn: Connection, collection_row: int, incoming: Sequence[Incoming], lineages: list[LineageState]
) -> dict[bytes, LabelState]:
    """Return the labels that the batch may come to use: all, unless everything in it is new, and under few labels."""
    digests = {label.digest() for label in {i.label for i in incoming}}
    each_once = len({(i.object.id, i.lineage) for i in incoming}) == len(incoming)
    if lineages or not each_once or len(digests) > _LABELS_SOUGHT_MAX:
        return await _load_labels(conn, collection_row)
    rows = [await conn.fetch_one(_LABEL_OF, collection=collection_row, digest_sought=digest) for digest in digests]
    return _labels_by_digest([row for row in rows if row is not None])


async def _load_labels(conn: Connection, collection_row: int) -> dict[bytes, LabelState]:
    return _labels_by_digest(await conn.fetch(_LABELS, collection=collection_row))


def _labels_by_digest(rows: Sequence[Row]) -> dict[bytes, LabelState]:
    labels: dict[bytes, LabelState] = {}
    for id, number, digest, canonical, parts, *counters in rows:
        plain = tuple(LabelId(int(part)) for part in parts.split(",")) if parts else (LabelId(id),)
        labels[digest] = LabelState(LabelId(id), number, digest, canonical, plain, *counters)
    return labels


async def _load_lineages(conn: Connection, stix_ids: list[str]) -> list[LineageState]:
    return [
        LineageState(stix_id, lineage, type, MemberId(owner), created, created_by_ref, row)
        for row, stix_id, lineage, type, owner, created, created_by_ref in await conn.fetch(_OBJECTS, ids=stix_ids)
    ]


def _copies(lineages: list[LineageState], ownerless: set[str], incoming: Sequence[Incoming]) -> dict[str, list[LineageState]]:
    producers = {i.producer for i in incoming}
    copies: dict[str, list[LineageState]] = {}
    for lineage in lineages:
        if lineage.stix_id in ownerless and lineage.owner not in producers:
            copies.setdefault(lineage.stix_id, []).append(lineage)
    return copies


async def _load_owners(conn: Connection, incoming: Sequence[Incoming], member_ids: Collection[str]) -> dict[str, MemberId]:
    named = {i.object.created_by_ref for i in incoming if i.object.created_by_ref is not None}
    owners = {row[0]: MemberId(row[1]) for row in await conn.fetch(_OWNERS, ids=sorted(named))} if named else {}
    sent = {i.object.id for i in incoming if i.object.type == "identity"}
    owners.update({id: MemberId(id) for id in (named | sent) if id in member_ids})
    return owners


async def _load_versions(conn: Connection, batch: Batch, stored: dict[int, LineageState], incoming: Sequence[Incoming]) -> None:
    versions = sorted({i.object.version_us for i in incoming if i.object.version_us is not None})
    whole = [row for row, lineage in stored.items() if lineage.lineage]
    rows = await conn.fetch(_VERSIONS, collection=batch.collection_row, objects=list(stored), versions=versions, whole=whole)
    for object_row, version_us, row, digest, deleted_us in rows:
        stored[object_row].versions[version_us] = VersionState(version_us, digest, row, deleted_us)


async def _load_entries(conn: Connection, batch: Batch, statement: Statement, stored: dict[int, LineageState]) -> None:
    labels = {label.id: label for label in batch.labels.values()}
    rows = await conn.fetch(statement, collection=batch.collection_row, objects=list(stored))
    for object_row, version_us, version_row, date_us, label, ordinal, size, superseded_us, digest in rows:
        lineage = stored[object_row]
        version = lineage.versions.setdefault(version_us, VersionState(version_us, digest, version_row))
        lineage.entries.append(EntryState(version_us, version, date_us, labels[label], ordinal, size, superseded_us))
    for lineage in stored.values():
        lineage.sort()


def _to_load_whole(batch: Batch, incoming: Sequence[Incoming]) -> dict[int, LineageState]:
    """The objects of which one latest entry is not enough: something older comes, or something under another label."""
    whole: dict[int, LineageState] = {}
    for i in incoming:
        lineage = batch.lineages.get((i.object.id, i.lineage))
        if lineage is None or lineage.row is None or not lineage.entries:
            continue
        latest = lineage.entries[-1]
        late = i.object.version_us is not None and i.object.version_us < latest.version_us
        if late or latest.label.digest != i.label.digest():
            whole[lineage.row] = lineage
    return whole


async def _write_objects(conn: Connection, batch: Batch) -> None:
    objects = [lineage for lineage in batch.lineages.values() if lineage.row is None and lineage.entries]
    for lineage, row in zip(objects, await _next_rows(conn, "object", len(objects)), strict=True):
        lineage.row = row
    await conn.insert_many(
        OBJECT,
        _OBJECT_COLUMNS,
        [(o.row, o.stix_id, o.lineage, o.type, o.owner, o.created, o.created_by_ref) for o in sorted(objects, key=_by_id)],
    )
    versions = [(o, v) for o in batch.lineages.values() for v in o.versions.values() if v.row is None]
    for (_, version), row in zip(versions, await _next_rows(conn, "version", len(versions)), strict=True):
        version.row = row
    await conn.insert_many(VERSION, _VERSION_COLUMNS, [_version_row(batch, o, v) for o, v in versions])


def _by_id(lineage: LineageState) -> tuple[str, str]:
    # Everybody inserts in the same order, so two transactions wait for one another one way only.
    return lineage.stix_id, lineage.lineage


def _version_row(batch: Batch, lineage: LineageState, version: VersionState) -> tuple[object, ...]:
    assert version.incoming is not None, "a new version was made from something"
    obj = version.incoming.object
    text = obj.version or format_timestamp(version.version_us)
    return (
        version.row, lineage.row, version.version_us, text, obj.spec_version, obj.digest, version.incoming.producer, batch.now_us, obj.body,
    )  # fmt: skip


async def _write_labels(conn: Connection, batch: Batch) -> None:
    new = [label for label in batch.labels.values() if label.new]
    await conn.insert_many(
        LABEL,
        _LABEL_COLUMNS,
        [
            (
                label.id, batch.collection_row, label.number, label.digest, label.canonical,
                "" if label.canonical else ",".join(map(str, label.parts)), label.entries, label.last_us, label.bytes_max,
            )
            for label in new
        ],
    )  # fmt: skip
    counted = [label for label in batch.labels.values() if label.changed and not label.new]
    await conn.execute_many(
        _COUNT_LABEL, [{"label": lb.id, "count": lb.entries, "last": lb.last_us, "largest": lb.bytes_max} for lb in counted]
    )


def _entry_row(batch: Batch, entry: EntryState, lineage: LineageState) -> tuple[object, ...]:
    return (
        batch.collection_row, entry.date_us, entry.label.id, entry.ordinal, lineage.row, entry.version.row,
        entry.version_us, lineage.type, entry.bytes, entry.superseded_us,
    )  # fmt: skip


async def _next_rows(conn: Connection, name: str, count: int) -> Sequence[int]:
    if not count:
        return ()
    if conn.dialect == "sqlite":
        first = await conn.fetch_value(_NEXT_ROW_SQLITE[name])
        return range(first, first + count)
    return [row[0] for row in await conn.fetch(_NEXT_ROWS_POSTGRES[name], count=count)]
