"""What the marking definitions that members pushed mean, each to the member that pushed it: the first meaning that it gave an id stands."""

from collections.abc import Mapping, Sequence

from sqlalchemy import insert, select

from hub.domain.ids import MemberId
from hub.store.database import Connection, among, prepare
from hub.store.tables import table

MARKING = table("marking")

_FIND = prepare(select(MARKING.c.stix_id, MARKING.c.member_id, MARKING.c.meaning).where(among(MARKING.c.stix_id, "ids")))
_ADD = prepare(insert(MARKING))


async def find_markings(conn: Connection, stix_ids: Sequence[str]) -> Mapping[str, Mapping[MemberId, str]]:
    """Return the meanings (JSON) of those marking definitions that are known, by the member that says so."""
    found: dict[str, dict[MemberId, str]] = {}
    for stix_id, member, meaning in await conn.fetch(_FIND, ids=list(stix_ids)) if stix_ids else ():
        found.setdefault(stix_id, {})[MemberId(member)] = meaning
    return found


async def add_marking(conn: Connection, stix_id: str, member: MemberId, meaning: str, digest: bytes) -> None:
    """Keep what a marking definition means to a member.

    Raises:
        Duplicate: it has given it a meaning already.
    """
    await conn.execute(_ADD, stix_id=stix_id, member_id=member, meaning=meaning, digest=digest)
