"""From an object's markings, its producer and its collection to the label that policy looks at."""

from hub.domain.label import Label, Tlp
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
