"""`hub release`: requests for wider release, made and answered for a member."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from hub.cli.session import Json, show, show_one, with_hub
from hub.domain.directory import Directory
from hub.domain.member import Principal, Role
from hub.service import releases
from hub.service.administer import COMMAND_LINE, get_any_member
from hub.service.context import Hub
from hub.service.releases import Release
from hub.web.api import agreement_models as models
from hub.web.api.releases import shown

app = typer.Typer(help="Requests that the source of what a member sees release it wider.", no_args_is_help=True)

COLUMNS = ("id", "asked_at", "asker", "source", "object", "to", "state", "marking", "released_at")

Member = Annotated[str, typer.Option("--member", help="Slug or id of the member for which you act.")]
Name = Annotated[str, typer.Argument(metavar="REQUEST", help="Id of the request.")]
Reason = Annotated[str, typer.Option(help="Why, or why not; the other side reads it.")]


@app.command("ask")
def ask_release(
    ctx: typer.Context,
    object: Annotated[str, typer.Argument(help="Id of a STIX object that the member sees.")],
    member: Member,
    to: Annotated[str, typer.Option(help="everyone, kind:KIND, sector:SECTOR, group:SLUG of a group of its own, or member:ID.")],
    reason: Reason,
    as_json: Json = False,
) -> None:
    """Ask the source of an object to release it wider."""

    async def work(hub: Hub, directory: Directory, principal: Principal) -> Release:
        return await releases.ask_release(hub, directory, principal, object, to=to, reason=reason)

    show_one(_acting(ctx, member, work), as_json=as_json)


@app.command("answer")
def answer_release(
    ctx: typer.Context,
    request: Name,
    member: Member,
    agreed: Annotated[bool, typer.Option("--yes/--no", help="The answer.")],
    reason: Reason,
    marking: Annotated[str | None, typer.Option(help="With a yes: what the member is going to publish the object under.")] = None,
    as_json: Json = False,
) -> None:
    """Answer a request as the source. A yes loosens nothing: the member publishes a newer version under the wider marking."""

    async def work(hub: Hub, _: Directory, principal: Principal) -> Release:
        return await releases.answer_release(hub, principal, request, agreed=agreed, reason=reason, marking=marking)

    show_one(_acting(ctx, member, work), as_json=as_json)


@app.command("withdraw")
def withdraw_release(ctx: typer.Context, request: Name, member: Member, as_json: Json = False) -> None:
    """Take back a request that the member made, before the source has answered."""

    async def work(hub: Hub, _: Directory, principal: Principal) -> Release:
        return await releases.withdraw_release(hub, principal, request)

    show_one(_acting(ctx, member, work), as_json=as_json)


@app.command("list")
def list_releases(ctx: typer.Context, member: Member, as_json: Json = False) -> None:
    """List the requests that the member made, and those that it is the source for."""

    async def work(hub: Hub) -> list[models.Release]:
        directory = await hub.directory()
        principal = _principal(directory, member)
        found = await releases.list_releases(hub, principal)
        return [shown(directory, release) for release in sorted(found, key=lambda one: one.request.asked_us)]

    show(with_hub(ctx, work), COLUMNS, as_json=as_json)


@app.command("show")
def show_release(ctx: typer.Context, request: Name, member: Member, as_json: Json = False) -> None:
    """Show a request that the member made, or is the source for."""

    async def work(hub: Hub, _: Directory, principal: Principal) -> Release:
        return await releases.get_release(hub, principal, request)

    show_one(_acting(ctx, member, work), as_json=as_json)


def _acting(ctx: typer.Context, member: str, work: Callable[[Hub, Directory, Principal], Awaitable[Release]]) -> models.Release:
    async def acting(hub: Hub) -> models.Release:
        directory = await hub.directory()
        principal = _principal(directory, member)
        return shown(directory, await work(hub, directory, principal))

    return with_hub(ctx, acting)


def _principal(directory: Directory, member: str) -> Principal:
    """Return who acts: the command line, for a member and with no more rights than its publishers have."""
    return Principal(COMMAND_LINE.credential, Role.PUBLISHER, get_any_member(directory, member))
