"""What the marking definitions that members pushed mean. The first meaning of an id stands."""

from collections.abc import Sequence

from sqlalchemy import insert, select

from hub.store.database import Connection, among, prepare
from hub.store.tables import table

MARKING = table("marking")

_FIND = prepare(select(MARKING.c.stix_id, MARKING.c.meaning).where(among(MARKING.c.stix_id, "ids")))
_ADD = prepare(insert(MARKING))


async def find_markings(conn: Connection, stix_ids: Sequence[str]) -> dict[str, str]:
    """Return the meanings (JSON) of those marking definitions that are known."""
    return {row[0]: row[1] for row in await conn.fetch(_FIND, ids=list(stix_ids))} if stix_ids else {}


async def add_marking(conn: Connection, stix_id: str, meaning: str, digest: bytes) -> None:
    """Keep what a marking definition means.

    Raises:
        Duplicate: it has a meaning already.
    """
    await conn.execute(_ADD, stix_id=stix_id, meaning=meaning, digest=digest)
