"""Writing members, their people, and the sharing groups they form. Reading is `hub.store.directory`'s."""

import json
from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, update

from hub.domain.directory import Person
from hub.domain.ids import GroupId, MemberId
from hub.domain.member import Member, SharingGroup, Standing
from hub.store.database import Change, Connection, prepare
from hub.store.tables import table

MEMBER = table("member")
PERSON = table("person")
GROUP = table("sharing_group")
GROUP_MEMBER = table("sharing_group_member")

_ADD_MEMBER = prepare(insert(MEMBER))
_SET_MEMBER = prepare(
    update(MEMBER)
    .where(MEMBER.c.id == bindparam("key"))
    .values(
        {
            name: bindparam(name)
            for name in ("name", "kind", "sectors", "standing", "suspended", "size", "owner", "message_signatures_required")
        }
    )
)
_ADD_PERSON = prepare(insert(PERSON))
_SET_PERSON = prepare(
    update(PERSON)
    .where(PERSON.c.username == bindparam("key"))
    .values({name: bindparam(name) for name in ("role", "password_hash", "epoch", "disabled")})
)
_ADD_GROUP = prepare(insert(GROUP))
_RENAME_GROUP = prepare(update(GROUP).where(GROUP.c.id == bindparam("key")).values(name=bindparam("name")))
_JOIN = prepare(insert(GROUP_MEMBER))
_LEAVE = prepare(delete(GROUP_MEMBER).where(GROUP_MEMBER.c.group_id == bindparam("group"), GROUP_MEMBER.c.member_id == bindparam("member")))


async def add_member(conn: Connection, member: Member, *, now_us: int) -> None:
    """Insert a member; its groups are not part of it here."""
    await conn.execute(_ADD_MEMBER, id=member.id, slug=member.slug, created_us=now_us, **_columns(member))


async def set_member(conn: Connection, member: Member) -> None:
    """Write what may change of a member; its groups are not part of it here."""
    await conn.execute(_SET_MEMBER, key=member.id, **_columns(member))


def standings(found: Sequence[tuple[MemberId, Standing]]) -> Change:
    """Return what is to be written where members came to other standings."""
    return Change(MEMBER, ("id", "standing"), [(member, standing.value) for member, standing in found], keys=1)


async def add_person(conn: Connection, person: Person, *, now_us: int) -> None:
    """Insert somebody who signs in."""
    await conn.execute(
        _ADD_PERSON, username=person.username, member_id=person.member, role=person.role.value, password_hash=person.password_hash,
        epoch=person.epoch, disabled=int(person.disabled), created_us=now_us,
    )  # fmt: skip


async def set_person(conn: Connection, person: Person) -> None:
    """Write what may change of somebody who signs in."""
    await conn.execute(
        _SET_PERSON, key=person.username, role=person.role.value, password_hash=person.password_hash, epoch=person.epoch,
        disabled=int(person.disabled),
    )  # fmt: skip


async def add_group(conn: Connection, group: SharingGroup, *, now_us: int) -> None:
    """Insert a sharing group and its first members."""
    await conn.execute(_ADD_GROUP, id=group.id, slug=group.slug, name=group.name, created_us=now_us)
    for member in sorted(group.members):
        await join_group(conn, group.id, member, now_us=now_us)


async def rename_group(conn: Connection, group: GroupId, name: str) -> None:
    """Write a sharing group's name."""
    await conn.execute(_RENAME_GROUP, key=group, name=name)


async def join_group(conn: Connection, group: GroupId, member: MemberId, *, now_us: int) -> None:
    """Insert a membership."""
    await conn.execute(_JOIN, group_id=group, member_id=member, joined_us=now_us)


async def leave_group(conn: Connection, group: GroupId, member: MemberId) -> None:
    """Delete a membership."""
    await conn.execute(_LEAVE, group=group, member=member)


def _columns(member: Member) -> dict[str, str | int | None]:
    return {
        "name": member.name,
        "kind": member.kind.value,
        "sectors": json.dumps(sorted(member.sectors)),
        "standing": member.standing.value,
        "suspended": int(member.suspended),
        "size": member.size.value,
        "owner": member.owner,
        "message_signatures_required": int(member.message_signatures_required),
    }
