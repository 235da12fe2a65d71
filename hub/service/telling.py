"""From what happened to what a receiver is told: by webhooks, which are sent later, and by the stream, which is read at once."""

from collections.abc import Sequence

from hub.domain.directory import HeldCollection
from hub.domain.ids import StixId
from hub.domain.label import Label, Severity, Tlp
from hub.domain.webhooks.event import Event, EventKind, Item
from hub.store.happened import HappenedEntry, StoredEvent


def tell_entry(
    held: HeldCollection, entry: HappenedEntry, labels: Sequence[Label], *, id: str, kind: EventKind, at_us: int,
    sequence: int | None = None, content: bytes | None = None,
) -> Event:  # fmt: skip
    """Return the event of an entry that came into view.

    Args:
        labels: the plain labels of the entry, of which all hold.
        content: the object, where it may be sent and is wanted.
    """
    item = _item(held, StixId(entry.stix_id), entry.version, labels, content)
    return Event(id, kind, at_us, item, sequence)


def tell_beside(
    held: HeldCollection | None, stored: StoredEvent, labels: Sequence[Label], *, id: str, sequence: int | None = None
) -> Event:  # fmt: skip
    """Return the event of what happened beside the feed.

    Args:
        held: its collection; None where it belongs to none.
        labels: the plain labels of the entry that it is about, if it is about one.
    """
    if held is not None and labels:
        item = _item(held, StixId(stored.subject), stored.version, labels, None)
        return Event(id, stored.kind, stored.date_us, item, sequence, facts=stored.facts)
    return Event(id, stored.kind, stored.date_us, None, sequence, stored.subject, stored.facts)


def _item(held: HeldCollection, object_id: StixId, version: str | None, labels: Sequence[Label], content: bytes | None) -> Item:
    """Return an object as its receiver may know it: as strict as the strictest of its labels, and about all that one of them is about."""
    collection = held.collection
    return Item(
        root=collection.api_root,
        collection=collection.id,
        collection_title=collection.title,
        object_id=object_id,
        version=version,
        tlp=max((label.tlp for label in labels), key=lambda tlp: tlp.rank, default=Tlp.RED),
        sectors=()
        if not all(label.sectors for label in labels)
        else tuple(sorted({sector for label in labels for sector in label.sectors})),
        topic=labels[-1].topic if labels else "threat",
        severity=Severity.IMMINENT if any(label.severity is Severity.IMMINENT for label in labels) else Severity.ROUTINE,
        content=content,
    )
