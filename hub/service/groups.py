"""Sharing groups: who belongs to one sees what is marked with it, so only those inside let others in.

An administrator manages every group. A coordinator adds groups, of which its own member is the first, and manages those that its
member belongs to; of others it knows nothing.
"""

from collections.abc import Iterable
from dataclasses import replace

from hub.domain.directory import Directory
from hub.domain.ids import GroupId, new_uuid
from hub.domain.member import Principal, Role, SharingGroup
from hub.domain.naming import checked_name, checked_slug
from hub.errors import Conflict, NotFound
from hub.service.administer import Change, change, get_any_member, is_admin, require_active, require_role
from hub.service.context import Hub
from hub.store import members as store


def list_groups(directory: Directory, principal: Principal) -> list[SharingGroup]:
    """Return the groups that `principal` may know of, by slug: an administrator all, others those of their member."""
    require_active(principal)
    return sorted((group for group in directory.groups.values() if _may_know(principal, group)), key=lambda group: group.slug)


def get_group(directory: Directory, principal: Principal, name: str) -> SharingGroup:
    """Return the group with this slug or id.

    Raises:
        NotFound: there is none, or none that `principal` may know of.
    """
    require_active(principal)
    group = directory.find_group(name)
    if group is None or not _may_know(principal, group):
        raise NotFound("there is no such sharing group")
    return group


async def add_group(hub: Hub, principal: Principal, *, slug: str, name: str, members: Iterable[str] = ()) -> SharingGroup:
    """Add a group with its first members (slugs or ids); a coordinator's own member is always one of them.

    Raises:
        Withheld: `principal` is no coordinator.
        Invalid: a field is not as it should be.
        NotFound: there is no such member.
        Conflict: the slug is taken.
    """
    require_role(principal, Role.COORDINATOR)
    checked_slug(slug)
    checked_name(name)
    names = list(members)

    async def work(c: Change) -> SharingGroup:
        if c.directory.find_group(slug) is not None:
            raise Conflict(f"there is a sharing group {slug} already")
        first = {get_any_member(c.directory, name).id for name in names}
        if principal.member is not None and not is_admin(principal):
            first.add(principal.member.id)
        group = SharingGroup(GroupId(f"marking-definition--{new_uuid()}"), slug, name, frozenset(first))
        await store.add_group(c.conn, group, now_us=c.now_us)
        slugs = sorted(c.directory.members[id].slug for id in first)
        await c.record("group.add", slug, id=group.id, name=name, members=slugs)
        return group

    return await change(hub, principal, work)


async def rename_group(hub: Hub, principal: Principal, group: str, *, name: str) -> SharingGroup:
    """Give a group another name; slug and id stay.

    Raises:
        Withheld: `principal` is no coordinator.
        NotFound: no such group, or none that `principal` may know of.
        Invalid: the name is not as it should be.
    """
    require_role(principal, Role.COORDINATOR)
    checked_name(name)

    async def work(c: Change) -> SharingGroup:
        held = get_group(c.directory, principal, group)
        await store.rename_group(c.conn, held.id, name)
        await c.record("group.rename", held.slug, name=name)
        return replace(held, name=name)

    return await change(hub, principal, work)


async def join_group(hub: Hub, principal: Principal, group: str, *, member: str) -> SharingGroup:
    """Let a member into a group: from its next request on it sees what is marked with it, the backlog included.

    Raises:
        Withheld: `principal` is no coordinator.
        NotFound: no such group or member, or none that `principal` may know of.
    """
    require_role(principal, Role.COORDINATOR)

    async def work(c: Change) -> SharingGroup:
        held = get_group(c.directory, principal, group)
        joining = get_any_member(c.directory, member)
        if joining.id in held.members:
            return held
        await store.join_group(c.conn, held.id, joining.id, now_us=c.now_us)
        await c.record("group.join", held.slug, member=joining.slug)
        return replace(held, members=held.members | {joining.id})

    return await change(hub, principal, work)


async def leave_group(hub: Hub, principal: Principal, group: str, *, member: str) -> SharingGroup:
    """Put a member out of a group: from its next request on it sees nothing of it. Raises as `join_group` does."""
    require_role(principal, Role.COORDINATOR)

    async def work(c: Change) -> SharingGroup:
        held = get_group(c.directory, principal, group)
        leaving = get_any_member(c.directory, member)
        if leaving.id not in held.members:
            return held
        await store.leave_group(c.conn, held.id, leaving.id)
        await c.record("group.leave", held.slug, member=leaving.slug)
        return replace(held, members=held.members - {leaving.id})

    return await change(hub, principal, work)


def _may_know(principal: Principal, group: SharingGroup) -> bool:
    return is_admin(principal) or (principal.member is not None and principal.member.id in group.members)
