"""How every administrative change is made: one transaction that checks, writes, leaves a trace and moves the revision.

Administrative transactions follow one another, so what one has checked still holds when it writes. A node reads the directory anew
when the revision has moved, so a change counts from the next request on, on every node.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from hub.domain.agreement import Agreement
from hub.domain.directory import Directory
from hub.domain.member import Member, Principal, Role, SharingGroup
from hub.errors import NotFound, Withheld
from hub.service.context import Hub
from hub.store.audit import add_audit
from hub.store.database import Connection
from hub.store.directory import bump_revision, load_directory

T = TypeVar("T")

# Who may open the database may do everything; there is nobody to ask for a credential.
COMMAND_LINE = Principal("command line", Role.ADMIN)


@dataclass(frozen=True, slots=True)
class Change:
    """An administrative transaction: who makes it, and the directory as it was when it began."""

    conn: Connection
    directory: Directory
    principal: Principal
    now_us: int

    async def record(self, action: str, target: str, **detail: object) -> None:
        """Leave a trace of what is done. `detail` is plain JSON and holds no secret."""
        await add_audit(self.conn, at_us=self.now_us, actor=self.principal.credential, action=action, target=target, detail=detail)


async def change(hub: Hub, principal: Principal, work: Callable[[Change], Awaitable[T]]) -> T:
    """Run `work` in one transaction, after every administrative change before it. What it raises undoes all of it."""
    now_us = hub.now_us()

    async def run(conn: Connection) -> T:
        await bump_revision(conn)  # first: it locks the row, so administrative changes queue here
        return await work(Change(conn, await load_directory(conn, now_us), principal, now_us))

    return await hub.db.write(run)


def is_suspended(principal: Principal) -> bool:
    """Whether a principal acts for a member that is suspended."""
    return principal.member is not None and principal.member.suspended


def require_active(principal: Principal) -> None:
    """Refuse a principal whose member is suspended."""
    if is_suspended(principal):
        raise Withheld("your organisation's membership is suspended")


def require_role(principal: Principal, role: Role) -> None:
    """Refuse a principal whose member is suspended, or whose role does not include `role`."""
    require_active(principal)
    if not principal.role.includes(role):
        raise Withheld(f"this needs the role {role}; yours is {principal.role}")


def is_admin(principal: Principal) -> bool:
    """Whether a principal administers the hub."""
    return principal.role.includes(Role.ADMIN)


def get_any_member(directory: Directory, name: str) -> Member:
    """Return the member with this slug or id, whoever asks.

    Raises:
        NotFound: there is none.
    """
    member = directory.find_member(name)
    if member is None:
        raise NotFound("there is no such member")
    return member


def get_any_group(directory: Directory, name: str) -> SharingGroup:
    """Return the sharing group with this slug or id, whoever asks.

    Raises:
        NotFound: there is none.
    """
    group = directory.find_group(name)
    if group is None:
        raise NotFound("there is no such sharing group")
    return group


def get_any_agreement(directory: Directory, name: str) -> Agreement:
    """Return the sharing agreement with this slug or id, whoever asks.

    Raises:
        NotFound: there is none.
    """
    agreement = directory.find_agreement(name)
    if agreement is None:
        raise NotFound("there is no such sharing agreement")
    return agreement
