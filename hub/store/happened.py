"""What happened: entries as events tell of them, and what happened beside the feed, in the order of its collection's clock."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import and_, bindparam, insert, select, update

from hub.domain.appending import EntryState
from hub.domain.feed import View, first_date
from hub.domain.ids import LabelId, MemberId
from hub.domain.timestamp import format_timestamp
from hub.domain.webhooks.event import EventKind
from hub.store.append import lock_collection
from hub.store.database import Connection, among, prepare
from hub.store.tables import table

ENTRY = table("entry")
VERSION = table("version")
OBJECT = table("object")
EVENT = table("event")
CLOCK = table("collection_clock")

HUB_ROW = 0  # stands for a collection where an event belongs to none

_OLDER = ENTRY.alias("older")
_BEFORE = ENTRY.alias("before")
_ENTRIES = prepare(
    select(
        ENTRY.c.version_row, ENTRY.c.label_id, ENTRY.c.date_us, ENTRY.c.ordinal, ENTRY.c.type, OBJECT.c.stix_id, VERSION.c.version,
        VERSION.c.producer_id, _OLDER.c.label_id, _OLDER.c.date_us, _OLDER.c.ordinal,
    )
    .select_from(VERSION)
    .join(OBJECT, OBJECT.c.row == VERSION.c.object_row)
    .join(
        ENTRY,
        and_(
            ENTRY.c.object_row == VERSION.c.object_row,
            ENTRY.c.collection_row == bindparam("collection"),
            ENTRY.c.version_row == VERSION.c.row,
        ),
    )
    .outerjoin(
        _OLDER,
        and_(
            _OLDER.c.collection_row == bindparam("collection"),
            _OLDER.c.date_us
            == select(_BEFORE.c.date_us)
            .where(
                _BEFORE.c.object_row == ENTRY.c.object_row,
                _BEFORE.c.collection_row == bindparam("collection"),
                _BEFORE.c.version_us < ENTRY.c.version_us,
            )
            .order_by(_BEFORE.c.version_us.desc())
            .limit(1)
            .scalar_subquery(),
        ),
    )
    .where(among(VERSION.c.row, "rows"))
)  # fmt: skip
_CLOCKS = prepare(select(CLOCK.c.collection_row, CLOCK.c.clock_us, CLOCK.c.labels))
_MOVE_CLOCK = prepare(update(CLOCK).where(CLOCK.c.collection_row == bindparam("collection")).values(clock_us=bindparam("clock")))
_ADD_EVENT = prepare(insert(EVENT))
_EVENT_COLUMNS = (
    EVENT.c.date_us, EVENT.c.kind, EVENT.c.subject, EVENT.c.member_id, EVENT.c.label_id, EVENT.c.entry_us, EVENT.c.ordinal,
    EVENT.c.version, EVENT.c.facts,
)  # fmt: skip
_EVENTS_AFTER = prepare(
    select(*_EVENT_COLUMNS)
    .where(
        EVENT.c.collection_row == bindparam("collection"),
        EVENT.c.date_us > bindparam("after"),
        EVENT.c.date_us <= bindparam("until"),
    )
    .order_by(EVENT.c.date_us)
    .limit(bindparam("limit"))
)
_EVENTS_AT = prepare(
    select(*_EVENT_COLUMNS).where(EVENT.c.collection_row == bindparam("collection"), among(EVENT.c.date_us, "dates"))
)  # fmt: skip


class Clock(NamedTuple):
    """Time in a collection, and how many labels it has."""

    clock_us: int
    labels: int


class Place(NamedTuple):
    """Where an entry is, or was: what says whether a view holds it."""

    label: LabelId
    date_us: int
    ordinal: int

    def effective_us(self, view: View, clock_us: int) -> int | None:
        """Return the entry's date in a view, or None where it is not in it."""
        effective_us = view.effective_us(self.label, self.date_us, self.ordinal, clock_us)
        return effective_us if effective_us is not None and effective_us <= clock_us else None


class HappenedEntry(NamedTuple):
    """An entry of a collection, as far as an event tells of it."""

    version_row: int
    place: Place
    type: str
    stix_id: str
    version: str
    producer: MemberId
    before: Place | None  # of the version just before it in the collection


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """What happened beside the feed."""

    kind: EventKind
    subject: str  # an object's id where `place` is set
    date_us: int = 0  # by its collection's clock
    member: MemberId | None = None  # whom it is for; None: whoever may see the entry, or everyone
    place: Place | None = None  # of the entry that it is about, which may be there no longer
    version: str | None = None
    facts: Mapping[str, str | int | bool | None] = field(default_factory=dict)

    def was_in(self, view: View) -> bool:
        """Whether the entry that it is about was in a view when it happened: who never saw an object is not told that it is gone."""
        return self.place is not None and self.place.effective_us(view, self.date_us) is not None


async def read_clocks(conn: Connection) -> dict[int, Clock]:
    """Return the clock of each collection by its row, and of what belongs to none."""
    return {row: Clock(*rest) for row, *rest in await conn.fetch(_CLOCKS)}


async def entries_happened(conn: Connection, collection_row: int, version_rows: Sequence[int]) -> dict[int, HappenedEntry]:
    """Return entries of a collection by their versions; those that were withdrawn meanwhile are missing."""
    found = {}
    for row, label, date_us, ordinal, type, stix_id, version, producer, *older in await conn.fetch(
        _ENTRIES, collection=collection_row, rows=list(version_rows)
    ):
        before = Place(LabelId(older[0]), older[1], older[2]) if older[0] is not None else None
        place = Place(LabelId(label), date_us, ordinal)
        found[row] = HappenedEntry(row, place, type, stix_id, version, MemberId(producer), before)
    return found


async def record_event(conn: Connection, event: StoredEvent, *, now_us: int, collection_row: int = HUB_ROW) -> None:
    """Write down what happened beside the feed, in the transaction in which it happens. `date_us` is given here.

    Locks the clock to the end of the transaction, as an append does: so dates rise in commit order.
    """
    clock_us, _ = await lock_collection(conn, collection_row)
    date_us = first_date(clock_us, now_us)
    label, entry_us, ordinal = event.place if event.place is not None else (None, None, None)
    await conn.execute(
        _ADD_EVENT, collection_row=collection_row, date_us=date_us, kind=event.kind.value, member_id=event.member, label_id=label,
        entry_us=entry_us, ordinal=ordinal, subject=event.subject, version=event.version, facts=json.dumps(dict(event.facts)),
    )  # fmt: skip
    await conn.execute(_MOVE_CLOCK, collection=collection_row, clock=date_us)


async def record_deletion(conn: Connection, collection_row: int, stix_id: str, gone: Iterable[EntryState], *, now_us: int) -> None:
    """Write down that entries of one object are gone: once for each label, as who saw none of its entries under that is told nothing."""
    by_label: dict[LabelId, list[EntryState]] = {}
    for entry in gone:
        by_label.setdefault(entry.label.id, []).append(entry)
    for label, entries in by_label.items():
        last = max(entries, key=lambda entry: entry.date_us)
        version = format_timestamp(last.version_us) if len(entries) == 1 else None
        place = Place(label, last.date_us, last.ordinal)
        await record_event(
            conn, StoredEvent(EventKind.DELETED, stix_id, place=place, version=version), now_us=now_us, collection_row=collection_row
        )  # fmt: skip


async def events_after(conn: Connection, collection_row: int, *, after_us: int, until_us: int, limit: int) -> list[StoredEvent]:
    """Return what happened beside a collection's feed, for whomever, in order."""
    rows = await conn.fetch(_EVENTS_AFTER, collection=collection_row, after=after_us, until=until_us, limit=limit)
    return [_event(*row) for row in rows]


async def events_at(conn: Connection, collection_row: int, dates_us: Sequence[int]) -> dict[int, StoredEvent]:
    """Return what happened at these dates of a collection's clock."""
    return {row[0]: _event(*row) for row in await conn.fetch(_EVENTS_AT, collection=collection_row, dates=list(dates_us))}


def _event(
    date_us: int, kind: str, subject: str, member: str | None, label: int | None, entry_us: int | None, ordinal: int | None,
    version: str | None, facts: str,
) -> StoredEvent:  # fmt: skip
    place = Place(LabelId(label), entry_us or 0, ordinal or 0) if label is not None else None
    known = MemberId(member) if member is not None else None
    return StoredEvent(EventKind(kind), subject, date_us, known, place, version, json.loads(facts))
