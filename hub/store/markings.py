"""What the marking definitions that members pushed mean, each to the member that pushed it: the first meaning that it gave an id stands."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from sqlalchemy import select

from hub.domain.ids import MemberId
from hub.store.database import Change, Connection, among, prepare
from hub.store.tables import table

MARKING = table("marking")

_FIND = prepare(select(MARKING.c.stix_id, MARKING.c.member_id, MARKING.c.meaning).where(among(MARKING.c.stix_id, "ids")))
_COLUMNS = ("stix_id", "member_id", "meaning", "digest")


@dataclass(frozen=True, slots=True)
class Marking:
    """What a marking definition means to a member."""

    stix_id: str
    member: MemberId
    meaning: str  # JSON
    digest: bytes


async def find_markings(conn: Connection, stix_ids: Sequence[str]) -> Mapping[str, Mapping[MemberId, str]]:
    """Return the meanings (JSON) of those marking definitions that are known, by the member that says so."""
    found: dict[str, dict[MemberId, str]] = {}
    for stix_id, member, meaning in await conn.fetch(_FIND, ids=list(stix_ids)) if stix_ids else ():
        found.setdefault(stix_id, {})[MemberId(member)] = meaning
    return found


def new_markings(markings: Sequence[Marking]) -> Change:
    """Return the change that keeps what marking definitions mean to members that gave them no meaning before."""
    return Change(MARKING, _COLUMNS, [astuple(marking) for marking in markings])
