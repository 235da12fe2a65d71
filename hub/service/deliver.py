"""Delivery: lanes that are due are taken, their events sent, and what became of each written down.

* What is sent is at least once: an attempt is counted before it is made, and what became of it is written afterwards. After a crash in
  between the same is sent again, under the same id.
* A slow endpoint holds up nobody else. Of one endpoint two deliveries at most are under way, of one that failed last time one; endpoints
  that failed have slots of their own; and a request that takes longer than a moment gives its slot to another while it goes on.
* One transaction writes what became of all deliveries since the last, frees lanes and takes others.
* A fault that nobody foresaw is logged, and a failed attempt of the delivery that it befell: of no other, and not of the endpoint.
"""

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from time import monotonic
from typing import Any

from hub.domain.directory import Directory
from hub.domain.ids import new_uuid
from hub.domain.taxii import ObjectPage
from hub.domain.webhooks.delivery import Attempt, DeliveryState, Rank
from hub.domain.webhooks.event import Event
from hub.domain.webhooks.formats import CHATS, render
from hub.domain.webhooks.schedule import Health, next_try_us
from hub.domain.webhooks.sending import Sends
from hub.domain.webhooks.subscription import Subscription, SubscriptionState
from hub.errors import Unavailable
from hub.service.context import Hub
from hub.service.events import events_for
from hub.service.happenings import subscribed, subscribed_since
from hub.service.report_backs import note_fetched
from hub.service.subscriptions import disable_subscription
from hub.service.turns import wait_for_any
from hub.store.database import Connection
from hub.store.lanes import Freed, Outcome, Taken, TakenLane, free_all_lanes, keep_lanes, list_urgent, next_due_us, settle, take_lanes
from hub.store.subscriptions import read_stand

IN_FLIGHT_MAX = 64  # requests at a time, of those that are answered at once …
_OLD_SHARE = 4  # … of which one in so many is for endpoints that failed last time
_MOMENT_S = 0.25  # a request that takes longer gives its slot to another …
_JUDGED_US = 250_000  # what policy said longer ago it is asked again; and where rights or subscriptions have moved since, for which …
_LOOK_REST = 4  # … it looks before each request, and then rests so many times as long as that took: who asks meanwhile waits for the next
LINGERING_MAX = 8 * IN_FLIGHT_MAX  # … while so many do at most
_SLOW_US = 200_000  # what was taken so long ago and is not sent yet makes room for what is urgent
_OF_ENDPOINT_MAX = 2
_AT_A_TIME = 32  # deliveries of a lane that are taken together
_AHEAD = 7  # so many of those that follow one in its lane are judged with it, as they are sent within the same moment
HOLD_US = 10_000_000  # a lane is free when its holder has not said for so long that it is still there
_KEEP_SHARE = 3  # it says so every third of that
_LOOK_S = 1.0
_FAULT = "the hub failed in sending this, and logged why"

log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Place:
    """One who sends."""

    slot: asyncio.Semaphore
    is_lingering: bool = False  # it has given its slot to another


class Slots:
    """Who may send: a number at a time, and more where a request lasts longer than a moment. What is urgent waits for nothing else."""

    def __init__(self, count: int, *, moment_s: float = _MOMENT_S) -> None:
        self._moment_s = moment_s
        self._urgent = asyncio.Semaphore(count)
        self._prompt = asyncio.Semaphore(count - count // _OLD_SHARE)
        self._old = asyncio.Semaphore(count // _OLD_SHARE)
        self._long: dict[_Place, None] = {}  # who would give up its slot, were not so many lingering
        self.lingering = 0

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]], *, is_old: bool, is_urgent: bool = False) -> None:
        """Begin some work once there is a slot, and finish it."""
        place = _Place(self._urgent if is_urgent else self._old if is_old else self._prompt)
        await place.slot.acquire()
        moment = asyncio.get_running_loop().call_later(self._moment_s, self._linger, place)
        try:
            await work()
        finally:
            moment.cancel()
            self._leave(place)

    def _linger(self, place: _Place) -> None:
        if self.lingering >= LINGERING_MAX:
            self._long[place] = None
            return
        place.is_lingering = True
        self.lingering += 1
        place.slot.release()

    def _leave(self, place: _Place) -> None:
        self._long.pop(place, None)
        if not place.is_lingering:
            place.slot.release()
            return
        self.lingering -= 1
        if self._long:
            longest = next(iter(self._long))
            del self._long[longest]
            self._linger(longest)


@dataclass(slots=True)
class _Lane:
    """A lane that this node serves."""

    subscription: Subscription
    health: Health
    queue: deque[Taken]
    until_us: int  # while the node has not lost it
    since_us: int  # when it was taken
    ahead: "dict[int, _Judged]" = field(default_factory=dict)  # of the queue, what was judged with one before it, by row
    is_stopped: bool = False  # nothing more of it is sent for now

    def is_slow(self, now_us: int) -> bool:
        """Whether something urgent, made since the lane was taken, would wait long behind what was taken."""
        return bool(self.queue) and self.queue[0].rank is not Rank.URGENT and now_us - self.since_us > _SLOW_US


@dataclass(slots=True)
class _Judged:
    """A delivery that waits to be judged by policy."""

    taken: Taken
    subscription: Subscription  # as it was when it was judged
    is_judged: bool = False
    is_faulty: bool = False  # it could not be judged
    is_wanted: bool = False  # the subscription is still active
    event: Event | None = None  # None: its member may not know of it
    directory: Directory | None = None  # by which it was judged
    at_us: int = 0
    stand: tuple[int, int] | None = None  # of what it was judged by


@dataclass(slots=True)
class _Done:
    """What is to be written down."""

    outcomes: list[Outcome] = field(default_factory=list)
    unsent: list[Taken] = field(default_factory=list)
    freed: list[Freed] = field(default_factory=list)
    is_again: bool = False  # of some nobody knows whether they were written down when that was tried

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.unsent or self.freed)

    def before(self, other: "_Done") -> "_Done":
        """Return this with what came after it."""
        return _Done(self.outcomes + other.outcomes, self.unsent + other.unsent, self.freed + other.freed, is_again=True)


class Dispatcher:
    """One process's part in sending."""

    def __init__(self, hub: Hub, sends: Sends, *, holder: str, hold_us: int = HOLD_US, in_flight: int = IN_FLIGHT_MAX) -> None:
        """Send nothing yet.

        Args:
            holder: a name for this process.
            hold_us: for how long it holds a lane without saying that it is still there.
            in_flight: how many requests it makes at a time, of those that are answered at once.
        """
        self._hold_us, self._in_flight = hold_us, in_flight
        self._hub, self._sends = hub, sends
        self._holder = f"{holder}:{new_uuid()}"  # a process that begins anew under the same name holds nothing of the one before
        self._slots = Slots(in_flight)
        self._lanes: dict[int, _Lane] = {}
        self._done = _Done()
        self._line: list[_Judged] = []
        self._turn = asyncio.Lock()
        self._asked: asyncio.Future[tuple[int, int] | None] | None = None
        self._look_s = 0.0
        self._kept_us = 0
        self._is_stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Send what is due until `stop` is set, and then finish what is under way."""
        if self._hub.config.is_sqlite:
            await self._hub.db.write(free_all_lanes)  # the only process there is: what a killed one held is free
        async with asyncio.TaskGroup() as group:
            while not stop.is_set() or self._lanes or self._done:
                self._is_stopping = stop.is_set()
                try:
                    due_us = await self._settle_and_take(group)
                except Unavailable as e:
                    log.warning("deliveries wait: %s", e.detail)
                    if self._is_stopping and not self._lanes:
                        return  # what was sent last is sent again, under the same id
                    await asyncio.sleep(_LOOK_S)
                else:
                    await self._rest(stop, due_us)

    async def _settle_and_take(self, group: asyncio.TaskGroup) -> int | None:
        """Write down what was done and take what is due; return when something else will be."""
        hub, now_us = self._hub, self._hub.now_us()
        hub.deliveries_waiting.clear()
        async with hub.db.read() as conn:
            due_us = await next_due_us(conn, now_us)
            slow = [row for row, lane in self._lanes.items() if lane.is_slow(now_us)]
            urgent = await list_urgent(conn, slow, now_us) if slow else ()
        for row in self._lanes.keys() & urgent:
            self._lanes[row].is_stopped = True
        is_due = (due_us is not None and due_us <= now_us) or bool(self._done.freed)
        is_keeping = bool(self._lanes) and now_us - self._kept_us >= self._hold_us // _KEEP_SHARE
        if not (self._done or is_keeping or (is_due and not self._is_stopping)):
            return due_us
        held = (await subscribed(hub)).by_row
        done, self._done = self._done, _Done()
        try:
            ordered = frozenset(row for row, s in held.items() if s.ordered)
            kept, taken = await hub.db.write(self._write, done, now_us, ordered, is_keeping=is_keeping)
        except BaseException:
            self._done = done.before(self._done)
            raise
        if is_keeping:
            self._kept_us = now_us
            for row, lane in self._lanes.items():
                if row in kept:
                    lane.until_us = now_us + self._hold_us
                else:
                    lane.is_stopped = True
        if done:
            hub.deliveries_done.set()
        for one in taken:
            self._begin(group, one, held.get(one.subscription_row), now_us + self._hold_us)
        return due_us if due_us is not None and due_us > now_us else now_us if len(taken) and not self._is_stopping else None

    async def _write(
        self, conn: Connection, done: _Done, now_us: int, ordered: frozenset[int], *, is_keeping: bool
    ) -> tuple[set[int], Sequence[TakenLane]]:  # fmt: skip
        """Return the lanes that are kept and those that are taken."""
        until_us = now_us + self._hold_us
        kept = await keep_lanes(conn, self._holder, list(self._lanes), until_us=until_us) if is_keeping else set()
        if done:
            await settle(conn, self._holder, done.outcomes, done.unsent, done.freed, now_us=now_us, is_again=done.is_again)
        if self._is_stopping:
            return kept, ()
        old = sum(lane.health.is_failing for lane in self._lanes.values())
        prompt = len(self._lanes) - old - self._slots.lingering
        return kept, await take_lanes(
            conn, self._holder, now_us=now_us, until_us=until_us, urgent=self._in_flight, fresh=max(0, 2 * self._in_flight - prompt),
            old=max(0, self._in_flight // 2 - old), each=_AT_A_TIME, ordered=ordered,
        )  # fmt: skip

    def _begin(self, group: asyncio.TaskGroup, taken: TakenLane, subscription: Subscription | None, until_us: int) -> None:
        if subscription is None or not taken.deliveries:
            self._done.unsent += taken.deliveries
            self._done.freed.append(Freed(taken.subscription_row, taken.health, is_ordered=False))
            return
        queue, since_us = deque(taken.deliveries), until_us - self._hold_us
        lane = self._lanes[taken.subscription_row] = _Lane(subscription, taken.health, queue, until_us, since_us)
        group.create_task(self._serve(lane), name=f"lane {subscription.id}")

    async def _rest(self, stop: asyncio.Event, due_us: int | None) -> None:
        if self._done.freed:
            return
        wait_s = _LOOK_S if due_us is None else min(_LOOK_S, max(0.0, (due_us - self._hub.now_us()) / 1_000_000))
        await wait_for_any((stop, self._hub.deliveries_waiting) if not self._is_stopping else (self._hub.deliveries_waiting,), wait_s)

    async def _serve(self, lane: _Lane) -> None:
        """Send what of a lane was taken, and give back what was not sent after something failed."""
        width = 1 if lane.subscription.ordered or lane.health.is_failing else _OF_ENDPOINT_MAX
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(width, len(lane.queue))):
                    group.create_task(self._send_all(lane))
        finally:
            self._done.unsent += lane.queue
            self._done.freed.append(Freed(lane.subscription.row, lane.health, lane.subscription.ordered))
            del self._lanes[lane.subscription.row]
            self._hub.deliveries_waiting.set()

    async def _send_all(self, lane: _Lane) -> None:
        while lane.queue and not lane.is_stopped and not self._is_stopping:
            taken = lane.queue.popleft()
            judged = await self._judge(lane.ahead.pop(taken.row) if taken.row in lane.ahead else self._wait(lane, taken))
            is_urgent = taken.rank is Rank.URGENT
            await self._slots.run(partial(self._send, lane, judged), is_old=lane.health.is_failing, is_urgent=is_urgent)

    async def _send(self, lane: _Lane, judged: _Judged) -> None:
        """Send a delivery, if it still may be: policy is asked again where what it said may hold no more."""
        taken = judged.taken
        if not judged.is_faulty and not await self._still_holds(judged):
            judged = await self._judge(self._wait(lane, taken))
        now_us = self._hub.now_us()
        if judged.is_faulty:
            self._note_failure(taken, Attempt(0, error=_FAULT), now_us)
            return
        # A process that stood still for too long has lost the lane to another.
        if not judged.is_wanted or lane.is_stopped or now_us >= lane.until_us:
            lane.queue.append(taken)
            lane.is_stopped = True
            return
        if judged.event is None:
            self._done.outcomes.append(Outcome(taken, DeliveryState.WITHHELD, now_us))
            return
        try:
            attempt = await self._attempt(judged.event, judged.subscription, now_us)
        except Exception:
            log.exception("a delivery was not sent: %s", taken.id)
            self._note_failure(taken, Attempt(self._hub.now_us() - now_us, error=_FAULT), now_us)
            return
        await self._note(lane, taken, attempt, now_us)
        if attempt.is_success and judged.subscription.format not in CHATS:
            await self._note_fetched(judged)

    async def _attempt(self, event: Event, subscription: Subscription, now_us: int) -> Attempt:
        message = render(event, subscription.format, self._hub.config.public_url or "")
        return await self._sends.send(subscription.endpoint, message, now_us=now_us)

    async def _note(self, lane: _Lane, taken: Taken, attempt: Attempt, began_us: int) -> None:
        now_us = self._hub.now_us()
        lane.health = lane.health.after(attempt, now_us=now_us)
        if attempt.is_success:
            self._done.outcomes.append(Outcome(taken, DeliveryState.DELIVERED, began_us, attempt))
            return
        lane.is_stopped = True
        self._note_failure(taken, attempt, began_us)
        reason = lane.health.disables(attempt, now_us=now_us)
        if reason is not None:
            with _going_on("an endpoint was not disabled"):  # it is when it fails again
                await disable_subscription(self._hub, lane.subscription, reason)

    def _note_failure(self, taken: Taken, attempt: Attempt, began_us: int) -> None:
        now_us = self._hub.now_us()
        due_us = next_try_us(taken.tries, attempt, now_us=now_us, chance=random.random())  # noqa: S311 - spreads waits, guards nothing
        state = DeliveryState.DEAD if due_us is None else DeliveryState.WAITING
        self._done.outcomes.append(Outcome(taken, state, began_us, attempt, due_us or began_us))

    async def _note_fetched(self, judged: _Judged) -> None:
        """Keep that a member got an object on which reports are wanted from it, as where it fetches one."""
        item, directory = judged.event.item if judged.event is not None else None, judged.directory
        if item is None or item.content is None or directory is None:
            return
        member, held = directory.members[judged.subscription.member], directory.collections[item.collection]
        with _going_on("it was not kept that an object was fetched"):  # it was delivered all the same
            await note_fetched(self._hub, directory, member, held, ObjectPage(None, None, None, item.content))

    def _wait(self, lane: _Lane, taken: Taken) -> _Judged:
        """Put a delivery into the line of those that wait to be judged, with those that follow it in its lane."""
        waiting = _Judged(taken, lane.subscription)
        follow = {one.row: _Judged(one, lane.subscription) for one in islice(lane.queue, _AHEAD) if one.row not in lane.ahead}
        lane.ahead |= follow
        self._line += [waiting, *follow.values()]
        return waiting

    async def _judge(self, waiting: _Judged) -> _Judged:
        """Find out what may be sent now. Who is first in the line asks policy for all who wait by then."""
        if not waiting.is_judged:
            async with self._turn:
                if not waiting.is_judged:
                    together, self._line = self._line, []
                    await self._judge_together(together)
                    for one in together:
                        one.is_judged = True
        return waiting

    async def _still_holds(self, judged: _Judged) -> bool:
        """Whether what policy said counts at this moment: it is fresh, and neither rights nor subscriptions have moved since."""
        if self._hub.now_us() - judged.at_us > _JUDGED_US:
            return False
        if self._asked is None:
            self._asked = asyncio.ensure_future(self._read_stand())
        return await asyncio.shield(self._asked) == judged.stand

    async def _read_stand(self) -> tuple[int, int] | None:
        """Return how far what decides on deliveries has moved, to all who ask before this looks; None where it cannot be found."""
        await asyncio.sleep(self._look_s - monotonic())
        self._asked, began_s = None, monotonic()
        found = None
        with _going_on("it was not found whether rights have moved"):
            async with self._hub.db.read() as conn:
                found = await read_stand(conn)
        self._look_s = monotonic() + _LOOK_REST * (monotonic() - began_s)
        return found

    async def _judge_together(self, together: Sequence[_Judged]) -> None:
        """Judge some at once; where that fails, each alone, so that it fails for those only that are to blame."""
        try:
            await self._judge_all(together)
        except Unavailable as e:
            log.warning("deliveries wait: %s", e.detail)
        except Exception:
            if len(together) > 1:
                for one in together:
                    await self._judge_together((one,))
                return
            log.exception("a delivery could not be judged: %s", together[0].taken.id)
            together[0].is_faulty, together[0].at_us = True, self._hub.now_us()

    async def _judge_all(self, together: Sequence[_Judged]) -> None:
        async with self._hub.db.read() as conn:
            stand = await read_stand(conn)
        by_row = (await subscribed_since(self._hub, stand[1])).by_row
        found = (by_row.get(one.subscription.row) for one in together)
        held = {s.row: s for s in found if s is not None and s.state is SubscriptionState.ACTIVE}
        wanted = [(one.taken, held[one.subscription.row]) for one in together if one.subscription.row in held]
        now_us, directory = self._hub.now_us(), await self._hub.directory_since(stand[0])
        events = await events_for(self._hub, directory, wanted)
        for one in together:
            one.at_us, one.stand, one.directory, one.event = now_us, stand, directory, events.get(one.taken.row)
            one.is_wanted = one.subscription.row in held
            one.subscription = held.get(one.subscription.row, one.subscription)


@contextlib.contextmanager
def _going_on(what: str) -> Iterator[None]:
    """Go on where something fails on which no delivery depends; what nobody foresaw is logged."""
    try:
        yield
    except Unavailable:
        pass
    except Exception:
        log.exception(what)
