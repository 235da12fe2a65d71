"""`hub member`, `hub person` and `hub group`."""

import secrets
import sys
from typing import Annotated

import typer

from hub.cli.session import Json, show, show_one, with_hub
from hub.domain.member import Member, MemberKind, Role, SharingGroup, Size, Standing
from hub.service import groups, members, people
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.service.members import MemberChanges
from hub.service.people import PersonChanges
from hub.web.api import models, render

member_app = typer.Typer(help="Organisations that take part.", no_args_is_help=True)
person_app = typer.Typer(help="People who sign in with a password.", no_args_is_help=True)
group_app = typer.Typer(help="Sharing groups: circles of members.", no_args_is_help=True)

MEMBER_COLUMNS = ("slug", "name", "kind", "sectors", "standing", "suspended", "id")
PERSON_COLUMNS = ("username", "member", "role", "disabled")
GROUP_COLUMNS = ("slug", "name", "members", "id")

MemberName = Annotated[str, typer.Argument(metavar="MEMBER", help="Slug or id of a member.")]
GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="Slug or id of a sharing group.")]
Sectors = Annotated[list[str] | None, typer.Option("--sector", help="A sector; give the option once for each.")]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password and print it once.")]


@member_app.command("add")
def add_member(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(help="Short name for commands and URLs.")],
    name: Annotated[str, typer.Option(help="Name as people know it.")],
    kind: Annotated[MemberKind, typer.Option(help="What sort of organisation it is.")],
    sector: Sectors = None,
    standing: Annotated[Standing | None, typer.Option(help="Its tier, for as long as grace lasts; left out: a newcomer's.")] = None,
    size: Annotated[Size, typer.Option(help="What it can contribute is measured against others of its size.")] = Size.MEDIUM,
    owner: Annotated[str | None, typer.Option(help="Who owns it in the end, as registered.", show_default="nobody but itself")] = None,
    id: Annotated[str | None, typer.Option(help="Its STIX identity, where it has one already.")] = None,
    as_json: Json = False,
) -> None:
    """Add a member."""

    async def work(hub: Hub) -> models.Member:
        added = await members.add_member(
            hub, COMMAND_LINE, slug=slug, name=name, kind=kind, sectors=sector or (), standing=standing, size=size, owner=owner, id=id
        )
        return await _shown(hub, added)

    show_one(with_hub(ctx, work), as_json=as_json)


@member_app.command("list")
def list_members(ctx: typer.Context, as_json: Json = False) -> None:
    """List all members."""

    async def work(hub: Hub) -> list[models.Member]:
        return [await _shown(hub, member) for member in members.list_members(await hub.directory(), COMMAND_LINE)]

    show(with_hub(ctx, work), MEMBER_COLUMNS, as_json=as_json)


@member_app.command("show")
def show_member(ctx: typer.Context, member: MemberName, as_json: Json = False) -> None:
    """Show a member."""

    async def work(hub: Hub) -> models.Member:
        return await _shown(hub, members.get_member(await hub.directory(), COMMAND_LINE, member))

    show_one(with_hub(ctx, work), as_json=as_json)


@member_app.command("change")
def change_member(
    ctx: typer.Context,
    member: MemberName,
    name: Annotated[str | None, typer.Option(help="Name as people know it.")] = None,
    kind: Annotated[MemberKind | None, typer.Option(help="What sort of organisation it is.")] = None,
    sector: Sectors = None,
    standing: Annotated[Standing | None, typer.Option(help="Its tier.")] = None,
    size: Annotated[Size | None, typer.Option(help="What it can contribute is measured against others of its size.")] = None,
    owner: Annotated[str | None, typer.Option(help='Who owns it in the end, as registered; "" for nobody but itself.')] = None,
    message_signatures: Annotated[
        bool | None,
        typer.Option("--signed-messages/--unsigned-messages", help="Take what it sends only signed with its keys, or unsigned too."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Change a member; what is not given stays. Sectors given replace all it had."""
    changes: MemberChanges = {}
    if name is not None:
        changes["name"] = name
    if kind is not None:
        changes["kind"] = kind
    if sector is not None:
        changes["sectors"] = sector
    if standing is not None:
        changes["standing"] = standing
    if size is not None:
        changes["size"] = size
    if owner is not None:
        changes["owner"] = owner or None
    if message_signatures is not None:
        changes["message_signatures_required"] = message_signatures

    async def work(hub: Hub) -> models.Member:
        return await _shown(hub, await members.change_member(hub, COMMAND_LINE, member, **changes))

    show_one(with_hub(ctx, work), as_json=as_json)


@member_app.command("suspend")
def suspend_member(ctx: typer.Context, member: MemberName) -> None:
    """Let a member see and write nothing, from its next request on."""
    with_hub(ctx, lambda hub: members.suspend_member(hub, COMMAND_LINE, member))
    typer.echo(f"{member} is suspended")


@member_app.command("resume")
def resume_member(ctx: typer.Context, member: MemberName) -> None:
    """End a member's suspension."""
    with_hub(ctx, lambda hub: members.resume_member(hub, COMMAND_LINE, member))
    typer.echo(f"{member} takes part again")


@person_app.command("add")
def add_person(
    ctx: typer.Context,
    username: Annotated[str, typer.Argument(help="What they sign in with.")],
    role: Annotated[Role, typer.Option(help="What they may do.")],
    member: Annotated[str | None, typer.Option(help="Whom they act for; none only for an administrator, who sees no content.")] = None,
    generate: Generate = False,
) -> None:
    """Let somebody sign in. The password is asked for, or read from standard input."""
    password = _password(generate=generate)
    with_hub(ctx, lambda hub: people.add_person(hub, COMMAND_LINE, username=username, password=password, role=role, member=member))
    typer.echo(f"{username} may sign in" + (f" with the password {password}" if generate else ""))


@person_app.command("list")
def list_people(ctx: typer.Context, as_json: Json = False) -> None:
    """List everybody who may sign in."""

    async def work(hub: Hub) -> list[models.Person]:
        directory = await hub.directory()
        return [render.person(directory, person) for person in people.list_people(directory, COMMAND_LINE)]

    show(with_hub(ctx, work), PERSON_COLUMNS, as_json=as_json)


@person_app.command("change")
def change_person(
    ctx: typer.Context,
    username: Annotated[str, typer.Argument(help="Who.")],
    role: Annotated[Role | None, typer.Option(help="What they may do from now on.")] = None,
    password: Annotated[bool, typer.Option("--password", help="Ask for a new password, or read it from standard input.")] = False,
    generate: Generate = False,
) -> None:
    """Change a person's role or password; earlier log-ins end at once."""
    changes: PersonChanges = {}
    if role is not None:
        changes["role"] = role
    if password or generate:
        changes["password"] = _password(generate=generate)
    with_hub(ctx, lambda hub: people.change_person(hub, COMMAND_LINE, username, **changes))
    typer.echo(f"{username} is changed" + (f"; the new password is {changes['password']}" if generate else ""))


@person_app.command("disable")
def disable_person(ctx: typer.Context, username: Annotated[str, typer.Argument(help="Who.")]) -> None:
    """Let a person sign in no longer, from the next request on."""
    with_hub(ctx, lambda hub: people.change_person(hub, COMMAND_LINE, username, disabled=True))
    typer.echo(f"{username} may sign in no longer")


@person_app.command("enable")
def enable_person(ctx: typer.Context, username: Annotated[str, typer.Argument(help="Who.")]) -> None:
    """Let a disabled person sign in again."""
    with_hub(ctx, lambda hub: people.change_person(hub, COMMAND_LINE, username, disabled=False))
    typer.echo(f"{username} may sign in")


@group_app.command("add")
def add_group(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(help="Short name for commands and URLs.")],
    name: Annotated[str, typer.Option(help="Name as people know it.")],
    member: Annotated[list[str] | None, typer.Option(help="A first member; give the option once for each.")] = None,
    as_json: Json = False,
) -> None:
    """Add a sharing group; its id is the marking definition that producers put on what only the group may see."""

    async def work(hub: Hub) -> models.Group:
        return await _shown_group(hub, await groups.add_group(hub, COMMAND_LINE, slug=slug, name=name, members=member or ()))

    show_one(with_hub(ctx, work), as_json=as_json)


@group_app.command("list")
def list_groups(ctx: typer.Context, as_json: Json = False) -> None:
    """List all sharing groups and their members."""

    async def work(hub: Hub) -> list[models.Group]:
        return [await _shown_group(hub, group) for group in groups.list_groups(await hub.directory(), COMMAND_LINE)]

    show(with_hub(ctx, work), GROUP_COLUMNS, as_json=as_json)


@group_app.command("rename")
def rename_group(ctx: typer.Context, group: GroupName, name: Annotated[str, typer.Argument(help="Its new name.")]) -> None:
    """Give a sharing group another name; slug and id stay."""
    with_hub(ctx, lambda hub: groups.rename_group(hub, COMMAND_LINE, group, name=name))
    typer.echo(f"{group} is now called {name}")


@group_app.command("join")
def join_group(ctx: typer.Context, group: GroupName, member: MemberName) -> None:
    """Let a member into a sharing group: it sees what is marked with it, the backlog included, from its next request on."""
    with_hub(ctx, lambda hub: groups.join_group(hub, COMMAND_LINE, group, member=member))
    typer.echo(f"{member} belongs to {group}")


@group_app.command("leave")
def leave_group(ctx: typer.Context, group: GroupName, member: MemberName) -> None:
    """Put a member out of a sharing group: it sees nothing more of it, from its next request on."""
    with_hub(ctx, lambda hub: groups.leave_group(hub, COMMAND_LINE, group, member=member))
    typer.echo(f"{member} does not belong to {group}")


async def _shown(hub: Hub, member: Member) -> models.Member:
    return render.member(await hub.directory(), COMMAND_LINE, member)


async def _shown_group(hub: Hub, group: SharingGroup) -> models.Group:
    return render.group(await hub.directory(), group)


def _password(*, generate: bool) -> str:
    """Make a password, ask for one, or read one from standard input: never from an argument, which others could see."""
    if generate:
        return secrets.token_urlsafe(18)
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")
