"""Subscriptions: who is told what, where and in which form.

* A subscription belongs to a member and never tells more than that member may see: its filter only leaves out.
* An empty set in a filter leaves nothing out. What several properties ask for must all be so.
* A narrowed version has several labels. It is as strict as the strictest, and concerns all that one of them concerns.
"""

import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from hub.domain.ids import CollectionId, MemberId, SubscriptionId
from hub.domain.label import Label, Severity, Tlp
from hub.domain.webhooks.event import ChosenEvent, EventKind
from hub.errors import Invalid

CHOSEN_EVENTS = frozenset(EventKind(event) for event in ChosenEvent)
VALUES_MAX = 1_000  # in one filter
HEADERS_MAX = 16
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", re.ASCII)
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]{0,2046}[!-~])?", re.ASCII)
_OWN_HEADERS = frozenset(
    """accept-encoding connection content-encoding content-length content-type cookie expect host keep-alive te trailer transfer-encoding
    upgrade user-agent""".split()
)
_HASH = re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{56}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}", re.ASCII)
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)+", re.ASCII)


class Format(StrEnum):
    """The form in which a receiver is told."""

    CLOUDEVENTS = "cloudevents"
    PLAIN = "plain"
    SLACK = "slack"
    TEAMS = "teams"
    MATTERMOST = "mattermost"


class SubscriptionState(StrEnum):
    """Whether events are sent."""

    ACTIVE = "active"
    PAUSED = "paused"  # by its member; what happens meanwhile is sent afterwards
    DISABLED = "disabled"  # by the hub: the endpoint is gone, or has failed for long
    REMOVED = "removed"  # kept for its log only


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events are sent, and how the two sides know each other."""

    url: str
    keys: tuple[str, ...] = field(default=(), repr=False)  # to sign with, `whsec_…` or `whsk_…`; two while they rotate, the newest first
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # that the receiver wants beside those of the hub
    client_certificate: str | None = field(default=None, repr=False)  # PEM: the chain and its private key
    ca: str | None = None  # PEM: the authorities that alone count for this endpoint; None: the public ones
    private_cidrs: tuple[str, ...] = ()  # networks that are closed to others and open to this endpoint; only an admin sets them


@dataclass(frozen=True, slots=True)
class Happening:
    """What filters look at."""

    kinds: tuple[EventKind, ...]  # what it can be told as, the most telling first
    collection: CollectionId | None = None  # None: it belongs to none
    labels: tuple[Label, ...] = ()  # all of these hold; none where policy has no say
    type: str | None = None  # STIX type of the object
    producer: MemberId | None = None  # as its receiver may know it
    observables: frozenset[str] = frozenset()  # as `item_facts.keys_of` has them


@dataclass(frozen=True, slots=True)
class Filter:
    """What a subscription is about. What nobody chooses, everybody is told whom it concerns."""

    events: frozenset[EventKind] = CHOSEN_EVENTS
    collections: frozenset[CollectionId] = frozenset()
    types: frozenset[str] = frozenset()
    tlp_max: Tlp | None = None  # nothing stricter
    sectors: frozenset[str] = frozenset()  # that concern one of these, or all
    topics: frozenset[str] = frozenset()
    severity: Severity | None = None
    producers: frozenset[MemberId] = frozenset()
    values: frozenset[str] = frozenset()  # as `checked_value` returns them: objects that name one of these

    def kind_of(self, happening: Happening) -> EventKind | None:
        """Return what the happening is told as, or None where it is left out."""
        kind = next((kind for kind in happening.kinds if kind in self.events or kind not in CHOSEN_EVENTS), None)
        if kind is None or happening.collection is None:
            return kind
        if self.collections and happening.collection not in self.collections:
            return None
        fits = self._takes_labels(happening.labels) and self._takes_object(happening)
        return kind if fits else None

    def _takes_object(self, happening: Happening) -> bool:
        if self.types and happening.type not in self.types:
            return False
        if self.producers and happening.producer not in self.producers:
            return False
        return not self.values or any(value in self.values for key in happening.observables for value in _named_by(key))

    def _takes_labels(self, labels: Collection[Label]) -> bool:
        if self.tlp_max is not None and any(label.tlp.rank > self.tlp_max.rank for label in labels):
            return False
        if self.sectors and not any(not label.sectors or label.sectors & self.sectors for label in labels):
            return False
        if self.topics and not any(label.topic in self.topics for label in labels):
            return False
        return self.severity is None or any(label.severity is self.severity for label in labels)


@dataclass(frozen=True, slots=True)
class Subscription:
    """A member's wish to be told, and where."""

    id: SubscriptionId
    row: int  # stands for the id wherever that is stored many times
    member: MemberId
    name: str
    endpoint: Endpoint
    filter: Filter = Filter()
    format: Format = Format.CLOUDEVENTS
    full: bool = False  # wants the object itself in the event, where its label and the endpoint allow that
    ordered: bool = False  # one delivery at a time, each after the one before it
    state: SubscriptionState = SubscriptionState.ACTIVE
    reason: str | None = None  # why it is disabled
    verified_us: int | None = None  # when the endpoint agreed to be sent events; None: not yet, and it is sent none
    created_us: int = 0
    created_by: str = ""  # the credential


def checked_value(text: str) -> str:
    """Return an address, a domain or a hash, as filters compare it.

    Raises:
        Invalid: it is none of these.
    """
    value = text.strip().rstrip(".").lower()
    if _HASH.fullmatch(value):
        return value
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        if _DOMAIN.fullmatch(value) and not value.rpartition(".")[2].isdecimal():
            return value
    else:
        if "%" not in value:
            return str(address)
    raise Invalid(f"values: {text[:80]!r} is no IP address (without zeros in front, and without a zone), domain name or hash")


def _named_by(observable: str) -> Iterable[str]:
    """Return what a filter may name to get an observable: the address, the hash, the domain and all domains above it."""
    kind, _, value = observable.partition(":")
    if kind == "file":
        yield value.partition(":")[2]
    elif kind in ("ipv4-addr", "ipv6-addr"):
        yield _address(value)
    elif kind == "domain-name":
        yield from _with_parents(value)
    elif kind == "email-addr":
        yield from _with_parents(value.rpartition("@")[2])
    elif kind == "url":
        host = _host(value)
        yield _address(host)
        yield from _with_parents(host)


def _with_parents(domain: str) -> Iterable[str]:
    while domain:
        yield domain
        domain = domain.partition(".")[2]


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""


def checked_headers(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return headers that a receiver wants, if they are in order and none is the hub's own.

    Raises:
        Invalid: there are too many, or one is not as it should be.
    """
    found = tuple(headers)
    if len(found) > HEADERS_MAX:
        raise Invalid(f"headers: at most {HEADERS_MAX}")
    for name, value in found:
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            raise Invalid(f"headers: {name[:64]!r} is no header of visible ASCII characters")
        if name.lower() in _OWN_HEADERS or name.lower().startswith(("webhook-", "proxy-", "sec-")):
            raise Invalid(f"headers: {name} is for the hub to set")
    return found
