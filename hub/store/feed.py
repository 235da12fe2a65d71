"""Reading the feed: pages of a member's view, in the order of their effective dates (see `feed_statements`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, select

from hub.domain.feed import TICK_US, Base, Shift, View
from hub.domain.ids import LabelId
from hub.domain.label import Label
from hub.domain.taxii import VersionMatch
from hub.store.database import Connection, Row, among, mask_of, prepare, unsought
from hub.store.feed_statements import ENTRY, OBJECT, VERSION, Shape, is_apart, is_flat, joined_statement, statement, statements_beside
from hub.store.tables import table

LABEL = table("label")
CLOCK = table("collection_clock")
REVISION = table("revision")
MEMBER_VIEW = table("member_view")

_SEEK_LABELS_MAX = 256  # more labels than this are scanned for, not sought one by one
_ALONE_MAX = 8  # more labels than this that wait alike are read together: a part for each costs more, and SQLite takes 500 parts at most
_SCAN_COST = 0.2  # an index entry passed over, against a seek
_SEEK_COST = 5.0


_DATE = itemgetter(0)  # the effective date of a row of a page


class Head(NamedTuple):
    """What a poll has to know first, read in one statement: so clock and observation belong together."""

    revision: int
    clock_us: int
    labels: int  # how many labels the collection has
    labels_seen: int
    edition: int  # of what was observed; -1: nothing yet
    state: str


@dataclass(frozen=True, slots=True)
class StoredLabel:
    """A label of a collection with what the choice of a plan needs."""

    id: LabelId
    number: int
    canonical: str  # "" for a narrowed label
    parts: tuple[LabelId, ...]  # the plain labels that must all be visible; itself for a plain one
    entries: int
    bytes_max: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What of a view is asked for: after a date, up to the clock, of some types, some versions."""

    after_us: int
    clock_us: int
    limit: int
    versions: VersionMatch = VersionMatch()
    types: tuple[str, ...] = ()  # none: all


class ObjectRun(NamedTuple):
    """Objects that follow one another in a view, with the effective dates of the first and the last."""

    first_us: int | None = None  # None: there are none
    last_us: int | None = None
    objects: bytes = b""  # as stored, with commas between them
    has_more: bool = False  # after the last


_HEAD = prepare(
    select(REVISION.c.value, CLOCK.c.clock_us, CLOCK.c.labels, MEMBER_VIEW.c.labels_seen, MEMBER_VIEW.c.edition, MEMBER_VIEW.c.state)
    .select_from(CLOCK)
    .join(REVISION, REVISION.c.id == 1)
    .outerjoin(
        MEMBER_VIEW,
        and_(MEMBER_VIEW.c.collection_row == CLOCK.c.collection_row, MEMBER_VIEW.c.member_id == bindparam("member")),
    )
    .where(CLOCK.c.collection_row == bindparam("collection"))
)
_LABELS = prepare(
    select(LABEL.c.id, LABEL.c.number, LABEL.c.canonical, LABEL.c.parts, LABEL.c.entries, LABEL.c.bytes_max)
    .where(LABEL.c.collection_row == bindparam("collection"))
    .order_by(LABEL.c.number)
)
_LABELS_NAMED = prepare(select(LABEL.c.id, LABEL.c.canonical).where(among(LABEL.c.id, "ids")))
_BODIES = prepare(select(VERSION.c.row, VERSION.c.body).where(among(VERSION.c.row, "rows")))
_RECORDS = prepare(
    select(VERSION.c.row, OBJECT.c.stix_id, VERSION.c.version)
    .join(OBJECT, OBJECT.c.row == VERSION.c.object_row)
    .where(among(VERSION.c.row, "rows"))
)
_OF_OBJECTS = prepare(
    select(
        ENTRY.c.date_us,
        ENTRY.c.label_id,
        ENTRY.c.ordinal,
        ENTRY.c.version_us,
        ENTRY.c.version_row,
        ENTRY.c.bytes,
        ENTRY.c.type,
        OBJECT.c.stix_id,
        ENTRY.c.object_row,
    )
    .join(OBJECT, OBJECT.c.row == ENTRY.c.object_row)
    .where(among(OBJECT.c.stix_id, "ids"), unsought(ENTRY.c.collection_row) == bindparam("collection"))
)


async def read_head(conn: Connection, collection_row: int, member_id: str) -> Head:
    """Return what a poll of a collection has to know first."""
    row = await conn.fetch_one(_HEAD, collection=collection_row, member=member_id)
    assert row is not None, "every collection has a clock, every database a revision"
    revision, clock_us, labels, seen, edition, state = row
    return Head(revision, clock_us, labels, seen or 0, -1 if edition is None else edition, state or "{}")


async def list_labels(conn: Connection, collection_row: int) -> list[StoredLabel]:
    """Return the labels of a collection by number."""
    return [
        StoredLabel(LabelId(id), number, canonical, tuple(LabelId(int(p)) for p in parts.split(",")) if parts else (LabelId(id),), *rest)
        for id, number, canonical, parts, *rest in await conn.fetch(_LABELS, collection=collection_row)
    ]


async def labels_named(conn: Connection, ids: Sequence[LabelId]) -> dict[LabelId, Label]:
    """Return plain labels by their rows."""
    if not ids:
        return {}
    return {LabelId(id): Label.from_canonical(canonical) for id, canonical in await conn.fetch(_LABELS_NAMED, ids=list(ids))}


async def page_of_objects(conn: Connection, collection_row: int, view: View, plan: str, selection: Selection) -> ObjectRun:
    """Return at most `selection.limit` objects of a view, in order."""
    limit = selection.limit
    shape, values = _asked(conn.dialect, collection_row, view, plan, selection, "body")
    if is_apart(shape) and shape.plain:
        beside = await _beside(conn, shape, values | {"limit": limit + 1})
        if beside:
            return _run_of(await _with_plain(conn, shape, values | {"limit": limit + 1}, beside), limit)
        shape = shape.plainly()
    if conn.dialect == "sqlite" and is_flat(shape):
        joined = await conn.fetch_one(joined_statement(shape), **values)
        assert joined is not None, "sums are one row"
        first_us, last_us, objects, has_more = joined
        return ObjectRun(first_us, last_us, objects or b"", bool(has_more))
    return _run_of(await _page(conn, shape, values | {"limit": limit + 1}), limit)


async def page_of_records(conn: Connection, collection_row: int, view: View, plan: str, selection: Selection) -> list[tuple[int, str, str]]:
    """Return at most `selection.limit` entries of a view as (effective date, STIX id, version), in order."""
    shape, values = _asked(conn.dialect, collection_row, view, plan, selection, "record")
    return await _page(conn, shape, values)  # type: ignore[return-value]


async def page_of_keys(conn: Connection, collection_row: int, view: View, plan: str, selection: Selection) -> list[tuple[int, int, int]]:
    """Return at most `selection.limit` entries of a view as (effective date, version row, bytes), in order."""
    shape, values = _asked(conn.dialect, collection_row, view, plan, selection, "key")
    return await _page(conn, shape, values)  # type: ignore[return-value]


async def bodies(conn: Connection, rows: Sequence[int]) -> dict[int, bytes]:
    """Return the stored bytes of versions by row."""
    return dict(await conn.fetch(_BODIES, rows=list(rows)))  # type: ignore[arg-type]


async def records(conn: Connection, rows: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return (STIX id, version) of versions by row."""
    return {row: (stix_id, version) for row, stix_id, version in await conn.fetch(_RECORDS, rows=list(rows))}


class StoredEntry(NamedTuple):  # a tuple, as one object may have ten thousand of them
    """An entry of the feed, as far as views and filters look at it."""

    date_us: int
    label: LabelId
    ordinal: int
    version_us: int
    version_row: int
    bytes: int
    type: str
    stix_id: str
    object_row: int


async def entries_of(conn: Connection, collection_row: int, stix_ids: Sequence[str]) -> list[StoredEntry]:
    """Return every entry of a collection for the given ids, in no order."""
    return list(map(StoredEntry._make, await conn.fetch(_OF_OBJECTS, collection=collection_row, ids=list(stix_ids))))


def plan_for(view: View, labels: Sequence[StoredLabel]) -> str:
    """Return how the plainly seen labels are best read: everything, by a scan that passes over the others, or label by label."""
    if view.everything:
        return "everything"
    if not view.plain:
        return ""
    total = sum(label.entries for label in labels) or 1
    plain = set(view.plain)
    share = sum(label.entries for label in labels if label.id in plain) / total
    # For a page of a thousand: what a scan passes over, against a seek and at most that many entries a label.
    scan = _SCAN_COST * 1_000 / max(share, 1e-9)
    seek = sum(_SEEK_COST + min(label.entries, 1_000) for label in labels if label.id in plain)
    return "seek" if len(plain) <= _SEEK_LABELS_MAX and seek < scan else "scan"


def _asked(dialect: str, collection_row: int, view: View, plan: str, selection: Selection, columns: str) -> tuple[Shape, dict[str, Any]]:
    """Return the shape of a page that is asked for, and the values for its statement."""
    values: dict[str, Any] = {
        "collection": collection_row,
        "after": selection.after_us,
        "until": selection.clock_us,
        "limit": selection.limit,
        "plain": view.plain,
        "plain_mask": mask_of(view.plain) if dialect == "sqlite" else b"",
        "exact": selection.versions.exact_us,
        "types": selection.types,
    }
    bases, shifts, shared = _bind_segments(values, view, selection)
    versions = selection.versions
    wanted = (versions.all, versions.first, versions.last, bool(versions.exact_us))
    sought = 0
    if dialect == "sqlite" and plan:
        sought = _bind_sought(values, selection.types or (view.plain if plan == "seek" else ()))
    return Shape(dialect, columns, plan, bases, shifts, shared, *wanted, types=bool(selection.types), sought=sought), values


async def _page(conn: Connection, shape: Shape, values: dict[str, Any]) -> list[Row]:
    if not shape.plain and not shape.bases and not shape.shifts and not shape.shared:
        return []
    if is_flat(shape):
        return await conn.fetch(statement(shape), **values)
    if is_apart(shape):
        return await _with_plain(conn, shape, values, await _beside(conn, shape, values))
    return sorted(await conn.fetch(statement(shape), **values), key=_DATE)


async def _beside(conn: Connection, shape: Shape, values: dict[str, Any]) -> list[Row]:
    """Return what a page may take from each part of a view beside what is seen plainly."""
    return [row for part in statements_beside(shape) for row in await conn.fetch(part, **values)]


async def _with_plain(conn: Connection, shape: Shape, values: dict[str, Any], beside: list[Row]) -> list[Row]:
    """Return a page of what is seen plainly together with what is `beside` it."""
    plain = await conn.fetch(statement(shape.plainly()), **values) if shape.plain else []
    return sorted(plain + beside, key=_DATE)[: values["limit"]]


def _run_of(rows: Sequence[Row], limit: int) -> ObjectRun:
    """Return the objects of rows in order, of which there is one more than `limit` where there are more."""
    kept = rows[:limit]
    return ObjectRun(kept[0][0], kept[-1][0], b",".join([body for _, body in kept]), len(rows) > limit) if kept else ObjectRun()


def _bind_sought(values: dict[str, Any], sought: Sequence[LabelId] | Sequence[str]) -> int:
    """Bind what is sought one by one, filled up to a power of two so that statements are few; return how many they are."""
    if not 0 < len(sought) <= _SEEK_LABELS_MAX:
        return 0  # SQLite takes at most 500 SELECTs in one
    count = 1 << (len(sought) - 1).bit_length()
    nothing = "" if isinstance(sought[0], str) else -1
    values.update({f"sought{n}": sought[n] if n < len(sought) else nothing for n in range(count)})
    return count


def _bind_base(values: dict[str, Any], n: int, label: LabelId, segment: Base, after_us: int, horizon_us: int) -> int:
    values.update({
        f"b{n}_label": label,
        f"b{n}_from": segment.ordinal_after(after_us),
        f"b{n}_end": segment.end,
        f"b{n}_offset": segment.start_us - TICK_US * segment.first,
        f"b{n}_horizon": horizon_us,
    })  # fmt: skip
    return 1


def _bind_segments(values: dict[str, Any], view: View, selection: Selection) -> tuple[int, int, int]:
    """Bind what is not seen plainly: return how many backlogs there are, labels that wait alone, and groups of labels that wait alike."""
    bases = shifts = shared = 0
    for segment, last, labels in view.alike:
        horizon_us = last.horizon_us(selection.clock_us)
        if isinstance(segment, Base):
            if segment.last_us > selection.after_us or selection.versions.first:
                for label in labels:
                    bases += _bind_base(values, bases, label, segment, selection.after_us, horizon_us)
        elif len(labels) > _ALONE_MAX:
            shared += _bind_shift(values, f"g{shared}", labels, segment, selection, horizon_us)
        else:
            for label in labels:
                shifts += _bind_shift(values, f"s{shifts}", label, segment, selection, horizon_us)
    return bases, shifts, shared


def _bind_shift(
    values: dict[str, Any], name: str, label: LabelId | tuple[LabelId, ...], segment: Shift, selection: Selection, horizon_us: int
) -> int:
    low = max(segment.after_us, selection.after_us - segment.delay_us)
    high = selection.clock_us - segment.delay_us
    if segment.until_us is not None:
        high = min(high, segment.until_us)
    if high <= low and not selection.versions.first:
        return 0
    values.update({
        f"{name}_label": label,
        f"{name}_label_mask": mask_of(label) if isinstance(label, tuple) else b"",
        f"{name}_low": low,
        f"{name}_high": high,
        f"{name}_delay": segment.delay_us,
        f"{name}_horizon": horizon_us,
    })  # fmt: skip
    return 1
