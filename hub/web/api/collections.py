"""Operations on API Roots, collections and the rights on them."""

from http import HTTPStatus
from typing import Any

from aiohttp import hdrs

from hub.domain.member import Role
from hub.domain.taxii import Collection, Right
from hub.errors import NotFound
from hub.service import collections
from hub.web.api import models, render
from hub.web.api.models import Listing, NamePage
from hub.web.api.operation import Call, Operation, page


async def list_roots(call: Call[NamePage]) -> Listing[models.Root]:
    """List the API Roots."""
    found, following = page(collections.list_roots(call.directory, call.principal), call.sent, key=lambda root: root.slug)
    return Listing[models.Root](items=[render.root(root) for root in found], next=following)


async def add_root(call: Call[models.NewRoot]) -> models.Root:
    """Add an API Root."""
    return render.root(await collections.add_root(call.hub, call.principal, **call.sent.changes()))


async def get_root(call: Call[None]) -> models.Root:
    """Show an API Root."""
    return render.root(collections.get_root(call.directory, call.principal, call.path["root"]))


async def change_root(call: Call[models.RootChange]) -> models.Root:
    """Change an API Root's title or description, or make it the default."""
    return render.root(await collections.change_root(call.hub, call.principal, call.path["root"], **call.sent.changes()))


async def list_collections(call: Call[NamePage]) -> Listing[models.Collection]:
    """List the collections that you may know of: administrators see all, others what policy shows them."""
    known = await collections.list_collections(call.hub, call.directory, call.principal)
    found, following = page(known, call.sent, key=lambda collection: str(collection.id))
    return Listing[models.Collection](items=[await _shown(call, collection) for collection in found], next=following)


async def add_collection(call: Call[models.NewCollection]) -> models.Collection:
    """Add a collection. Its title stays, as clients find it by that; it is unique in the API Root and holds no . and ,"""
    return await _shown(call, await collections.add_collection(call.hub, call.principal, **call.sent.changes()))


async def get_collection(call: Call[None]) -> models.Collection:
    """Show a collection."""
    return await _shown(call, await collections.get_collection(call.hub, call.directory, call.principal, call.path["collection"]))


async def change_collection(call: Call[models.CollectionChange]) -> models.Collection:
    """Change a collection's alias, description, default TLP, topic, media types, or whether it takes unsigned objects."""
    changed = await collections.change_collection(call.hub, call.principal, call.path["collection"], **call.sent.changes())
    return await _shown(call, changed)


async def grant_right(call: Call[None]) -> models.Collection:
    """Give a right on a collection to everyone, a kind, a sector, a group or a member, from their next request on."""
    path = call.path
    changed = await collections.grant_right(call.hub, call.principal, path["collection"], _right(path["right"]), path["grantee"])
    return await _shown(call, changed)


async def revoke_right(call: Call[None]) -> models.Collection:
    """Take a right on a collection back, from the next request on."""
    path = call.path
    changed = await collections.revoke_right(call.hub, call.principal, path["collection"], _right(path["right"]), path["grantee"])
    return await _shown(call, changed)


async def _shown(call: Call[Any], value: Collection) -> models.Collection:
    return await render.collection(call.hub, await call.after(), call.principal, value)


def _right(text: str) -> Right:
    if text not in list(Right):
        raise NotFound("there is no such right; the rights are read and write")
    return Right(text)


OPERATIONS = (
    Operation(hdrs.METH_GET, "/roots", list_roots, takes=NamePage, gives=Listing[models.Root]),
    Operation(hdrs.METH_POST, "/roots", add_root, Role.ADMIN, takes=models.NewRoot, gives=models.Root, status=HTTPStatus.CREATED),
    Operation(hdrs.METH_GET, "/roots/{root}", get_root, gives=models.Root),
    Operation(hdrs.METH_PATCH, "/roots/{root}", change_root, Role.ADMIN, takes=models.RootChange, gives=models.Root),
    Operation(hdrs.METH_GET, "/collections", list_collections, takes=NamePage, gives=Listing[models.Collection]),
    Operation(
        hdrs.METH_POST, "/collections", add_collection, Role.ADMIN,
        takes=models.NewCollection, gives=models.Collection, status=HTTPStatus.CREATED,
    ),
    Operation(hdrs.METH_GET, "/collections/{collection}", get_collection, gives=models.Collection),
    Operation(
        hdrs.METH_PATCH, "/collections/{collection}", change_collection, Role.ADMIN, takes=models.CollectionChange, gives=models.Collection
    ),
    Operation(hdrs.METH_PUT, "/collections/{collection}/rights/{right}/{grantee}", grant_right, Role.ADMIN, gives=models.Collection),
    Operation(hdrs.METH_DELETE, "/collections/{collection}/rights/{right}/{grantee}", revoke_right, Role.ADMIN, gives=models.Collection),
)  # fmt: skip
