"""What happened: entries as events tell of them, and what happened beside the feed, in the order of its collection's clock."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import and_, bindparam, insert, select, update

from hub.domain.appending import EntryState
from hub.domain.feed import View, first_date
from hub.domain.ids import LabelId, MemberId
from hub.domain.timestamp import format_timestamp
from hub.domain.webhooks.event import EventKind
from hub.store.append import lock_collection
from hub.store.database import Connection, Row, among, prepare, unsought
from hub.store.tables import table

ENTRY = table("entry")
VERSION = table("version")
OBJECT = table("object")
EVENT = table("event")
AUDIENCE = table("audience")
MOVED = table("moved_entry")
COPY = table("equal_copy")
CLOCK = table("collection_clock")

_GONE = "gone"  # beside the facts, and none of them
HUB_ROW = 0  # stands for a collection where an event belongs to none

_OLDER = ENTRY.alias("older")
_BEFORE = ENTRY.alias("before")
_ENTRIES = prepare(
    select(
        ENTRY.c.version_row, ENTRY.c.label_id, ENTRY.c.date_us, ENTRY.c.ordinal, ENTRY.c.type, OBJECT.c.stix_id, VERSION.c.version,
        VERSION.c.producer_id, _OLDER.c.label_id, _OLDER.c.date_us, _OLDER.c.ordinal, MOVED.c.before_label_id, MOVED.c.before_us,
        MOVED.c.before_ordinal,
    )
    .select_from(VERSION)
    .join(OBJECT, OBJECT.c.row == VERSION.c.object_row)
    .join(
        ENTRY,
        and_(
            ENTRY.c.object_row == VERSION.c.object_row,
            unsought(ENTRY.c.collection_row) == bindparam("collection"),
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
    .outerjoin(MOVED, and_(MOVED.c.collection_row == bindparam("collection"), MOVED.c.date_us == ENTRY.c.date_us))
    .where(among(VERSION.c.row, "rows"))
)  # fmt: skip
_LABELS_OF = prepare(
    select(ENTRY.c.label_id)
    .join(OBJECT, OBJECT.c.row == ENTRY.c.object_row)
    .where(among(OBJECT.c.stix_id, "ids"), unsought(ENTRY.c.collection_row) == bindparam("collection"))
    .union(
        select(COPY.c.label_id)
        .select_from(OBJECT)
        .join(VERSION, VERSION.c.object_row == OBJECT.c.row)
        .join(COPY, and_(COPY.c.collection_row == bindparam("collection"), COPY.c.version_row == VERSION.c.row))
        .where(among(OBJECT.c.stix_id, "ids"))
    )
)
_CLOCKS = prepare(select(CLOCK.c.collection_row, CLOCK.c.clock_us, CLOCK.c.labels))
_MOVE_CLOCK = prepare(update(CLOCK).where(CLOCK.c.collection_row == bindparam("collection")).values(clock_us=bindparam("clock")))
_ADD_EVENT = prepare(insert(EVENT))
_EVENT_COLUMNS = (
    EVENT.c.date_us, EVENT.c.kind, EVENT.c.subject, EVENT.c.member_id, EVENT.c.label_id, EVENT.c.audience, EVENT.c.version,
    EVENT.c.facts,
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
_PRODUCERS = prepare(select(VERSION.c.row, VERSION.c.producer_id).where(among(VERSION.c.row, "rows")))
_AUDIENCES = prepare(select(AUDIENCE.c.digest, AUDIENCE.c.members).where(among(AUDIENCE.c.digest, "digests")))
_ADD_AUDIENCE = prepare(insert(AUDIENCE))


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
    moved_from: Place | None  # where the same version was before it came anew


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """What happened beside the feed."""

    kind: EventKind
    subject: str  # an object's id where `label` is set
    date_us: int = 0  # by its collection's clock
    member: MemberId | None = None  # whom it is for; None: whoever saw the entry, or everyone
    label: LabelId | None = None  # of the entry that it is about, which is gone
    audience: frozenset[MemberId] = frozenset()  # who saw that entry at that moment
    version: str | None = None
    facts: Mapping[str, str | int | bool | None] = field(default_factory=dict)
    gone: tuple[int, ...] = ()  # rows of the versions that were deleted: what filters look into, and nobody is told

    def concerns(self, member: MemberId, view: View | None) -> bool:
        """Whether it is for a member with this view of its collection: of what it never saw, or may know no more, it is not told."""
        if self.member is not None and self.member != member:
            return False
        return self.label is None or (member in self.audience and view is not None and view.has(self.label))


async def read_clocks(conn: Connection) -> dict[int, Clock]:
    """Return the clock of each collection by its row, and of what belongs to none."""
    return {row: Clock(*rest) for row, *rest in await conn.fetch(_CLOCKS)}


async def entries_happened(conn: Connection, collection_row: int, version_rows: Sequence[int]) -> dict[int, HappenedEntry]:
    """Return entries of a collection by their versions; those that were withdrawn meanwhile are missing."""
    found = {}
    for row, label, date_us, ordinal, type, stix_id, version, producer, *places in await conn.fetch(
        _ENTRIES, collection=collection_row, rows=list(version_rows)
    ):
        place = Place(LabelId(label), date_us, ordinal)
        found[row] = HappenedEntry(row, place, type, stix_id, version, MemberId(producer), _place(*places[:3]), _place(*places[3:]))
    return found


def _place(label: int | None, date_us: int, ordinal: int) -> Place | None:
    return Place(LabelId(label), date_us, ordinal) if label is not None else None


async def record_event(conn: Connection, event: StoredEvent, *, now_us: int, collection_row: int = HUB_ROW) -> None:
    """Write down what happened beside the feed, in the transaction in which it happens. `date_us` is given here.

    Locks the clock to the end of the transaction, as an append does: so dates rise in commit order.
    """
    clock_us = (await lock_collection(conn, collection_row)).clock_us
    date_us = first_date(clock_us, now_us)
    audience = await _keep_audience(conn, event.audience) if event.audience else None
    facts = json.dumps(dict(event.facts) | ({_GONE: event.gone} if event.gone else {}))
    await conn.execute(
        _ADD_EVENT, collection_row=collection_row, date_us=date_us, kind=event.kind.value, member_id=event.member, label_id=event.label,
        audience=audience, subject=event.subject, version=event.version, facts=facts,
    )  # fmt: skip
    await conn.execute(_MOVE_CLOCK, collection=collection_row, clock=date_us)


async def labels_of(conn: Connection, collection_row: int, stix_ids: Collection[str]) -> set[LabelId]:
    """Return the labels that entries of some objects have in a collection, or equal copies that are held beside them."""
    return {LabelId(label) for (label,) in await conn.fetch(_LABELS_OF, collection=collection_row, ids=sorted(stix_ids))}


async def record_deletion(
    conn: Connection, collection_row: int, stix_id: str, gone: Sequence[EntryState], audience: frozenset[MemberId], *, now_us: int
) -> None:
    """Write down that entries of one object, which had the same label and were seen by the same members, are gone, and by whom."""
    version = format_timestamp(gone[0].version_us) if len(gone) == 1 else None
    rows = tuple(entry.version.row for entry in gone if entry.version.row is not None)
    event = StoredEvent(EventKind.DELETED, stix_id, label=gone[0].label.id, audience=audience, version=version, gone=rows)
    await record_event(conn, event, now_us=now_us, collection_row=collection_row)


async def events_after(conn: Connection, collection_row: int, *, after_us: int, until_us: int, limit: int) -> list[StoredEvent]:
    """Return what happened beside a collection's feed, for whomever, in order."""
    return await _events(conn, await conn.fetch(_EVENTS_AFTER, collection=collection_row, after=after_us, until=until_us, limit=limit))


async def events_at(conn: Connection, collection_row: int, dates_us: Sequence[int]) -> dict[int, StoredEvent]:
    """Return what happened at these dates of a collection's clock."""
    found = await _events(conn, await conn.fetch(_EVENTS_AT, collection=collection_row, dates=list(dates_us)))
    return {event.date_us: event for event in found}


async def producers_of(conn: Connection, version_rows: Collection[int]) -> dict[int, MemberId]:
    """Return the producers of versions by row, as those know them who may see the versions."""
    return {row: MemberId(producer) for row, producer in await conn.fetch(_PRODUCERS, rows=list(version_rows))}


async def _events(conn: Connection, rows: Sequence[Row]) -> list[StoredEvent]:
    digests = {digest for *_, digest, _, _ in rows if digest is not None}
    kept = await conn.fetch(_AUDIENCES, digests=sorted(digests)) if digests else ()
    audiences = {digest: frozenset(map(MemberId, json.loads(members))) for digest, members in kept}
    found = []
    for date_us, kind, subject, member, label, digest, version, stored in rows:
        facts = json.loads(stored)
        gone = tuple(facts.pop(_GONE, ()))
        for_member, of_label = MemberId(member) if member is not None else None, LabelId(label) if label is not None else None
        audience = audiences.get(digest, frozenset())
        found.append(StoredEvent(EventKind(kind), subject, date_us, for_member, of_label, audience, version, facts, gone))
    return found


async def _keep_audience(conn: Connection, audience: frozenset[MemberId]) -> str:
    members = json.dumps(sorted(audience))
    digest = hashlib.sha256(members.encode()).hexdigest()
    if not await conn.fetch(_AUDIENCES, digests=[digest]):
        await conn.execute(_ADD_AUDIENCE, digest=digest, members=members)
    return digest
