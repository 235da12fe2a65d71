"""Reading the audit trail."""

from collections.abc import AsyncIterator

from hub.domain.audit_chain import Link
from hub.domain.directory import AuditEntry
from hub.domain.member import Principal, Role
from hub.errors import NotFound
from hub.service.administer import require_role
from hub.service.context import Hub
from hub.service.proofs import get_receipt
from hub.store import audit as store
from hub.store.audit_chain import last_link, list_links

_LINKS_TOGETHER = 500


async def list_audit(hub: Hub, principal: Principal, *, before: int | None = None, limit: int) -> list[AuditEntry]:
    """Return at most `limit` entries, the latest first, for administrators only.

    Args:
        before: the row of the last entry of the page before; None begins at the latest.
    """
    require_role(principal, Role.ADMIN)
    async with hub.db.read() as conn:
        return await store.list_audit(conn, before=before, limit=limit)


async def export_audit(hub: Hub, principal: Principal) -> AsyncIterator[list[Link]]:
    """Yield the whole audit trail as it is chained, the first line first, for administrators only.

    Raises:
        NotFound: nothing is chained yet.
    """
    require_role(principal, Role.ADMIN)
    async with hub.db.read() as conn:
        end, _ = await last_link(conn)
    if end == 0:
        raise NotFound("nothing of the audit trail is chained yet: a hub that serves does it within a second")
    after = 0
    while after < end:
        async with hub.db.read() as conn:
            links = await list_links(conn, after=after, limit=min(_LINKS_TOGETHER, end - after))
        yield links
        after = links[-1].number


async def anchor(hub: Hub, principal: Principal, link: bytes) -> str:
    """Return the receipt for an end of the chain, as `export_audit` came to it, from the transparency log.

    Raises:
        Unavailable: it was chained a moment ago, and is signed in the next.
    """
    require_role(principal, Role.ADMIN)
    return await get_receipt(hub, await hub.directory(), principal, link.hex())
