"""Labels: everything about a version that policy may look at.

Versions with equal labels share one row, so policy is asked once per (member, label), never per object.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from hub.domain.ids import CollectionId, GroupId, MemberId
from hub.domain.member import MemberKind, Standing


class Tlp(StrEnum):
    """Traffic Light Protocol 2.0 (FIRST, August 2022), from the widest to the narrowest."""

    CLEAR = "clear"
    GREEN = "green"
    AMBER = "amber"
    AMBER_STRICT = "amber+strict"
    RED = "red"

    @property
    def rank(self) -> int:
        """0 for CLEAR to 4 for RED."""
        return _RANKS[self]


_RANKS = {tlp: rank for rank, tlp in enumerate(Tlp)}


class Severity(StrEnum):
    """How urgent the content is; `imminent` is what the safety floor looks at."""

    ROUTINE = "routine"
    IMMINENT = "imminent"


class Attribution(StrEnum):
    """To whom a producer is known, from the widest to the narrowest."""

    EVERYONE = "everyone"
    AGENCIES = "agencies"
    HUB = "hub"

    @property
    def rank(self) -> int:
        """0 for everyone to 2 for the hub only."""
        return list(Attribution).index(self)


@dataclass(frozen=True, slots=True)
class Label:
    """What policy may look at, for the versions of one collection. Equal labels are one row of the store.

    A version that is older than one with another label is *narrowed*: it may be seen only by who may see both. The store keeps
    that as a row of its own whose parts are the plain labels; policy is asked about the parts only.
    """

    collection: CollectionId
    tlp: Tlp
    producer_kind: MemberKind
    groups: frozenset[GroupId] = frozenset()  # only members of all of these; empty: no sharing group
    recipients: frozenset[MemberId] = frozenset()  # TLP:RED is for these only
    sectors: frozenset[str] = frozenset()  # the sectors that it concerns; empty: all
    topic: str = "threat"  # "threat", "ip-protection", "vulnerability", ... open vocabulary
    severity: Severity = Severity.ROUTINE
    producer: MemberId | None = None  # set only where the audience would otherwise leave out the producer itself
    unresolved: bool = False  # carries a marking definition that the hub does not know
    reciprocal: bool = False  # the producer lets it take part in reciprocal release: policies may hold it back by standing
    standing_min: Standing = Standing.OBSERVER  # the standing that the source asks of a reader
    mandatory: bool = False  # a report that a law obliges, not a voluntary one
    for_regulators: bool = False  # the source said that regulators may see it
    attribution: Attribution = Attribution.EVERYONE  # to whom its producer is known
    anonymous: bool = False  # the rendition in which nothing names or links its producer

    def canonical(self) -> str:
        """Return the label as JSON with sorted keys: equal labels give equal text."""
        return _canonical(self)

    def digest(self) -> bytes:
        """Return the SHA-256 of `canonical()`."""
        return hashlib.sha256(_canonical(self).encode()).digest()

    def for_any_producer(self) -> "Label":
        """Return the label as it would be if any other kind of member had produced the content."""
        return replace(self, producer_kind=MemberKind.AGENCY)

    @classmethod
    def from_canonical(cls, text: str) -> "Label":
        """Return the label that `canonical()` wrote."""
        d = json.loads(text)
        return cls(
            collection=d["collection"],
            tlp=Tlp(d["tlp"]),
            producer_kind=MemberKind(d["producer_kind"]),
            groups=frozenset(d["groups"]),
            recipients=frozenset(d["recipients"]),
            sectors=frozenset(d["sectors"]),
            topic=d["topic"],
            severity=Severity(d["severity"]),
            producer=d["producer"],
            unresolved=d["unresolved"],
            reciprocal=d.get("reciprocal", False),
            standing_min=Standing(d.get("standing_min", Standing.OBSERVER)),
            mandatory=d.get("mandatory", False),
            for_regulators=d.get("for_regulators", False),
            attribution=Attribution(d.get("attribution", Attribution.EVERYONE)),
            anonymous=d.get("anonymous", False),
        )


_LATER = {
    "reciprocal": False,
    "standing_min": Standing.OBSERVER,
    "mandatory": False,
    "for_regulators": False,
    "attribution": Attribution.EVERYONE,
    "anonymous": False,
}


@lru_cache(maxsize=10_000)
def _canonical(label: Label) -> str:
    # What came to labels later is left out where it says nothing, so labels stored earlier keep their digests.
    later = {name: value for name, plain in _LATER.items() if (value := getattr(label, name)) != plain}
    return json.dumps(
        {
            "collection": label.collection,
            "groups": sorted(label.groups),
            "producer": label.producer,
            "producer_kind": label.producer_kind,
            "recipients": sorted(label.recipients),
            "sectors": sorted(label.sectors),
            "severity": label.severity,
            "tlp": label.tlp,
            "topic": label.topic,
            "unresolved": label.unresolved,
            **later,
        },
        sort_keys=True,
        separators=(",", ":"),
    )
