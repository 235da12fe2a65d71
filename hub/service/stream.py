"""The live stream: what happens, told to a member at once, in the order in which it comes into its view.

It is read from the feed as webhooks are (`hub.service.happenings`), so nothing is kept for it, and who comes back with the `id` of the
last event misses nothing. Policy is asked when a page is read, and of who is told slowly, again after a moment.
"""

import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from hub.domain.directory import Directory, HeldCollection
from hub.domain.member import Member, Principal
from hub.domain.taxii import ObjectPage
from hub.domain.webhooks.event import CONTENT_BYTES_MAX, Event, EventKind
from hub.domain.webhooks.position import StreamPosition, seal, unseal
from hub.domain.webhooks.subscription import Filter
from hub.errors import Withheld
from hub.service.context import Hub
from hub.service.happenings import Happened, Reading, as_told_after, view_of
from hub.service.report_backs import note_fetched
from hub.service.telling import tell_beside, tell_entry
from hub.store.feed import bodies
from hub.store.happened import HUB_ROW, Clock, read_clocks

_MOMENT_US = 1_000_000  # what was read longer ago is asked about again before it is told


Write = Callable[[Event, str], Awaitable[None]]
"""(event, `id` of the stream after it): returns once the client has room for more."""


class Condition(NamedTuple):
    """What streams depend on: while it is the same, there is nothing new to tell."""

    revision: int  # of the directory …
    at_us: int  # … and as of which moment
    clocks: Mapping[int, Clock]


class Stream:
    """One member's stream. Belongs to one connection."""

    def __init__(self, hub: Hub, member: Member, filter: Filter, position: StreamPosition, *, full: bool) -> None:
        """Go on from a position.

        Args:
            full: whether events hold the objects themselves: the member is who reads them.
        """
        self._hub = hub
        self._member = member.id
        self._filter = filter
        self._full = full
        self._others_us = position.others_us
        self._told_us = dict(position.told_us)
        self._caught_up_us = dict(position.caught_up_us)
        self._directory: Directory | None = None  # by which all was told

    @property
    def id(self) -> str:
        """How far the stream has told, for `Last-Event-ID`."""
        return seal(self._hub.secret, self._member, StreamPosition(self._told_us, self._caught_up_us, self._others_us))

    async def tell(self, directory: Directory, write: Write) -> bool:
        """Tell what has happened since, a page at most; return whether there may be more, for which the directory is looked at again."""
        member = directory.members[self._member]
        async with self._hub.db.read() as conn:
            clocks = await read_clocks(conn)
        if await self._tell_beside(member, clocks[HUB_ROW].clock_us, write):
            return True
        for held in directory.collections.values():
            if self._filter.collections and held.collection.id not in self._filter.collections:
                continue
            # Where rights have changed, a view may have got something that no clock tells of yet.
            is_new = directory is not self._directory or held.row not in clocks
            if (is_new or self._position(held.row) < clocks[held.row].clock_us) and await self._tell_of(directory, member, held, write):
                return True
        self._directory = directory
        return False

    async def _tell_beside(self, member: Member, clock_us: int, write: Write) -> bool:
        """Tell what happened that belongs to no collection."""
        after_us = self._position(HUB_ROW)
        if after_us >= clock_us:
            return False
        stretch = await Reading(self._hub).of_hub(member, after_us, clock_us)
        for one in stretch.happened:
            if one.stored is not None and self._filter.kind_of(one.happening) is not None:
                self._told_us[HUB_ROW] = one.at_us
                await write(tell_beside(None, one.stored, (), id=self._event_id(HUB_ROW, one.at_us)), self.id)
        self._told_us[HUB_ROW] = stretch.end_us
        return stretch.end_us < clock_us

    async def _tell_of(self, directory: Directory, member: Member, held: HeldCollection, write: Write) -> bool:
        """Tell what happened in a collection, as policy has it now."""
        seen = await view_of(self._hub, directory, member, held)
        if seen is None:
            return False
        if self._position(held.row) >= seen.clock_us:
            self._come_to(held.row, self._position(held.row), seen.clock_us)
            return False
        reading = Reading(self._hub, wants_observables=bool(self._filter.values))
        stretch = await reading.of_collection(held, seen, member, self._position(held.row))
        told = (as_told_after(one, self._caught_up_us.get(held.row, -1)) for one in stretch.happened)
        wanted = [(one, kind) for one in told if (kind := self._filter.kind_of(one.happening)) is not None]
        contents = await self._contents(directory, member, held, [one for one, _ in wanted])
        read_us = self._hub.now_us()
        for number, (one, kind) in enumerate(wanted, 1):
            if self._hub.now_us() - read_us > _MOMENT_US:
                return True  # the client is slow: by now the member may have lost what was read for it
            self._come_to(held.row, one.at_us if number < len(wanted) else stretch.end_us, seen.clock_us)
            await write(self._event(held, one, kind, contents), self.id)
        self._come_to(held.row, stretch.end_us, seen.clock_us)
        return stretch.end_us < seen.clock_us

    def _come_to(self, collection_row: int, us: int, clock_us: int) -> None:
        self._told_us[collection_row] = us
        if us >= clock_us:
            self._caught_up_us[collection_row] = clock_us

    async def _contents(
        self, directory: Directory, member: Member, held: HeldCollection, wanted: Sequence[Happened]
    ) -> Mapping[int, bytes]:  # fmt: skip
        """Return the objects that events will hold, by the rows of their versions."""
        rows = [one.entry.version_row for one in wanted if one.entry is not None]
        if not self._full or not rows:
            return {}
        async with self._hub.db.read() as conn:
            found = {row: body for row, body in (await bodies(conn, rows)).items() if len(body) <= CONTENT_BYTES_MAX}
        await note_fetched(self._hub, directory, member, held, ObjectPage(None, None, None, b",".join(found.values())))
        return found

    def _event(self, held: HeldCollection, one: Happened, kind: EventKind, contents: Mapping[int, bytes]) -> Event:
        id, labels = self._event_id(held.row, one.at_us), one.happening.labels
        if one.entry is not None:
            return tell_entry(held, one.entry, labels, id=id, kind=kind, at_us=one.at_us, content=contents.get(one.entry.version_row))
        assert one.stored is not None, "what is no entry was written down beside the feed"
        return tell_beside(held, one.stored, labels, id=id)

    def _position(self, collection_row: int) -> int:
        return self._told_us.get(collection_row, self._others_us)

    def _event_id(self, collection_row: int, at_us: int) -> str:
        """Return an id that is the same whenever the member is told of this."""
        return str(uuid.uuid5(uuid.UUID(self._member.partition("--")[2]), f"{collection_row}/{at_us}"))


async def condition_of(hub: Hub) -> Condition:
    """Return what all streams depend on, as it is now."""
    directory = await hub.directory()
    async with hub.db.read() as conn:
        return Condition(directory.revision, directory.at_us, await read_clocks(conn))


async def open_stream(
    hub: Hub, directory: Directory, principal: Principal, filter: Filter, *, full: bool, last_event_id: str | None
) -> Stream:  # fmt: skip
    """Return the stream of the caller's member, after its last event; or from now on, but for what it cannot read yet: that comes whole.

    Raises:
        Withheld: the caller acts for no member, and sees no content.
        NotUnderstood: `last_event_id` is none of this member's.
    """
    member = principal.member
    if member is None:
        raise Withheld("you act for no member, so there is nothing that you may be told")
    if last_event_id is not None:
        return Stream(hub, member, filter, unseal(hub.secret, member.id, last_event_id), full=full)
    async with hub.db.read() as conn:
        clocks = await read_clocks(conn)
    told_us = {HUB_ROW: clocks[HUB_ROW].clock_us}
    for held in directory.collections.values():
        seen = await view_of(hub, directory, member, held)
        if seen is not None:
            told_us[held.row] = seen.clock_us
    return Stream(hub, member, filter, StreamPosition(told_us, told_us), full=full)
