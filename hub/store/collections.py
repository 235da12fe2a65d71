"""Writing API Roots, collections and the rights on them. Reading is `hub.store.directory`'s."""

import json
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from hub.domain.ids import CollectionId
from hub.domain.taxii import ApiRoot, Collection, Grantee, Right
from hub.store.database import Connection, prepare
from hub.store.tables import table

ROOT = table("api_root")
COLLECTION = table("collection")
CLOCK = table("collection_clock")
RIGHT = table("collection_right")

_CHANGEABLE = ("alias", "description", "default_tlp", "topic", "signature_required", "media_types", "reciprocal", "agreement_id")

_ADD_ROOT = prepare(insert(ROOT))
_SET_ROOT = prepare(
    update(ROOT)
    .where(ROOT.c.slug == bindparam("key"))
    .values({name: bindparam(name) for name in ("title", "description", "is_default")})
)  # fmt: skip
_NO_DEFAULT = prepare(update(ROOT).values(is_default=0))
_LAST_ROW = prepare(select(func.coalesce(func.max(COLLECTION.c.row), 0)))
_ADD_COLLECTION = prepare(insert(COLLECTION))
_ADD_CLOCK = prepare(insert(CLOCK))
_SET_COLLECTION = prepare(
    update(COLLECTION).where(COLLECTION.c.id == bindparam("key")).values({name: bindparam(name) for name in _CHANGEABLE})
)
_GRANT = prepare(insert(RIGHT))
_REVOKE_RIGHT = prepare(
    delete(RIGHT).where(
        RIGHT.c.collection_id == bindparam("collection"),
        RIGHT.c.right == bindparam("access"),
        RIGHT.c.grantee_kind == bindparam("kind"),
        RIGHT.c.grantee_value == bindparam("value"),
    )
)


async def add_root(conn: Connection, root: ApiRoot) -> None:
    """Insert an API Root; where it is the default, no other is any longer."""
    if root.default:
        await conn.execute(_NO_DEFAULT)
    await conn.execute(_ADD_ROOT, slug=root.slug, title=root.title, description=root.description, is_default=int(root.default))


async def set_root(conn: Connection, root: ApiRoot) -> None:
    """Write what may change of an API Root; where it is the default, no other is any longer."""
    if root.default:
        await conn.execute(_NO_DEFAULT)
    await conn.execute(_SET_ROOT, key=root.slug, title=root.title, description=root.description, is_default=int(root.default))


async def add_collection(conn: Connection, collection: Collection, *, now_us: int) -> int:
    """Insert a collection, its rights, and its clock, which begins now; return its row."""
    row = int(await conn.fetch_value(_LAST_ROW)) + 1
    await conn.execute(
        _ADD_COLLECTION, id=collection.id, row=row, api_root=collection.api_root, title=collection.title, created_us=now_us,
        **_columns(collection),
    )  # fmt: skip
    await conn.execute(_ADD_CLOCK, collection_row=row, clock_us=now_us, labels=0)
    for right, grantees in ((Right.READ, collection.readers), (Right.WRITE, collection.writers)):
        for grantee in sorted(grantees):
            await grant_right(conn, collection.id, right, grantee)
    return row


async def set_collection(conn: Connection, collection: Collection) -> None:
    """Write what may change of a collection; its rights are not part of it here."""
    await conn.execute(_SET_COLLECTION, key=collection.id, **_columns(collection))


async def grant_right(conn: Connection, collection: CollectionId, right: Right, grantee: Grantee) -> None:
    """Insert a right."""
    await conn.execute(_GRANT, collection_id=collection, right=right.value, grantee_kind=grantee.kind.value, grantee_value=grantee.value)


async def revoke_right(conn: Connection, collection: CollectionId, right: Right, grantee: Grantee) -> None:
    """Delete a right."""
    await conn.execute(_REVOKE_RIGHT, collection=collection, access=right.value, kind=grantee.kind.value, value=grantee.value)


def _columns(collection: Collection) -> dict[str, Any]:
    return {
        "alias": collection.alias,
        "description": collection.description,
        "default_tlp": collection.default_tlp.value,
        "topic": collection.topic,
        "signature_required": int(collection.signature_required),
        "media_types": json.dumps(list(collection.media_types)),
        "reciprocal": int(collection.reciprocal),
        "agreement_id": collection.agreement,
    }
