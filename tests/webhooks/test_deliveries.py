"""Webhooks as a whole: what is pushed over TAXII reaches those who subscribed, well signed, and nobody else. On both databases."""

from collections import Counter
from functools import partial

import pytest
from aiohttp import web
from sqlalchemy import func, select
from svix.webhooks import Webhook as SvixWebhook

from hub.domain.marking import SHARING_EXTENSION
from hub.domain.member import Standing
from hub.domain.taxii import Right
from hub.domain.webhooks.event import EventKind
from hub.domain.webhooks.schedule import ATTEMPTS_MAX
from hub.errors import Conflict, Withheld
from hub.service.administer import COMMAND_LINE
from hub.service.collections import revoke_right
from hub.service.delivery_log import replay_deliveries
from hub.service.members import change_member, resume_member, suspend_member
from hub.service.subscriptions import FilterWish, Wish, add_subscription, get_subscription, pause_subscription, resume_subscription
from hub.store.database import prepare
from hub.store.tables import table
from tests.sim.webhook_receiver import Received, Receiver
from tests.taxii.community import SHARED
from tests.taxii.content import DAY_2, DAY_3, indicator, version_of
from tests.taxii.site import Site
from tests.web.administered import administered
from tests.webhooks.hooks import LOOPBACK, log_of, pass_time, subscribe, until, until_logged

_COUNT_DELIVERIES = prepare(select(func.count()).select_from(table("delivery")))
IMMINENT = {SHARING_EXTENSION: {"extension_type": "property-extension", "severity": "imminent"}}


async def test_a_push_reaches_a_receiver_that_checks_it_with_the_published_libraries(hooked: Site, receiver: Receiver, shared: str):
    added = await subscribe(hooked.hub, receiver.url)
    objects = [indicator() for _ in range(3)]
    await hooked.agency.push(shared, *objects)
    received = await receiver.until(3)
    assert sorted(receiver.objects) == sorted(o["id"] for o in objects)
    assert [event["type"] for event in receiver.verified(added.key)] == ["fusion-hub.added"] * 3
    for message in received:
        SvixWebhook(added.key).verify(message.body, message.headers)
        assert message.id == message.json["id"]
    assert sorted(message.data["sequence"] for message in received) == [1, 2, 3]
    logged = await until_logged(hooked.hub, added, ["delivered"] * 3)
    assert [(one.attempts[0].attempt.status, len(one.attempts)) for one in logged] == [(200, 1)] * 3
    assert {one.id for one in logged} == {message.id for message in received}


async def test_versions_revocation_and_deletion_are_told_as_such(hooked: Site, receiver: Receiver, shared: str):
    await subscribe(hooked.hub, receiver.url, ordered=True)
    first = indicator()
    for version in (first, version_of(first, DAY_2), version_of(first, DAY_3, revoked=True)):
        await hooked.agency.push(shared, version)
    await receiver.until(3)  # what is deleted before it is sent is never sent
    await hooked.agency.send("DELETE", f"{shared}objects/{first['id']}/", query="match[version]=all")
    received = await receiver.until(4)
    assert receiver.kinds == ["added", "updated", "revoked", "deleted"]
    assert [message.data["sequence"] for message in received] == [1, 2, 3, 4]
    assert set(receiver.objects) == {first["id"]}
    assert "url" not in received[3].data


async def test_only_what_the_filter_takes_is_sent(hooked: Site, receiver: Receiver, shared: str):
    filter = FilterWish(events=[EventKind.UPDATED], types=["indicator"], values=["198.51.100.0", "evil.example"])
    await subscribe(hooked.hub, receiver.url, filter=filter)
    other, named = indicator(), indicator(pattern="[domain-name:value = 'mail.evil.example']")
    await hooked.agency.push(shared, other, named)
    await hooked.agency.push(shared, version_of(other, DAY_2), version_of(named, DAY_2))
    await receiver.until(1)
    await hooked.agency.push(shared, version_of(named, DAY_3))
    await receiver.until(2)
    assert set(receiver.objects) == {named["id"]}


async def test_what_fails_is_sent_again_under_the_same_id_and_given_up_at_last(hooked: Site, receiver: Receiver, shared: str):
    added = await subscribe(hooked.hub, receiver.url)

    async def refuse(_: Received) -> web.Response:
        return web.Response(status=500, text="no\x00t \x1b[31mnow" + "x" * 5_000)

    receiver.answer = refuse
    await hooked.agency.push(shared, indicator())
    for number in range(1, ATTEMPTS_MAX + 1):
        await receiver.until(number)
        await until_logged(hooked.hub, added, ["waiting" if number < ATTEMPTS_MAX else "dead"], attempts=number)
        pass_time(hooked.hub, 1.2 * 86_400)
        if (await get_subscription(hooked.hub, COMMAND_LINE, added.subscription.id)).state == "disabled":
            await resume_subscription(hooked.hub, COMMAND_LINE, added.subscription.id)
    (logged,) = await log_of(hooked.hub, added)
    assert [one.number for one in logged.attempts] == list(range(1, ATTEMPTS_MAX + 1))
    assert {message.id for message in receiver.received} == {logged.id}
    response = logged.attempts[0].attempt.response
    assert response.startswith("no t  [31mnow")
    assert len(response) <= 2_048
    # A dead letter is delivered when somebody asks for it again.
    receiver.answer = None
    assert (await replay_deliveries(hooked.hub, COMMAND_LINE, added.subscription.id, id=logged.id)).deliveries == 1
    (logged,) = await until_logged(hooked.hub, added, ["delivered"])
    assert len(logged.attempts) == ATTEMPTS_MAX + 1


async def test_who_loses_access_between_event_and_sending_gets_nothing(hooked: Site, receiver: Receiver, shared: str):
    added = await subscribe(hooked.hub, receiver.url)

    async def refuse(_: Received) -> web.Response:
        return web.Response(status=500)

    receiver.answer = refuse
    await hooked.agency.push(shared, indicator())
    await until_logged(hooked.hub, added, ["waiting"])
    await receiver.until(1)
    receiver.answer = None
    await revoke_right(hooked.hub, COMMAND_LINE, SHARED.id, Right.READ, "everyone")
    pass_time(hooked.hub, 60)
    await until_logged(hooked.hub, added, ["withheld"])
    assert len(receiver.received) == 1, "nothing since it lost access"


async def test_a_suspended_member_is_told_nothing_and_catches_up_when_it_returns(hooked: Site, receiver: Receiver, shared: str):
    added = await subscribe(hooked.hub, receiver.url)
    async with Receiver().serving() as other:
        await subscribe(hooked.hub, other.url, "water")
        await suspend_member(hooked.hub, COMMAND_LINE, "energy")
        indicated = indicator()
        await hooked.agency.push(shared, indicated)
        await other.until(1)
    assert receiver.received == []
    assert await log_of(hooked.hub, added) == []
    await resume_member(hooked.hub, COMMAND_LINE, "energy")
    await receiver.until(1)
    assert receiver.objects == [indicated["id"]]


async def test_an_endpoint_that_is_gone_is_disabled_and_its_member_told(hooked: Site, receiver: Receiver, shared: str):
    gone = await subscribe(hooked.hub, receiver.url, name="gone")

    async def answer(_: Received) -> web.Response:
        return web.Response(status=410)

    receiver.answer = answer
    async with Receiver().serving() as other:
        await subscribe(hooked.hub, other.url, name="there")
        await hooked.agency.push(shared, indicator())
        await other.until(2)
        notice = next(message for message in other.received if message.json["type"] == "fusion-hub.endpoint.disabled")
        assert (notice.data["name"], notice.data["reason"]) == ("gone", "it answered 410 Gone")
    found = await get_subscription(hooked.hub, COMMAND_LINE, gone.subscription.id)
    assert (found.state, found.reason) == ("disabled", "it answered 410 Gone")
    await until_logged(hooked.hub, gone, ["waiting"])
    receiver.answer = None
    await resume_subscription(hooked.hub, COMMAND_LINE, gone.subscription.id)
    pass_time(hooked.hub, 60)
    await until_logged(hooked.hub, gone, ["delivered"])


async def test_what_happens_during_a_pause_is_sent_after_it(hooked: Site, receiver: Receiver, shared: str):
    added = await subscribe(hooked.hub, receiver.url)
    await pause_subscription(hooked.hub, COMMAND_LINE, added.subscription.id)
    with pytest.raises(Conflict, match="paused"):
        await pause_subscription(hooked.hub, COMMAND_LINE, added.subscription.id)
    objects = [indicator() for _ in range(5)]
    await hooked.agency.push(shared, *objects)
    async with Receiver().serving() as other:
        await subscribe(hooked.hub, other.url, "water")
        await hooked.agency.push(shared, indicator())
        await other.until(1)
    # What was being made when the pause began may wait already; it is not sent.
    assert [one.attempts for one in await log_of(hooked.hub, added) if one.attempts] == []
    assert receiver.objects == []
    await resume_subscription(hooked.hub, COMMAND_LINE, added.subscription.id)
    await receiver.until(6)
    assert {o["id"] for o in objects} < set(receiver.objects)


async def test_an_imminent_threat_overtakes_what_waits(hooked: Site, receiver: Receiver, shared: str):
    filter = FilterWish(events=[EventKind.ADDED, EventKind.ADVISORY_IMMINENT])
    await subscribe(hooked.hub, receiver.url, ordered=True, filter=filter)
    go_on = receiver.hold()
    await hooked.agency.push(shared, *(indicator() for _ in range(5)))
    await receiver.until(1)
    urgent = indicator(extensions=IMMINENT)
    await hooked.agency.push(shared, urgent)
    await until(lambda: _has_made(hooked, 6))
    go_on.set()
    await receiver.until(6)
    assert receiver.objects[1] == urgent["id"]
    assert receiver.kinds[1] == "advisory.imminent"
    assert Counter(receiver.kinds) == {"added": 5, "advisory.imminent": 1}


async def _has_made(site: Site, count: int) -> bool:
    async with site.hub.db.read() as conn:
        return bool(await conn.fetch_value(_COUNT_DELIVERIES) == count)


async def test_a_time_is_replayed_under_the_same_ids(hooked: Site, receiver: Receiver, shared: str):
    added = await subscribe(hooked.hub, receiver.url)
    await hooked.agency.push(shared, *(indicator() for _ in range(3)))
    logged = await until_logged(hooked.hub, added, ["delivered"] * 3)
    assert await replay_deliveries(hooked.hub, COMMAND_LINE, added.subscription.id, since_us=logged[0].created_us) == (3, None)
    await receiver.until(6)
    assert set(Counter(message.id for message in receiver.received).values()) == {2}


async def test_only_the_member_concerned_is_told_of_its_standing(hooked: Site, receiver: Receiver, shared: str):
    await subscribe(hooked.hub, receiver.url, "energy")
    async with Receiver().serving() as other:
        await subscribe(hooked.hub, other.url, "water")
        await change_member(hooked.hub, COMMAND_LINE, "energy", standing=Standing.PARTNER)
        await receiver.until(1)
        await hooked.agency.push(shared, indicator())
        await other.until(1)
        assert other.kinds == ["added"]
    told = receiver.received[0]
    assert told.json["type"] == "fusion-hub.standing.changed"
    assert (told.data["before"], told.data["standing"]) == ("observer", "partner")


async def test_a_tier_opens_so_many_subscriptions(hooked: Site, receiver: Receiver):
    for _ in range(2):
        await subscribe(hooked.hub, receiver.url, "observer")
    with pytest.raises(Withheld, match="opens 2 subscriptions"):
        await subscribe(hooked.hub, receiver.url, "observer")


async def test_an_endpoint_that_does_not_agree_is_sent_nothing(hooked: Site, receiver: Receiver, shared: str):
    receiver.agrees = False
    wish = Wish("test", receiver.url, private_cidrs=LOOPBACK)
    added = await add_subscription(hooked.hub, await hooked.hub.directory(), COMMAND_LINE, wish, member="energy")
    assert added.problem is not None
    async with Receiver().serving() as other:
        await subscribe(hooked.hub, other.url, "water")
        await hooked.agency.push(shared, indicator())
        await other.until(1)
    assert receiver.received == []


async def test_the_api_adds_a_subscription_and_sends_a_test_event(database_url: str, receiver: Receiver):
    async with administered(database_url, webhooks_allow_http=True, webhooks_ports=()) as site:
        receiver.agrees = False
        wanted = {"name": "soc", "url": receiver.url, "member": "energy", "private_cidrs": list(LOOPBACK), "format": "plain"}
        added = (await site.ask("admin", "POST", "/subscriptions", wanted)).json
        assert "status 404" in added["problem"]
        test = f"/subscriptions/{added['id']}/test"
        refused = await site.ask("publisher", "POST", test)
        assert (refused.status, "has not agreed" in refused.detail) == (409, True)
        receiver.agrees = True
        tested = await site.ask("publisher", "POST", test)
        assert (tested.status, tested.json["status"], tested.json["error"]) == (200, 200, None)
        (event,) = receiver.verified(added["key"])
        assert (event["type"], event["data"]["subject"]) == ("test", "soc")
        assert (await site.get("publisher", f"/subscriptions/{added['id']}")).json["verified_at"] is not None
        receiver.answer = partial(_answer_with, 503)
        tested = await site.ask("publisher", "POST", test)
        assert (tested.status, tested.json["status"]) == (200, 503), "the request went well, and the endpoint did not take it"


async def _answer_with(status: int, _: Received) -> web.Response:
    return web.Response(status=status)
