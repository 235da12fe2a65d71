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
        reciprocal=collection.reciprocal if resolution.reciprocal is None else resolution.reciprocal,
        standing_min=resolution.standing_min,
        mandatory=resolution.mandatory,
        for_regulators=resolution.for_regulators,
    )


def loosens(later: Label, earlier: Label) -> bool:
    """Whether `later` may let in somebody whom `earlier` leaves out: by colour, audience, urgency, release or attribution.

    What a site's policies make of a topic is not known here.
    """
    return (
        later.tlp.rank < earlier.tlp.rank
        or not earlier.groups <= later.groups
        or _widens(later.recipients, earlier.recipients)
        or _widens(later.sectors, earlier.sectors)
        or (later.severity is Severity.IMMINENT and earlier.severity is not Severity.IMMINENT)
        or (earlier.unresolved and not later.unresolved)
        or (earlier.reciprocal and not later.reciprocal)
        or later.standing_min.rank < earlier.standing_min.rank
        or (later.mandatory and not earlier.mandatory)
        or (later.for_regulators and not earlier.for_regulators)
        or later.attribution.rank < earlier.attribution.rank
    )


def describe_change(earlier: Label, later: Label) -> dict[str, dict[str, Any]]:
    """Return what differs between two labels, as JSON: name -> {"from": …, "to": …}."""
    before, after = json.loads(earlier.canonical()), json.loads(later.canonical())
    names = sorted(before.keys() | after.keys())
    return {name: {"from": before.get(name), "to": after.get(name)} for name in names if before.get(name) != after.get(name)}


def _widens(later: frozenset[str], earlier: frozenset[str]) -> bool:
    """Whether a set of those admitted, of which the empty one admits all, has grown."""
    return bool(earlier) and not (later and later <= earlier)
