"""Delivery where something goes wrong around it: commits of which nobody heard, endpoints that hold up, keys and rights that change."""

import contextlib
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import bindparam, select, update

from hub.domain.ids import CollectionId, MemberId, SubscriptionId
from hub.domain.label import Label, Tlp
from hub.domain.member import MemberKind, Role, Standing
from hub.domain.taxii import ALL_VERSIONS, Query, Right
from hub.domain.webhooks.delivery import Message
from hub.domain.webhooks.sealing import unseal
from hub.domain.webhooks.signature import signing_key
from hub.domain.webhooks.subscription import Endpoint, Subscription
from hub.errors import NotFound, Unavailable
from hub.service import delivery_log
from hub.service.administer import COMMAND_LINE
from hub.service.collections import revoke_right
from hub.service.delivery_log import list_deliveries, replay_deliveries
from hub.service.events import may_be_full
from hub.service.fan_out import WAITING_MAX, FanOut
from hub.service.members import change_member
from hub.service.remove import delete_object
from hub.service.report_backs import list_report_backs
from hub.service.subscriptions import Added, FilterWish, remove_subscription, rotate_key
from hub.store.database import Connection, Database, prepare
from hub.store.deliveries import forget_deliveries
from hub.store.tables import table
from hub.store.views import tick_clocks
from tests.standing.test_report_backs import advisory
from tests.standing.world import World, shared_with
from tests.taxii.content import malware
from tests.watched import Counting, Watched, WatchedConnection
from tests.webhooks.hooks import log_of, subscribe, until
from tests.webhooks.recorder import Recorder, dispatching, make_all, send_all

URL = "https://receiver.example/hook"


class Deaf(Watched):
    """A database that commits, and of which the dispatcher then once does not hear that it did."""

    def __init__(self, inner: Database) -> None:
        super().__init__(inner)
        self.misses: Callable[[Any, Any], object] = lambda _done, _taken: False

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        result = await super().write(work, *args, **kwargs)
        if work.__name__ == "_write" and self.misses(args[0], result[1]):
            self.misses = lambda _done, _taken: False
            raise Unavailable("the connection broke")
        return result


async def test_what_was_written_down_though_nobody_heard_is_neither_written_nor_sent_again(world: World, recorder: Recorder):
    world.hub.db = deaf = Deaf(world.hub.db)
    added = await subscribe(world.hub, URL)
    await world.push("agency", *(world.report() for _ in range(20)))
    await make_all(world.hub)
    deaf.misses = lambda done, _: done.outcomes

    async def is_written() -> bool:
        world.now_us += 20_000
        return {one.state for one in await log_of(world.hub, added)} == {"delivered"}

    async with dispatching(world.hub):
        await until(is_written)
    assert set(Counter(message.id for _, message in recorder.sent).values()) == {1}
    assert [len(one.attempts) for one in await log_of(world.hub, added)] == [1] * 20


async def test_a_lane_that_nobody_knows_to_be_taken_runs_out_though_its_node_keeps_others(world: World, recorder: Recorder):
    world.hub.db = deaf = Deaf(world.hub.db)
    go_on = recorder.hold("slow")
    await subscribe(world.hub, "https://slow.example/", filter=FilterWish(types=["indicator"]))
    await subscribe(world.hub, URL, "water", filter=FilterWish(types=["malware"]))
    await world.push("agency", world.report())
    await make_all(world.hub)

    async def has_sent(count: int) -> bool:
        world.now_us += 20_000
        return len(recorder.sent) == count

    async with dispatching(world.hub, hold_us=5_000_000):
        await until(lambda: has_sent(1))
        deaf.misses = lambda _, taken: taken
        await world.push("agency", malware())
        await make_all(world.hub)
        await until(lambda: has_sent(2))
        go_on.set()
    assert [endpoint.url for endpoint, _ in recorder.sent] == ["https://slow.example/", URL]


async def test_an_ended_secret_signs_nothing_of_what_was_taken_before(world: World, recorder: Recorder):
    go_on = recorder.hold()
    added = await subscribe(world.hub, URL)
    await world.push("agency", *(world.report() for _ in range(4)))
    await make_all(world.hub)

    async with dispatching(world.hub):
        await recorder.until(2)
        await rotate_key(world.hub, COMMAND_LINE, added.subscription.id)
        newest = await rotate_key(world.hub, COMMAND_LINE, added.subscription.id, finish=True)
        go_on.set()
        await recorder.until(4)
    signed_by = [[signing_key(key).receiver_text() for key in endpoint.keys] for endpoint, _ in recorder.sent]
    assert signed_by == [[added.key]] * 2 + [[newest.key]] * 2


async def test_an_imminent_threat_overtakes_what_was_taken_for_a_slow_endpoint(world: World, recorder: Recorder):
    go_on = recorder.hold()
    await subscribe(world.hub, URL)
    await world.push("agency", *(world.report() for _ in range(8)))
    await make_all(world.hub)

    async def has_looked() -> bool:
        return not world.hub.deliveries_waiting.is_set()

    async with dispatching(world.hub):
        await recorder.until(2)
        await world.push("agency", urgent := world.report(**shared_with(severity="imminent")))
        await make_all(world.hub)
        world.now_us += 1_000_000
        for _ in range(2):  # where it looks for the second time, it has done what it found at the first
            world.hub.deliveries_waiting.set()
            await until(has_looked)
        go_on.set()
        await recorder.until(9)
    assert urgent["id"] in [data["object_id"] for data in recorder.data[2:4]]


async def test_policy_is_asked_again_after_a_wait_for_a_slot(world: World, recorder: Recorder):
    go_on = recorder.hold()
    subscriptions = [await subscribe(world.hub, URL, slug) for slug in ("energy", "water")]
    await world.push("agency", world.report())
    await make_all(world.hub)

    async def states() -> list[str]:
        return sorted([one.state for added in subscriptions for one in await log_of(world.hub, added)])

    async def is_done() -> bool:
        return "waiting" not in await states()

    async with dispatching(world.hub, in_flight=1):
        await recorder.until(1)
        await _close_to_all(world)
        world.now_us += 2_000_000
        go_on.set()
        await until(is_done)
    assert await states() == ["delivered", "withheld"]
    assert len(recorder.sent) == 1


async def test_what_was_judged_ahead_is_not_sent_once_rights_have_moved(world: World, recorder: Recorder):
    go_on = recorder.hold()
    added = await subscribe(world.hub, URL)
    await world.push("agency", *(world.report() for _ in range(8)))
    await make_all(world.hub)

    async def states() -> Counter[str]:
        return Counter(one.state for one in await log_of(world.hub, added))

    async def is_done() -> bool:
        return not (await states())["waiting"]

    async with dispatching(world.hub):
        await recorder.until(2)
        await _close_to_all(world)
        go_on.set()
        await until(is_done)
    assert await states() == {"delivered": 2, "withheld": 6}
    assert len(recorder.sent) == 2


async def _close_to_all(world: World) -> None:
    collections = (await world.hub.directory()).collections.values()
    shared = next(one.collection.id for one in collections if one.collection.alias == "shared")
    await revoke_right(world.hub, COMMAND_LINE, shared, Right.READ, "everyone")


async def test_two_subscriptions_that_are_held_up_leave_nothing_to_read_at_once(world: World, recorder: Recorder):
    for slug in ("energy", "water"):
        await subscribe(world.hub, URL, slug)
    await make_all(world.hub)
    lane = table("lane")
    await world.hub.db.write(lambda conn: conn.execute(prepare(update(lane).values(waiting=WAITING_MAX))))
    await world.push("agency", world.report())
    fan_out = FanOut(world.hub)
    assert not await fan_out.round()
    assert fan_out.is_held_up


async def test_what_waits_holds_up_no_forgetting_and_what_was_removed_is_forgotten_with_its_secrets(world: World, recorder: Recorder):
    async def answer(endpoint: Endpoint, _: Message) -> int:
        return 500 if "down" in endpoint.url else 204

    recorder.answer = answer
    down = await subscribe(world.hub, "https://down.example/", headers={"Authorization": "of the receiver"})
    other = await subscribe(world.hub, URL, "water")
    await world.push("agency", world.report())
    await send_all(world.hub)

    async def forget() -> list[int]:
        await world.hub.db.write(forget_deliveries, before_us=world.now_us + 1, limit=1)
        return [len(await log_of(world.hub, other)), len(await world.rows("delivery")), len(await world.rows("attempt"))]

    assert await forget() == [0, 1, 1]
    assert await forget() == [0, 1, 1]
    await remove_subscription(world.hub, COMMAND_LINE, down.subscription.id)
    assert await forget() == [0, 0, 0]
    sealed = table("subscription")
    async with world.hub.db.read() as conn:
        text = await conn.fetch_value(prepare(select(sealed.c.sealed).where(sealed.c.state == "removed")))
    left = unseal(world.hub.secret, SubscriptionId(down.subscription.id), text, url="", ca=None, private_cidrs=())
    assert (left.keys, left.headers, left.client_certificate) == ((), (), None)


async def test_the_log_of_a_removed_subscription_is_for_who_could_read_it_before(world: World, recorder: Recorder):
    added = await subscribe(world.hub, URL)
    await world.push("agency", world.report())
    await send_all(world.hub)
    own, other = await world.principal("energy", Role.READER), await world.principal("water")
    before = await list_deliveries(world.hub, own, added.subscription.id, before=None, limit=10)
    await remove_subscription(world.hub, COMMAND_LINE, added.subscription.id)
    for principal in (own, COMMAND_LINE):
        assert await list_deliveries(world.hub, principal, added.subscription.id, before=None, limit=10) == before != []
    for principal, id in ((other, added.subscription.id), (own, "\0"), (own, str(uuid.uuid4()))):
        with pytest.raises(NotFound):
            await list_deliveries(world.hub, principal, id, before=None, limit=10)
    with pytest.raises(NotFound):
        await replay_deliveries(world.hub, COMMAND_LINE, added.subscription.id, since_us=0)


async def test_a_replay_goes_on_to_its_end(world: World, recorder: Recorder, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(delivery_log, "REPLAY_MAX", 2)
    added = await subscribe(world.hub, URL, filter=FilterWish(types=["indicator"]))
    await world.push("agency", *(world.report() for _ in range(5)))
    await send_all(world.hub)
    first = [message.id for _, message in recorder.sent]
    recorder.sent.clear()
    after, counts = None, []
    async with dispatching(world.hub):
        while not counts or after is not None:
            count, after = await replay_deliveries(world.hub, COMMAND_LINE, added.subscription.id, since_us=0, after=after)
            counts.append(count)
            await recorder.until(sum(counts))  # what is done by then is not taken again
    assert counts == [2, 2, 1]
    assert sorted(message.id for _, message in recorder.sent) == sorted(first)


async def test_the_object_itself_is_sent_where_it_is_wanted_and_open_and_counts_as_fetched(world: World, recorder: Recorder):
    await subscribe(world.hub, URL, full=True)
    await subscribe(world.hub, URL, "water")
    wanted = advisory(world)
    await world.push("agency", wanted)
    await world.settle()
    await send_all(world.hub)
    assert [data["object"] for data in recorder.data if "object" in data] == [wanted]
    principal = await world.principal("agency")
    (asked,) = await list_report_backs(world.hub, await world.hub.directory(), principal, after=0, limit=10)
    assert asked.picture is not None
    assert asked.picture.fetched == 1


async def test_what_is_delayed_for_a_member_is_told_when_its_time_has_come_and_not_if_it_was_deleted_before(
    world: World, recorder: Recorder
):  # fmt: skip
    added = await subscribe(world.hub, URL, "water")
    kept, deleted = (world.report(**shared_with(release="reciprocal")) for _ in range(2))
    await world.push("energy", kept, deleted)

    async def told_after(hours: float) -> list[tuple[str, str]]:
        world.pass_time(hours=hours)
        await world.hub.db.write(tick_clocks, world.now_us)
        await send_all(world.hub)
        return [(data["event"], data["object_id"]) for data in recorder.data if data["object_id"] in (kept["id"], deleted["id"])]

    assert await told_after(71.9) == []
    directory, energy = await world.hub.directory(), await world.principal("energy")
    await delete_object(world.hub, directory, energy, "hub", "shared", deleted["id"], Query(versions=ALL_VERSIONS))
    assert await told_after(0.2) == [("added", kept["id"])]
    assert await told_after(100) == [("added", kept["id"])]
    assert {one.state for one in await log_of(world.hub, added)} == {"delivered"}


@pytest.mark.parametrize(
    ("url", "certificate", "tlp", "is_full"),
    [
        (URL, None, Tlp.CLEAR, True), (URL, None, Tlp.GREEN, True), (URL, None, Tlp.AMBER, False), (URL, None, Tlp.RED, False),
        (URL, "a certificate", Tlp.RED, True), ("http://receiver.example/hook", "a certificate", Tlp.AMBER, False),
    ],
)  # fmt: skip
def test_what_is_not_open_goes_whole_only_to_endpoints_that_know_the_hub_by_its_certificate(
    url: str, certificate: str | None, tlp: Tlp, *, is_full: bool
):
    endpoint = Endpoint(url, client_certificate=certificate)
    subscription = Subscription(SubscriptionId("s"), 1, MemberId("m"), "test", endpoint, full=True)
    label = Label(CollectionId("c"), tlp, MemberKind.AGENCY)
    assert may_be_full(subscription, [label], 100) is is_full
    assert not may_be_full(subscription, [label], 20_000)
    assert not may_be_full(replace(subscription, full=False), [label], 100)


async def test_one_subscription_more_costs_a_node_the_same_however_many_there_are(world: World, recorder: Recorder):
    await change_member(world.hub, COMMAND_LINE, "water", standing=Standing.STEWARD)
    world.hub.db = counting = Counting(world.hub.db)
    fan_out = FanOut(world.hub)

    async def rows_read_after_another() -> int:
        await subscribe(world.hub, URL, "water")
        counting.rows = 0
        while await fan_out.round():
            pass
        return counting.rows

    for slug in ("energy", "telecoms", "sister", "agency"):
        await subscribe(world.hub, URL, slug)
    await world.push("agency", world.report())
    first, *others = [await rows_read_after_another() for _ in range(8)]
    assert first > others[0], "the first round reads all there is"
    assert len(set(others)) == 1, others
    await world.push("agency", world.report())
    await send_all(world.hub)
    assert len(recorder.sent) == 2 * 4 + 8, "both reports to who was there from the beginning, the second to the others"


class Failing(Watched):
    """Fails where it is read for how far subscriptions have been told, once."""

    fails = True

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        async with self.inner.read() as conn:
            yield _FailingConnection(conn, self)


class _FailingConnection(WatchedConnection):
    def __init__(self, inner: Connection, failing: Failing) -> None:
        super().__init__(inner)
        self._failing = failing

    async def fetch(self, statement: Any, **values: Any) -> Any:
        if self._failing.fails and "FROM subscription_cursor" in statement.bound(self.dialect, values)[0]:
            self._failing.fails = False
            raise Unavailable("the database is gone for a moment")
        return await super().fetch(statement, **values)


async def test_who_subscribed_while_the_database_was_gone_for_a_moment_is_told_as_soon_as_it_is_back(world: World, recorder: Recorder):
    await subscribe(world.hub, URL)
    await world.push("agency", report := world.report())
    world.hub.db = Failing(world.hub.db)
    fan_out = FanOut(world.hub)
    with pytest.raises(Unavailable):
        await fan_out.round()
    while await fan_out.round():
        pass
    await send_all(world.hub)
    assert [data["object_id"] for data in recorder.data] == [report["id"]]


async def test_a_fault_of_one_delivery_is_its_own_failed_attempt_and_holds_up_no_other(
    world: World, recorder: Recorder, caplog: pytest.LogCaptureFixture
):
    faults = [RuntimeError("unforeseen")]

    async def answer(endpoint: Endpoint, _: Message) -> int:
        if "odd" in endpoint.url and faults:
            raise faults.pop()
        return 204

    recorder.answer = answer
    indicators = FilterWish(types=["indicator"])
    odd = await subscribe(world.hub, "https://odd.example/", filter=indicators)
    even = await subscribe(world.hub, URL, "water", filter=indicators)
    await world.push("agency", gone := world.report())
    await make_all(world.hub)
    directory, agency = await world.hub.directory(), await world.principal("agency")
    await delete_object(world.hub, directory, agency, "hub", "shared", gone["id"], Query(versions=ALL_VERSIONS))
    await world.push("agency", *(world.report() for _ in range(3)))
    await make_all(world.hub)
    event = table("event")
    spoil = prepare(update(event).where(event.c.kind == "deleted").values(facts=bindparam("text")))
    await world.hub.db.write(lambda conn: conn.execute(spoil, text="no JSON"))

    async def outcomes(added: Added) -> list[tuple[str, str, list[str | None]]]:
        return [(one.kind, one.state, [line.attempt.error for line in one.attempts]) for one in await log_of(world.hub, added)]

    async def is_tried() -> bool:
        logged = [one for added in (odd, even) for one in await log_of(world.hub, added)]
        return all(one.attempts or one.state == "withheld" for one in logged)

    fault = ["the hub failed in sending this, and logged why"]
    withheld, delivered = ("added", "withheld", []), ("added", "delivered", [None])
    async with dispatching(world.hub):
        await until(is_tried)
        assert await outcomes(even) == [withheld, ("deleted", "waiting", fault), *[delivered] * 3]
        found = await outcomes(odd)
        assert (found.count(delivered), found.count(("added", "waiting", fault)), found[1]) == (2, 1, ("deleted", "waiting", fault))
        assert {record.exc_info[0] for record in caplog.records if record.exc_info} == {RuntimeError, json.JSONDecodeError}
        await world.hub.db.write(lambda conn: conn.execute(spoil, text="{}"))
        world.now_us += 10_000_000

        async def is_done() -> bool:
            world.hub.deliveries_waiting.set()
            logged = [one for added in (odd, even) for one in await log_of(world.hub, added)]
            return all(one.done_us is not None for one in logged)

        await until(is_done)
    assert await outcomes(even) == [withheld, ("deleted", "delivered", [*fault, None]), *[delivered] * 3]
    assert [record.levelname for record in caplog.records if record.exc_info] == ["ERROR"] * 3
