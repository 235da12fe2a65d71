"""The statements that read pages of a view: one for each shape of a view, made once and kept; values come as parameters.

A view is a union of parts: the labels seen plainly, read in the order of their dates, and one part for each segment of the
others. Each part is an index seek and a short scan, so a page costs the same at any depth and any size of the feed.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    LargeBinary,
    Select,
    Text,
    and_,
    bindparam,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
    union_all,
)

from hub.domain.feed import TICK_US
from hub.store.database import Statement, among, marked, prepare, values_of
from hub.store.tables import table

ENTRY = table("entry")
VERSION = table("version")
OBJECT = table("object")

_APART_MAX = 8  # so many parts beside what is seen plainly are read one by one on SQLite


class Shape(NamedTuple):  # a tuple, as it is hashed at each page
    """What the statements of a page depend on."""

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

    def plainly(self) -> "Shape":
        """Return the shape of what is seen plainly alone."""
        return self._replace(bases=0, shifts=0, shared=0)


def is_flat(shape: Shape) -> bool:
    """Whether the page is one scan in the order of the dates, to which bodies can be joined without sorting them."""
    return shape.plain in ("everything", "scan") and not (shape.bases or shape.shifts or shape.shared or shape.types)


def is_apart(shape: Shape) -> bool:
    """Whether the parts of a page are read one by one: SQLite has no way to the server to spare, and sorts what it puts together."""
    if shape.dialect != "sqlite" or shape.types or shape.first or shape.plain == "seek":
        return False
    return shape.bases + shape.shifts + shape.shared <= _APART_MAX


@lru_cache(maxsize=512)
def statements_beside(shape: Shape) -> list[Statement]:
    """Return a statement for each part beside what is seen plainly, which gives at most a page of it in the order of effective dates."""
    parts = [_base(shape, n, ()) for n in range(shape.bases)] + _shifts(shape, ())
    return [prepare(_with_columns(part, ENTRY, shape.columns)) for part in parts]


@lru_cache(maxsize=512)
def statement(shape: Shape) -> Statement:
    """Return the one statement that gives a page, in no order unless it is flat."""
    if is_flat(shape):
        flat = _plain_scan(shape, [ENTRY.c.date_us]).order_by(ENTRY.c.date_us).limit(_bind("limit"))
        return prepare(_with_columns(flat, ENTRY, shape.columns))
    parts: list[Select[Any]] = []
    keys = [ENTRY.c.version_row, ENTRY.c.bytes]
    if shape.dialect == "postgresql" and (shape.plain == "seek" or (shape.plain and shape.types)):
        parts.append(_seek_laterally(shape))
    elif shape.sought:
        parts.append(_seek_merged(shape))
    elif shape.plain:
        scan = _plain_scan(shape, [ENTRY.c.date_us.label("effective_us"), *keys])
        parts.append(scan.order_by(ENTRY.c.date_us).limit(_bind("limit")))
    parts += [_base(shape, n, keys) for n in range(shape.bases)]
    parts += _shifts(shape, keys)
    together = union_all(*(select(part.subquery()) for part in parts)).subquery()
    page = select(together).order_by(together.c.effective_us).limit(_bind("limit")).subquery()
    return prepare(_with_columns(select(page.c.effective_us), page, shape.columns))


@lru_cache(maxsize=64)
def joined_statement(shape: Shape) -> Statement:
    """Return what gives a flat page in one row: the dates of the first object and the last, the bodies with commas between (all of these
    NULL where there is none), and whether there are more.

    For SQLite, where rows are made one by one in Python, and each gives way to the threads that write. It adds up bodies in the order
    in which it comes upon entries, which is that of the dates: it walks the index by which the dates are limited. The outer joins have it
    walk entries, not versions; a subquery with a limit would have it copy every body once more.
    """
    after_page = _plain_scan(shape, [ENTRY.c.date_us]).order_by(ENTRY.c.date_us).limit(literal_column("1")).offset(_bind("limit"))
    bound = select(after_page.correlate(None).scalar_subquery().label("beyond_us")).subquery("bound")
    joined = cast(func.group_concat(VERSION.c.body, literal_column("','")), LargeBinary)
    dates = func.min(ENTRY.c.date_us), func.max(ENTRY.c.date_us)
    end = ENTRY.c.date_us < func.coalesce(bound.c.beyond_us, _bind("until") + literal_column("1"))
    seen = _plain_scan(shape, [ENTRY.c.date_us], end).whereclause
    page = bound.outerjoin(ENTRY, seen).outerjoin(VERSION, VERSION.c.row == ENTRY.c.version_row)
    return prepare(select(*dates, joined, func.max(bound.c.beyond_us).is_not(None)).select_from(page))


def _with_columns(query: Select[Any], source: Any, columns: str) -> Select[Any]:
    if columns == "key":
        return query.add_columns(source.c.version_row, source.c.bytes)
    query = query.join_from(source, VERSION, VERSION.c.row == source.c.version_row)
    if columns == "body":
        return query.add_columns(VERSION.c.body)
    return query.join(OBJECT, OBJECT.c.row == VERSION.c.object_row).add_columns(OBJECT.c.stix_id, VERSION.c.version)


def _plain_scan(shape: Shape, columns: Sequence[ColumnElement[Any]], end: ColumnElement[bool] | None = None) -> Select[Any]:
    """Return the entries seen plainly, in no order: after a date, and up to a date or to where `end` says."""
    end = ENTRY.c.date_us <= _bind("until") if end is None else end
    query = select(*columns).where(ENTRY.c.collection_row == _bind("collection"), ENTRY.c.date_us > _bind("after"), end)
    if shape.plain != "everything":
        query = query.where(marked(ENTRY.c.label_id, "plain"))
    return _filtered(query, ENTRY, shape, None)


def _seek_merged(shape: Shape) -> Any:
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


def _seek_laterally(shape: Shape) -> Select[Any]:
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


def _base(shape: Shape, n: int, keys: Sequence[ColumnElement[Any]]) -> Select[Any]:
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


def _shifts(shape: Shape, keys: Sequence[ColumnElement[Any]]) -> list[Select[Any]]:
    alone = [_shift(shape, f"s{n}", ENTRY.c.label_id == _bind(f"s{n}_label"), keys) for n in range(shape.shifts)]
    return alone + [_shift(shape, f"g{n}", marked(ENTRY.c.label_id, f"g{n}_label"), keys) for n in range(shape.shared)]


def _shift(shape: Shape, name: str, labels: ColumnElement[bool], keys: Sequence[ColumnElement[Any]]) -> Select[Any]:
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


def _filtered(query: Select[Any], entry: Any, shape: Shape, horizon: str | None, *, types: bool = True) -> Select[Any]:
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


def _older_in_view(entry: Any, shape: Shape) -> ColumnElement[bool]:
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
