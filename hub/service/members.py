"""Members: administrators add and change them, coordinators see them all, everybody else sees their own."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypedDict, Unpack

from hub.domain.directory import Directory
from hub.domain.ids import MemberId, new_uuid
from hub.domain.lookalike import find_look_alike
from hub.domain.member import Member, MemberKind, Principal, Role, Standing
from hub.domain.naming import checked_member_id, checked_name, checked_sectors, checked_slug
from hub.errors import Conflict, NotFound
from hub.service.administer import Change, change, get_any_member, require_active, require_role
from hub.service.context import Hub
from hub.store import members as store


class MemberChanges(TypedDict, total=False):
    """What may change of a member. Its slug and its id stay: people and objects name it by them."""

    name: str
    kind: MemberKind
    sectors: Iterable[str]
    standing: Standing


def list_members(directory: Directory, principal: Principal) -> list[Member]:
    """Return the members that `principal` may know of, by slug."""
    require_active(principal)
    if principal.role.includes(Role.COORDINATOR):
        return sorted(directory.members.values(), key=lambda member: member.slug)
    return [directory.members[principal.member.id]] if principal.member is not None else []


def get_member(directory: Directory, principal: Principal, name: str) -> Member:
    """Return the member with this slug or id.

    Raises:
        NotFound: there is none, or none that `principal` may know of.
    """
    require_active(principal)
    member = directory.find_member(name)
    own = principal.member is not None and member is not None and member.id == principal.member.id
    if member is None or not (own or principal.role.includes(Role.COORDINATOR)):
        raise NotFound("there is no such member")
    return member


async def add_member(
    hub: Hub, principal: Principal, *, slug: str, name: str, kind: MemberKind, sectors: Iterable[str] = (),
    standing: Standing = Standing.OBSERVER, id: str | None = None,
) -> Member:  # fmt: skip
    """Add a member.

    Args:
        id: its STIX identity, where it has one already; None makes one.
    Raises:
        Withheld: `principal` is no administrator.
        Invalid: a field is not as it should be.
        Conflict: the slug or the id is taken, or the name looks like another member's.
    """
    require_role(principal, Role.ADMIN)
    member = Member(
        id=MemberId(f"identity--{new_uuid()}") if id is None else checked_member_id(id),
        slug=checked_slug(slug),
        name=checked_name(name),
        kind=kind,
        sectors=checked_sectors(sectors),
        standing=standing,
    )

    async def work(c: Change) -> Member:
        for taken in (member.slug, member.id):
            if c.directory.find_member(taken) is not None:
                raise Conflict(f"there is a member {taken} already")
        _refuse_look_alike(c, member)
        await store.add_member(c.conn, member, now_us=c.now_us)
        await c.record("member.add", member.slug, id=member.id, **_traced(member))
        return member

    return await change(hub, principal, work)


async def change_member(hub: Hub, principal: Principal, member: str, **changes: Unpack[MemberChanges]) -> Member:
    """Change the member with this slug or id.

    Raises:
        Withheld: `principal` is no administrator.
        NotFound: there is no such member.
        Invalid: a field is not as it should be.
        Conflict: the name looks like another member's.
    """
    if "name" in changes:
        checked_name(changes["name"])
    if "sectors" in changes:
        changes["sectors"] = checked_sectors(changes["sectors"])
    return await _write(hub, principal, member, "member.change", changes)


async def suspend_member(hub: Hub, principal: Principal, member: str) -> Member:
    """Let a member see and write nothing, from the next request on. Raises as `change_member` does."""
    return await _write(hub, principal, member, "member.suspend", {"suspended": True})


async def resume_member(hub: Hub, principal: Principal, member: str) -> Member:
    """End a member's suspension. Raises as `change_member` does."""
    return await _write(hub, principal, member, "member.resume", {"suspended": False})


async def _write(hub: Hub, principal: Principal, name: str, action: str, changes: "MemberChanges | dict[str, bool]") -> Member:
    require_role(principal, Role.ADMIN)

    async def work(c: Change) -> Member:
        member = replace(get_any_member(c.directory, name), **changes)
        if "name" in changes:
            _refuse_look_alike(c, member)
        await store.set_member(c.conn, member)
        await c.record(action, member.slug, **_traced(member))
        return member

    return await change(hub, principal, work)


def _refuse_look_alike(c: Change, member: Member) -> None:
    other = find_look_alike(member.name, c.directory.members.values(), but=member.id)
    if other is not None:
        raise Conflict(f"name: it looks like that of the member {other.slug}; write one that nobody takes for it")


def _traced(member: Member) -> dict[str, object]:
    return {
        "name": member.name,
        "kind": member.kind,
        "sectors": sorted(member.sectors),
        "standing": member.standing,
        "suspended": member.suspended,
    }
