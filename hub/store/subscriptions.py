"""Subscriptions: the rows, and how far each has been told."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import bindparam, func, insert, select, update

from hub.domain.ids import CollectionId, MemberId, SubscriptionId
from hub.domain.label import Severity, Tlp
from hub.domain.webhooks.event import EventKind
from hub.domain.webhooks.sealing import seal, unseal
from hub.domain.webhooks.subscription import Endpoint, Filter, Format, Subscription, SubscriptionState
from hub.store.database import Connection, Row, among, prepare
from hub.store.tables import table

SUBSCRIPTION = table("subscription")
EDITION = table("subscription_edition")
REVISION = table("revision")
CURSOR = table("subscription_cursor")
LANE = table("lane")

_COLUMNS = (
    SUBSCRIPTION.c.id, SUBSCRIPTION.c.row, SUBSCRIPTION.c.member_id, SUBSCRIPTION.c.name, SUBSCRIPTION.c.url, SUBSCRIPTION.c.sealed,
    SUBSCRIPTION.c.ca, SUBSCRIPTION.c.private_cidrs, SUBSCRIPTION.c.filter, SUBSCRIPTION.c.format, SUBSCRIPTION.c.full,
    SUBSCRIPTION.c.ordered, SUBSCRIPTION.c.state, SUBSCRIPTION.c.reason, SUBSCRIPTION.c.verified_us, SUBSCRIPTION.c.created_us,
    SUBSCRIPTION.c.created_by,
)  # fmt: skip
_ALL = prepare(
    select(*_COLUMNS).where(SUBSCRIPTION.c.state != SubscriptionState.REMOVED.value).order_by(SUBSCRIPTION.c.row)
)  # fmt: skip
_CHANGED = prepare(select(*_COLUMNS).where(SUBSCRIPTION.c.edition > bindparam("known")).order_by(SUBSCRIPTION.c.row))
_FIND = prepare(
    select(*_COLUMNS).where(SUBSCRIPTION.c.row == bindparam("subscription"), SUBSCRIPTION.c.state != SubscriptionState.REMOVED.value)
)
_COUNT = prepare(
    select(func.count())
    .select_from(SUBSCRIPTION)
    .where(SUBSCRIPTION.c.member_id == bindparam("member"), SUBSCRIPTION.c.state != SubscriptionState.REMOVED.value)
)
_NOW = select(EDITION.c.value).where(EDITION.c.id == 1).scalar_subquery()
_ADD = prepare(
    insert(SUBSCRIPTION).values(
        {column.name: bindparam(column.name) for column in SUBSCRIPTION.c if column.name != "edition"} | {"edition": _NOW}
    )
)  # fmt: skip
_SET = prepare(
    update(SUBSCRIPTION)
    .where(SUBSCRIPTION.c.row == bindparam("subscription"))
    .values(
        state=bindparam("new_state"), reason=bindparam("new_reason"), verified_us=bindparam("verified"), sealed=bindparam("new_sealed"),
        name=bindparam("new_name"), url=bindparam("new_url"), ca=bindparam("new_ca"), private_cidrs=bindparam("new_cidrs"), edition=_NOW,
    )
)  # fmt: skip
_EDITION = prepare(select(EDITION.c.value).where(EDITION.c.id == 1))
_STAND = prepare(select(select(REVISION.c.value).where(REVISION.c.id == 1).scalar_subquery(), _NOW))
_MOVE_EDITION = prepare(update(EDITION).where(EDITION.c.id == 1).values(value=EDITION.c.value + 1))
_ADD_LANE = prepare(insert(LANE))
_FIND_REMOVED = prepare(
    select(SUBSCRIPTION.c.row, SUBSCRIPTION.c.member_id).where(
        SUBSCRIPTION.c.id == bindparam("id"), SUBSCRIPTION.c.state == SubscriptionState.REMOVED.value
    )
)
_CURSORS = prepare(
    select(CURSOR.c.subscription_row, CURSOR.c.collection_row, CURSOR.c.after_us, CURSOR.c.urgent_us, CURSOR.c.caught_up_us).where(
        among(CURSOR.c.subscription_row, "subscriptions")
    )
)
_CURSOR_COLUMNS = ("subscription_row", "collection_row", "after_us", "urgent_us", "caught_up_us", "sequence")


class Position(NamedTuple):
    """How far a subscription has been told of a collection: up to these effective dates."""

    after_us: int
    urgent_us: int  # of imminent threats
    caught_up_us: int  # the clock when it had been told all, last; -1: never yet

    @classmethod
    def at(cls, clock_us: int) -> "Position":
        """Return the position of a subscription that has been told all."""
        return cls(clock_us, clock_us, clock_us)


class Removed(NamedTuple):
    """What is left of a subscription beside its log."""

    row: int
    member: MemberId


@dataclass(frozen=True, slots=True)
class Held:
    """All subscriptions that are not removed, by their rows, as of one edition. What did not change since another is the same object."""

    edition: int
    by_row: Mapping[int, Subscription]


async def read_edition(conn: Connection) -> int:
    """Return the number that rises with each change of a subscription."""
    return int(await conn.fetch_value(_EDITION))


async def load_subscriptions(conn: Connection, secret: bytes, known: Held | None) -> Held:
    """Return all subscriptions that are not removed; only what changed since `known` is read. `conn` sees one moment."""
    edition = await read_edition(conn)
    rows = await conn.fetch(_ALL) if known is None else await conn.fetch(_CHANGED, known=known.edition)
    by_row = dict(known.by_row) if known is not None else {}
    for changed in (_subscription(secret, row) for row in rows):
        if changed.state is SubscriptionState.REMOVED:
            by_row.pop(changed.row, None)
        else:
            by_row[changed.row] = changed
    return Held(edition, by_row)


async def count_subscriptions(conn: Connection, member: MemberId) -> int:
    """Return how many subscriptions a member has."""
    return int(await conn.fetch_value(_COUNT, member=member))


async def read_stand(conn: Connection) -> tuple[int, int]:
    """Return how far what decides on deliveries has moved: the revision of the directory, and the edition of the subscriptions."""
    row = await conn.fetch_one(_STAND)
    assert row is not None, "a row of two values"
    return row[0], row[1]


async def move_edition(conn: Connection) -> None:
    """Tell all nodes that a subscription has changed. Whoever changes one does this first: it locks the row, so changes queue here."""
    await conn.execute(_MOVE_EDITION)


async def add_subscription(
    conn: Connection, secret: bytes, subscription: Subscription, positions: Iterable[tuple[int, Position]]
) -> Subscription:
    """Add a subscription that begins at these positions, by the rows of their collections; return it with its row."""
    (row,) = await conn.next_rows(SUBSCRIPTION, 1)
    endpoint = subscription.endpoint
    await conn.execute(
        _ADD, row=row, id=subscription.id, member_id=subscription.member, name=subscription.name, url=endpoint.url,
        sealed=seal(secret, subscription.id, endpoint), ca=endpoint.ca, private_cidrs=json.dumps(endpoint.private_cidrs),
        filter=_filter_text(subscription.filter), format=subscription.format.value, full=int(subscription.full),
        ordered=int(subscription.ordered), state=subscription.state.value, reason=subscription.reason,
        verified_us=subscription.verified_us, created_us=subscription.created_us, created_by=subscription.created_by,
    )  # fmt: skip
    await conn.execute(
        _ADD_LANE, subscription_row=row, due_us=None, rank=0, rest_until_us=0, waiting=0, held_by="", held_until_us=0, served_us=0,
        health="{}",
    )  # fmt: skip
    await conn.insert_many(CURSOR, _CURSOR_COLUMNS, [(row, collection, *position, 0) for collection, position in positions])
    return replace(subscription, row=row)


async def find_subscription(conn: Connection, secret: bytes, subscription_row: int) -> Subscription | None:
    """Return a subscription that is not removed."""
    row = await conn.fetch_one(_FIND, subscription=subscription_row)
    return _subscription(secret, row) if row is not None else None


async def find_removed(conn: Connection, id: str) -> Removed | None:
    """Return a subscription that was removed."""
    row = await conn.fetch_one(_FIND_REMOVED, id=id)
    return Removed(row[0], MemberId(row[1])) if row is not None else None


async def write_subscription(conn: Connection, secret: bytes, changed: Subscription) -> None:
    """Write name, endpoint, state, reason and verification of a subscription; of one that is removed no secrets are kept."""
    endpoint = changed.endpoint
    if changed.state is SubscriptionState.REMOVED:
        endpoint = replace(endpoint, keys=(), headers=(), client_certificate=None)
    await conn.execute(
        _SET, subscription=changed.row, new_state=changed.state.value, new_reason=changed.reason, verified=changed.verified_us,
        new_sealed=seal(secret, changed.id, endpoint), new_name=changed.name, new_url=endpoint.url, new_ca=endpoint.ca,
        new_cidrs=json.dumps(endpoint.private_cidrs),
    )  # fmt: skip


async def read_positions(conn: Connection, subscriptions: Sequence[int]) -> dict[tuple[int, int], Position]:
    """Return how far subscriptions have been told, by the rows of subscription and collection."""
    rows = await conn.fetch(_CURSORS, subscriptions=list(subscriptions))
    return {(subscription, collection): Position(*rest) for subscription, collection, *rest in rows}


def _subscription(secret: bytes, row: Row) -> Subscription:
    (
        id, number, member, name, url, sealed, ca, private_cidrs, filter, format, full, ordered, state, reason, verified_us, created_us,
        created_by,
    ) = row  # fmt: skip
    endpoint: Endpoint = unseal(secret, SubscriptionId(id), sealed, url=url, ca=ca, private_cidrs=tuple(json.loads(private_cidrs)))
    return Subscription(
        SubscriptionId(id), number, MemberId(member), name, endpoint, _filter(filter), Format(format), bool(full), bool(ordered),
        SubscriptionState(state), reason, verified_us, created_us, created_by,
    )  # fmt: skip


def _filter_text(filter: Filter) -> str:
    sets = {
        "events": filter.events, "collections": filter.collections, "types": filter.types, "sectors": filter.sectors,
        "topics": filter.topics, "producers": filter.producers, "values": filter.values,
    }  # fmt: skip
    return json.dumps({name: sorted(values) for name, values in sets.items()} | {"tlp_max": filter.tlp_max, "severity": filter.severity})


def _filter(text: str) -> Filter:
    d = json.loads(text)
    return Filter(
        events=frozenset(map(EventKind, d["events"])),
        collections=frozenset(map(CollectionId, d["collections"])),
        types=frozenset(d["types"]),
        tlp_max=Tlp(d["tlp_max"]) if d["tlp_max"] is not None else None,
        sectors=frozenset(d["sectors"]),
        topics=frozenset(d["topics"]),
        severity=Severity(d["severity"]) if d["severity"] is not None else None,
        producers=frozenset(map(MemberId, d["producers"])),
        values=frozenset(d["values"]),
    )
