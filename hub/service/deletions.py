"""Telling that entries are gone: to the members who could see them at that moment, and to nobody else, whatever rights come later.

Policy is asked before the transaction in which they go, and about the labels that they have then. Where one has another label by the
time of the transaction, nothing is deleted, and policy is asked again. Where an equal copy takes the place of an entry, nothing is gone
for whoever sees that one.
"""

from bisect import bisect_right
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from itertools import groupby

from hub.domain.appending import Batch, EntryState
from hub.domain.directory import Directory, HeldCollection
from hub.domain.ids import LabelId, MemberId
from hub.errors import Unavailable
from hub.service.context import Hub
from hub.service.turns import in_turns
from hub.service.view import granted, may_read
from hub.store.database import Connection
from hub.store.feed import list_labels
from hub.store.happened import labels_of, record_deletion

Audiences = Mapping[LabelId, Mapping[MemberId, int]]
"""By label: the members who see its entries, and how long after their dates added (`hub.domain.feed.delay_us`)."""

_TRIES_MAX = 50


class Relabelled(Exception):
    """An entry has another label than those that policy was asked about."""


async def with_audiences(
    hub: Hub, directory: Directory, held: HeldCollection, stix_ids: Collection[str], delete: Callable[[Audiences], Awaitable[None]]
) -> None:  # fmt: skip
    """Call `delete` with the audiences of all entries of some objects.

    Raises:
        Unavailable: the labels of these entries keep changing.
    """
    for _ in range(_TRIES_MAX):
        try:
            return await delete(await _audiences(hub, directory, held, stix_ids))
        except Relabelled:
            continue
    raise Unavailable("the object keeps changing; try again")


async def tell_deletion(conn: Connection, audiences: Audiences, batch: Batch, stix_id: str, gone: Sequence[EntryState]) -> None:
    """Write down that entries of one object are gone, in the transaction in which they go: together those with one label and audience.

    Args:
        batch: the state of the collection, with what takes their place.

    Raises:
        Relabelled: nobody knows the audience of one of them.
    """
    clock_us = max(batch.now_us, batch.clock_us)
    spared = _spared(audiences, batch, gone, clock_us)
    for label, of_label in groupby(sorted(gone, key=_label), key=_label):
        if label not in audiences:
            raise Relabelled
        delays_us = sorted(set(audiences[label].values()))
        by_reach: dict[int, list[EntryState]] = {}  # by how many of the delays they have waited
        for entry in of_label:
            by_reach.setdefault(bisect_right(delays_us, clock_us - entry.date_us), []).append(entry)
        for reach, entries in sorted(by_reach.items()):
            passed_us = delays_us[:reach]
            audience = frozenset(member for member, delay_us in audiences[label].items() if delay_us in passed_us)
            await record_deletion(conn, batch.collection_row, stix_id, entries, audience - spared, now_us=batch.now_us)


def _spared(audiences: Audiences, batch: Batch, gone: Sequence[EntryState], clock_us: int) -> frozenset[MemberId]:
    """Return who sees the equal copy that takes the place of what is gone, which is one entry then; who is to wait for it does not."""
    dates = {entry.date_us for entry in gone}
    in_place = [entry for _, entry in batch.appended if entry.moved_from is not None and entry.moved_from.date_us in dates]
    if any(entry.label.id not in audiences for entry in in_place):
        raise Relabelled
    return frozenset(
        member for entry in in_place for member, delay_us in audiences[entry.label.id].items() if entry.date_us + delay_us <= clock_us
    )


async def _audiences(hub: Hub, directory: Directory, held: HeldCollection, stix_ids: Collection[str]) -> Audiences:
    async with hub.db.read() as conn:
        concerned = await labels_of(conn, held.row, stix_ids)
        stored = await list_labels(conn, held.row)
    needed = concerned.union(*(label.parts for label in stored if label.id in concerned))
    labels = [label for label in stored if label.id in needed]
    audiences: dict[LabelId, dict[MemberId, int]] = {label: {} for label in concerned}
    async for member in in_turns(directory.members.values()):
        if await may_read(hub, directory, member, held.collection):
            for grant in await granted(hub, directory, member, held.collection, labels):
                if grant.label in concerned and grant.delay_us is not None:
                    audiences[grant.label][member.id] = grant.delay_us
    return audiences


def _label(entry: EntryState) -> LabelId:
    return entry.label.id
