"""Writing the feed: what a batch needs to know is read under the collection's clock, and what it changed is written with it.

The clock's row is locked first and held to the end of the transaction, so dates rise in commit order and nobody else changes
the collection's entries meanwhile. Two batches that bring the same new object to two collections meet at its unique id:
the second is undone whole (`Duplicate`) and comes again, and then finds it.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, or_, select

from hub.domain.appending import Batch, EntryState, EqualCopy, Incoming, LabelState, LineageState, VersionState
from hub.domain.ids import LabelId, MemberId
from hub.domain.label import Attribution
from hub.domain.timestamp import format_timestamp
from hub.store.database import Change, Connection, Row, Statement, among, prepare, unsought
from hub.store.ledger import accepted
from hub.store.tables import table
from hub.store.tlog import accepted_versions, deleted_versions
from hub.store.trust import signed

CLOCK = table("collection_clock")
LABEL = table("label")
OBJECT = table("object")
VERSION = table("version")
ENTRY = table("entry")
DELETION = table("deletion")
COPY = table("equal_copy")
MOVED = table("moved_entry")
REVISION = table("revision")

_LOCK = prepare(
    select(CLOCK.c.clock_us, CLOCK.c.labels, select(REVISION.c.value).where(REVISION.c.id == 1).scalar_subquery())
    .where(CLOCK.c.collection_row == bindparam("collection"))
    .with_for_update(of=CLOCK)
)
_LOCK_ALL = prepare(select(CLOCK.c.collection_row).order_by(CLOCK.c.collection_row).with_for_update())
_OF_LABEL = (
    LABEL.c.id, LABEL.c.number, LABEL.c.digest, LABEL.c.canonical, LABEL.c.parts, LABEL.c.entries, LABEL.c.last_us, LABEL.c.bytes_max,
)  # fmt: skip
_OF_OBJECT = (
    OBJECT.c.row, OBJECT.c.stix_id, OBJECT.c.lineage, OBJECT.c.type, OBJECT.c.owner_id, OBJECT.c.created, OBJECT.c.created_by_ref,
    OBJECT.c.attribution,
)  # fmt: skip
_LABELS = prepare(select(*_OF_LABEL).where(LABEL.c.collection_row == bindparam("collection")))
_LABEL = prepare(select(*_OF_LABEL).where(LABEL.c.collection_row == bindparam("collection"), LABEL.c.digest == bindparam("digest_sought")))
_OBJECTS = prepare(select(*_OF_OBJECT).where(among(OBJECT.c.stix_id, "ids")))
_LABEL_AND_OBJECTS = prepare(
    select(*_OF_LABEL, *_OF_OBJECT)
    .select_from(LABEL.outerjoin(OBJECT, among(OBJECT.c.stix_id, "ids")))
    .where(LABEL.c.collection_row == bindparam("collection"), LABEL.c.digest == bindparam("digest_sought"))
)
_VERSIONS = prepare(
    select(
        VERSION.c.object_row, VERSION.c.version_us, VERSION.c.row, VERSION.c.digest, DELETION.c.deleted_us, COPY.c.label_id, COPY.c.bytes
    )
    .outerjoin(DELETION, and_(DELETION.c.version_row == VERSION.c.row, DELETION.c.collection_row == bindparam("collection")))
    .outerjoin(COPY, and_(COPY.c.version_row == VERSION.c.row, COPY.c.collection_row == bindparam("collection")))
    .where(among(VERSION.c.object_row, "objects"), or_(among(VERSION.c.version_us, "versions"), among(VERSION.c.object_row, "whole")))
)  # fmt: skip
_ENTRY_COLUMNS = (
    ENTRY.c.object_row, ENTRY.c.version_us, ENTRY.c.version_row, ENTRY.c.date_us, ENTRY.c.label_id, ENTRY.c.ordinal,
    ENTRY.c.bytes, ENTRY.c.superseded_us, VERSION.c.digest,
)  # fmt: skip
_LATEST_ENTRIES = prepare(
    select(*_ENTRY_COLUMNS)
    .join(VERSION, VERSION.c.row == ENTRY.c.version_row)
    .where(
        among(ENTRY.c.object_row, "objects"), unsought(ENTRY.c.collection_row) == bindparam("collection"), ENTRY.c.superseded_us.is_(None)
    )
)
_ALL_ENTRIES = prepare(
    select(*_ENTRY_COLUMNS)
    .join(VERSION, VERSION.c.row == ENTRY.c.version_row)
    .where(among(ENTRY.c.object_row, "objects"), unsought(ENTRY.c.collection_row) == bindparam("collection"))
)
_TAKE_COPIES = prepare(delete(COPY).where(COPY.c.collection_row == bindparam("collection"), among(COPY.c.version_row, "versions")))
_WITHDRAW = prepare(delete(ENTRY).where(ENTRY.c.collection_row == bindparam("collection"), among(ENTRY.c.date_us, "dates")))

_LABELS_SOUGHT_MAX = 4  # more than this are found by reading all

_CLOCK_COLUMNS = ("collection_row", "clock_us", "labels")
_LABEL_COLUMNS = ("id", "collection_row", "number", "digest", "canonical", "parts", "entries", "last_us", "bytes_max")
_LABEL_COUNTERS = ("id", "entries", "last_us", "bytes_max")
_OBJECT_COLUMNS = ("row", "stix_id", "lineage", "type", "owner_id", "created", "created_by_ref", "attribution")
_VERSION_COLUMNS = ("row", "object_row", "version_us", "version", "spec_version", "digest", "producer_id", "accepted_us", "body")
_ENTRY_INSERT = (
    "collection_row", "date_us", "label_id", "ordinal", "object_row", "version_row", "version_us", "type", "bytes", "superseded_us",
)  # fmt: skip
_ENTRY_SUPERSEDED = ("collection_row", "date_us", "superseded_us")
_MOVED_COLUMNS = ("collection_row", "date_us", "before_label_id", "before_us", "before_ordinal")
_COPY_COLUMNS = ("collection_row", "version_row", "label_id", "bytes")
_DELETION_COLUMNS = ("collection_row", "version_row", "deleted_us", "deleted_by")


class Locked(NamedTuple):
    """What is known of a collection once it is locked."""

    clock_us: int
    labels: int  # how many it has
    revision: int  # of the directory, when the lock was asked for or later


async def lock_collection(conn: Connection, collection_row: int) -> Locked:
    """Lock a collection's clock for the rest of the transaction."""
    row = await conn.fetch_one(_LOCK, collection=collection_row)
    assert row is not None, "every collection has a clock"
    return Locked(*row)


async def lock_all_collections(conn: Connection) -> None:
    """Wait until nothing is being appended to any collection, and let nothing be for the rest of the transaction."""
    await conn.fetch(_LOCK_ALL)


async def load_batch(
    conn: Connection, collection_row: int, incoming: Sequence[Incoming], member_ids: Collection[str], now_us: int
) -> Batch:
    """Lock the collection and read what the append of `incoming` has to know.

    Args:
        member_ids: the ids of all members: each owns the identity of that id.
    """
    locked = await lock_collection(conn, collection_row)
    lineages, owners, labels = await _load_known(conn, collection_row, incoming, member_ids)
    batch = Batch(collection_row, *locked, now_us, labels, {(lineage.stix_id, lineage.lineage): lineage for lineage in lineages}, owners)
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


async def write_batch(conn: Connection, batch: Batch, beside: Sequence[Change] = ()) -> None:
    """Write what a batch changed, and in the same go what else is to be written `beside` it."""
    if not (batch.appended or batch.put_beside):
        await conn.change(beside)
        return
    await _number_rows(conn, batch)
    if batch.withdrawn:
        await conn.execute(_WITHDRAW, collection=batch.collection_row, dates=batch.withdrawn)
    if batch.taken_over:
        await _take_copies(conn, batch, batch.taken_over)
    superseded = [e for lineage in batch.lineages.values() for e in lineage.entries if e.superseded_now and not e.new]
    await conn.change(
        [
            *_object_changes(batch),
            *_label_changes(batch),
            Change(ENTRY, _ENTRY_SUPERSEDED, [(batch.collection_row, e.date_us, e.superseded_us) for e in superseded], keys=2),
            Change(ENTRY, _ENTRY_INSERT, [_entry_row(batch, o, e) for o, e in batch.appended]),
            Change(MOVED, _MOVED_COLUMNS, _moved_rows(batch) if batch.withdrawn else ()),
            Change(COPY, _COPY_COLUMNS, [_copy_row(batch, version) for version in batch.put_beside]),
            Change(CLOCK, _CLOCK_COLUMNS, [(batch.collection_row, batch.clock_us, batch.label_count)], keys=1),
            accepted(batch),
            accepted_versions(batch),
            signed(batch),
            *beside,
        ]
    )


async def delete_versions(conn: Connection, batch: Batch, lineage: LineageState, gone: Iterable[EntryState], *, deleted_by: str) -> None:
    """Withdraw entries for good, and put in front of every cursor what takes their place.

    That is an older version which is the latest again, or an equal copy of another producer's which was held beside.
    `batch` was loaded for the object, whole; nothing else was added to it.
    """
    gone = list(gone)
    await _record_deleted(conn, batch, lineage, [entry.version for entry in gone], deleted_by)
    batch.withdrawn.extend(entry.date_us for entry in gone)
    lineage.entries = [entry for entry in lineage.entries if entry not in gone]
    if lineage.entries and lineage.entries[-1].superseded_us is not None:
        batch.reissue(lineage, lineage.entries[-1])
    if lineage.lineage:
        for entry in gone:
            batch.hand_over(lineage, entry)
    if batch.appended:
        await write_batch(conn, batch)
    else:
        await conn.execute(_WITHDRAW, collection=batch.collection_row, dates=batch.withdrawn)


async def delete_copies(conn: Connection, batch: Batch, lineage: LineageState, gone: Sequence[VersionState], *, deleted_by: str) -> None:
    """Give up for good what is held beside another producer's equal entry: no view changes."""
    await _record_deleted(conn, batch, lineage, gone, deleted_by)
    await _take_copies(conn, batch, gone)


async def _record_deleted(conn: Connection, batch: Batch, lineage: LineageState, gone: Sequence[VersionState], deleted_by: str) -> None:
    rows = [(batch.collection_row, version.row, batch.now_us, deleted_by) for version in gone]
    logged = deleted_versions([version.row for version in gone], batch.collection_row, lineage.attribution, at_us=batch.now_us)
    await conn.change([Change(DELETION, _DELETION_COLUMNS, rows), logged])


async def _take_copies(conn: Connection, batch: Batch, versions: Sequence[VersionState]) -> None:
    await conn.execute(_TAKE_COPIES, collection=batch.collection_row, versions=[version.row for version in versions])


async def load_object(conn: Connection, collection_row: int, stix_id: str, now_us: int) -> Batch:
    """Lock the collection and read everything of one object in it."""
    locked = await lock_collection(conn, collection_row)
    lineages = [_lineage(row) for row in await conn.fetch(_OBJECTS, ids=[stix_id])]
    batch = Batch(
        collection_row, *locked, now_us, await _load_labels(conn, collection_row),
        {(lineage.stix_id, lineage.lineage): lineage for lineage in lineages}, {},
    )  # fmt: skip
    stored = {lineage.row: lineage for lineage in lineages if lineage.row is not None}
    if any(lineage.lineage for lineage in lineages):
        await _load_versions(conn, batch, stored, ())
    if stored:
        await _load_entries(conn, batch, _ALL_ENTRIES, stored)
    return batch


async def _load_known(
    conn: Connection, collection_row: int, incoming: Sequence[Incoming], member_ids: Collection[str]
) -> tuple[list[LineageState], dict[str, MemberId], dict[bytes, LabelState]]:
    """Return the lineages of the objects that come, who owns the identities that come or are named in created_by_ref, and the labels.

    The labels are all that the collection has, unless everything that comes is new, and under few of them.
    """
    sent = {i.object.id for i in incoming}
    sent |= {id.lower() for id in sent}  # to some readers these are the same ids
    named = {i.object.created_by_ref for i in incoming if i.object.created_by_ref is not None}
    ids = sorted(sent | named)
    digests = list({label.digest() for label in {i.label for i in incoming}})
    # Most pushes have one label, which is known: so one statement brings all that there is.
    rows = await conn.fetch(_LABEL_AND_OBJECTS, collection=collection_row, digest_sought=digests[0], ids=ids)
    found = [row[len(_OF_LABEL) :] for row in rows] if rows else await conn.fetch(_OBJECTS, ids=ids)
    known = [_lineage(row) for row in found if row[0] is not None]
    owners = {lineage.stix_id: lineage.owner for lineage in known if not lineage.lineage and lineage.stix_id in named}
    identities = named.union(i.object.id for i in incoming if i.object.type == "identity")
    owners.update({id: MemberId(id) for id in identities if id in member_ids})
    lineages = [lineage for lineage in known if lineage.stix_id in sent]
    each_once = len({(i.object.id, i.lineage) for i in incoming}) == len(incoming)
    if lineages or not each_once or len(digests) > _LABELS_SOUGHT_MAX:
        return lineages, owners, await _load_labels(conn, collection_row)
    labels = [row[: len(_OF_LABEL)] for row in rows[:1]]
    for digest in digests[1:]:
        labels += await conn.fetch(_LABEL, collection=collection_row, digest_sought=digest)
    return lineages, owners, _labels_by_digest(labels)


async def _load_labels(conn: Connection, collection_row: int) -> dict[bytes, LabelState]:
    return _labels_by_digest(await conn.fetch(_LABELS, collection=collection_row))


def _labels_by_digest(rows: Sequence[Row]) -> dict[bytes, LabelState]:
    labels: dict[bytes, LabelState] = {}
    for id, number, digest, canonical, parts, *counters in rows:
        plain = tuple(LabelId(int(part)) for part in parts.split(",")) if parts else (LabelId(id),)
        labels[digest] = LabelState(LabelId(id), number, digest, canonical, plain, *counters)
    return labels


def _lineage(row: Row) -> LineageState:
    number, stix_id, lineage, type, owner, created, created_by_ref, attribution = row
    known_to = Attribution.EVERYONE if attribution is None else Attribution(attribution)
    return LineageState(stix_id, lineage, type, MemberId(owner), created, created_by_ref, known_to, number)


async def _load_versions(conn: Connection, batch: Batch, stored: dict[int, LineageState], incoming: Sequence[Incoming]) -> None:
    versions = sorted({i.object.version_us for i in incoming if i.object.version_us is not None})
    whole = [row for row, lineage in stored.items() if lineage.lineage]
    rows = await conn.fetch(_VERSIONS, collection=batch.collection_row, objects=list(stored), versions=versions, whole=whole)
    labels = {label.id: label for label in batch.labels.values()}
    for object_row, version_us, row, digest, deleted_us, label, size in rows:
        beside = EqualCopy(labels[label], size) if label is not None else None
        stored[object_row].versions[version_us] = VersionState(version_us, digest, row, deleted_us, beside)


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


async def _number_rows(conn: Connection, batch: Batch) -> None:
    for lineage, row in zip(batch.new_lineages, await conn.next_rows(OBJECT, len(batch.new_lineages)), strict=True):
        lineage.row = row
    for (_, version), row in zip(batch.new_versions, await conn.next_rows(VERSION, len(batch.new_versions)), strict=True):
        version.row = row


def _object_changes(batch: Batch) -> list[Change]:
    objects = sorted(batch.new_lineages, key=_by_id)
    return [
        Change(OBJECT, _OBJECT_COLUMNS, [_object_row(o) for o in objects]),
        Change(VERSION, _VERSION_COLUMNS, [_version_row(batch, o, version) for o, version in batch.new_versions]),
    ]


def _by_id(lineage: LineageState) -> tuple[str, str]:
    # Everybody inserts in the same order, so two transactions wait for one another one way only.
    return lineage.stix_id, lineage.lineage


def _object_row(lineage: LineageState) -> tuple[object, ...]:
    known_to = None if lineage.attribution is Attribution.EVERYONE else lineage.attribution.value
    return (
        lineage.row, lineage.stix_id, lineage.lineage, lineage.type, lineage.owner, lineage.created, lineage.created_by_ref, known_to,
    )  # fmt: skip


def _version_row(batch: Batch, lineage: LineageState, version: VersionState) -> tuple[object, ...]:
    assert version.incoming is not None, "a new version was made from something"
    obj = version.incoming.object
    text = obj.version or format_timestamp(version.version_us)
    return (
        version.row, lineage.row, version.version_us, text, obj.spec_version, obj.digest, version.incoming.producer, batch.now_us, obj.body,
    )  # fmt: skip


def _label_changes(batch: Batch) -> list[Change]:
    new = [label for label in batch.labels.values() if label.new]
    rows = [
        (
            label.id, batch.collection_row, label.number, label.digest, label.canonical,
            "" if label.canonical else ",".join(map(str, label.parts)), label.entries, label.last_us, label.bytes_max,
        )
        for label in new
    ]  # fmt: skip
    counted = [label for label in batch.labels.values() if label.changed and not label.new]
    return [
        Change(LABEL, _LABEL_COLUMNS, rows),
        Change(LABEL, _LABEL_COUNTERS, [(label.id, label.entries, label.last_us, label.bytes_max) for label in counted], keys=1),
    ]


def _entry_row(batch: Batch, lineage: LineageState, entry: EntryState) -> tuple[object, ...]:
    return (
        batch.collection_row, entry.date_us, entry.label.id, entry.ordinal, lineage.row, entry.version.row,
        entry.version_us, lineage.type, entry.bytes, entry.superseded_us,
    )  # fmt: skip


def _copy_row(batch: Batch, version: VersionState) -> tuple[object, ...]:
    assert version.beside is not None, "it was put beside"
    return batch.collection_row, version.row, version.beside.label.id, version.beside.bytes


def _moved_rows(batch: Batch) -> list[Row]:
    moved = ((entry, entry.moved_from) for _, entry in batch.appended if entry.moved_from is not None)
    return [(batch.collection_row, entry.date_us, before.label.id, before.date_us, before.ordinal) for entry, before in moved]
