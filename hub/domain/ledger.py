"""The ledger: what members gave and what came of it, event by event; and what is known of items, accounts and owners because of it.

The values here are mutable where assessment (`hub.domain.assessment`) brings them up to date; `new` and `changed` say what to write.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

from hub.domain.ids import LabelId, MemberId
from hub.domain.member import Member, Standing
from hub.domain.scoring import MICRO, ItemFacts, Verdict, verdict_of
from hub.domain.standing import Account, Ground
from hub.domain.standing_rules import EventKind, Kind, StandingRules

PUBLIC_TOPIC = "public-source"  # the topic of a collection that holds public feeds and warning lists: what is in it is news to nobody

_NO_DETAIL: Mapping[str, Any] = MappingProxyType({})


class LedgerKind(StrEnum):
    """What happened."""

    JOINED = "joined"  # the member was added; detail: standing, where an administrator gave one; grace, where it has that
    GRANTED = "granted"  # an administrator gave it a standing; detail: standing
    ACCEPTED = "accepted"  # a version that it pushed was accepted
    DELETED = "deleted"  # it deleted what was left of an object in a collection
    RULED = "ruled"  # an item of its was ruled true or false; detail: verdict, reason, by
    PRACTISED = "practised"  # it did something for joint practice; detail: kind, reason, by
    CONTESTED = "contested"  # it contests an event; detail: reason
    ANSWERED = "answered"  # a reviewer answered; detail: upheld, reason, by
    LIFTED = "lifted"  # two officers of the hub learnt that it produced a rendition; detail: object, reason, by
    MOVED = "moved"  # it came to another standing; detail: before, standing, why


class LedgerEvent(NamedTuple):  # a tuple, as one is made for each line that is read
    """A line of the ledger. `row` numbers the lines in the order in which they were written."""

    row: int
    at_us: int
    member: MemberId
    kind: LedgerKind
    version_row: int | None = None
    collection_row: int | None = None
    label: LabelId | None = None
    subject: int | None = None  # the line that this one is about
    detail: Mapping[str, Any] = _NO_DETAIL


class Given(NamedTuple):
    """An accepted version, read again to be assessed."""

    object_row: int
    stix_id: str
    alias: str | None  # of an object whose producer is not named to all
    properties: Mapping[str, Any]
    observables: frozenset[str]
    keys: frozenset[str]  # what stands for them in the store
    public: bool  # it came to a collection of public sources
    audience: frozenset[str]  # sectors of the members who may read the collection


class Shown(NamedTuple):
    """Under which label something stands in which collection, since when, and whose it is: what decides who may see it."""

    member: MemberId
    collection_row: int
    label: LabelId
    at_us: int


@dataclass(slots=True)
class Item:
    """An object that counts as given. Shares are in millionths."""

    row: int  # of the ledger
    object_row: int
    stix_id: str
    alias: str | None  # the id by which others know it, where its producer is not named
    version_row: int
    member: MemberId
    collection_row: int
    label: LabelId
    at_us: int
    day: int
    kind: Kind
    observed_us: int
    novelty: int
    vouched: int
    relevance: int
    context: int
    usability: int
    related: frozenset[str]
    ruled: Verdict
    ruled_us: int | None
    retracted_us: int | None
    quality: int
    credit: int
    audit: bool
    new: bool = False
    changed: bool = False

    @property
    def shown(self) -> Shown:
        """What decides who may see it."""
        return Shown(self.member, self.collection_row, self.label, self.at_us)

    def verdict(self, rules: StandingRules) -> Verdict:
        """Return what counts of its truth."""
        if self.retracted_us is None:
            return self.ruled
        return verdict_of(rules, received_us=self.at_us, ruled=self.ruled, ruled_us=self.ruled_us, retracted_us=self.retracted_us)

    def facts(self, rules: StandingRules) -> ItemFacts:
        """Return what its quality depends on."""
        return ItemFacts(
            self.kind, self.observed_us, self.at_us, self.novelty / MICRO, self.vouched / MICRO, self.relevance / MICRO,
            self.context / MICRO, self.usability / MICRO, self.verdict(rules),
        )  # fmt: skip


@dataclass(slots=True)
class Observable:
    """An observable that the hub holds, by the hash of its normal form."""

    item: int | None  # the first item with it
    public: bool
    new: bool = False
    changed: bool = False


@dataclass(slots=True)
class Counted:
    """Feedback, practice or a ruling, as it counts."""

    row: int  # of the ledger
    member: MemberId
    kind: EventKind
    day: int
    credit: int  # millionths; 0 where it earned nothing, or nothing yet
    item: int | None = None
    stance: str = ""  # of an opinion: "agree" or "disagree"
    new: bool = False
    changed: bool = False


@dataclass(slots=True)
class Held:
    """A member's account, and the tier that it came to."""

    member: MemberId
    sums: Account = field(default_factory=Account)
    feedback_day: int = 0
    feedback_count: int = 0
    nil_day: int = 0
    grace_until_day: int | None = None
    granted: Standing | None = None
    granted_until_day: int | None = None
    earned: Standing = Standing.OBSERVER
    ground: Ground = Ground.SCORE
    cents: int = 0
    new: bool = False
    changed: bool = False


@dataclass(slots=True)
class Pair:
    """How often two owners vouched for each other, under forward decay."""

    mass: int = 0
    new: bool = False
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Credited:
    """An event that weighs in a member's account, and the object that it is about."""

    row: int
    kind: EventKind
    day: int
    credit: int
    stix_id: str | None
    alias: str | None = None  # the id by which others know the object, where its producer is not named
    own: bool = True  # the object is the member's own


@dataclass(frozen=True, slots=True)
class Contest:
    """An event that a member contests, and what a reviewer answered."""

    row: int
    event: int
    member: MemberId
    at_us: int
    reason: str
    reviewer: str | None
    answered_us: int | None
    upheld: bool | None
    answer: str | None


def owner_of(member: Member) -> str:
    """Return who owns a member in the end, as far as it is registered; itself where nobody is."""
    return member.owner or member.id


def observable_key(observable: str) -> str:
    """Return what stands for a normalised observable in the store: short, and no list of what was reported."""
    return hashlib.blake2b(observable.encode(), digest_size=16).hexdigest()


def is_drawn(secret: bytes, count: int, rules: StandingRules) -> bool:
    """Whether the item that `count` others came before is ruled upon at random: one of each block, which only the hub's key tells.

    So nobody can choose what is looked at, and never less than the share of the rules is.
    """
    if rules.audit.share_min <= 0:
        return False
    size = math.floor(1 / rules.audit.share_min)
    block, place = divmod(count, size)
    return _drawn_of(secret, block, size) == place


@lru_cache(maxsize=64)
def _drawn_of(secret: bytes, block: int, size: int) -> int:
    """Return the place in a block of the item that is drawn."""
    return int.from_bytes(hashlib.blake2b(b"audit %d" % block, digest_size=8, key=secret).digest()) % size


def read_detail(text: str) -> Mapping[str, Any]:
    """Return what the store holds of an event's detail."""
    if not text:
        return _NO_DETAIL
    detail: Mapping[str, Any] = json.loads(text)
    return detail
