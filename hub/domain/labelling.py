"""From an object's markings, its producer and its collection to the label that policy looks at; and which of two labels is the looser."""

import json
from typing import Any

from hub.domain.label import Label, Severity, Tlp
from hub.domain.marking import Resolution
from hub.domain.member import Member
from hub.domain.taxii import Collection


def label_of(resolution: Resolution, producer: Member, collection: Collection) -> Label:
    """Return the label of content that `producer` sends to `collection` with these markings.

    TLP:RED, and whatever names recipients, is also for its producer.
    """
    narrow = resolution.recipients or resolution.tlp is Tlp.RED
    return Label(
        collection=collection.id,
        tlp=resolution.tlp,
        producer_kind=producer.kind,
        groups=resolution.groups,
        recipients=resolution.recipients | {producer.id} if narrow else frozenset(),
        sectors=resolution.sectors,
        topic=resolution.topic or collection.topic,
        severity=resolution.severity,
        unresolved=resolution.unresolved,
    )


def loosens(later: Label, earlier: Label) -> bool:
    """Whether `later` may let in somebody whom `earlier` leaves out: by colour, groups, recipients, sectors, urgency, or as it is resolved.

    What a site's policies make of a topic is not known here.
    """
    return (
        later.tlp.rank < earlier.tlp.rank
        or not earlier.groups <= later.groups
        or _widens(later.recipients, earlier.recipients)
        or _widens(later.sectors, earlier.sectors)
        or (later.severity is Severity.IMMINENT and earlier.severity is not Severity.IMMINENT)
        or (earlier.unresolved and not later.unresolved)
    )


def describe_change(earlier: Label, later: Label) -> dict[str, dict[str, Any]]:
    """Return what differs between two labels, as JSON: name -> {"from": …, "to": …}."""
    before, after = json.loads(earlier.canonical()), json.loads(later.canonical())
    return {name: {"from": before[name], "to": after[name]} for name in before if before[name] != after[name]}


def _widens(later: frozenset[str], earlier: frozenset[str]) -> bool:
    """Whether a set of those admitted, of which the empty one admits all, has grown."""
    return bool(earlier) and not (later and later <= earlier)
