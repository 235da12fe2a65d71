"""Reading the audit trail."""

from hub.domain.directory import AuditEntry
from hub.domain.member import Principal, Role
from hub.service.administer import require_role
from hub.service.context import Hub
from hub.store import audit as store


async def list_audit(hub: Hub, principal: Principal, *, before: int | None = None, limit: int) -> list[AuditEntry]:
    """Return at most `limit` entries, the latest first, for administrators only.

    Args:
        before: the row of the last entry of the page before; None begins at the latest.
    """
    require_role(principal, Role.ADMIN)
    async with hub.db.read() as conn:
        return await store.list_audit(conn, before=before, limit=limit)
