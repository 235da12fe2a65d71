"""The shapes of subscriptions and deliveries. `hub.web.api.models` says what is common to all shapes."""

from typing import Annotated, Literal

from pydantic import MISSING, Field

from hub.domain.label import Severity, Tlp
from hub.domain.naming import NAME_CHARS_MAX
from hub.domain.webhooks.delivery import DeliveryState
from hub.domain.webhooks.event import ChosenEvent, EventKind
from hub.domain.webhooks.subscription import VALUES_MAX, Format, SubscriptionState
from hub.web.api.models import Given, Moment, Name, PageQuery, Reference, Shown

_Words = Annotated[list[Name], Field(max_length=100)]
Pem = Annotated[str, Field(max_length=65_536, description="PEM")]


class Filter(Given):
    """What a subscription is about. What is empty leaves nothing out; what several fields ask for must all be so."""

    events: list[ChosenEvent] = Field([], description="none: all")
    collections: _Words = Field([], description="ids or aliases; none: all that the member may read, also those to come")
    types: _Words = Field([], description="STIX types")
    tlp_max: Tlp | None = Field(None, description="nothing stricter")
    sectors: _Words = Field([], description="what concerns one of these, or all sectors")
    topics: _Words = Field([])
    severity: Severity | None = None
    producers: _Words = Field([], description="ids of members")
    values: list[Annotated[str, Field(max_length=NAME_CHARS_MAX + 100)]] = Field(
        [], max_length=VALUES_MAX, description="addresses, domains (and all below), hashes: what names one of them"
    )


class NewSubscription(Given):
    """A subscription to be added."""

    name: Name
    url: Annotated[str, Field(max_length=2_048)]
    member: Reference | None = Field(None, description="only an administrator names another's than its own")
    filter: Filter = Field(default_factory=lambda: Filter.model_validate({}))
    format: Format = Format.CLOUDEVENTS
    full: bool = Field(default=False, description="send the object itself where its label and the endpoint allow")
    ordered: bool = Field(default=False, description="one delivery at a time, each after the one before it")
    scheme: Literal["v1", "v1a"] = Field("v1", description="v1: a shared secret; v1a: Ed25519")
    key: Annotated[str, Field(max_length=200)] | None = Field(None, description="the secret that the receiver has already, whsec_…")
    headers: dict[str, str] = Field({}, description="that the receiver wants")
    client_certificate: Pem | None = Field(None, description="chain and private key, PEM")
    ca: Pem | None = Field(None, description="authorities that alone count for this endpoint, PEM")
    private_cidrs: _Words = Field([], description="private networks that are opened to this endpoint; only an administrator opens any")


class SubscriptionChange(Given):
    """What is to change of a subscription."""

    name: Name | MISSING = MISSING
    url: Annotated[str, Field(max_length=2_048)] | MISSING = Field(MISSING, description="has to agree before it counts")
    headers: dict[str, str] | MISSING = Field(MISSING, description="all that the receiver wants; gone at another host unless given")
    client_certificate: Pem | MISSING | None = Field(MISSING, description="chain and private key, PEM; likewise")
    ca: Pem | MISSING | None = Field(MISSING, description="authorities that alone count for this endpoint, PEM")
    private_cidrs: _Words | MISSING = Field(MISSING, description="only an administrator changes them, or the address of who has any")


class Subscription(Shown):
    """A subscription, without its secrets."""

    id: str
    name: str
    member: str
    url: str
    filter: Filter
    format: Format
    full: bool
    ordered: bool
    scheme: str
    secrets: int = Field(description="how many are good: two while they rotate")
    headers: list[str] = Field(description="names of the receiver's own headers")
    client_certificate: bool = Field(description="whether the hub shows one")
    ca: bool = Field(description="whether the endpoint has authorities of its own")
    private_cidrs: list[str]
    state: SubscriptionState
    reason: str | None = Field(description="why it is disabled")
    verified_at: Moment | None = Field(description="when the endpoint agreed; null: not yet, and it is sent nothing")
    created_at: Moment


class SubscriptionWithKey(Subscription):
    """A subscription with what its receiver needs to check messages, this once."""

    key: str = Field(description="the shared secret (whsec_…), or the public key (whpk_…)")
    problem: str | None = Field(description="why the endpoint has not agreed yet")


class Verification(Subscription):
    """A subscription, and whether its endpoint agrees."""

    problem: str | None = Field(description="why the endpoint does not agree; null: it does")


class Rotation(Given):
    """What to do with a subscription's secrets."""

    finish: bool = Field(default=False, description="false: make a new one beside the present one; true: drop the older of two")


class Attempt(Shown):
    """What became of sending a message once."""

    number: int
    at: Moment
    latency_ms: float
    status: int | None = Field(description="of the answer; null: there was none")
    error: str | None = Field(description="why there was none")
    response: str = Field(description="how the answer began")


class Delivery(Shown):
    """One event on its way to one endpoint."""

    id: str = Field(description="`webhook-id`, the same at each attempt")
    row: int
    event: EventKind
    collection: str | None
    sequence: int = Field(description="rises by one from delivery to delivery of a subscription and collection")
    state: DeliveryState
    created_at: Moment
    due_at: Moment | None = Field(description="when it is sent, or sent again; null: it is done")
    attempts: list[Attempt]


class DeliveryPage(PageQuery[int]):
    """Which page of the log of deliveries."""

    after: int | None = Field(None, ge=1, le=2**63 - 1, description="`next` of the page before")
    state: DeliveryState | None = None


class NewReplay(Given):
    """What to send again: one delivery, or all that were made in a time."""

    delivery: Annotated[str, Field(max_length=36)] | None = None
    since: Moment | None = None
    until: Moment | None = None
    state: DeliveryState | None = Field(None, description="only those of which this became")
    after: int | None = Field(None, ge=1, le=2**62, description="`next` of the answer before: goes on from there")


class Replay(Shown):
    """What was put in line again."""

    deliveries: int = Field(description="how many, at most 10,000 at a time")
    next: int | None = Field(description="there may be more: ask the same again with this as `after`")
