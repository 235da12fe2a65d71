"""`hub subscription`: webhooks, made and looked after for a member."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from hub.cli.session import Json, show, show_one, with_hub
from hub.domain.label import Severity, Tlp
from hub.domain.timestamp import parse_timestamp
from hub.domain.webhooks.delivery import DeliveryState
from hub.domain.webhooks.event import ChosenEvent, EventKind
from hub.domain.webhooks.subscription import Format, Subscription
from hub.errors import Invalid
from hub.service import delivery_log, subscriptions
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.service.sending import sending
from hub.service.subscriptions import FilterWish, SubscriptionChanges, Wish
from hub.web.api import subscription_models as models
from hub.web.api import subscriptions as api

T = TypeVar("T")

app = typer.Typer(help="Webhooks: who is told of what, where, and what became of it.", no_args_is_help=True)

COLUMNS = ("id", "name", "member", "url", "format", "state", "verified_at", "reason")
LOG_COLUMNS = ("id", "event", "sequence", "state", "created_at", "due_at", "tries", "last")

Id = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Id of the subscription.")]


class LogLine(models.Delivery):
    """A delivery on one line."""

    tries: int
    last: str


@app.command("add")
def add_subscription(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    url: Annotated[str, typer.Argument(help="Where events are sent, https://….")],
    member: Annotated[str, typer.Option(help="Slug or id of the member that is told.")],
    event: Annotated[list[ChosenEvent] | None, typer.Option(help="Only these events.")] = None,
    collection: Annotated[list[str] | None, typer.Option(help="Only these collections, by id or alias.")] = None,
    type: Annotated[list[str] | None, typer.Option(help="Only these STIX types.")] = None,
    tlp_max: Annotated[Tlp | None, typer.Option(help="Nothing stricter.")] = None,
    sector: Annotated[list[str] | None, typer.Option(help="Only what concerns these sectors, or all.")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="Only these topics.")] = None,
    severity: Annotated[Severity | None, typer.Option(help="Only this severity.")] = None,
    producer: Annotated[list[str] | None, typer.Option(help="Only what these members gave, by id.")] = None,
    value: Annotated[list[str] | None, typer.Option(help="Only what names this address, domain (or one below), or hash.")] = None,
    format: Annotated[Format, typer.Option(help="The form of messages.")] = Format.CLOUDEVENTS,
    full: Annotated[bool, typer.Option("--full", help="Send the object itself, where its label and the endpoint allow that.")] = False,
    ordered: Annotated[bool, typer.Option("--ordered", help="One delivery at a time, each after the one before it.")] = False,
    scheme: Annotated[str, typer.Option(help="v1: a shared secret; v1a: Ed25519.")] = "v1",
    header: Annotated[list[str] | None, typer.Option(help="A header that the receiver wants, NAME:VALUE.")] = None,
    client_certificate: Annotated[Path | None, typer.Option(help="PEM with chain and private key.", exists=True)] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM with the authorities that alone count for this endpoint.", exists=True)] = None,
    private_cidr: Annotated[list[str] | None, typer.Option(help="A private network that is opened to this endpoint.")] = None,
    as_json: Json = False,
) -> None:
    """Subscribe a member to events from now on. The secret is printed this once."""
    events = [EventKind(chosen) for chosen in event or ()]
    given = FilterWish(
        events, collection or (), type or (), tlp_max, sector or (), topic or (), severity, producer or (), value or ()
    )  # fmt: skip

    async def work(hub: Hub) -> models.SubscriptionWithKey:
        wish = Wish(
            name, url, given, format, full, ordered, scheme, headers=dict(map(_header, header or ())),
            client_certificate=_text(client_certificate), ca=_text(ca), private_cidrs=private_cidr or (),
        )  # fmt: skip
        directory = await hub.directory()
        return api.with_key(directory, await subscriptions.add_subscription(hub, directory, COMMAND_LINE, wish, member=member))

    show_one(_reaching(ctx, work), as_json=as_json)


@app.command("list")
def list_subscriptions(ctx: typer.Context, as_json: Json = False) -> None:
    """List subscriptions."""

    async def work(hub: Hub) -> list[models.Subscription]:
        directory = await hub.directory()
        return [api.shown(directory, one) for one in await subscriptions.list_subscriptions(hub, COMMAND_LINE)]

    show(with_hub(ctx, work), COLUMNS, as_json=as_json)


@app.command("show")
def show_subscription(ctx: typer.Context, subscription: Id, as_json: Json = False) -> None:
    """Show a subscription."""
    show_one(_one(ctx, lambda hub: subscriptions.get_subscription(hub, COMMAND_LINE, subscription)), as_json=as_json)


@app.command("change")
def change_subscription(
    ctx: typer.Context,
    subscription: Id,
    name: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    url: Annotated[str | None, typer.Option(help="Where events are sent; asked first whether it agrees.")] = None,
    header: Annotated[list[str] | None, typer.Option(help='A header that the receiver wants, NAME:VALUE; these are all. "": none.')] = None,
    client_certificate: Annotated[str | None, typer.Option(help='PEM file with chain and private key. "": none.')] = None,
    ca: Annotated[str | None, typer.Option(help='PEM file with the authorities that alone count. "": the public ones.')] = None,
    private_cidr: Annotated[list[str] | None, typer.Option(help='A private network that is opened to it; these are all. "": none.')] = None,
    as_json: Json = False,
) -> None:
    """Change a name or an endpoint; what is not given stays, but headers and certificate are for one host. What waits is not lost."""

    def changes() -> SubscriptionChanges:
        found: SubscriptionChanges = {}
        if name is not None:
            found["name"] = name
        if url is not None:
            found["url"] = url
        if header is not None:
            found["headers"] = dict(map(_header, filter(None, header)))
        if client_certificate is not None:
            found["client_certificate"] = _text(Path(client_certificate) if client_certificate else None)
        if ca is not None:
            found["ca"] = _text(Path(ca) if ca else None)
        if private_cidr is not None:
            found["private_cidrs"] = list(filter(None, private_cidr))
        if not found:
            raise Invalid("say what to change: see --help")
        return found

    async def work(hub: Hub) -> models.Verification:
        found, problem = await subscriptions.change_subscription(hub, COMMAND_LINE, subscription, **changes())
        return api.verification(await hub.directory(), found, problem)

    show_one(_reaching(ctx, work), as_json=as_json)


@app.command("pause")
def pause_subscription(ctx: typer.Context, subscription: Id, as_json: Json = False) -> None:
    """Send nothing for now. What happens meanwhile is sent afterwards."""
    show_one(_one(ctx, lambda hub: subscriptions.pause_subscription(hub, COMMAND_LINE, subscription)), as_json=as_json)


@app.command("resume")
def resume_subscription(ctx: typer.Context, subscription: Id, as_json: Json = False) -> None:
    """Send again what waits, also after the hub has disabled the endpoint."""
    show_one(_one(ctx, lambda hub: subscriptions.resume_subscription(hub, COMMAND_LINE, subscription)), as_json=as_json)


@app.command("remove")
def remove_subscription(ctx: typer.Context, subscription: Id, as_json: Json = False) -> None:
    """End a subscription. Its log stays for a while."""
    show_one(_one(ctx, lambda hub: subscriptions.remove_subscription(hub, COMMAND_LINE, subscription)), as_json=as_json)


@app.command("test")
def send_test_event(ctx: typer.Context, subscription: Id, as_json: Json = False) -> None:
    """Ask the endpoint whether it agrees, where it has not yet, send a test event at once, and show what became of it."""

    async def work(hub: Hub) -> models.Attempt:
        now_us = hub.now_us()
        return api.shown_attempt(1, now_us, await subscriptions.send_test_event(hub, COMMAND_LINE, subscription))

    show_one(_reaching(ctx, work), as_json=as_json)


@app.command("rotate")
def rotate_key(
    ctx: typer.Context,
    subscription: Id,
    finish: Annotated[bool, typer.Option("--finish", help="Drop the older of two secrets.")] = False,
    as_json: Json = False,
) -> None:
    """Make a new secret beside the present one; it is printed this once. Messages are signed with each that is good."""

    async def work(hub: Hub) -> models.SubscriptionWithKey:
        return api.with_key(await hub.directory(), await subscriptions.rotate_key(hub, COMMAND_LINE, subscription, finish=finish))

    show_one(with_hub(ctx, work), as_json=as_json)


@app.command("log")
def list_deliveries(
    ctx: typer.Context,
    subscription: Id,
    state: Annotated[DeliveryState | None, typer.Option(help="Only those of which this became.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000)] = 50,
    as_json: Json = False,
) -> None:
    """List deliveries, the latest first; with --json, each attempt."""

    async def work(hub: Hub) -> list[models.Delivery]:
        found = await delivery_log.list_deliveries(hub, COMMAND_LINE, subscription, before=None, limit=limit, state=state)
        return [api.shown_delivery(one) for one in found]

    found = with_hub(ctx, work)
    show(found if as_json else [_line(one) for one in found], LOG_COLUMNS, as_json=as_json)


@app.command("replay")
def replay_deliveries(
    ctx: typer.Context,
    subscription: Id,
    delivery: Annotated[str | None, typer.Option(help="Id of one delivery.")] = None,
    since: Annotated[str | None, typer.Option(help="All that were made from this moment on, such as 2026-11-21T09:30:00Z.")] = None,
    until: Annotated[str | None, typer.Option(help="With --since: up to this moment.")] = None,
    state: Annotated[DeliveryState | None, typer.Option(help="Only those of which this became, such as dead.")] = None,
    as_json: Json = False,
) -> None:
    """Send deliveries again that are done, under their ids."""

    async def work(hub: Hub) -> models.Replay:
        since_us, until_us = (parse_timestamp(text) if text is not None else None for text in (since, until))
        until_us = until_us or hub.now_us()  # what is made meanwhile is none of it
        count, after = 0, None
        while True:
            replayed = await delivery_log.replay_deliveries(
                hub, COMMAND_LINE, subscription, id=delivery, since_us=since_us, until_us=until_us, state=state, after=after
            )
            count, after = count + replayed.deliveries, replayed.next
            if after is None:
                return models.Replay(deliveries=count, next=None)

    show_one(with_hub(ctx, work), as_json=as_json)


def _one(ctx: typer.Context, asked: Callable[[Hub], Awaitable[Subscription]]) -> models.Subscription:
    async def work(hub: Hub) -> models.Subscription:
        found = await asked(hub)
        return api.shown(await hub.directory(), found)

    return with_hub(ctx, work)


def _reaching(ctx: typer.Context, work: Callable[[Hub], Awaitable[T]]) -> T:
    """Run what sends something itself."""

    async def reaching(hub: Hub) -> T:
        async with sending(hub):
            return await work(hub)

    return with_hub(ctx, reaching)


def _line(delivery: models.Delivery) -> LogLine:
    last = delivery.attempts[-1] if delivery.attempts else None
    told = "" if last is None else last.error or f"{last.status} in {last.latency_ms:.0f} ms"
    return LogLine(**delivery.model_dump(), tries=len(delivery.attempts), last=told)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise Invalid("--header: write NAME:VALUE")
    return name.strip(), value.strip()


def _text(path: Path | None) -> str | None:
    try:
        return path.read_text(encoding="utf-8") if path is not None else None
    except (OSError, UnicodeDecodeError) as e:
        raise Invalid(f"{path}: it cannot be read: {e}") from e
