"""People who sign in with a password: administrators add and change them, and everybody changes their own password."""

from dataclasses import replace
from typing import TypedDict, Unpack

from hub.domain.directory import Directory, Person
from hub.domain.member import Principal, Role
from hub.domain.naming import checked_password, checked_username
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.administer import Change, change, get_any_member, is_admin, require_active, require_role
from hub.service.context import Hub
from hub.store import members as store


class PersonChanges(TypedDict, total=False):
    """What may change of a person. Each ends what was remembered of earlier log-ins."""

    password: str
    role: Role
    disabled: bool


def list_people(directory: Directory, principal: Principal) -> list[Person]:
    """Return everybody who may sign in, by username, for administrators only."""
    require_role(principal, Role.ADMIN)
    return sorted(directory.people.values(), key=lambda person: person.username)


def get_person(directory: Directory, principal: Principal, username: str) -> Person:
    """Return a person.

    Raises:
        NotFound: there is none, or it is neither `principal` nor does `principal` administer.
    """
    require_active(principal)
    person = directory.people.get(username)
    if person is None or not (is_admin(principal) or _is_self(principal, username)):
        raise NotFound("there is no such person")
    return person


async def add_person(hub: Hub, principal: Principal, *, username: str, password: str, role: Role, member: str | None) -> Person:
    """Add somebody who signs in.

    Args:
        member: slug or id; None only for an administrator, who then sees no content.
    Raises:
        Withheld: `principal` is no administrator.
        Invalid: a field is not as it should be.
        NotFound: there is no such member.
        Conflict: the username is taken.
    """
    require_role(principal, Role.ADMIN)
    checked_username(username)
    if member is None and role is not Role.ADMIN:
        raise Invalid("member: only an administrator may belong to none; name the member that this person acts for")
    password_hash = await hub.logins.hash(checked_password(password))

    async def work(c: Change) -> Person:
        if username in c.directory.people:
            raise Conflict(f"there is a person {username} already")
        of = None if member is None else get_any_member(c.directory, member)
        person = Person(username, of.id if of else None, role, password_hash, epoch=1, disabled=False)
        await store.add_person(c.conn, person, now_us=c.now_us)
        await c.record("person.add", username, role=role, member=of.slug if of else None)
        return person

    return await change(hub, principal, work)


async def change_person(hub: Hub, principal: Principal, username: str, **changes: Unpack[PersonChanges]) -> Person:
    """Change a person. Who is no administrator may set their own password, and nothing else.

    Raises:
        NotFound: no such person, or none that `principal` may know of.
        Withheld: a change that is for administrators.
        Invalid: a field is not as it should be, or the person would be without a member and no administrator.
    """
    get_person(await hub.directory(), principal, username)
    if not is_admin(principal) and changes.keys() - {"password"}:
        raise Withheld("an administrator changes roles and disables people; you may change your password")
    password_hash = await hub.logins.hash(checked_password(changes["password"])) if "password" in changes else None

    async def work(c: Change) -> Person:
        person = c.directory.people[username]
        role = changes.get("role", person.role)
        if person.member is None and role is not Role.ADMIN:
            raise Invalid("role: this person belongs to no member, so only admin is possible")
        person = replace(
            person,
            role=role,
            disabled=changes.get("disabled", person.disabled),
            password_hash=password_hash or person.password_hash,
            epoch=person.epoch + 1,
        )
        await store.set_person(c.conn, person)
        await c.record("person.change", username, role=role, disabled=person.disabled, password_changed=password_hash is not None)
        return person

    return await change(hub, principal, work)


def _is_self(principal: Principal, username: str) -> bool:
    return principal.credential == f"person:{username}"
