"""What a compromised key vouched for since it may have been in other hands: suspect, for everybody who sees it.

It vouched for what is signed with it, and for what came in a message that is: whoever has the key may have written the one, or sent the
other.

With it goes whatever came in anonymously since then, whoever gave it, signed or not. If renditions of what that key vouched for were told
apart from others, now or later, everybody would know whose they are, as everybody is told which key it is.
"""

from hub.domain.directory import Directory
from hub.domain.label import Attribution
from hub.domain.member import Principal
from hub.service.administer import is_admin, require_active
from hub.service.context import Hub
from hub.service.member_keys import get_key
from hub.service.proofs import may_see
from hub.store.trust import SignedVersion, list_renditions_since, list_signed

_AT_ONCE = 200


async def list_suspects(
    hub: Hub, directory: Directory, principal: Principal, kid: str, *, after: int | None = None, limit: int
) -> tuple[list[SignedVersion], int | None]:
    """Return suspect versions that the caller may know of, in the order of their rows, and after which row the next page begins.

    A member knows of those that it sees; an administrator of all but those whose producer is not to be known.

    Raises:
        NotFound: nothing is suspect that the caller may know of, nor may it know of the key.
    """
    require_active(principal)
    key = directory.keys.get(kid)
    found: list[SignedVersion] = []
    position, since_us = after or 0, None if key is None else key.compromised_from_us
    while len(found) <= limit:
        some = [] if since_us is None else await _read(hub, directory, kid, since_us=since_us, after=position)
        if not some:
            if not found and after is None:
                get_key(directory, principal, kid)
            return found, None
        found += [version for version in some if await _may_know(hub, directory, principal, version)]
        position = some[-1].row
    return found[:limit], found[limit - 1].row


async def _read(hub: Hub, directory: Directory, kid: str, *, since_us: int, after: int) -> list[SignedVersion]:
    async with hub.db.read() as conn:
        signed = await list_signed(conn, kid, since_us=since_us, after=after, limit=_AT_ONCE)
        given = await list_renditions_since(conn, directory.identity, since_us=since_us, after=after, limit=_AT_ONCE)
    return sorted([*signed, *given], key=lambda version: version.row)[:_AT_ONCE]


async def _may_know(hub: Hub, directory: Directory, principal: Principal, version: SignedVersion) -> bool:
    if is_admin(principal) and version.known_to is Attribution.EVERYONE:
        return True
    return await may_see(hub, directory, principal, version.row)
