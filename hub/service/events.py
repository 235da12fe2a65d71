"""Events: what a receiver is told of a happening, if policy lets it know of it at this very moment.

Between the making of a delivery and its sending a member may have lost access, a version may have been narrowed, or deleted. So an event
is made of what stands in the member's view when it is sent, and of nothing that was kept before.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from hub.domain.directory import Directory, HeldCollection
from hub.domain.ids import MemberId
from hub.domain.label import Label, Tlp
from hub.domain.webhooks.event import CONTENT_BYTES_MAX, Event
from hub.domain.webhooks.subscription import Subscription
from hub.service.context import Hub
from hub.service.happenings import parts_of, view_of
from hub.service.telling import tell_beside, tell_entry
from hub.service.view import Seen
from hub.store.feed import bodies
from hub.store.happened import HUB_ROW, HappenedEntry, StoredEvent, entries_happened, events_at
from hub.store.lanes import Taken

_OPEN = frozenset({Tlp.CLEAR, Tlp.GREEN})  # content under these may go to any endpoint


async def events_for(hub: Hub, directory: Directory, wanted: Sequence[tuple[Taken, Subscription]]) -> dict[int, Event]:
    """Return the events of deliveries by their rows; those are missing of which the member may not know at this moment."""
    held_by_row = {held.row: held for held in directory.collections.values()}
    by_collection: dict[int, list[tuple[Taken, Subscription]]] = {}
    for taken, subscription in wanted:
        by_collection.setdefault(taken.collection_row, []).append((taken, subscription))
    events: dict[int, Event] = {}
    for row, group in by_collection.items():
        events.update(await _Telling(hub, directory, held_by_row.get(row), row).tell(group))
    return events


def may_be_full(subscription: Subscription, labels: Iterable[Label], size: int) -> bool:
    """Whether an event holds the object itself: wanted, not too large, and either open or for an endpoint that proves who it is."""
    if not subscription.full or size > CONTENT_BYTES_MAX:
        return False
    endpoint = subscription.endpoint
    is_mutual = endpoint.client_certificate is not None and urlsplit(endpoint.url).scheme == "https"
    return is_mutual or all(label.tlp in _OPEN for label in labels)


@dataclass(slots=True)
class _Telling:
    """Makes the events of deliveries of one collection, or of none."""

    hub: Hub
    directory: Directory
    held: HeldCollection | None
    collection_row: int
    _seen: dict[MemberId, Seen | None] = field(default_factory=dict)

    async def tell(self, group: Sequence[tuple[Taken, Subscription]]) -> dict[int, Event]:
        if self.held is None and self.collection_row != HUB_ROW:
            return {}
        rows = [taken.version_row for taken, _ in group if taken.version_row is not None]
        dates = [taken.at_us for taken, _ in group if taken.version_row is None]
        full = [taken.version_row for taken, subscription in group if subscription.full and taken.version_row is not None]
        async with self.hub.db.read() as conn:
            entries = await entries_happened(conn, self.collection_row, rows) if rows else {}
            stored = await events_at(conn, self.collection_row, dates) if dates else {}
            whole = await bodies(conn, full) if full else {}
        told: dict[int, Event] = {}
        for taken, subscription in group:
            if taken.version_row is not None:
                entry = entries.get(taken.version_row)
                event = await self._entry(taken, subscription, entry, whole) if entry is not None else None
            else:
                event = await self._beside(taken, subscription, stored[taken.at_us]) if taken.at_us in stored else None
            if event is not None:
                told[taken.row] = event
        return told

    async def _sees(self, id: MemberId) -> Seen | None:
        if id not in self._seen:
            member = self.directory.members.get(id)
            seen = await view_of(self.hub, self.directory, member, self.held) if member is not None and self.held is not None else None
            self._seen[id] = seen
        return self._seen[id]

    async def _entry(self, taken: Taken, subscription: Subscription, entry: HappenedEntry, whole: dict[int, bytes]) -> Event | None:
        seen = await self._sees(subscription.member)
        if seen is None or self.held is None or entry.place.effective_us(seen.view, seen.clock_us) is None:
            return None
        labels = (await parts_of(self.hub, self.collection_row, [entry.place.label]))[entry.place.label]
        body = whole.get(entry.version_row)
        content = body if body is not None and may_be_full(subscription, labels, len(body)) else None
        return tell_entry(
            self.held, entry, labels, id=taken.id, kind=taken.kind, at_us=taken.at_us, sequence=taken.sequence, content=content
        )  # fmt: skip

    async def _beside(self, taken: Taken, subscription: Subscription, stored: StoredEvent) -> Event | None:
        member = self.directory.members.get(subscription.member)
        if member is None or member.suspended:
            return None
        seen = await self._sees(member.id)
        if not stored.concerns(member.id, seen.view if seen is not None else None):
            return None
        labels = (await parts_of(self.hub, self.collection_row, [stored.label]))[stored.label] if stored.label is not None else ()
        return tell_beside(self.held, stored, labels, id=taken.id, sequence=taken.sequence)
