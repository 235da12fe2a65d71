"""Lanes: who sends the deliveries of a subscription, and what became of them.

* A node takes a lane, with some of its deliveries, and holds it while it sends them: so a subscription's deliveries are sent by one node,
  which alone knows how many are under way. A lane whose holder has not said for a while that it is still there is free.
* The number of an attempt is given where a delivery is taken, and that is committed before anything is sent. So no two nodes ever make
  the same attempt, and a crash in between makes another one, of the same id.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from sqlalchemy import ScalarSelect, Select, and_, bindparam, func, lateral, or_, select, true, update

from hub.domain.ids import DeliveryId
from hub.domain.webhooks.delivery import Attempt, DeliveryState, Rank
from hub.domain.webhooks.event import EventKind
from hub.domain.webhooks.schedule import Health
from hub.domain.webhooks.subscription import SubscriptionState
from hub.store.database import Change, Connection, Row, among, prepare
from hub.store.deliveries import id_text, waiting_of
from hub.store.tables import table

SUBSCRIPTION = table("subscription")
LANE = table("lane")
DELIVERY = table("delivery")
ATTEMPT = table("attempt")

_IS_ACTIVE = and_(SUBSCRIPTION.c.row == LANE.c.subscription_row, SUBSCRIPTION.c.state == SubscriptionState.ACTIVE.value)
_NEXT_DUE = prepare(
    select(LANE.c.due_us, LANE.c.held_until_us)
    .join(SUBSCRIPTION, _IS_ACTIVE)
    .where(LANE.c.due_us.is_not(None), LANE.c.held_until_us <= bindparam("now"))
    .order_by(LANE.c.due_us)
    .limit(1)
)
_URGENT = prepare(
    select(LANE.c.subscription_row).where(
        among(LANE.c.subscription_row, "lanes"), LANE.c.rank == Rank.URGENT.value, LANE.c.due_us <= bindparam("now")
    )
)
_FREE = prepare(
    select(LANE.c.subscription_row, LANE.c.rest_until_us, LANE.c.health)
    .join(SUBSCRIPTION, _IS_ACTIVE)
    .where(
        LANE.c.due_us <= bindparam("now"),
        LANE.c.held_until_us <= bindparam("now"),
        LANE.c.rank >= bindparam("rank_min"),
        LANE.c.rank <= bindparam("rank_max"),
    )
    .order_by(LANE.c.rank, LANE.c.served_us)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True, of=LANE)
)
_TAKE = prepare(
    update(LANE)
    .where(among(LANE.c.subscription_row, "lanes"))
    .values(held_by=bindparam("holder"), held_until_us=bindparam("until"), served_us=bindparam("now"))
)
_TAKEN = (
    DELIVERY.c.row, DELIVERY.c.id, DELIVERY.c.subscription_row, DELIVERY.c.collection_row, DELIVERY.c.version_row, DELIVERY.c.at_us,
    DELIVERY.c.kind, DELIVERY.c.sequence, DELIVERY.c.rank, DELIVERY.c.attempts, DELIVERY.c.tries, DELIVERY.c.due_us,
)  # fmt: skip
_HEAD = prepare(select(*_TAKEN).where(waiting_of(bindparam("lane"))).order_by(DELIVERY.c.rank > Rank.URGENT.value, DELIVERY.c.row).limit(1))
_BEGIN = prepare(
    update(DELIVERY)
    .where(among(DELIVERY.c.row, "rows"))
    .values(attempts=DELIVERY.c.attempts + 1, tries=DELIVERY.c.tries + 1)
)  # fmt: skip
_GIVE_BACK = prepare(
    update(DELIVERY)
    .where(among(DELIVERY.c.row, "rows"), DELIVERY.c.done_us.is_(None))
    .values(attempts=DELIVERY.c.attempts - 1, tries=DELIVERY.c.tries - 1)
)  # fmt: skip
_BEGUN = prepare(select(DELIVERY.c.row, DELIVERY.c.attempts).where(among(DELIVERY.c.row, "rows")))
_LOGGED = prepare(select(ATTEMPT.c.delivery_row, ATTEMPT.c.number).where(among(ATTEMPT.c.delivery_row, "rows")))
_LOCK = prepare(
    select(LANE.c.subscription_row)
    .where(among(LANE.c.subscription_row, "lanes"), LANE.c.held_by == bindparam("holder"))
    .order_by(LANE.c.subscription_row)
    .with_for_update()
)
_KEEP = prepare(update(LANE).where(among(LANE.c.subscription_row, "lanes")).values(held_until_us=bindparam("until")))
_FREE_ALL = prepare(update(LANE).where(LANE.c.held_until_us > 0).values(held_by="", held_until_us=0))
_SET_DUE = prepare(
    update(LANE)
    .where(LANE.c.subscription_row == bindparam("lane"))
    .values(due_us=bindparam("due"), rank=Rank.URGENT.value, rest_until_us=0, health="{}")
)

_OUTCOME_COLUMNS = ("row", "attempts", "due_us", "rank", "state", "done_us")
_ATTEMPT_COLUMNS = ("delivery_row", "number", "at_us", "latency_us", "status", "error", "response")
_LANE_COLUMNS = ("subscription_row", "due_us", "rank", "rest_until_us", "waiting", "held_by", "held_until_us", "health")


class Taken(NamedTuple):
    """A delivery that this node is to send."""

    row: int
    id: DeliveryId
    subscription_row: int
    collection_row: int
    version_row: int | None  # None: of an event beside the feed
    at_us: int
    kind: EventKind
    sequence: int
    rank: Rank
    number: int  # of the attempt
    tries: int  # attempts since it was last put in line, this one included


@dataclass(slots=True)
class TakenLane:
    """A lane that this node holds, and what of it is to be sent now."""

    subscription_row: int
    health: Health
    deliveries: list[Taken]


class Outcome(NamedTuple):
    """What became of a delivery that was taken."""

    delivery: Taken
    state: DeliveryState
    at_us: int  # when the attempt began
    attempt: Attempt | None = None  # None: nothing was sent
    due_us: int = 0  # where it waits to be tried again


class Freed(NamedTuple):
    """A lane that this node is done with for now."""

    subscription_row: int
    health: Health
    is_ordered: bool


def _of_lane(query: Select[Any]) -> Select[Any]:
    """Return what of a lane can be sent now, what is first in line first; while the endpoint rests, only what is urgent."""
    is_awake = or_(DELIVERY.c.rank == Rank.URGENT.value, LANE.c.rest_until_us <= bindparam("now"))
    return (
        query.where(
            DELIVERY.c.subscription_row == LANE.c.subscription_row, DELIVERY.c.done_us.is_(None), DELIVERY.c.due_us <= bindparam("now"),
            is_awake,
        )
        .order_by(DELIVERY.c.rank, DELIVERY.c.due_us, DELIVERY.c.row)
        .limit(bindparam("each"))
        .correlate(LANE)
    )  # fmt: skip


_PICK = {
    # SQLite has no lateral joins, PostgreSQL no good plan for a subquery that depends on the row.
    "sqlite": prepare(
        select(*_TAKEN)
        .select_from(LANE)
        .join(DELIVERY, DELIVERY.c.row.in_(_of_lane(select(DELIVERY.c.row))))
        .where(among(LANE.c.subscription_row, "lanes"))
    ),
    "postgresql": prepare(
        select(*(found := lateral(_of_lane(select(*_TAKEN)), name="found")).c)
        .select_from(LANE)
        .join(found, true())
        .where(among(LANE.c.subscription_row, "lanes"))
    ),
}


def _soonest(rank: Rank) -> ScalarSelect[Any]:
    return (
        select(func.min(DELIVERY.c.due_us))
        .where(DELIVERY.c.subscription_row == LANE.c.subscription_row, DELIVERY.c.done_us.is_(None), DELIVERY.c.rank == rank.value)
        .correlate(LANE)
        .scalar_subquery()
    )


_LEFT = prepare(
    select(
        LANE.c.subscription_row,
        SUBSCRIPTION.c.state,
        select(func.count()).where(waiting_of(LANE.c.subscription_row)).correlate(LANE).scalar_subquery(),
        *(_soonest(rank) for rank in Rank),
    )
    .join(SUBSCRIPTION, SUBSCRIPTION.c.row == LANE.c.subscription_row)
    .where(among(LANE.c.subscription_row, "lanes"))
)


async def next_due_us(conn: Connection, now_us: int) -> int | None:
    """Return when a lane that nobody holds is to be served next; None where none is."""
    row = await conn.fetch_one(_NEXT_DUE, now=now_us)
    return int(row[0]) if row is not None else None


async def list_urgent(conn: Connection, lanes: Sequence[int], now_us: int) -> list[int]:
    """Return those of some lanes in which something urgent is due."""
    return [row for (row,) in await conn.fetch(_URGENT, lanes=list(lanes), now=now_us)]


async def take_lanes(
    conn: Connection, holder: str, *, now_us: int, until_us: int, urgent: int, fresh: int, old: int, each: int, ordered: frozenset[int]
) -> list[TakenLane]:
    """Take lanes that are due and free, those first that have waited longest, and begin an attempt for some deliveries of each.

    Args:
        until_us: when they are free again, unless this node says by then that it is still there.
        urgent: of how many lanes with something urgent at most, where no others may be taken.
        fresh: of how many with something urgent or never tried.
        old: of how many with nothing but what failed before.
        each: how many deliveries of a lane.
        ordered: subscriptions of which each delivery waits for the one before it.
    """
    most = Rank.FRESH if fresh else Rank.URGENT
    free = list(await conn.fetch(_FREE, now=now_us, rank_min=Rank.URGENT.value, rank_max=most.value, limit=fresh or urgent))
    if old:
        free += await conn.fetch(_FREE, now=now_us, rank_min=Rank.RETRY.value, rank_max=Rank.RETRY.value, limit=old)
    if not free:
        return []
    lanes = {row: TakenLane(row, Health(**json.loads(health)), []) for row, _, health in free}
    rows = list(await conn.fetch(_PICK[conn.dialect], lanes=[row for row in lanes if row not in ordered], now=now_us, each=each))
    for lane, rest_until_us, _ in free:
        if lane in ordered:
            head = await conn.fetch_one(_HEAD, lane=lane)
            if head is not None and head[11] <= now_us and (head[8] == Rank.URGENT or rest_until_us <= now_us):
                rows.append(head)
    await conn.execute(_TAKE, lanes=list(lanes), holder=holder, until=until_us, now=now_us)
    await conn.execute(_BEGIN, rows=[row[0] for row in rows])
    for row, id, lane, collection, version, at_us, kind, sequence, rank, attempts, tries, _ in sorted(rows, key=_in_line):
        taken = Taken(row, id_text(id), lane, collection, version, at_us, EventKind(kind), sequence, Rank(rank), attempts + 1, tries + 1)
        lanes[lane].deliveries.append(taken)
    return list(lanes.values())


async def keep_lanes(conn: Connection, holder: str, lanes: Sequence[int], *, until_us: int) -> set[int]:
    """Say that this node still serves these lanes; return those that no other has taken meanwhile.

    Others that stand under its name are left to run out: it never learned that it had taken them.
    """
    ours = {row for (row,) in await conn.fetch(_LOCK, lanes=sorted(lanes), holder=holder)}
    await conn.execute(_KEEP, lanes=list(ours), until=until_us)
    return ours


async def free_all_lanes(conn: Connection) -> None:
    """Free what a process held that is no more, where there is only one at a time."""
    await conn.execute(_FREE_ALL)


async def settle(
    conn: Connection, holder: str, outcomes: Sequence[Outcome], unsent: Sequence[Taken], freed: Sequence[Freed], *, now_us: int,
    is_again: bool = False,
) -> None:  # fmt: skip
    """Write down what became of deliveries, give back those that were not sent, and free lanes. What another node has taken over is its.

    Args:
        is_again: this was tried before, and it may have been written down though nobody heard of it.
    """
    if is_again:
        outcomes, unsent = await _unwritten(conn, outcomes, unsent)
    lanes = sorted({*(one.subscription_row for one in freed), *(one.subscription_row for one in unsent)})
    ours = {row for (row,) in await conn.fetch(_LOCK, lanes=lanes, holder=holder)} if lanes else set()
    given_back = [one.row for one in unsent if one.subscription_row in ours]
    if given_back:
        await conn.execute(_GIVE_BACK, rows=given_back)
    sent = [one for one in outcomes if one.attempt is not None]
    await conn.change(
        [
            Change(DELIVERY, _OUTCOME_COLUMNS, [_outcome_row(one) for one in outcomes], keys=2),
            Change(ATTEMPT, _ATTEMPT_COLUMNS, [_attempt_row(one) for one in sent]),
        ]
    )
    left = [one for one in freed if one.subscription_row in ours]
    if left:
        await _free(conn, {one.subscription_row: one for one in left}, now_us)


async def _unwritten(
    conn: Connection, outcomes: Sequence[Outcome], unsent: Sequence[Taken]
) -> tuple[list[Outcome], list[Taken]]:  # fmt: skip
    """Return what of this is not written down yet."""
    rows = [one.delivery.row for one in outcomes] + [one.row for one in unsent]
    begun: dict[int, int] = dict(await conn.fetch(_BEGUN, rows=rows))  # type: ignore[arg-type]
    logged = {(row, number) for row, number in await conn.fetch(_LOGGED, rows=rows)}
    return (
        [one for one in outcomes if (one.delivery.row, one.delivery.number) not in logged],
        [one for one in unsent if begun.get(one.row) == one.number],
    )


async def rouse(conn: Connection, subscription_row: int, due_us: int | None) -> None:
    """Let a lane be served from `due_us` on, as if its endpoint had never failed, or not at all."""
    await conn.execute(_SET_DUE, lane=subscription_row, due=due_us)


async def _free(conn: Connection, freed: dict[int, Freed], now_us: int) -> None:
    rows: list[Row] = []
    for row, state, waiting, *by_rank in await conn.fetch(_LEFT, lanes=list(freed)):
        health = freed[row].health
        due_us, rank = None, Rank.URGENT
        if state == SubscriptionState.ACTIVE.value and waiting:
            soonest = await _soonest_in_order(conn, row) if freed[row].is_ordered else by_rank
            due_us, rank = _first_due(soonest, health, now_us)
        rows.append((row, due_us, rank.value, health.rest_until_us, waiting, "", 0, json.dumps(asdict(health))))
    await conn.change([Change(LANE, _LANE_COLUMNS, rows, keys=1)])


def _first_due(soonest: Sequence[int | None], health: Health, now_us: int) -> tuple[int, Rank]:
    """Return when a lane is to be served next and for what; who fails is served among those who retry."""
    known = [
        (due_us if rank is Rank.URGENT else max(due_us, health.rest_until_us), rank)
        for rank, due_us in zip(Rank, soonest, strict=True)
        if due_us is not None
    ]
    due_us, rank = min(known)
    if due_us <= now_us:
        rank = min(rank for due_us, rank in known if due_us <= now_us)
    return due_us, Rank.RETRY if health.is_failing and rank is Rank.FRESH else rank


async def _soonest_in_order(conn: Connection, lane: int) -> list[int | None]:
    head = await conn.fetch_one(_HEAD, lane=lane)
    return [head[11] if head is not None and head[8] == rank.value else None for rank in Rank]


def _in_line(row: Row) -> tuple[int, int, int]:
    return row[8], row[11], row[0]


def _outcome_row(outcome: Outcome) -> Row:
    delivery, state = outcome.delivery, outcome.state
    is_done = state is not DeliveryState.WAITING
    rank = delivery.rank if delivery.rank is Rank.URGENT else Rank.RETRY
    return delivery.row, delivery.number, outcome.due_us, rank.value, state.value, outcome.at_us if is_done else None


def _attempt_row(outcome: Outcome) -> Row:
    attempt, delivery = outcome.attempt, outcome.delivery
    assert attempt is not None, "only what was sent has a line"
    return delivery.row, delivery.number, outcome.at_us, attempt.latency_us, attempt.status, attempt.error, attempt.response
