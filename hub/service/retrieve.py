"""Reading: API Roots, collections, and pages of what a member may see.

What a member may not see does not exist for it: an unknown collection and one that is not for the caller are one answer,
given here and nowhere else. Where it may know of a collection but not read it, that is said (TAXII 2.1 §5).
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hub.domain.cursor import seal, unseal
from hub.domain.directory import Directory, HeldCollection
from hub.domain.member import Member, Principal
from hub.domain.policy import CollectionDecision
from hub.domain.taxii import ApiRoot, Collection, ManifestPage, ObjectPage, Query, VersionPage
from hub.errors import NotFound, Withheld
from hub.service.context import Hub, tier_of
from hub.service.report_backs import note_fetched
from hub.service.view import Seen, rights, see
from hub.store.database import Connection
from hub.store.feed import (
    Selection,
    StoredEntry,
    bodies,
    entries_of,
    page_of_keys,
    page_of_objects,
    page_of_records,
    records,
)


def list_roots(directory: Directory) -> list[ApiRoot]:
    """Return every API Root, the default one first."""
    return sorted(directory.roots.values(), key=lambda root: (not root.default, root.slug))


def get_root(directory: Directory, slug: str) -> ApiRoot:
    """Return an API Root.

    Raises:
        NotFound: there is none of this name.
    """
    root = directory.roots.get(slug)
    if root is None:
        raise NotFound("no such API Root")
    return root


async def list_collections(hub: Hub, directory: Directory, principal: Principal, root: str) -> list[tuple[Collection, CollectionDecision]]:
    """Return the collections of an API Root that the caller may know of, by id, each with what it may do there."""
    get_root(directory, root)
    found = [held.collection for held in directory.collections.values() if held.collection.api_root == root]
    decided = [(collection, await rights(hub, directory, principal, collection)) for collection in sorted(found, key=lambda c: c.id)]
    return [(collection, decision) for collection, decision in decided if decision.can_see]


async def get_collection(
    hub: Hub, directory: Directory, principal: Principal, root: str, name: str
) -> tuple[HeldCollection, CollectionDecision]:
    """Return a collection by id or alias, with what the caller may do there.

    Raises:
        NotFound: there is none, or none that the caller may know of.
    """
    held = directory.find_collection(root, name)
    if held is not None:
        decision = await rights(hub, directory, principal, held.collection)
        if decision.can_see:
            return held, decision
    raise NotFound("no such collection")


async def list_objects(
    hub: Hub, directory: Directory, principal: Principal, root: str, name: str, query: Query, *, is_assumed: bool = False
) -> ObjectPage:
    """Return one page of objects, oldest effective date first (TAXII 2.1 §5.4).

    Args:
        is_assumed: whether `directory` is in force is left for here to find out (see `hub.service.view.see`).
    """
    held, member, query = await _readable(hub, directory, principal, root, name, query)
    seen = await see(hub, directory, member, held, is_assumed=is_assumed)
    limit, after_us = _bounds(hub, held, query)
    if not query.ids and _takes_stix_21(query) and limit * seen.bytes_max <= hub.config.page_bytes_max:
        async with hub.db.read() as conn:
            run = await page_of_objects(conn, held.row, seen.view, seen.plan, _selection(query, after_us, seen, limit))
        page = ObjectPage(run.first_us, run.last_us, _next(hub, held, run.last_us, more=run.has_more), run.objects)
    else:
        keys, more = await _keys(hub, held, seen, query)
        page = await _object_page(hub, held, keys, more=more)
    await note_fetched(hub, directory, member, held, page)
    return page


async def list_manifest(hub: Hub, directory: Directory, principal: Principal, root: str, name: str, query: Query) -> ManifestPage:
    """Return one page of manifest records (TAXII 2.1 §5.3)."""
    held, member, query = await _readable(hub, directory, principal, root, name, query)
    seen = await see(hub, directory, member, held)
    limit, after_us = _bounds(hub, held, query)
    async with hub.db.read() as conn:
        if not query.ids and _takes_stix_21(query):
            rows = await page_of_records(conn, held.row, seen.view, seen.plan, _selection(query, after_us, seen, limit + 1))
            found = [(stix_id, effective_us, version) for effective_us, stix_id, version in rows]
        else:
            keys = await _keys_of_ids(conn, held, seen, query, after_us)
            known = await records(conn, [row for _, row, _ in keys[: limit + 1]])
            found = [(known[row][0], effective_us, known[row][1]) for effective_us, row, _ in keys[: limit + 1]]
    page = tuple(found[:limit])
    return ManifestPage(*_page_ends(hub, held, [date for _, date, _ in page], more=len(found) > limit), page)


async def get_object(
    hub: Hub, directory: Directory, principal: Principal, root: str, name: str, object_id: str, query: Query
) -> ObjectPage:
    """Return the versions of one object that the request asks for (TAXII 2.1 §5.6).

    Raises:
        NotFound: no such object, or none of which the caller may see a version.
    """
    held, member, query = await _readable(hub, directory, principal, root, name, query)
    keys, more = await _one_object(hub, held, await see(hub, directory, member, held), object_id, query)
    page = await _object_page(hub, held, keys, more=more)
    await note_fetched(hub, directory, member, held, page)
    return page


async def list_versions(
    hub: Hub, directory: Directory, principal: Principal, root: str, name: str, object_id: str, query: Query
) -> VersionPage:
    """Return the versions of one object that the caller may see (TAXII 2.1 §5.8)."""
    held, member, query = await _readable(hub, directory, principal, root, name, query)
    keys, more = await _one_object(hub, held, await see(hub, directory, member, held), object_id, query)
    async with hub.db.read() as conn:
        known = await records(conn, [row for _, row, _ in keys])
    return VersionPage(*_page_ends(hub, held, [date for date, _, _ in keys], more=more), tuple(known[row][1] for _, row, _ in keys))


_Key = tuple[int, int, int]  # effective date, version row, bytes


async def _readable(
    hub: Hub, directory: Directory, principal: Principal, root: str, name: str, query: Query
) -> tuple[HeldCollection, Member, Query]:
    """Return the collection, who reads it, and the query with the size of page that this reader gets."""
    held, decision = await get_collection(hub, directory, principal, root, name)
    member = principal.member
    if member is None or not decision.can_read:
        raise Withheld("you may not read this collection")
    tier = await tier_of(hub, directory, member)
    limit = min(query.limit or hub.config.page_objects_default, hub.config.page_objects_max, tier.page_objects_max)
    return held, member, query if query.limit == limit else replace(query, limit=limit)


def _bounds(hub: Hub, held: HeldCollection, query: Query) -> tuple[int, int]:
    assert query.limit is not None, "set by `_readable`"
    after_us = -1 if query.added_after_us is None else query.added_after_us
    if query.next is not None:
        after_us = max(after_us, unseal(hub.secret, held.collection.id, query.next))
    return query.limit, after_us


def _selection(query: Query, after_us: int, seen: Seen, limit: int) -> Selection:
    return Selection(after_us, seen.clock_us, limit, query.versions, query.types)


def _fitting(sizes: Iterable[int], bytes_max: int) -> int:
    """Return how many of the first objects fit into a page; one always does."""
    total = count = 0
    for size in sizes:
        total += size
        if count and total > bytes_max:
            break
        count += 1
    return count


async def _keys(hub: Hub, held: HeldCollection, seen: Seen, query: Query) -> tuple[list[_Key], bool]:
    limit, after_us = _bounds(hub, held, query)
    async with hub.db.read() as conn:
        if query.ids or not _takes_stix_21(query):
            keys = await _keys_of_ids(conn, held, seen, query, after_us)
        else:
            keys = await page_of_keys(conn, held.row, seen.view, seen.plan, _selection(query, after_us, seen, limit + 1))
    return _cut(hub, keys, limit)


def _cut(hub: Hub, keys: list[_Key], limit: int) -> tuple[list[_Key], bool]:
    count = _fitting((size for _, _, size in keys[:limit]), hub.config.page_bytes_max)
    return keys[:count], len(keys) > count


async def _object_page(hub: Hub, held: HeldCollection, keys: list[_Key], *, more: bool) -> ObjectPage:
    async with hub.db.read() as conn:
        known = await bodies(conn, [row for _, row, _ in keys])
    objects = b",".join([known[row] for _, row, _ in keys])
    return ObjectPage(*_page_ends(hub, held, [date for date, _, _ in keys], more=more), objects)


def _page_ends(hub: Hub, held: HeldCollection, dates: Sequence[int], *, more: bool) -> tuple[int | None, int | None, str | None]:
    if not dates:
        return None, None, None
    return dates[0], dates[-1], _next(hub, held, dates[-1], more=more)


def _next(hub: Hub, held: HeldCollection, last_us: int | None, *, more: bool) -> str | None:
    """Return what the client sends for the page after the one that ends at `last_us`."""
    return seal(hub.secret, held.collection.id, last_us) if more and last_us is not None else None


async def _keys_of_ids(conn: Connection, held: HeldCollection, seen: Seen, query: Query, after_us: int) -> list[_Key]:
    """Pages by id: there are few entries for a few ids, so views and versions are judged here."""
    if not _takes_stix_21(query):
        return []
    found = _in_view(seen, await entries_of(conn, held.row, query.ids))
    return _chosen(found, query, after_us)


async def _one_object(hub: Hub, held: HeldCollection, seen: Seen, object_id: str, query: Query) -> tuple[list[_Key], bool]:
    limit, after_us = _bounds(hub, held, query)
    async with hub.db.read() as conn:
        found = _in_view(seen, await entries_of(conn, held.row, [object_id]))
    if not found:
        raise NotFound("no such object in this collection")
    if not _takes_stix_21(query):
        return [], False
    return _cut(hub, _chosen(found, query, after_us), limit)


def _takes_stix_21(query: Query) -> bool:
    """Whether match[spec_version] lets anything through: the hub holds STIX 2.1 only."""
    return not query.spec_versions or "2.1" in query.spec_versions


def _in_view(seen: Seen, entries: list[StoredEntry]) -> list[tuple[int, StoredEntry]]:
    dated = ((seen.view.effective_us(e.label, e.date_us, e.ordinal, seen.clock_us), e) for e in entries)
    return [(effective_us, entry) for effective_us, entry in dated if effective_us is not None and effective_us <= seen.clock_us]


def _chosen(found: list[tuple[int, StoredEntry]], query: Query, after_us: int) -> list[_Key]:
    """Keep the versions asked for, judged over the whole view before dates cut it (requirement R-23)."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for _, entry in found:
        first[entry.object_row] = min(entry.version_us, first.get(entry.object_row, entry.version_us))
        last[entry.object_row] = max(entry.version_us, last.get(entry.object_row, entry.version_us))
    wanted = query.versions

    def is_asked_for(entry: StoredEntry) -> bool:
        return (
            wanted.all
            or (wanted.last and entry.version_us == last[entry.object_row])
            or (wanted.first and entry.version_us == first[entry.object_row])
            or entry.version_us in wanted.exact_us
        )

    keys = [
        (effective_us, entry.version_row, entry.bytes)
        for effective_us, entry in found
        if effective_us > after_us and (not query.types or entry.type in query.types) and is_asked_for(entry)
    ]
    return sorted(keys)
