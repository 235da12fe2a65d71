"""Changing a subscription's name or endpoint: nothing is lost, nobody is sent what it did not agree to. On both databases."""

import pytest

from hub.domain.member import Principal, Role
from hub.errors import Conflict, Invalid, Withheld
from hub.service.administer import COMMAND_LINE
from hub.service.audit import list_audit
from hub.service.subscriptions import Wish, add_subscription, change_subscription, get_subscription, pause_subscription, resume_subscription
from tests.sim.webhook_receiver import Receiver
from tests.taxii.content import indicator
from tests.taxii.site import Site
from tests.webhooks.hooks import LOOPBACK, subscribe, until_logged


async def test_what_waits_goes_to_a_new_address_signed_as_before(hooked: Site, receiver: Receiver, shared: str):
    added = await subscribe(hooked.hub, receiver.url, headers={"X-Team": "soc"})
    first, second, third = [indicator() for _ in range(3)]
    await hooked.agency.push(shared, first)
    await receiver.until(1)
    await pause_subscription(hooked.hub, COMMAND_LINE, added.subscription.id)
    await hooked.agency.push(shared, second)
    async with Receiver().serving() as elsewhere:
        changed, problem = await change_subscription(hooked.hub, COMMAND_LINE, added.subscription.id, url=elsewhere.url, name="new")
        assert (problem, changed.name, changed.state) == (None, "new", "paused")
        await resume_subscription(hooked.hub, COMMAND_LINE, added.subscription.id)
        await hooked.agency.push(shared, third)
        received = await elsewhere.until(2)
        assert sorted(elsewhere.objects) == sorted([second["id"], third["id"]])
        assert sorted(event["sequence"] for event in (m.data for m in received)) == [2, 3]
        assert len(elsewhere.verified(added.key)) == 2, "the secret is the same"
        assert all("x-team" not in message.headers for message in received), "another host was not told what the first one wants"
        await until_logged(hooked.hub, added, ["delivered"] * 3)
    assert receiver.objects == [first["id"]]


async def test_an_address_that_does_not_agree_changes_nothing(hooked: Site, receiver: Receiver, shared: str):
    added = await subscribe(hooked.hub, receiver.url)
    async with Receiver().serving() as elsewhere:
        elsewhere.agrees = False
        with pytest.raises(Conflict, match="nothing was changed"):
            await change_subscription(hooked.hub, COMMAND_LINE, added.subscription.id, url=elsewhere.url, name="new")
        assert await get_subscription(hooked.hub, COMMAND_LINE, added.subscription.id) == added.subscription
        await hooked.agency.push(shared, indicator())
        await receiver.until(1)
        assert elsewhere.received == []


async def test_who_never_agreed_is_asked_at_the_new_address(hooked: Site, receiver: Receiver, shared: str):
    receiver.agrees = False
    wish = Wish("test", receiver.url, private_cidrs=LOOPBACK)
    added = await add_subscription(hooked.hub, await hooked.hub.directory(), COMMAND_LINE, wish, member="energy")
    _, problem = await change_subscription(hooked.hub, COMMAND_LINE, added.subscription.id, name="still")
    assert problem is not None
    async with Receiver().serving() as elsewhere:
        changed, problem = await change_subscription(hooked.hub, COMMAND_LINE, added.subscription.id, url=elsewhere.url)
        assert problem is None
        assert changed.verified_us is not None
        await hooked.agency.push(shared, indicator())
        await elsewhere.until(1)
    assert receiver.received == []


async def test_what_the_same_host_wants_stays_unless_it_is_given(hooked: Site, receiver: Receiver, shared: str):
    added = await subscribe(hooked.hub, receiver.url, headers={"X-Team": "soc"})
    id = added.subscription.id
    moved, _ = await change_subscription(hooked.hub, COMMAND_LINE, id, url=f"{receiver.url}?place=2")
    assert moved.endpoint.headers == (("X-Team", "soc"),)
    given, _ = await change_subscription(hooked.hub, COMMAND_LINE, id, headers={"X-Team": "ops"})
    assert given.verified_us == added.subscription.verified_us, "the address is the same"
    await hooked.agency.push(shared, indicator())
    (received,) = await receiver.until(1)
    assert received.headers["x-team"] == "ops"
    with pytest.raises(Invalid, match="headers"):
        await change_subscription(hooked.hub, COMMAND_LINE, id, headers={"webhook-id": "mine"})
    for url in ("http://[::1", "nowhere"):
        with pytest.raises(Invalid, match="url"):
            await change_subscription(hooked.hub, COMMAND_LINE, id, url=url)
    trail = [line for line in await list_audit(hooked.hub, COMMAND_LINE, limit=100) if line.action == "subscription.change"]
    assert [line.detail["changed"] for line in trail] == ["headers", "url"], "the latest first"


async def test_who_is_no_administrator_moves_no_endpoint_into_private_networks(hooked: Site, receiver: Receiver):
    added = await subscribe(hooked.hub, receiver.url)
    member = (await hooked.hub.directory()).find_member("energy")
    publisher = Principal("token:energy", Role.PUBLISHER, member)
    async with Receiver().serving() as elsewhere:
        with pytest.raises(Withheld, match="administrator"):
            await change_subscription(hooked.hub, publisher, added.subscription.id, url=elsewhere.url)
        with pytest.raises(Withheld, match="administrator"):
            await change_subscription(hooked.hub, publisher, added.subscription.id, private_cidrs=["10.0.0.0/8"])
        assert elsewhere.connections == 0
    named, _ = await change_subscription(hooked.hub, publisher, added.subscription.id, name="ours")
    assert named.name == "ours"
