"""The policy bundles that were activated, and which one is in force."""

import json
from collections.abc import Mapping

from sqlalchemy import bindparam, insert, select, update

from hub.domain.directory import ActivatedBundle
from hub.store.database import Connection, prepare
from hub.store.tables import table

BUNDLE = table("policy_bundle")
STATE = table("hub_state")

_BUNDLES = prepare(select(BUNDLE.c.digest, BUNDLE.c.activated_us).order_by(BUNDLE.c.activated_us.desc(), BUNDLE.c.digest))
_REACTIVATE = prepare(update(BUNDLE).where(BUNDLE.c.digest == bindparam("key")).values(activated_us=bindparam("activated_us")))
_ADD_BUNDLE = prepare(insert(BUNDLE))
_PUT_IN_FORCE = prepare(update(STATE).where(STATE.c.name == "policy").values(value=bindparam("digest")))


async def list_bundles(conn: Connection) -> list[ActivatedBundle]:
    """Return every bundle that was ever activated, the latest activation first."""
    return [ActivatedBundle(digest, activated_us) for digest, activated_us in await conn.fetch(_BUNDLES)]


async def put_in_force(conn: Connection, digest: str, files: Mapping[str, bytes], *, now_us: int) -> None:
    """Keep a bundle, if it is not kept already, and let it decide from now on."""
    if not await conn.execute(_REACTIVATE, key=digest, activated_us=now_us):
        texts = {path: body.decode() for path, body in files.items()}
        await conn.execute(_ADD_BUNDLE, digest=digest, files=json.dumps(texts), activated_us=now_us)
    await conn.execute(_PUT_IN_FORCE, digest=digest)
