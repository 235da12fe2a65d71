"""What happened in collections, as one member may be told of it: new entries of its view, and what happened beside the feed.

The feed is the outbox. What came into a view after a date is read from the feed whenever somebody asks, so a push writes nothing for it,
nothing can be missed, and what is read twice is the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from hub.domain.directory import Directory, HeldCollection
from hub.domain.feed import View
from hub.domain.ids import LabelId
from hub.domain.item_facts import keys_of
from hub.domain.label import Label, Severity
from hub.domain.marking import sharing_of
from hub.domain.member import Member
from hub.domain.reporting import wanted_of
from hub.domain.taxii import ALL_VERSIONS, Grantee, audiences_of
from hub.domain.webhooks.event import EventKind
from hub.domain.webhooks.subscription import Happening
from hub.service.context import Hub
from hub.service.view import Seen, may_read, see
from hub.store.feed import Selection, bodies, list_labels, page_of_keys
from hub.store.happened import HUB_ROW, HappenedEntry, StoredEvent, entries_happened, events_after, producers_of
from hub.store.subscriptions import Held, load_subscriptions, read_edition

PAGE = 200  # happenings that are read at a time
_PAGE_BYTES_MAX = 4_000_000  # of objects that are looked into at a time
_LOOKED_INTO_MAX = 16  # deleted versions, whose sizes nobody kept, at a time


@dataclass(frozen=True, slots=True)
class Happened:
    """One thing that happened: an entry that came into view, or something beside the feed."""

    at_us: int  # effective date of the entry, or date by the collection's clock
    happening: Happening
    entry: HappenedEntry | None = None
    stored: StoredEvent | None = None
    asked: frozenset[Grantee] = frozenset()  # for a report back, of those who see it
    moved_from_us: int | None = None  # effective date under which the same version was in view, until it came anew

    @property
    def is_urgent(self) -> bool:
        """Whether it is about an imminent threat."""
        return any(label.severity is Severity.IMMINENT for label in self.happening.labels)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happened after some date, in order; there is nothing else up to `end_us`."""

    happened: tuple[Happened, ...]
    end_us: int


def as_told_after(happened: Happened, caught_up_us: int) -> Happened:
    """Return what happened as it is told to who had been told all when the clock stood there: what it was told before is updated."""
    entry, before_us = happened.entry, happened.moved_from_us
    if entry is None or before_us is None or not before_us <= caught_up_us < entry.place.date_us:
        return happened
    happening = happened.happening
    kinds = tuple(EventKind.UPDATED if kind is EventKind.ADDED else kind for kind in happening.kinds)
    return replace(happened, happening=replace(happening, kinds=kinds))


async def subscribed(hub: Hub) -> Held:
    """Return all subscriptions as they are now; those are read that have changed."""
    async with hub.db.read() as conn:
        edition = await read_edition(conn)
    return await subscribed_since(hub, edition)


async def subscribed_since(hub: Hub, edition: int) -> Held:
    """Return all subscriptions as they were at this edition, or later."""
    held = hub.kept.subscribed
    if held is None or held.edition < edition:
        async with hub.db.snapshot() as conn:
            held = hub.kept.subscribed = await load_subscriptions(conn, hub.secret, held)
    return held


async def view_of(hub: Hub, directory: Directory, member: Member, held: HeldCollection) -> Seen | None:
    """Return what a member sees of a collection now, or None where it may not read it."""
    return await see(hub, directory, member, held) if await may_read(hub, directory, member, held.collection) else None


@dataclass(slots=True)
class Reading:
    """Reads what happened, once for all members whose views are alike. Made for one moment and thrown away."""

    hub: Hub
    wants_observables: bool = False  # whether a filter looks at what objects name
    _stretches: dict[tuple[object, ...], Stretch] = field(default_factory=dict)

    async def of_collection(
        self, held: HeldCollection, seen: Seen, member: Member, after_us: int, *, urgent: bool | None = None
    ) -> Stretch:
        """Return what happened in a member's view of a collection after a date.

        Args:
            urgent: only what is about imminent threats; or only what is not; None: both.
        """
        view = seen.view
        key = (held.row, view.plain, tuple(view.special.items()), seen.clock_us, after_us, urgent)
        stretch = self._stretches.get(key)
        if stretch is None:
            stretch = self._stretches[key] = await self._read(held, seen, after_us, urgent=urgent)
        return _for_member(stretch, member, seen)

    async def of_hub(self, member: Member, after_us: int, clock_us: int) -> Stretch:
        """Return what happened that belongs to no collection, after a date and up to that clock."""
        key = (HUB_ROW, after_us, clock_us)
        stretch = self._stretches.get(key)
        if stretch is None:
            stored, end_us = await self._events(HUB_ROW, after_us, clock_us)
            stretch = self._stretches[key] = Stretch(tuple(Happened(e.date_us, Happening((e.kind,)), stored=e) for e in stored), end_us)
        return _for_member(stretch, member, None)

    async def _read(self, held: HeldCollection, seen: Seen, after_us: int, *, urgent: bool | None) -> Stretch:
        view, plan = seen.view, seen.plan
        if urgent:
            view, plan = await self._urgent_part(held, view), "seek"
        async with self.hub.db.read() as conn:
            keys = await page_of_keys(conn, held.row, view, plan, Selection(after_us, seen.clock_us, PAGE, ALL_VERSIONS))
            end_us = keys[-1][0] if len(keys) == PAGE else seen.clock_us
            keys, end_us = _fitting(keys, end_us)
            entries = await entries_happened(conn, held.row, [row for _, row, _ in keys])
            found = await bodies(conn, list(entries))
        stored: list[StoredEvent] = []
        if not urgent:
            stored, end_us = await self._events(held.row, after_us, end_us)
        labels = await parts_of(self.hub, held.row, [e.place.label for e in entries.values()] + [e.label for e in stored if e.label])
        happened = [
            self._entry(held, seen, entries[row], at_us, found[row], labels[entries[row].place.label])
            for at_us, row, _ in keys
            if at_us <= end_us and row in found and entries[row].place.effective_us(seen.view, seen.clock_us) is not None
        ]
        if urgent is False:
            happened = [one for one in happened if not one.is_urgent]
        happened += await self._beside(held, stored, labels)
        return Stretch(tuple(sorted(happened, key=lambda one: one.at_us)), end_us)

    async def _urgent_part(self, held: HeldCollection, view: View) -> View:
        labels = await parts_of(self.hub, held.row, [*view.plain, *view.special])
        urgent = {id for id, parts in labels.items() if any(label.severity is Severity.IMMINENT for label in parts)}
        plain = tuple(label for label in view.plain if label in urgent)
        return View(plain, {label: segments for label, segments in view.special.items() if label in urgent}, everything=False)

    async def _events(self, collection_row: int, after_us: int, until_us: int) -> tuple[list[StoredEvent], int]:
        async with self.hub.db.read() as conn:
            stored = await events_after(conn, collection_row, after_us=after_us, until_us=until_us, limit=PAGE)
        return stored, stored[-1].date_us if len(stored) == PAGE else until_us

    async def _beside(
        self, held: HeldCollection, stored: Sequence[StoredEvent], labels: Mapping[LabelId, tuple[Label, ...]]
    ) -> list[Happened]:  # fmt: skip
        """Return what was written down about objects; filters look at what is gone as they looked at it while it was there."""
        async with self.hub.db.read() as conn:
            producers = await producers_of(conn, {event.gone[0] for event in stored if event.gone})
        named = await self._named_by([row for event in stored for row in event.gone])
        happened = []
        for event in stored:
            known = labels[event.label] if event.label is not None else ()
            producer = producers[event.gone[0]] if event.gone else None  # all versions of an object have one
            observables = frozenset[str]().union(*(named.get(row, ()) for row in event.gone))
            happening = Happening((event.kind,), held.collection.id, known, event.subject.partition("--")[0], producer, observables)
            happened.append(Happened(event.date_us, happening, stored=event))
        return happened

    async def _named_by(self, version_rows: Sequence[int]) -> dict[int, frozenset[str]]:
        """Return what versions name, by row, where a filter looks at it."""
        named: dict[int, frozenset[str]] = {}
        for first in range(0, len(version_rows) if self.wants_observables else 0, _LOOKED_INTO_MAX):
            async with self.hub.db.read() as conn:
                found = await bodies(conn, version_rows[first : first + _LOOKED_INTO_MAX])
            named.update({row: keys_of(orjson.loads(body)) for row, body in found.items()})
        return named

    def _entry(
        self, held: HeldCollection, seen: Seen, entry: HappenedEntry, at_us: int, body: bytes, labels: tuple[Label, ...]
    ) -> Happened:  # fmt: skip
        properties = orjson.loads(body)
        is_known = entry.before is not None and entry.before.effective_us(seen.view, seen.clock_us) is not None
        kinds = [EventKind.UPDATED if is_known else EventKind.ADDED]
        wanted = wanted_of(sharing_of(properties))
        if wanted is not None:
            kinds.insert(0, EventKind.REPORT_REQUESTED)
        if any(label.severity is Severity.IMMINENT for label in labels):
            kinds.insert(0, EventKind.ADVISORY_IMMINENT)
        if properties.get("revoked") is True:
            kinds.insert(0, EventKind.REVOKED)
        observables = keys_of(properties) if self.wants_observables else frozenset[str]()
        happening = Happening(tuple(kinds), held.collection.id, labels, entry.type, entry.producer, observables)
        moved_from_us = entry.moved_from.effective_us(seen.view, entry.place.date_us) if entry.moved_from is not None else None
        asked = wanted.audience if wanted is not None else frozenset[Grantee]()
        return Happened(at_us, happening, entry, asked=asked, moved_from_us=moved_from_us)


async def parts_of(hub: Hub, collection_row: int, labels: Iterable[LabelId]) -> Mapping[LabelId, tuple[Label, ...]]:
    """Return the plain labels that all have to be visible for each of `labels`: one, but for narrowed versions."""
    wanted = set(labels)
    known = hub.kept.parts
    if not wanted <= known.keys():
        async with hub.db.read() as conn:
            stored = {label.id: label for label in await list_labels(conn, collection_row)}
        for label in stored.values():
            known[label.id] = tuple(Label.from_canonical(stored[part].canonical) for part in label.parts)
    return {label: known[label] for label in wanted}


def _fitting(keys: list[tuple[int, int, int]], end_us: int) -> tuple[list[tuple[int, int, int]], int]:
    """Return so many of the first keys that their objects can be looked into together; one always can."""
    total = 0
    for n, (_, _, size) in enumerate(keys):
        total += size
        if n and total > _PAGE_BYTES_MAX:
            return keys[:n], keys[n - 1][0]
    return keys, end_us


def _for_member(stretch: Stretch, member: Member, seen: Seen | None) -> Stretch:
    """Leave out what is for others, and that they are asked; and what is about an entry that this member does not see."""
    if all(one.stored is None and not one.asked for one in stretch.happened):
        return stretch
    told = (_told(one, member, seen) for one in stretch.happened)
    return Stretch(tuple(one for one in told if one is not None), stretch.end_us)


def _told(happened: Happened, member: Member, seen: Seen | None) -> Happened | None:
    event = happened.stored
    if event is not None:
        return happened if event.concerns(member.id, seen.view if seen is not None else None) else None
    happening = happened.happening
    if not happened.asked or (happening.producer != member.id and not happened.asked.isdisjoint(audiences_of(member))):
        return happened
    kinds = tuple(kind for kind in happening.kinds if kind is not EventKind.REPORT_REQUESTED)
    return replace(happened, happening=replace(happening, kinds=kinds))
