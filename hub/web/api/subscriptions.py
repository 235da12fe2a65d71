"""Operations on subscriptions and their deliveries."""

from http import HTTPStatus

from aiohttp import hdrs

from hub.domain.directory import Directory
from hub.domain.member import Role
from hub.domain.timestamp import format_timestamp, parse_timestamp
from hub.domain.webhooks.delivery import Attempt
from hub.domain.webhooks.event import ChosenEvent, EventKind
from hub.domain.webhooks.signature import signing_key
from hub.domain.webhooks.subscription import Filter, Subscription
from hub.service import delivery_log, subscriptions
from hub.service.subscriptions import FilterWish, Wish
from hub.store.deliveries import LoggedDelivery
from hub.web.api import subscription_models as models
from hub.web.api.models import Listing, NamePage
from hub.web.api.operation import Call, Operation, page
from hub.web.api.render import moment


async def list_subscriptions(call: Call[NamePage]) -> Listing[models.Subscription]:
    """List the subscriptions of your member; an administrator sees all."""
    known = await subscriptions.list_subscriptions(call.hub, call.principal)
    found, following = page(known, call.sent, key=lambda one: str(one.id))
    return Listing[models.Subscription](items=[shown(call.directory, one) for one in found], next=following)


async def add_subscription(call: Call[models.NewSubscription]) -> models.SubscriptionWithKey:
    """Subscribe to events from now on. The endpoint is asked at once whether it agrees; until it does, it is sent nothing."""
    sent = call.sent
    added = await subscriptions.add_subscription(call.hub, call.directory, call.principal, wish_of(sent), member=sent.member)
    return with_key(call.directory, added)


async def get_subscription(call: Call[None]) -> models.Subscription:
    """Show a subscription."""
    return shown(call.directory, await subscriptions.get_subscription(call.hub, call.principal, call.path["subscription"]))


async def change_subscription(call: Call[models.SubscriptionChange]) -> models.Verification:
    """Change a subscription's name or where it goes. A new address is asked whether it agrees first; nothing that waits is lost."""
    found, problem = await subscriptions.change_subscription(call.hub, call.principal, call.path["subscription"], **call.sent.changes())
    return verification(call.directory, found, problem)


async def remove_subscription(call: Call[None]) -> models.Subscription:
    """End a subscription. Its log stays for a while."""
    return shown(call.directory, await subscriptions.remove_subscription(call.hub, call.principal, call.path["subscription"]))


async def pause_subscription(call: Call[None]) -> models.Subscription:
    """Send nothing for now. What happens meanwhile is sent afterwards."""
    return shown(call.directory, await subscriptions.pause_subscription(call.hub, call.principal, call.path["subscription"]))


async def resume_subscription(call: Call[None]) -> models.Subscription:
    """Send again what waits, also after the hub has disabled the endpoint."""
    return shown(call.directory, await subscriptions.resume_subscription(call.hub, call.principal, call.path["subscription"]))


async def verify_subscription(call: Call[None]) -> models.Verification:
    """Ask the endpoint whether it agrees to be sent events, where it has not agreed yet."""
    found, problem = await subscriptions.verify_subscription(call.hub, call.principal, call.path["subscription"])
    return verification(call.directory, found, problem)


async def send_test_event(call: Call[None]) -> models.Attempt:
    """Send a test event at once, and show what became of it."""
    now_us = call.hub.now_us()
    attempt = await subscriptions.send_test_event(call.hub, call.principal, call.path["subscription"])
    return shown_attempt(1, now_us, attempt)


async def rotate_subscription_key(call: Call[models.Rotation]) -> models.SubscriptionWithKey:
    """Make a new secret beside the present one, or drop the older of two. Messages are signed with each that is good."""
    added = await subscriptions.rotate_key(call.hub, call.principal, call.path["subscription"], finish=call.sent.finish)
    return with_key(call.directory, added)


async def list_deliveries(call: Call[models.DeliveryPage]) -> Listing[models.Delivery]:
    """List deliveries of a subscription with their attempts, the latest first."""
    sent = call.sent
    found = await delivery_log.list_deliveries(
        call.hub, call.principal, call.path["subscription"], before=sent.after, limit=sent.limit + 1, state=sent.state
    )
    shown_here = found[: sent.limit]
    following = shown_here[-1].row if len(found) > sent.limit else None
    return Listing[models.Delivery](items=[shown_delivery(one) for one in shown_here], next=following)


async def replay_deliveries(call: Call[models.NewReplay]) -> models.Replay:
    """Send deliveries again that are done, under their ids: one, or all that were made in a time; with `next`, the rest is asked for."""
    sent = call.sent
    replayed = await delivery_log.replay_deliveries(
        call.hub, call.principal, call.path["subscription"], id=sent.delivery,
        since_us=parse_timestamp(sent.since) if sent.since is not None else None,
        until_us=parse_timestamp(sent.until) if sent.until is not None else None, state=sent.state, after=sent.after,
    )  # fmt: skip
    return models.Replay(deliveries=replayed.deliveries, next=replayed.next)


def wish_of(sent: models.NewSubscription) -> Wish:
    """Return what was sent as the service takes it."""
    filter = dict(sent.filter) | {"events": [EventKind(event) for event in sent.filter.events]}
    return Wish(
        sent.name, sent.url, FilterWish(**filter), sent.format, sent.full, sent.ordered, sent.scheme, sent.key, sent.headers,
        sent.client_certificate, sent.ca, sent.private_cidrs,
    )  # fmt: skip


def shown(directory: Directory, value: Subscription) -> models.Subscription:
    """Show a subscription without its secrets."""
    endpoint = value.endpoint
    return models.Subscription(
        id=value.id, name=value.name, member=directory.members[value.member].slug, url=endpoint.url, filter=_filter(value.filter),
        format=value.format, full=value.full, ordered=value.ordered, scheme=signing_key(endpoint.keys[0]).scheme,
        secrets=len(endpoint.keys), headers=[name for name, _ in endpoint.headers],
        client_certificate=endpoint.client_certificate is not None, ca=endpoint.ca is not None, private_cidrs=list(endpoint.private_cidrs),
        state=value.state, reason=value.reason, verified_at=moment(value.verified_us), created_at=format_timestamp(value.created_us),
    )  # fmt: skip


def verification(directory: Directory, value: Subscription, problem: str | None) -> models.Verification:
    """Show a subscription, and why its endpoint does not agree."""
    return models.Verification(**shown(directory, value).model_dump(), problem=problem)


def with_key(directory: Directory, value: subscriptions.Added) -> models.SubscriptionWithKey:
    """Show a subscription with what its receiver needs, this once."""
    return models.SubscriptionWithKey(**shown(directory, value.subscription).model_dump(), key=value.key, problem=value.problem)


def shown_delivery(value: LoggedDelivery) -> models.Delivery:
    """Show a delivery with its attempts."""
    return models.Delivery(
        id=value.id, row=value.row, event=value.kind, collection=value.collection, sequence=value.sequence, state=value.state,
        created_at=format_timestamp(value.created_us), due_at=format_timestamp(value.due_us) if value.done_us is None else None,
        attempts=[shown_attempt(one.number, one.at_us, one.attempt) for one in value.attempts],
    )  # fmt: skip


def shown_attempt(number: int, at_us: int, attempt: Attempt) -> models.Attempt:
    """Show what became of one attempt."""
    return models.Attempt(
        number=number, at=format_timestamp(at_us), latency_ms=attempt.latency_us / 1_000, status=attempt.status, error=attempt.error,
        response=attempt.response,
    )  # fmt: skip


def _filter(value: Filter) -> models.Filter:
    return models.Filter(
        events=[ChosenEvent(event) for event in sorted(value.events)],
        collections=sorted(value.collections), types=sorted(value.types), tlp_max=value.tlp_max,
        sectors=sorted(value.sectors), topics=sorted(value.topics), severity=value.severity, producers=sorted(value.producers),
        values=sorted(value.values),
    )  # fmt: skip


_ONE = "/subscriptions/{subscription}"

OPERATIONS = (
    Operation(hdrs.METH_GET, "/subscriptions", list_subscriptions, takes=NamePage, gives=Listing[models.Subscription]),
    Operation(
        hdrs.METH_POST, "/subscriptions", add_subscription, Role.PUBLISHER,
        takes=models.NewSubscription, gives=models.SubscriptionWithKey, status=HTTPStatus.CREATED,
    ),
    Operation(hdrs.METH_GET, _ONE, get_subscription, gives=models.Subscription),
    Operation(
        hdrs.METH_PATCH, _ONE, change_subscription, Role.PUBLISHER, takes=models.SubscriptionChange, gives=models.Verification
    ),
    Operation(hdrs.METH_DELETE, _ONE, remove_subscription, Role.PUBLISHER, gives=models.Subscription),
    Operation(hdrs.METH_POST, f"{_ONE}/pause", pause_subscription, Role.PUBLISHER, gives=models.Subscription),
    Operation(hdrs.METH_POST, f"{_ONE}/resume", resume_subscription, Role.PUBLISHER, gives=models.Subscription),
    Operation(hdrs.METH_POST, f"{_ONE}/verify", verify_subscription, Role.PUBLISHER, gives=models.Verification),
    Operation(hdrs.METH_POST, f"{_ONE}/test", send_test_event, Role.PUBLISHER, gives=models.Attempt),
    Operation(
        hdrs.METH_POST, f"{_ONE}/key", rotate_subscription_key, Role.PUBLISHER, takes=models.Rotation, gives=models.SubscriptionWithKey
    ),
    Operation(hdrs.METH_GET, f"{_ONE}/deliveries", list_deliveries, takes=models.DeliveryPage, gives=Listing[models.Delivery]),
    Operation(hdrs.METH_POST, f"{_ONE}/replay", replay_deliveries, Role.PUBLISHER, takes=models.NewReplay, gives=models.Replay),
)  # fmt: skip
