"""Operations on members, their people, and the sharing groups they form."""

from http import HTTPStatus

from aiohttp import hdrs

from hub.domain.member import Role
from hub.service import groups, members, people
from hub.web.api import models, render
from hub.web.api.models import Listing, NamePage
from hub.web.api.operation import Call, Operation, page


async def list_members(call: Call[NamePage]) -> Listing[models.Member]:
    """List the members that you may know of: coordinators and administrators see all, others their own."""
    found, following = page(members.list_members(call.directory, call.principal), call.sent, key=lambda member: member.slug)
    return Listing[models.Member](items=[render.member(call.directory, call.principal, member) for member in found], next=following)


async def add_member(call: Call[models.NewMember]) -> models.Member:
    """Add a member."""
    member = await members.add_member(call.hub, call.principal, **call.sent.changes())
    return render.member(await call.after(), call.principal, member)


async def get_member(call: Call[None]) -> models.Member:
    """Show a member."""
    member = members.get_member(call.directory, call.principal, call.path["member"])
    return render.member(call.directory, call.principal, member)


async def change_member(call: Call[models.MemberChange]) -> models.Member:
    """Change a member's name, kind, sectors or standing."""
    member = await members.change_member(call.hub, call.principal, call.path["member"], **call.sent.changes())
    return render.member(await call.after(), call.principal, member)


async def suspend_member(call: Call[None]) -> models.Member:
    """Let a member see and write nothing, from its next request on."""
    member = await members.suspend_member(call.hub, call.principal, call.path["member"])
    return render.member(await call.after(), call.principal, member)


async def resume_member(call: Call[None]) -> models.Member:
    """End a member's suspension."""
    member = await members.resume_member(call.hub, call.principal, call.path["member"])
    return render.member(await call.after(), call.principal, member)


async def list_people(call: Call[NamePage]) -> Listing[models.Person]:
    """List everybody who signs in with a password."""
    found, following = page(people.list_people(call.directory, call.principal), call.sent, key=lambda person: person.username)
    return Listing[models.Person](items=[render.person(call.directory, person) for person in found], next=following)


async def add_person(call: Call[models.NewPerson]) -> models.Person:
    """Let somebody sign in with a password."""
    sent = call.sent
    person = await people.add_person(
        call.hub, call.principal, username=sent.username, password=sent.password, role=sent.role, member=sent.member
    )
    return render.person(await call.after(), person)


async def get_person(call: Call[None]) -> models.Person:
    """Show a person; who is no administrator sees only themselves."""
    return render.person(call.directory, people.get_person(call.directory, call.principal, call.path["username"]))


async def change_person(call: Call[models.PersonChange]) -> models.Person:
    """Change a person's password or role, or disable them; who is no administrator may change their own password."""
    person = await people.change_person(call.hub, call.principal, call.path["username"], **call.sent.changes())
    return render.person(await call.after(), person)


async def list_groups(call: Call[NamePage]) -> Listing[models.Group]:
    """List the sharing groups that you may know of: administrators see all, others those that their member belongs to."""
    found, following = page(groups.list_groups(call.directory, call.principal), call.sent, key=lambda group: group.slug)
    return Listing[models.Group](items=[render.group(call.directory, group) for group in found], next=following)


async def add_group(call: Call[models.NewGroup]) -> models.Group:
    """Add a sharing group; a coordinator's own member is always in it."""
    group = await groups.add_group(call.hub, call.principal, **call.sent.changes())
    return render.group(await call.after(), group)


async def get_group(call: Call[None]) -> models.Group:
    """Show a sharing group and its members."""
    return render.group(call.directory, groups.get_group(call.directory, call.principal, call.path["group"]))


async def rename_group(call: Call[models.GroupChange]) -> models.Group:
    """Give a sharing group another name."""
    group = await groups.rename_group(call.hub, call.principal, call.path["group"], name=call.sent.name)
    return render.group(await call.after(), group)


async def join_group(call: Call[None]) -> models.Group:
    """Let a member into a sharing group: it sees what is marked with it, the backlog included, from its next request on."""
    group = await groups.join_group(call.hub, call.principal, call.path["group"], member=call.path["member"])
    return render.group(await call.after(), group)


async def leave_group(call: Call[None]) -> models.Group:
    """Put a member out of a sharing group: it sees nothing more of it, from its next request on."""
    group = await groups.leave_group(call.hub, call.principal, call.path["group"], member=call.path["member"])
    return render.group(await call.after(), group)


OPERATIONS = (
    Operation(hdrs.METH_GET, "/members", list_members, takes=NamePage, gives=Listing[models.Member]),
    Operation(hdrs.METH_POST, "/members", add_member, Role.ADMIN, takes=models.NewMember, gives=models.Member, status=HTTPStatus.CREATED),
    Operation(hdrs.METH_GET, "/members/{member}", get_member, gives=models.Member),
    Operation(hdrs.METH_PATCH, "/members/{member}", change_member, Role.ADMIN, takes=models.MemberChange, gives=models.Member),
    Operation(hdrs.METH_POST, "/members/{member}/suspend", suspend_member, Role.ADMIN, gives=models.Member),
    Operation(hdrs.METH_POST, "/members/{member}/resume", resume_member, Role.ADMIN, gives=models.Member),
    Operation(hdrs.METH_GET, "/people", list_people, Role.ADMIN, takes=NamePage, gives=Listing[models.Person]),
    Operation(hdrs.METH_POST, "/people", add_person, Role.ADMIN, takes=models.NewPerson, gives=models.Person, status=HTTPStatus.CREATED),
    Operation(hdrs.METH_GET, "/people/{username}", get_person, gives=models.Person),
    Operation(hdrs.METH_PATCH, "/people/{username}", change_person, takes=models.PersonChange, gives=models.Person),
    Operation(hdrs.METH_GET, "/groups", list_groups, takes=NamePage, gives=Listing[models.Group]),
    Operation(hdrs.METH_POST, "/groups", add_group, Role.COORDINATOR, takes=models.NewGroup, gives=models.Group, status=HTTPStatus.CREATED),
    Operation(hdrs.METH_GET, "/groups/{group}", get_group, gives=models.Group),
    Operation(hdrs.METH_PATCH, "/groups/{group}", rename_group, Role.COORDINATOR, takes=models.GroupChange, gives=models.Group),
    Operation(hdrs.METH_PUT, "/groups/{group}/members/{member}", join_group, Role.COORDINATOR, gives=models.Group),
    Operation(hdrs.METH_DELETE, "/groups/{group}/members/{member}", leave_group, Role.COORDINATOR, gives=models.Group),
)
