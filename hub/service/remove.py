"""Deleting: a producer's object, or some of its versions, leaves every view of one collection. Bytes and proof stay.

What belongs to nobody stays in view where others gave it too: a deletion takes back the caller's own copy only, and is answered alike
whether that is the one that is served or not.
"""

from collections.abc import Sequence
from typing import TypeVar

from hub.domain.appending import EntryState, VersionState
from hub.domain.directory import Directory
from hub.domain.ledger import LedgerKind
from hub.domain.member import Principal
from hub.domain.pseudonym import Pseudonyms
from hub.domain.taxii import Query
from hub.errors import NotFound, Withheld
from hub.service.append import again
from hub.service.context import Hub
from hub.service.deletions import Audiences, tell_deletion, with_audiences
from hub.service.renditions import withdraw_renditions
from hub.service.retrieve import get_collection
from hub.service.view import see
from hub.store.append import delete_copies, delete_versions, load_object
from hub.store.database import Connection
from hub.store.ledger import add_event

T = TypeVar("T", EntryState, VersionState)


async def delete_object(hub: Hub, directory: Directory, principal: Principal, root: str, name: str, object_id: str, query: Query) -> None:
    """Delete the caller's own object from a collection (TAXII 2.1 §5.7): those versions that `query` asks for.

    Raises:
        NotFound: the caller may not know of the collection; or the object is not there, or not for the caller to see.
        Withheld: the caller may not delete here, or the object is another producer's.
    """
    held, decision = await get_collection(hub, directory, principal, root, name)
    if principal.member is None or not decision.can_delete:
        raise Withheld("you may not delete from this collection")
    member = principal.member
    seen = await see(hub, directory, member, held)

    async def delete(conn: Connection, audiences: Audiences) -> None:
        now_us = hub.now_us()
        batch = await load_object(conn, held.row, object_id, now_us)
        own = next((o for o in batch.lineages.values() if o.owner == member.id and (o.entries or o.held_beside)), None)
        if own is not None and (gone := _asked_for(own.entries, query)):
            await delete_versions(conn, batch, own, gone, deleted_by=principal.credential)
            await tell_deletion(conn, audiences, batch, object_id, gone)
            await withdraw_renditions(conn, hub, directory, held, own, gone, audiences)
            last = gone[-1].version
        elif own is not None and (copies := _asked_for(own.held_beside, query)):
            await delete_copies(conn, batch, own, copies, deleted_by=principal.credential)
            last = copies[-1]
        else:
            others = (entry for lineage in batch.lineages.values() for entry in lineage.entries)
            in_view = (seen.view.effective_us(e.label.id, e.date_us, e.ordinal, seen.clock_us) is not None for e in others)
            if own is None and any(in_view):
                raise Withheld("this object is another producer's; only its producer may delete it")
            raise NotFound("no such object in this collection")
        if not own.entries:
            await add_event(conn, LedgerKind.DELETED, member.id, at_us=now_us, version_row=last.row, collection_row=held.row)

    rendition_id = Pseudonyms.of(hub.secret).id_of(member.id, object_id)
    await with_audiences(hub, directory, held, (object_id, rendition_id), lambda audiences: again(hub, delete, audiences))


def _asked_for(held: Sequence[T], query: Query) -> list[T]:
    """Return those versions that are asked for, of an object's entries or of what is held beside another's."""
    if not held or (query.spec_versions and "2.1" not in query.spec_versions):
        return []
    wanted = query.versions
    if wanted.all:
        return list(held)
    chosen = [one for one in held if one.version_us in wanted.exact_us]
    if wanted.last:
        chosen.append(held[-1])
    if wanted.first:
        chosen.append(held[0])
    return list({id(one): one for one in chosen}.values())
