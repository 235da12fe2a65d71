"""Appending renditions, and taking them back.

A rendition comes to the feed at the whole minute after its original, with all others of that minute and in no order that tells which came
together: entries that one push brought by name stand beside none that it brought anonymously.
"""

import random
import sys
from collections.abc import Collection

from hub.domain.anonymity import hub_identity, label_of_hub_identity
from hub.domain.appending import EntryState, Incoming, LineageState
from hub.domain.directory import Directory, HeldCollection
from hub.domain.label import Attribution, Label
from hub.domain.pseudonym import Pseudonyms, Source
from hub.domain.stix import Limits, read_object
from hub.domain.stix_vocabulary import SCO_TYPES
from hub.service.append import again
from hub.service.context import Hub
from hub.service.deletions import Audiences, tell_deletion
from hub.store.anonymity import call_off, find_due, find_versions, finish_work, list_work
from hub.store.append import delete_versions, load_batch, load_object, lock_collection, write_batch
from hub.store.database import Connection

_BATCH_MAX = 500  # renditions that are appended in one transaction
_BY = "hub"  # who deletes a rendition
_OWN = Limits(object_bytes_max=sys.maxsize)  # renditions were held to the limits when they were made

_shuffle = random.SystemRandom().shuffle


async def publish_renditions(hub: Hub) -> bool:
    """Append renditions that are due to one collection; return whether there were any."""
    now_us = hub.now_us()
    async with hub.db.read() as conn:
        row = await find_due(conn, now_us)
    if row is None:
        return False
    directory = await hub.directory()
    held = next(held for held in directory.collections.values() if held.row == row)
    await again(hub, _publish, directory, held, now_us)
    return True


async def _publish(conn: Connection, directory: Directory, held: HeldCollection, now_us: int) -> None:
    await lock_collection(conn, held.row)  # first: so two nodes do not do the same work
    work = await list_work(conn, held.row, now_us, _BATCH_MAX)
    if not work:
        return
    _shuffle(work)
    work.sort(key=lambda one: one.version_us)  # versions of one object in their order; everybody sees this time in the object itself
    coming = [Incoming(hub_identity(directory.identity), label_of_hub_identity(held.collection), directory.identity)]
    coming += [Incoming(read_object(one.body, limits=_OWN), Label.from_canonical(one.label), directory.identity) for one in work]
    batch = await load_batch(conn, held.row, coming, directory.owners, now_us)
    for incoming in coming:
        batch.add(incoming)  # what it refuses was deleted here by its producer
    await write_batch(conn, batch)
    await finish_work(conn, [one.row for one in work])


async def withdraw_renditions(
    conn: Connection, hub: Hub, directory: Directory, held: HeldCollection, lineage: LineageState, gone: Collection[EntryState],
    audiences: Audiences,
) -> None:  # fmt: skip
    """Take back the renditions of versions of an original that are deleted, those that are still to be appended included.

    Args:
        audiences: also those of the rendition's entries.
    """
    if lineage.attribution is Attribution.EVERYONE:
        return
    pseudonyms = Pseudonyms.of(hub.secret)
    has_versions = lineage.type not in SCO_TYPES
    originals = [Source(lineage.owner, lineage.stix_id, entry.version_us if has_versions else None) for entry in gone]
    tokens = [pseudonyms.token_of(original) for original in originals]
    await call_off(conn, held.row, tokens)
    versions = set((await find_versions(conn, tokens)).values())
    batch = await load_object(conn, held.row, pseudonyms.id_of(lineage.owner, lineage.stix_id), hub.now_us())
    rendition = next((one for one in batch.lineages.values() if one.owner == directory.identity and one.entries), None)
    if rendition is None:
        return
    withdrawn = [entry for entry in rendition.entries if not has_versions or entry.version_us in versions]
    if withdrawn:
        await delete_versions(conn, batch, rendition, withdrawn, deleted_by=_BY)
        await tell_deletion(conn, audiences, batch, rendition.stix_id, withdrawn)
