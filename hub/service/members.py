"""Members: administrators add and change them, coordinators see them all, everybody else sees their own."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import TypedDict, Unpack

from hub.domain.directory import Directory
from hub.domain.ids import MemberId, new_uuid
from hub.domain.ledger import Held, LedgerKind, owner_of
from hub.domain.lookalike import find_look_alike
from hub.domain.member import Member, MemberKind, Principal, Role, Size, Standing
from hub.domain.naming import checked_member_id, checked_name, checked_sectors, checked_slug
from hub.domain.standing import day_of
from hub.domain.standing_rules import StandingRules
from hub.domain.webhooks.event import EventKind
from hub.errors import Conflict, NotFound
from hub.service.administer import Change, change, get_any_member, require_active, require_role
from hub.service.context import Hub
from hub.store import members as store
from hub.store.assessment import set_grant
from hub.store.happened import StoredEvent, record_event
from hub.store.ledger import add_event


class MemberChanges(TypedDict, total=False):
    """What may change of a member. Its slug and its id stay: people and objects name it by them."""

    name: str
    kind: MemberKind
    sectors: Iterable[str]
    standing: Standing
    size: Size
    owner: str | None  # None: nobody but itself
    message_signatures_required: bool


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
    standing: Standing | None = None, size: Size = Size.MEDIUM, owner: str | None = None, id: str | None = None,
) -> Member:  # fmt: skip
    """Add a member.

    Args:
        owner: who owns it in the end, as registered; None: nobody but itself.
        standing: what an administrator gives it for as long as grace lasts; None: it is a newcomer, with the grace of one.
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
        size=size,
        owner=None if owner is None else checked_name(owner, "owner"),
    )
    rules = (await hub.policies(await hub.directory())).standing

    async def work(c: Change) -> Member:
        for taken in (member.slug, member.id):
            if c.directory.find_member(taken) is not None:
                raise Conflict(f"there is a member {taken} already")
        _refuse_look_alike(c, member)
        grace = standing is None and not _has_relatives(c, member)
        added = replace(member, standing=standing or (rules.grace.tier if grace else member.standing))
        await store.add_member(c.conn, added, now_us=c.now_us)
        await _grant(c, LedgerKind.JOINED, added, rules, standing, grace=grace)
        await c.record("member.add", added.slug, id=added.id, **_traced(added))
        return added

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
    if (owner := changes.get("owner")) is not None:
        checked_name(owner, "owner")
    rules = (await hub.policies(await hub.directory())).standing

    async def grant(c: Change, changed: Member) -> None:
        if "standing" in changes:
            await _grant(c, LedgerKind.GRANTED, changed, rules, changed.standing, grace=False)
            before = c.directory.members[changed.id].standing
            if before is not changed.standing:
                facts = {"before": before.value, "standing": changed.standing.value}
                told = StoredEvent(EventKind.STANDING_CHANGED, changed.id, member=changed.id, facts=facts)
                await record_event(c.conn, told, now_us=c.now_us)

    return await _write(hub, principal, member, "member.change", changes, grant)


async def suspend_member(hub: Hub, principal: Principal, member: str) -> Member:
    """Let a member see and write nothing, from the next request on. Raises as `change_member` does."""
    return await _write(hub, principal, member, "member.suspend", {"suspended": True})


async def resume_member(hub: Hub, principal: Principal, member: str) -> Member:
    """End a member's suspension. Raises as `change_member` does."""
    return await _write(hub, principal, member, "member.resume", {"suspended": False})


async def _write(
    hub: Hub, principal: Principal, name: str, action: str, changes: "MemberChanges | dict[str, bool]",
    then: Callable[[Change, Member], Awaitable[None]] | None = None,
) -> Member:  # fmt: skip
    require_role(principal, Role.ADMIN)

    async def work(c: Change) -> Member:
        member = replace(get_any_member(c.directory, name), **changes)
        if "name" in changes:
            _refuse_look_alike(c, member)
        await store.set_member(c.conn, member)
        if then is not None:
            await then(c, member)
        await c.record(action, member.slug, **_traced(member))
        return member

    return await change(hub, principal, work)


async def _grant(c: Change, kind: LedgerKind, member: Member, rules: StandingRules, standing: Standing | None, *, grace: bool) -> None:
    """Enter a standing that was not earned, and until when it lasts. A standing that is earned beyond it counts."""
    until_day = day_of(c.now_us) + rules.grace.days
    granted_until_day = None if standing is None else until_day
    held = Held(member.id, granted=standing, granted_until_day=granted_until_day, grace_until_day=until_day if grace else None)
    await set_grant(c.conn, held)
    await add_event(c.conn, kind, member.id, at_us=c.now_us, detail={"standing": standing, "grace": grace})


def _has_relatives(c: Change, member: Member) -> bool:
    """Whether another member has the same owner: grace is given once to each."""
    return any(owner_of(other) == owner_of(member) for other in c.directory.members.values())


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
        "size": member.size,
        "owner": member.owner,
        "message_signatures_required": member.message_signatures_required,
    }
