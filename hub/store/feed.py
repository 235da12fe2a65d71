"""Reading the feed: pages of a member's view, in the order of their effective dates.

A view is a union of parts: the labels seen plainly, read in the order of their dates, and one part for each segment of the
others. Each part is an index seek and a short scan, so a page costs the same at any depth and any size of the feed.
The statements are made per shape of a view and kept; values come as parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    exists,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from hub.domain.feed import TICK_US, Base, Shift, View
from hub.domain.ids import LabelId
from hub.domain.label import Label
from hub.domain.taxii import VersionMatch
from hub.store.database import Connection, Row, Statement, among, marked, mask_of, prepare, values_of
from hub.store.tables import table

ENTRY = table("entry")
VERSION = table("version")
OBJECT = table("object")
LABEL = table("label")
CLOCK = table("collection_clock")
REVISION = table("revision")
MEMBER_VIEW = table("member_view")

_SEEK_LABELS_MAX = 256  # more labels than this are scanned for, not sought one by one
_ALONE_MAX = 8  # more labels than this that wait alike are read together: a part for each costs more, and SQLite takes 500 parts at most
_APART_MAX = 8  # so many parts beside what is seen plainly are read one by one on SQLite
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


class _Shape(NamedTuple):  # a tuple, as it is hashed at each page
    dialect: str
    columns: str  # "body", "record" or "key"
    plain: str  # "everything", "scan", "seek" or ""
    bases: int
    shifts: int
    shared: int  # shifts of many labels
    all: bool
    first: bool
    last: bool
    exact: bool
    types: bool
    sought: int = 0  # labels or types that are read one by one, rounded up


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
    .where(among(OBJECT.c.stix_id, "ids"), ENTRY.c.collection_row == bindparam("collection"))
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


async def page_of_bodies(conn: Connection, collection_row: int, view: View, plan: str, selection: Selection) -> list[tuple[int, bytes]]:
    """Return at most `selection.limit` objects of a view as (effective date, stored bytes), in order."""
    return await _page(conn, collection_row, view, plan, selection, "body")  # type: ignore[return-value]


async def page_of_records(conn: Connection, collection_row: int, view: View, plan: str, selection: Selection) -> list[tuple[int, str, str]]:
    """Return at most `selection.limit` entries of a view as (effective date, STIX id, version), in order."""
    return await _page(conn, collection_row, view, plan, selection, "record")  # type: ignore[return-value]


async def page_of_keys(conn: Connection, collection_row: int, view: View, plan: str, selection: Selection) -> list[tuple[int, int, int]]:
    """Return at most `selection.limit` entries of a view as (effective date, version row, bytes), in order."""
    return await _page(conn, collection_row, view, plan, selection, "key")  # type: ignore[return-value]


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


async def _page(conn: Connection, collection_row: int, view: View, plan: str, selection: Selection, columns: str) -> list[Row]:
    values: dict[str, Any] = {
        "collection": collection_row,
        "after": selection.after_us,
        "until": selection.clock_us,
        "limit": selection.limit,
        "plain": view.plain,
        "plain_mask": mask_of(view.plain) if conn.dialect == "sqlite" else b"",
        "exact": selection.versions.exact_us,
        "types": selection.types,
    }
    bases, shifts, shared = _bind_segments(values, view, selection)
    versions = selection.versions
    wanted = (versions.all, versions.first, versions.last, bool(versions.exact_us))
    sought = 0
    if conn.dialect == "sqlite" and plan:
        sought = _bind_sought(values, selection.types or (view.plain if plan == "seek" else ()))
    shape = _Shape(conn.dialect, columns, plan, bases, shifts, shared, *wanted, types=bool(selection.types), sought=sought)
    if not plan and not bases and not shifts and not shared:
        return []
    if _is_flat(shape):
        return await conn.fetch(_statement(shape), **values)
    if _is_apart(shape):
        found = [await conn.fetch(statement, **values) for statement in _statements_apart(shape)]
        filled = [rows for rows in found if rows]
        return filled[0] if len(filled) == 1 else sorted(chain.from_iterable(filled), key=_DATE)[: selection.limit]
    return sorted(await conn.fetch(_statement(shape), **values), key=_DATE)


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


def _is_flat(shape: _Shape) -> bool:
    """Whether the page is one scan in the order of the dates, to which bodies can be joined without sorting them."""
    return shape.plain in ("everything", "scan") and not (shape.bases or shape.shifts or shape.shared or shape.types)


def _is_apart(shape: _Shape) -> bool:
    """Whether the parts of a page are read one by one: SQLite has no way to the server to spare, and sorts what it puts together."""
    if shape.dialect != "sqlite" or shape.types or shape.first or shape.plain == "seek":
        return False
    return shape.bases + shape.shifts + shape.shared <= _APART_MAX


@lru_cache(maxsize=512)
def _statements_apart(shape: _Shape) -> list[Statement]:
    """Return a statement for each part of a page, which gives at most a page of it in the order of effective dates."""
    plain = [_statement(shape._replace(bases=0, shifts=0, shared=0))] if shape.plain else []
    parts = [_base(shape, n, ()) for n in range(shape.bases)] + _shifts(shape, ())
    return [*plain, *(prepare(_with_columns(part, ENTRY, shape.columns)) for part in parts)]


@lru_cache(maxsize=512)
def _statement(shape: _Shape) -> Statement:
    if _is_flat(shape):
        flat = _plain_scan(shape, [ENTRY.c.date_us])
        return prepare(_with_columns(flat, ENTRY, shape.columns).limit(_bind("limit")))
    parts: list[Select[Any]] = []
    keys = [ENTRY.c.version_row, ENTRY.c.bytes]
    if shape.dialect == "postgresql" and (shape.plain == "seek" or (shape.plain and shape.types)):
        parts.append(_seek_laterally(shape))
    elif shape.sought:
        parts.append(_seek_merged(shape))
    elif shape.plain:
        parts.append(_plain_scan(shape, [ENTRY.c.date_us.label("effective_us"), *keys]).limit(_bind("limit")))
    parts += [_base(shape, n, keys) for n in range(shape.bases)]
    parts += _shifts(shape, keys)
    together = union_all(*(select(part.subquery()) for part in parts)).subquery()
    page = select(together).order_by(together.c.effective_us).limit(_bind("limit")).subquery()
    return prepare(_with_columns(select(page.c.effective_us), page, shape.columns))


def _with_columns(query: Select[Any], source: Any, columns: str) -> Select[Any]:
    if columns == "key":
        return query.add_columns(source.c.version_row, source.c.bytes)
    query = query.join_from(source, VERSION, VERSION.c.row == source.c.version_row)
    if columns == "body":
        return query.add_columns(VERSION.c.body)
    return query.join(OBJECT, OBJECT.c.row == VERSION.c.object_row).add_columns(OBJECT.c.stix_id, VERSION.c.version)


def _plain_scan(shape: _Shape, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    query = (
        select(*columns)
        .where(ENTRY.c.collection_row == _bind("collection"), ENTRY.c.date_us > _bind("after"), ENTRY.c.date_us <= _bind("until"))
        .order_by(ENTRY.c.date_us)
    )
    if shape.plain != "everything":
        query = query.where(marked(ENTRY.c.label_id, "plain"))
    return _filtered(query, ENTRY, shape, None)


def _seek_merged(shape: _Shape) -> Any:
    """The entries of each label (or type) in the order of their dates, merged: no more of them are read than the page holds.

    One SELECT for each, so that each reads its index in order and the database merges them. With a list in one SELECT, SQLite (which
    keeps no statistics) walks the whole collection.
    """
    column = ENTRY.c.type if shape.types else ENTRY.c.label_id
    arms = []
    for n in range(shape.sought):
        arm = select(ENTRY.c.date_us.label("effective_us"), ENTRY.c.version_row, ENTRY.c.bytes).where(
            ENTRY.c.collection_row == _bind("collection"),
            column == bindparam(f"sought{n}", type_=column.type),
            ENTRY.c.date_us > _bind("after"),
            ENTRY.c.date_us <= _bind("until"),
        )
        if shape.types and shape.plain != "everything":
            arm = arm.where(marked(ENTRY.c.label_id, "plain"))
        arms.append(_filtered(arm, ENTRY, shape, None, types=False))
    merged = union_all(*arms) if len(arms) > 1 else arms[0]
    return merged.order_by(literal_column("effective_us")).limit(_bind("limit"))


def _seek_laterally(shape: _Shape) -> Select[Any]:
    """For each label (or type) its next entries, by one seek each."""
    name, column, item = ("types", ENTRY.c.type, Text) if shape.types else ("plain", ENTRY.c.label_id, BigInteger)
    wanted = values_of(name, item).table_valued("value", name="wanted")
    inner = ENTRY.alias("inner")
    entries = (
        select(inner.c.date_us, inner.c.version_row, inner.c.bytes)
        .where(
            inner.c.collection_row == _bind("collection"),
            inner.c[column.name] == wanted.c.value,
            inner.c.date_us > _bind("after"),
            inner.c.date_us <= _bind("until"),
        )
        .order_by(inner.c.date_us)
        .limit(_bind("limit"))
        .correlate(wanted)
    )
    if shape.types and shape.plain != "everything":
        entries = entries.where(marked(inner.c.label_id, "plain"))
    entries = _filtered(entries, inner, shape, None, types=False)
    found = entries.lateral("found")
    return select(found.c.date_us.label("effective_us"), found.c.version_row, found.c.bytes).select_from(wanted).join(found, true())


def _base(shape: _Shape, n: int, keys: Sequence[ColumnElement[Any]]) -> Select[Any]:
    effective = ENTRY.c.ordinal * literal_column(str(TICK_US), BigInteger) + _bind(f"b{n}_offset")
    query = (
        select(effective.label("effective_us"), *keys)
        .where(
            ENTRY.c.collection_row == _bind("collection"),
            ENTRY.c.label_id == _bind(f"b{n}_label"),
            ENTRY.c.ordinal >= _bind(f"b{n}_from"),
            ENTRY.c.ordinal < _bind(f"b{n}_end"),
        )
        .order_by(ENTRY.c.ordinal)
        .limit(_bind("limit"))
    )
    return _filtered(query, ENTRY, shape, f"b{n}_horizon")


def _shifts(shape: _Shape, keys: Sequence[ColumnElement[Any]]) -> list[Select[Any]]:
    alone = [_shift(shape, f"s{n}", ENTRY.c.label_id == _bind(f"s{n}_label"), keys) for n in range(shape.shifts)]
    return alone + [_shift(shape, f"g{n}", marked(ENTRY.c.label_id, f"g{n}_label"), keys) for n in range(shape.shared)]


def _shift(shape: _Shape, name: str, labels: ColumnElement[bool], keys: Sequence[ColumnElement[Any]]) -> Select[Any]:
    effective = ENTRY.c.date_us + _bind(f"{name}_delay")
    query = (
        select(effective.label("effective_us"), *keys)
        .where(
            ENTRY.c.collection_row == _bind("collection"),
            labels,
            ENTRY.c.date_us > _bind(f"{name}_low"),
            ENTRY.c.date_us <= _bind(f"{name}_high"),
        )
        .order_by(ENTRY.c.date_us)
        .limit(_bind("limit"))
    )
    return _filtered(query, ENTRY, shape, f"{name}_horizon")


def _filtered(query: Select[Any], entry: Any, shape: _Shape, horizon: str | None, *, types: bool = True) -> Select[Any]:
    """Keep the versions and types that are asked for. `horizon` names the date up to which the label is in view, if not all of it is."""
    if types and shape.types:
        query = query.where(among(entry.c.type, "types"))
    if shape.all:
        return query
    wanted: list[ColumnElement[bool]] = []
    if shape.last:
        latest = entry.c.superseded_us.is_(None)
        # A newer version that is not in view yet supersedes nothing for this member.
        wanted.append(latest if horizon is None else or_(latest, entry.c.superseded_us > _bind(horizon)))
    if shape.exact:
        wanted.append(among(entry.c.version_us, "exact"))
    if shape.first:
        wanted.append(~_older_in_view(entry, shape))
    return query.where(or_(*wanted))


def _older_in_view(entry: Any, shape: _Shape) -> ColumnElement[bool]:
    older = ENTRY.alias("older")
    visible: list[ColumnElement[bool]] = []
    if shape.plain == "everything":
        visible.append(older.c.date_us <= _bind("until"))
    elif shape.plain:
        visible.append(and_(marked(older.c.label_id, "plain"), older.c.date_us <= _bind("until")))
    special = [f"b{n}" for n in range(shape.bases)] + [f"s{n}" for n in range(shape.shifts)]
    visible += [and_(older.c.label_id == _bind(f"{p}_label"), older.c.date_us <= _bind(f"{p}_horizon")) for p in special]
    shared = [f"g{n}" for n in range(shape.shared)]
    visible += [and_(marked(older.c.label_id, f"{p}_label"), older.c.date_us <= _bind(f"{p}_horizon")) for p in shared]
    return exists(
        select(literal_column("1")).where(
            older.c.object_row == entry.c.object_row,
            older.c.collection_row == entry.c.collection_row,
            older.c.version_us < entry.c.version_us,
            or_(*visible),
        )
    )


def _bind(name: str) -> Any:
    return bindparam(name, type_=Integer() if name in ("collection", "limit") else BigInteger())
