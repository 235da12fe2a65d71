"""Fan-out: what came into members' views becomes deliveries of their subscriptions.

* A subscription is a cursor over its member's view of each collection that it covers, as a TAXII client's would be.
* Deliveries of a subscription are made up to a number that waits; all else stays in the feed, so a backlog of any size costs nothing.
  What is about imminent threats has a cursor of its own, and waits for nothing.
* Positions that moved past what nobody wants are kept in this process for a while before they are written: after a crash the same is read
  again, and again nobody wants it.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache

from hub.domain.directory import Directory, HeldCollection
from hub.domain.ids import DeliveryId, MemberId, SubscriptionId
from hub.domain.member import Member
from hub.domain.webhooks.delivery import Rank
from hub.domain.webhooks.subscription import Subscription, SubscriptionState
from hub.service.context import Hub
from hub.service.happenings import Happened, Reading, as_told_after, subscribed, view_of
from hub.service.turns import in_turns
from hub.service.view import Seen
from hub.store.database import Duplicate
from hub.store.deliveries import Advance, Made, advance, list_full
from hub.store.happened import HUB_ROW, Clock, read_clocks
from hub.store.subscriptions import Held, Position, read_positions

WAITING_MAX = 500  # deliveries of a subscription that wait, at most about
_ADVANCES_MAX = 500  # in one transaction …
_MADE_MAX = 500  # … which ends when it has made so many deliveries: they are sent while the next makes more
_UNWRITTEN_US = 60_000_000  # a position may be so far ahead of what is written of it
START = Position.at(-1)  # of a collection that the member could not read when it subscribed: it is told all of it


class _Left(Enum):
    """What there is in a collection that was not read yet."""

    NOTHING = auto()
    LATER = auto()  # it waits until deliveries are made
    MORE = auto()  # it can be read at once


@dataclass(slots=True)
class _Cursor:
    """How far a subscription has been told of a collection: what is written, and what this process has read since."""

    stored: Position | None  # None: nothing is
    read: Position


@dataclass(slots=True)
class FanOut:
    """One process's part in making deliveries. What it remembers between rounds only saves reading it again."""

    hub: Hub
    is_held_up: bool = False  # so many deliveries of a subscription wait that the rest stays in the feed for now
    _held: Held = field(default_factory=lambda: Held(-1, {}))  # as of the last round
    _wanted: dict[MemberId, dict[int, Subscription]] = field(default_factory=dict)  # those that are told anything, by row
    _fresh: dict[int, Subscription] = field(default_factory=dict)  # those of them whose cursors are to be read
    _cursors: dict[int, dict[int, _Cursor]] = field(default_factory=dict)  # by the rows of subscription and collection
    _done: dict[int, tuple[int, int, int]] = field(default_factory=dict)  # clock and directory of a collection when all were told of it

    @property
    def is_wanted(self) -> bool:
        """Whether anybody subscribed to anything as of the last round."""
        return bool(self._wanted)

    async def round(self) -> bool:
        """Make what deliveries there are to make now; return whether there is more at once."""
        self._take(await subscribed(self.hub))
        if not self._wanted:
            return False
        async with self.hub.db.read() as conn:
            clocks = await read_clocks(conn)
            full = await list_full(conn, WAITING_MAX)
        directory = await self.hub.directory()
        fresh = await self._load_fresh()
        reading = Reading(self.hub, wants_observables=any(s.filter.values for some in self._wanted.values() for s in some.values()))
        done, self._done = self._done, {}  # where a round fails, all are looked at again
        lefts: set[_Left] = set()
        for collection in [None, *directory.collections.values()]:
            row = collection.row if collection is not None else HUB_ROW
            state = (clocks.get(row, Clock(0, 0)).clock_us, directory.revision, directory.at_us)
            by_member = fresh if done.get(row) == state else self._wanted
            left = await self._collection(reading, directory, collection, by_member, full, state[0])
            if left is _Left.NOTHING:
                self._done[row] = state
            lefts.add(left)
        self.is_held_up = _Left.LATER in lefts
        return _Left.MORE in lefts or bool(self._fresh)

    def _take(self, held: Held) -> None:
        """Find out which subscriptions have changed since the last round."""
        before, self._held = self._held, held
        if held.edition == before.edition:
            return
        for row, subscription in before.by_row.items():
            if held.by_row.get(row) is not subscription:
                self._forget(subscription)
        for row, subscription in held.by_row.items():
            is_told = subscription.state is SubscriptionState.ACTIVE and subscription.verified_us is not None
            if is_told and before.by_row.get(row) is not subscription:
                self._wanted.setdefault(subscription.member, {})[row] = self._fresh[row] = subscription

    def _forget(self, subscription: Subscription) -> None:
        self._fresh.pop(subscription.row, None)
        self._cursors.pop(subscription.row, None)
        others = self._wanted.get(subscription.member, {})
        others.pop(subscription.row, None)
        if not others:
            self._wanted.pop(subscription.member, None)

    async def _load_fresh(self) -> dict[MemberId, dict[int, Subscription]]:
        """Read how far those have been told of whom this is not known, and return them by member."""
        fresh = self._fresh
        by_member: dict[MemberId, dict[int, Subscription]] = {}
        if fresh:
            async with self.hub.db.read() as conn:
                stored = await read_positions(conn, list(fresh))
            self._fresh = {}  # not before they are read: a database that is gone for a moment leaves none out
            self._cursors.update({row: {} for row in fresh})
            for (row, collection), position in stored.items():
                self._cursors[row][collection] = _Cursor(position, position)
        for row, subscription in fresh.items():
            by_member.setdefault(subscription.member, {})[row] = subscription
        return by_member

    async def _collection(
        self, reading: Reading, directory: Directory, held: HeldCollection | None,
        by_member: dict[MemberId, dict[int, Subscription]], full: set[int], clock_us: int,
    ) -> _Left:  # fmt: skip
        """Make what there is to make of one collection; return what is left of it."""
        row = held.row if held is not None else HUB_ROW
        advances: list[Advance] = []
        left = _Left.NOTHING
        async for id, subscriptions in in_turns(by_member.items()):
            covering = [s for s in subscriptions.values() if _covers(s, held)]
            member = directory.members.get(id)
            if not covering or member is None or member.suspended:
                continue
            seen = await view_of(self.hub, directory, member, held) if held is not None else None
            if held is not None and seen is None:
                continue
            until_us = seen.clock_us if seen is not None else clock_us
            for subscription in covering:
                cursor = self._cursor(subscription.row, row)
                if cursor.read.after_us == cursor.read.urgent_us == until_us:
                    continue
                is_full = subscription.row in full
                one = await self._advance(reading, held, seen, member, subscription, cursor, until_us, is_full=is_full)
                if one.to.urgent_us < until_us or (one.to.after_us < until_us and not is_full):
                    left = _Left.MORE
                elif one.to.after_us < until_us and left is _Left.NOTHING:
                    left = _Left.LATER
                if one.made or cursor.stored is None or one.to.after_us - cursor.stored.after_us > _UNWRITTEN_US:
                    advances.append(one)
                else:
                    cursor.read = one.to
        await self._write(row, advances)
        return left

    def _cursor(self, subscription_row: int, collection_row: int) -> _Cursor:
        return self._cursors[subscription_row].setdefault(collection_row, _Cursor(None, START))

    async def _advance(
        self, reading: Reading, held: HeldCollection | None, seen: Seen | None, member: Member, subscription: Subscription,
        cursor: _Cursor, until_us: int, *, is_full: bool,
    ) -> Advance:  # fmt: skip
        """Return how far a subscription comes with what is read at a time, and the deliveries that makes."""
        after_us, urgent_us, caught_up_us = cursor.read
        happened: list[Happened] = []
        if held is None or seen is None:
            stretch = await reading.of_hub(member, after_us, until_us)
            happened, after_us, urgent_us = list(stretch.happened), stretch.end_us, until_us
        else:
            if urgent_us < until_us:
                urgent = await reading.of_collection(held, seen, member, urgent_us, urgent=True)
                happened, urgent_us = list(urgent.happened), urgent.end_us
            if after_us < until_us and not is_full:
                stretch = await reading.of_collection(held, seen, member, after_us, urgent=False)
                happened += stretch.happened
                after_us = stretch.end_us
        row = held.row if held is not None else HUB_ROW
        told = [as_told_after(one, caught_up_us) for one in happened]
        to = Position.at(until_us) if after_us == urgent_us == until_us else Position(after_us, urgent_us, caught_up_us)
        return Advance(subscription.row, row, cursor.stored, to, list(_made(subscription, row, told)))

    async def _write(self, collection_row: int, advances: list[Advance]) -> None:
        advances.sort(key=lambda one: one.subscription_row)  # everybody locks in the same order
        for some in _transactions(advances):
            try:
                done = await self.hub.db.write(advance, collection_row, some, self.hub.now_us())
            except Duplicate:
                done = set()  # another node made the same at the same moment
            for one in some:
                if one.subscription_row in done:
                    self._cursors[one.subscription_row][collection_row] = _Cursor(one.to, one.to)
                else:  # another node was first: read again how far it came
                    self._fresh[one.subscription_row] = self._held.by_row[one.subscription_row]
            if done:
                self.hub.deliveries_waiting.set()


def delivery_id(subscription: Subscription, collection_row: int, at_us: int) -> DeliveryId:
    """Return the id of the delivery of what happened at a date of the subscriber's view: always the same, and nobody else's."""
    return DeliveryId(str(uuid.uuid5(_name_space(subscription.id), f"{collection_row}/{at_us}")))


@lru_cache(maxsize=4_096)  # reading it takes a quarter as long as all the rest
def _name_space(subscription_id: SubscriptionId) -> uuid.UUID:
    return uuid.UUID(subscription_id)


def _transactions(advances: Sequence[Advance]) -> Iterator[Sequence[Advance]]:
    first = made = 0
    for end, one in enumerate(advances, 1):
        made += len(one.made)
        if made >= _MADE_MAX or end - first == _ADVANCES_MAX or end == len(advances):
            yield advances[first:end]
            first, made = end, 0


def _covers(subscription: Subscription, held: HeldCollection | None) -> bool:
    collections = subscription.filter.collections
    return held is None or not collections or held.collection.id in collections


def _made(subscription: Subscription, collection_row: int, happened: list[Happened]) -> Iterator[Made]:
    for one in happened:
        kind = subscription.filter.kind_of(one.happening)
        if kind is None or (one.stored is not None and one.stored.subject == subscription.id):
            continue  # nobody is told about its own endpoint by that endpoint
        rank = Rank.URGENT if one.is_urgent else Rank.FRESH
        version_row = one.entry.version_row if one.entry is not None else None
        yield Made(delivery_id(subscription, collection_row, one.at_us), kind, rank, one.at_us, version_row)
