"""API Roots, collections and who may read and write them: administrators change them, policy says who knows of which."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypedDict, Unpack

from hub.domain.directory import Directory
from hub.domain.ids import AgreementId, CollectionId, new_uuid
from hub.domain.label import Tlp
from hub.domain.member import MemberKind, Principal, Role
from hub.domain.naming import (
    checked_description,
    checked_media_type,
    checked_name,
    checked_sectors,
    checked_slug,
    checked_title,
    checked_topic,
)
from hub.domain.taxii import MEDIA_TYPE_STIX, ApiRoot, Collection, Grantee, GranteeKind, Right
from hub.errors import Conflict, Invalid, NotFound
from hub.service.administer import (
    Change,
    change,
    get_any_agreement,
    get_any_group,
    get_any_member,
    is_admin,
    require_active,
    require_role,
)
from hub.service.context import Hub
from hub.service.install import DEFAULT_ROOT
from hub.service.introducing import introduce
from hub.service.view import rights
from hub.store import collections as store


class RootChanges(TypedDict, total=False):
    """What may change of an API Root. Its slug stays: it is part of every URL."""

    title: str
    description: str | None
    default: bool  # True only: another root takes over by becoming the default itself


class CollectionChanges(TypedDict, total=False):
    """What may change of a collection. Its title stays: clients find the collection by it."""

    alias: str | None
    description: str | None
    default_tlp: Tlp
    topic: str
    signature_required: bool
    media_types: Iterable[str]
    reciprocal: bool
    agreement: str | None  # slug or id of a sharing agreement that has not ended; None: the terms of membership


def list_roots(directory: Directory, principal: Principal) -> list[ApiRoot]:
    """Return all API Roots, by slug."""
    require_active(principal)
    return sorted(directory.roots.values(), key=lambda root: root.slug)


def get_root(directory: Directory, principal: Principal, slug: str) -> ApiRoot:
    """Return an API Root.

    Raises:
        NotFound: there is none.
    """
    require_active(principal)
    root = directory.roots.get(slug)
    if root is None:
        raise NotFound("there is no such API Root")
    return root


async def add_root(
    hub: Hub, principal: Principal, *, slug: str, title: str, description: str | None = None, default: bool = False
) -> ApiRoot:
    """Add an API Root.

    Raises:
        Withheld: `principal` is no administrator.
        Invalid: a field is not as it should be.
        Conflict: the slug is taken.
    """
    require_role(principal, Role.ADMIN)
    root = ApiRoot(checked_slug(slug), checked_name(title, "title"), checked_description(description), default)

    async def work(c: Change) -> ApiRoot:
        if slug in c.directory.roots:
            raise Conflict(f"there is an API Root {slug} already")
        await store.add_root(c.conn, root)
        await c.record("root.add", slug, title=title, default=default)
        return root

    return await change(hub, principal, work)


async def change_root(hub: Hub, principal: Principal, slug: str, **changes: Unpack[RootChanges]) -> ApiRoot:
    """Change an API Root.

    Raises:
        Withheld: `principal` is no administrator.
        NotFound: there is no such root.
        Invalid: a field is not as it should be.
    """
    require_role(principal, Role.ADMIN)
    if "title" in changes:
        checked_name(changes["title"], "title")
    checked_description(changes.get("description"))

    async def work(c: Change) -> ApiRoot:
        held = get_root(c.directory, principal, slug)
        root = replace(held, **changes)
        if held.default and not root.default:
            raise Invalid("default: one root is always the default; make another the default instead")
        await store.set_root(c.conn, root)
        await c.record("root.change", slug, **changes)
        return root

    return await change(hub, principal, work)


async def list_collections(hub: Hub, directory: Directory, principal: Principal) -> list[Collection]:
    """Return the collections that `principal` may know of, by id: an administrator all, others what policy shows them."""
    require_active(principal)
    every = [held.collection for _, held in sorted(directory.collections.items())]
    return [collection for collection in every if await _may_know(hub, directory, principal, collection)]


async def get_collection(hub: Hub, directory: Directory, principal: Principal, name: str) -> Collection:
    """Return the collection with this id, `root/alias`, or alias that is in one root only.

    Raises:
        NotFound: there is none, or none that `principal` may know of.
    """
    require_active(principal)
    collection = _find(directory, name)
    if collection is None or not await _may_know(hub, directory, principal, collection):
        raise NotFound("there is no such collection")
    return collection


async def add_collection(
    hub: Hub, principal: Principal, *, title: str, root: str = DEFAULT_ROOT, alias: str | None = None, description: str | None = None,
    readers: Iterable[str] = (), writers: Iterable[str] = (), default_tlp: Tlp = Tlp.AMBER, topic: str = "threat",
    signature_required: bool = False, media_types: Iterable[str] = (MEDIA_TYPE_STIX,), reciprocal: bool = False,
    agreement: str | None = None,
) -> Collection:  # fmt: skip
    """Add a collection, which holds the definitions of the hub's extensions from then on.

    Args:
        reciprocal: whether content that does not say takes part in reciprocal release.
        agreement: slug or id of the sharing agreement under which its content flows; None: the terms of membership.
        readers, writers: who has the right, each as `everyone`, `kind:operator`, `sector:energy`, `group:SLUG` or `member:SLUG`.
    Raises:
        Withheld: `principal` is no administrator.
        Invalid: a field is not as it should be.
        NotFound: there is no such API Root, group, member or sharing agreement.
        Conflict: title or alias are taken in the root.
    """
    require_role(principal, Role.ADMIN)
    plain = Collection(
        CollectionId(new_uuid()), root, checked_title(title), description=checked_description(description),
        alias=alias if alias is None else checked_slug(alias, "alias"), default_tlp=default_tlp, topic=checked_topic(topic),
        signature_required=signature_required, media_types=tuple(checked_media_type(media_type) for media_type in media_types),
        reciprocal=reciprocal,
    )  # fmt: skip
    named_readers, named_writers = list(readers), list(writers)

    async def work(c: Change) -> Collection:
        get_root(c.directory, principal, root)
        _refuse_taken(c.directory, plain)
        collection = replace(
            plain,
            readers=frozenset(grantee(c.directory, name) for name in named_readers),
            writers=frozenset(grantee(c.directory, name) for name in named_writers),
            agreement=_agreement(c, agreement),
        )
        _refuse_defaults_not_permitted(c.directory, collection)
        row = await store.add_collection(c.conn, collection, now_us=c.now_us)
        await introduce(c.conn, c.directory, collection, row, now_us=c.now_us)
        await c.record("collection.add", collection.id, root=root, **_traced(collection))
        return collection

    return await change(hub, principal, work)


async def change_collection(hub: Hub, principal: Principal, name: str, **changes: Unpack[CollectionChanges]) -> Collection:
    """Change a collection.

    Raises:
        Withheld: `principal` is no administrator.
        NotFound: there is no such collection, or no such sharing agreement.
        Invalid: a field is not as it should be.
        Conflict: the alias is taken in the root.
    """
    require_role(principal, Role.ADMIN)
    if (alias := changes.get("alias")) is not None:
        checked_slug(alias, "alias")
    if "topic" in changes:
        checked_topic(changes["topic"])
    if "media_types" in changes:
        changes["media_types"] = tuple(checked_media_type(media_type) for media_type in changes["media_types"])
    checked_description(changes.get("description"))

    async def work(c: Change) -> Collection:
        held = _get(c.directory, name)
        if "agreement" in changes:
            changes["agreement"] = _agreement(c, changes["agreement"])
        collection = replace(held, **changes)  # type: ignore[arg-type] # media_types is a tuple by now, agreement an id
        if changes.keys() & {"agreement", "topic", "default_tlp"}:
            _refuse_defaults_not_permitted(c.directory, collection)
        _refuse_taken(c.directory, collection)
        await store.set_collection(c.conn, collection)
        await c.record("collection.change", collection.id, **_traced(collection))
        return collection

    return await change(hub, principal, work)


async def grant_right(hub: Hub, principal: Principal, name: str, right: Right, to: str) -> Collection:
    """Give a right on a collection to everyone, a kind, a sector, a group or a member (see `add_collection`).

    Raises:
        Withheld: `principal` is no administrator.
        NotFound: there is no such collection, group or member.
        Invalid: `to` is not written as it should be.
    """
    return await _set_right(hub, principal, name, right, to, granted=True)


async def revoke_right(hub: Hub, principal: Principal, name: str, right: Right, to: str) -> Collection:
    """Take a right back, from the next request on. Raises as `grant_right` does."""
    return await _set_right(hub, principal, name, right, to, granted=False)


def grantee(directory: Directory, text: str) -> Grantee:
    """Return whom `text` names: `everyone`, `kind:operator`, `sector:energy`, `group:SLUG` or `member:SLUG`; ids do as well as slugs.

    Raises:
        Invalid: it is written otherwise, or there is no such kind or sector.
        NotFound: there is no such group or member.
    """
    kind, _, value = text.partition(":")
    match kind:
        case GranteeKind.EVERYONE if not value:
            return Grantee(GranteeKind.EVERYONE)
        case GranteeKind.KIND if value in list(MemberKind):
            return Grantee(GranteeKind.KIND, value)
        case GranteeKind.SECTOR:
            checked_sectors([value])
            return Grantee(GranteeKind.SECTOR, value)
        case GranteeKind.GROUP:
            return Grantee(GranteeKind.GROUP, get_any_group(directory, value).id)
        case GranteeKind.MEMBER:
            return Grantee(GranteeKind.MEMBER, get_any_member(directory, value).id)
    kinds = ", ".join(MemberKind)
    raise Invalid(f"grantee: write everyone, kind:KIND ({kinds}), sector:SECTOR, group:SLUG or member:SLUG")


async def _set_right(hub: Hub, principal: Principal, name: str, right: Right, to: str, *, granted: bool) -> Collection:
    require_role(principal, Role.ADMIN)
    field = "readers" if right is Right.READ else "writers"

    async def work(c: Change) -> Collection:
        collection = _get(c.directory, name)
        whom = grantee(c.directory, to)
        held: frozenset[Grantee] = getattr(collection, field)
        if (whom in held) == granted:
            return collection
        await (store.grant_right if granted else store.revoke_right)(c.conn, collection.id, right, whom)
        await c.record("collection.grant" if granted else "collection.revoke-right", collection.id, right=right, grantee=str(whom))
        changed = {field: held | {whom} if granted else held - {whom}}
        return replace(collection, **changed)  # type: ignore[arg-type] # `field` is one of the two sets of grantees

    return await change(hub, principal, work)


async def _may_know(hub: Hub, directory: Directory, principal: Principal, collection: Collection) -> bool:
    return is_admin(principal) or (await rights(hub, directory, principal, collection)).can_see


def _agreement(c: Change, name: str | None) -> AgreementId | None:
    if name is None:
        return None
    agreement = get_any_agreement(c.directory, name)
    if agreement.has_ended(c.now_us):
        raise Invalid(f"agreement: {agreement.slug} has ended; name one that is in force or is to come")
    return agreement.id


def _refuse_defaults_not_permitted(directory: Directory, collection: Collection) -> None:
    """Refuse a collection whose content would be outside its agreement unless it says otherwise itself."""
    agreement = directory.agreement_of(collection)
    refusal = agreement.refusal_of(collection.topic, collection.default_tlp) if agreement is not None else None
    if refusal is not None:
        raise Invalid(f"agreement: by default the collection's content would be refused: {refusal}")


def _find(directory: Directory, name: str) -> Collection | None:
    root, slash, alias = name.partition("/")
    if slash:
        held = directory.find_collection(root, alias)
        return held.collection if held else None
    known = directory.collections.get(CollectionId(name))
    if known is not None:
        return known.collection
    matching = [held.collection for held in directory.collections.values() if held.collection.alias == name]
    return matching[0] if len(matching) == 1 else None


def _get(directory: Directory, name: str) -> Collection:
    collection = _find(directory, name)
    if collection is None:
        raise NotFound("there is no such collection")
    return collection


def _refuse_taken(directory: Directory, collection: Collection) -> None:
    for held in directory.collections.values():
        other = held.collection
        if other.api_root != collection.api_root or other.id == collection.id:
            continue
        if other.title == collection.title:
            raise Conflict(f"title: the API Root {other.api_root} has a collection of this title already")
        if collection.alias is not None and other.alias == collection.alias:
            raise Conflict(f"alias: the API Root {other.api_root} has a collection of this alias already")


def _traced(collection: Collection) -> dict[str, object]:
    return {
        "title": collection.title,
        "alias": collection.alias,
        "default_tlp": collection.default_tlp,
        "topic": collection.topic,
        "signature_required": collection.signature_required,
        "media_types": list(collection.media_types),
        "reciprocal": collection.reciprocal,
        "agreement": collection.agreement,
        "readers": sorted(map(str, collection.readers)),
        "writers": sorted(map(str, collection.writers)),
    }
