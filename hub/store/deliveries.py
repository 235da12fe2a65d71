"""Deliveries: made as cursors advance, and their log.

* A cursor advances in the transaction that makes what lies between, and only from where it was expected: so of two nodes that find the
  same events one makes the deliveries, and a crash before the commit leaves nothing behind and nothing out.
* A delivery is done when it was delivered, given up or withheld. What is done can be put in line again, under the same id.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, null, or_, select, update

from hub.domain.ids import CollectionId, DeliveryId
from hub.domain.webhooks.delivery import Attempt, DeliveryState, Rank
from hub.domain.webhooks.event import EventKind
from hub.domain.webhooks.subscription import SubscriptionState
from hub.store.database import Change, Connection, Row, among, prepare
from hub.store.subscriptions import Position
from hub.store.tables import table

SUBSCRIPTION = table("subscription")
CURSOR = table("subscription_cursor")
LANE = table("lane")
DELIVERY = table("delivery")
ATTEMPT = table("attempt")
COLLECTION = table("collection")

_LOCK_CURSORS = prepare(
    select(CURSOR.c.subscription_row, CURSOR.c.after_us, CURSOR.c.urgent_us, CURSOR.c.caught_up_us, CURSOR.c.sequence)
    .where(CURSOR.c.collection_row == bindparam("collection"), among(CURSOR.c.subscription_row, "subscriptions"))
    .order_by(CURSOR.c.subscription_row)
    .with_for_update()
)
_LOCK_LANES = prepare(
    select(LANE.c.subscription_row, LANE.c.due_us, LANE.c.rank, LANE.c.rest_until_us, LANE.c.waiting)
    .where(among(LANE.c.subscription_row, "subscriptions"))
    .order_by(LANE.c.subscription_row)
    .with_for_update()
)
_FULL = prepare(select(LANE.c.subscription_row).where(LANE.c.waiting >= bindparam("waiting_max")))
_CURSOR_COLUMNS = ("subscription_row", "collection_row", "after_us", "urgent_us", "caught_up_us", "sequence")
_LANE_COLUMNS = ("subscription_row", "due_us", "rank", "waiting")
_DELIVERY_COLUMNS = (
    "id", "subscription_row", "collection_row", "version_row", "at_us", "kind", "sequence", "rank", "created_us", "due_us", "attempts",
    "tries", "state", "done_us",
)  # fmt: skip
_LOGGED = (
    DELIVERY.c.row, DELIVERY.c.id, COLLECTION.c.id, DELIVERY.c.kind, DELIVERY.c.sequence, DELIVERY.c.created_us, DELIVERY.c.due_us,
    DELIVERY.c.attempts, DELIVERY.c.state, DELIVERY.c.done_us,
)  # fmt: skip
_LOG = prepare(
    select(*_LOGGED)
    .outerjoin(COLLECTION, COLLECTION.c.row == DELIVERY.c.collection_row)
    .where(
        DELIVERY.c.subscription_row == bindparam("subscription"),
        DELIVERY.c.row < bindparam("before"),
        or_(bindparam("any_state") == 1, DELIVERY.c.state == bindparam("state")),
    )
    .order_by(DELIVERY.c.row.desc())
    .limit(bindparam("limit"))
)
_ATTEMPTS = prepare(
    select(
        ATTEMPT.c.delivery_row, ATTEMPT.c.number, ATTEMPT.c.at_us, ATTEMPT.c.latency_us, ATTEMPT.c.status, ATTEMPT.c.error,
        ATTEMPT.c.response,
    )
    .where(among(ATTEMPT.c.delivery_row, "rows"))
    .order_by(ATTEMPT.c.delivery_row, ATTEMPT.c.number)
)  # fmt: skip
_IS_WAITING = prepare(
    select(DELIVERY.c.row).where(
        DELIVERY.c.id == bindparam("id"), DELIVERY.c.subscription_row == bindparam("subscription"), DELIVERY.c.done_us.is_(None)
    )
)
_TO_REPLAY = prepare(
    select(DELIVERY.c.row)
    .where(
        DELIVERY.c.subscription_row == bindparam("subscription"),
        DELIVERY.c.done_us.is_not(None),
        or_(bindparam("any_id") == 1, DELIVERY.c.id == bindparam("id")),
        DELIVERY.c.row > bindparam("after"),
        DELIVERY.c.created_us >= bindparam("since"),
        DELIVERY.c.created_us <= bindparam("until"),
        or_(bindparam("any_state") == 1, DELIVERY.c.state == bindparam("state")),
    )
    .order_by(DELIVERY.c.row)
    .limit(bindparam("limit"))
)
_REPLAY = prepare(
    update(DELIVERY)
    .where(among(DELIVERY.c.row, "rows"))
    .values(
        done_us=null(), due_us=bindparam("now"), tries=0, rank=bindparam("new_rank"), state=DeliveryState.WAITING.value
    )
)  # fmt: skip
_REMOVED = select(SUBSCRIPTION.c.row).where(SUBSCRIPTION.c.state == SubscriptionState.REMOVED.value)
_OLD = prepare(
    select(DELIVERY.c.row, DELIVERY.c.created_us)
    .where(or_(DELIVERY.c.done_us.is_not(None), DELIVERY.c.subscription_row.in_(_REMOVED)))
    .order_by(DELIVERY.c.row)
    .limit(bindparam("limit"))
)  # what waits for an endpoint that is still there stays, and holds up nothing behind it
_FORGET_ATTEMPTS = prepare(delete(ATTEMPT).where(among(ATTEMPT.c.delivery_row, "rows")))
_FORGET = prepare(delete(DELIVERY).where(among(DELIVERY.c.row, "rows")))


def waiting_of(subscription_row: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a delivery is a subscription's and waits. Ranks are named for their index, by which alone nothing is read that is done."""
    return and_(DELIVERY.c.subscription_row == subscription_row, DELIVERY.c.done_us.is_(None), DELIVERY.c.rank >= Rank.URGENT.value)


_WAITING = prepare(select(func.count()).where(waiting_of(bindparam("subscription"))))


class Made(NamedTuple):
    """A delivery to be made."""

    id: DeliveryId
    kind: EventKind
    rank: Rank
    at_us: int  # effective date of its entry, or date of its event
    version_row: int | None  # None: of an event beside the feed


@dataclass(frozen=True, slots=True)
class Advance:
    """A subscription that has been told of a collection as far as `to`, once `made` is delivered."""

    subscription_row: int
    collection_row: int
    expected: Position | None  # None: it has not been told anything
    to: Position
    made: Sequence[Made]


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """One line of a delivery's log."""

    number: int
    at_us: int
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """A delivery with its log."""

    row: int
    id: DeliveryId
    collection: CollectionId | None
    kind: EventKind
    sequence: int
    created_us: int
    due_us: int
    state: DeliveryState
    done_us: int | None
    attempts: tuple[LoggedAttempt, ...]


async def list_full(conn: Connection, waiting_max: int) -> set[int]:
    """Return the subscriptions for which so many deliveries wait that no more are made for now."""
    return {row for (row,) in await conn.fetch(_FULL, waiting_max=waiting_max)}


async def advance(conn: Connection, collection_row: int, advances: Sequence[Advance], now_us: int) -> set[int]:
    """Make deliveries and advance cursors; return the subscriptions for which that was done: where the cursor was as expected."""
    by_row = {one.subscription_row: one for one in advances}
    held = {
        row: (Position(*rest), sequence)
        for row, *rest, sequence in await conn.fetch(_LOCK_CURSORS, collection=collection_row, subscriptions=list(by_row))
    }
    fitting = [one for row, one in by_row.items() if held.get(row, (None, 0))[0] == one.expected]
    cursors: list[Row] = []
    deliveries: list[Row] = []
    for one in fitting:
        _, sequence = held.get(one.subscription_row, (None, 0))
        cursors.append((one.subscription_row, collection_row, *one.to, sequence + len(one.made)))
        deliveries += [_delivery_row(one, made, sequence + n, now_us) for n, made in enumerate(one.made, 1)]
    new = [row for row in cursors if row[0] not in held]
    known = [row for row in cursors if row[0] in held]
    await conn.change([Change(CURSOR, _CURSOR_COLUMNS, new), Change(CURSOR, _CURSOR_COLUMNS, known, keys=2)])
    if deliveries:
        await conn.insert_many(DELIVERY, _DELIVERY_COLUMNS, deliveries)
        await _fill_lanes(conn, {one.subscription_row: one.made for one in fitting if one.made}, now_us)
    return {one.subscription_row for one in fitting}


async def list_deliveries(
    conn: Connection, subscription_row: int, *, before: int, limit: int, state: DeliveryState | None = None
) -> list[LoggedDelivery]:
    """Return deliveries of a subscription from below the row `before`, the latest first."""
    rows = await conn.fetch(
        _LOG, subscription=subscription_row, before=before, limit=limit, any_state=int(state is None), state=state.value if state else ""
    )
    attempts: dict[int, list[LoggedAttempt]] = {}
    for row, number, at_us, latency_us, status, error, response in await conn.fetch(_ATTEMPTS, rows=[row[0] for row in rows]):
        attempts.setdefault(row, []).append(LoggedAttempt(number, at_us, Attempt(latency_us, status, error, response)))
    return [
        LoggedDelivery(
            row, id_text(id), CollectionId(collection) if collection else None, EventKind(kind), sequence, created_us, due_us,
            DeliveryState(held_state), done_us, tuple(attempts.get(row, ())),
        )
        for row, id, collection, kind, sequence, created_us, due_us, _, held_state, done_us in rows
    ]  # fmt: skip


async def replay(
    conn: Connection, subscription_row: int, *, now_us: int, limit: int, id: DeliveryId | None = None, since_us: int = 0,
    until_us: int = 2**62, state: DeliveryState | None = None, after: int = 0,
) -> list[int]:  # fmt: skip
    """Put deliveries that are done in line again, from above the row `after`, the oldest first; return their rows.

    What is given by more than one argument is all so.
    """
    found = await conn.fetch(
        _TO_REPLAY, subscription=subscription_row, any_id=int(id is None), id=id_bytes(id) if id else b"", after=after, since=since_us,
        until=until_us, any_state=int(state is None), state=state.value if state else "", limit=limit,
    )  # fmt: skip
    rows = [row for (row,) in found]
    if rows:
        await conn.execute(_REPLAY, rows=rows, now=now_us, new_rank=Rank.RETRY.value)
        ((_, due_us, rank, rest_until_us, _),) = await conn.fetch(_LOCK_LANES, subscriptions=[subscription_row])
        waiting = await conn.fetch_value(_WAITING, subscription=subscription_row)
        values = (subscription_row, *_due(due_us, rank, rest_until_us, Rank.RETRY, now_us), waiting)
        await conn.change([Change(LANE, _LANE_COLUMNS, [values], keys=1)])
    return rows


async def is_waiting(conn: Connection, subscription_row: int, id: DeliveryId) -> bool:
    """Whether a delivery of a subscription waits to be sent."""
    return await conn.fetch_one(_IS_WAITING, subscription=subscription_row, id=id_bytes(id)) is not None


async def forget_deliveries(conn: Connection, *, before_us: int, limit: int) -> bool:
    """Delete the oldest deliveries that will not be sent any more, with their log; return whether there may be more."""
    rows = [row for row, created_us in await conn.fetch(_OLD, limit=limit) if created_us < before_us]
    if rows:
        await conn.execute(_FORGET_ATTEMPTS, rows=rows)
        await conn.execute(_FORGET, rows=rows)
    return len(rows) == limit


def id_text(id: bytes) -> DeliveryId:
    """Return a delivery's id as receivers see it."""
    digits = id.hex()
    return DeliveryId(f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}")


def id_bytes(id: DeliveryId) -> bytes:
    """Return a delivery's id as it is stored."""
    return uuid.UUID(id).bytes


def _delivery_row(one: Advance, made: Made, sequence: int, now_us: int) -> Row:
    return (
        id_bytes(made.id), one.subscription_row, one.collection_row, made.version_row, made.at_us, made.kind.value, sequence,
        made.rank.value, now_us, now_us, 0, 0, DeliveryState.WAITING.value, None,
    )  # fmt: skip


async def _fill_lanes(conn: Connection, made: dict[int, Sequence[Made]], now_us: int) -> None:
    lanes = await conn.fetch(_LOCK_LANES, subscriptions=sorted(made))
    rows = [
        (row, *_due(due_us, rank, rest_until_us, min(one.rank for one in made[row]), now_us), waiting + len(made[row]))
        for row, due_us, rank, rest_until_us, waiting in lanes
    ]  # fmt: skip
    await conn.change([Change(LANE, _LANE_COLUMNS, rows, keys=1)])


def _due(due_us: int | None, rank: int, rest_until_us: int, new: Rank, now_us: int) -> tuple[int, int]:
    """Return when a lane is to be served, and for what first, where deliveries of rank `new` are added."""
    new_us = now_us if new is Rank.URGENT else max(now_us, rest_until_us)
    if due_us is None or due_us > new_us:
        return new_us, new.value
    return due_us, min(rank, new.value)
