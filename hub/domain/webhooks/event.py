"""Events: what happened, and the JSON in which receivers are told.

* An event is made for one receiver: it names only what that receiver may see, and `hub.service` asks policy again before each sending.
* It is thin: ids, the label, where to fetch. The object itself stands in it only where `Item.content` does, unchanged, byte for byte;
  one that is larger than CONTENT_BYTES_MAX is left to be fetched.
* `sequence` rises by one from event to event of a receiver and collection: who gets 7 after 5 knows that 6 is to come, or fetches it.
* Of a label, receivers are told colour, sectors, topic and severity; whom it was for is nobody's business but the hub's.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import quote

import msgspec
import orjson

from hub.domain.ids import CollectionId, StixId
from hub.domain.label import Severity, Tlp
from hub.domain.timestamp import format_timestamp

CLOUDEVENTS_TYPE = "application/cloudevents+json"
JSON_TYPE = "application/json"
CONTENT_BYTES_MAX = 16_384  # Standard Webhooks asks for bodies of about 20 KB at most
_TYPE_PREFIX = "fusion-hub."  # CloudEvents asks for types that tell whose they are


class EventKind(StrEnum):
    """What happened. Subscriptions choose among them; those from `TEST` on are sent without being asked for."""

    ADDED = "added"
    UPDATED = "updated"
    REVOKED = "revoked"
    DELETED = "deleted"
    ADVISORY_IMMINENT = "advisory.imminent"
    REPORT_REQUESTED = "report.requested"
    STANDING_CHANGED = "standing.changed"
    KEY_COMPROMISED = "key.compromised"
    TEST = "test"
    ENDPOINT_DISABLED = "endpoint.disabled"


class ChosenEvent(StrEnum):
    """What happened, as far as a filter can name it."""

    ADDED = EventKind.ADDED.value
    UPDATED = EventKind.UPDATED.value
    REVOKED = EventKind.REVOKED.value
    DELETED = EventKind.DELETED.value
    ADVISORY_IMMINENT = EventKind.ADVISORY_IMMINENT.value
    REPORT_REQUESTED = EventKind.REPORT_REQUESTED.value
    STANDING_CHANGED = EventKind.STANDING_CHANGED.value
    KEY_COMPROMISED = EventKind.KEY_COMPROMISED.value


class Item(msgspec.Struct, frozen=True):  # each delivery makes one, and an event; a dataclass takes several times as long to make
    """The object that an event is about, as its receiver may know it."""

    root: str  # the slug of the API Root
    collection: CollectionId
    collection_title: str
    object_id: StixId
    version: str | None  # as TAXII writes it; None where all versions are meant
    tlp: Tlp
    sectors: tuple[str, ...] = ()  # none: all
    topic: str = "threat"
    severity: Severity = Severity.ROUTINE
    content: bytes | None = None  # the object as it is stored; None: to be fetched

    @property
    def type(self) -> str:
        """The object's STIX type."""
        return self.object_id.partition("--")[0]


class Event(msgspec.Struct, frozen=True):
    """Something that happened, for one receiver."""

    id: str  # a UUID, and the same at each attempt
    kind: EventKind
    at_us: int
    item: Item | None = None
    sequence: int | None = None  # within the receiver's events of `item.collection`
    subject: str | None = None  # what it is about, where that is no object
    facts: Mapping[str, str | int | bool | None] = msgspec.field(default_factory=dict)  # what else there is to tell

    @property
    def is_urgent(self) -> bool:
        """Whether it overtakes everything else."""
        return self.kind is EventKind.ADVISORY_IMMINENT or (self.item is not None and self.item.severity is Severity.IMMINENT)


def cloud_event(event: Event, base_url: str) -> bytes:
    """Return an event in the structured JSON form of CloudEvents 1.0.

    Args:
        base_url: the hub's address without a last slash; "" where it has none that members know, which makes addresses relative.
    """
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"{base_url}{_collection_path(event.item) if event.item is not None else '/'}",
        "type": f"{_TYPE_PREFIX}{event.kind}",
        "time": format_timestamp(event.at_us),
        "datacontenttype": JSON_TYPE,
    }
    subject = event.item.object_id if event.item is not None else event.subject
    if subject is not None:
        envelope["subject"] = subject
    return orjson.dumps(envelope | {"data": _data(event, base_url)})


def plain_event(event: Event, base_url: str) -> bytes:
    """Return an event in the form that Standard Webhooks suggests: `type`, `timestamp`, `data`."""
    return orjson.dumps({"type": event.kind, "timestamp": format_timestamp(event.at_us), "data": _data(event, base_url)})


def _data(event: Event, base_url: str) -> dict[str, Any]:
    data: dict[str, Any] = {"event": event.kind}
    if event.sequence is not None:
        data["sequence"] = event.sequence
    if event.item is None:
        return data | ({"subject": event.subject} if event.subject is not None else {}) | dict(event.facts)
    item = event.item
    data |= {"collection": item.collection, "object_id": item.object_id, "object_type": item.type}
    data |= {"tlp": item.tlp, "sectors": item.sectors, "topic": item.topic, "severity": item.severity}
    if item.version is not None:
        data["version"] = item.version
    if event.kind is not EventKind.DELETED:
        data["url"] = f"{base_url}{_collection_path(item)}objects/{quote(item.object_id)}/{_exactly(item.version)}"
    if item.content is not None and len(item.content) <= CONTENT_BYTES_MAX:
        data["object"] = orjson.Fragment(item.content)
    return data | dict(event.facts)


def _collection_path(item: Item) -> str:
    return f"/taxii2/{item.root}/collections/{item.collection}/"


def _exactly(version: str | None) -> str:
    return f"?match%5Bversion%5D={quote(version, safe=':')}" if version is not None else ""
