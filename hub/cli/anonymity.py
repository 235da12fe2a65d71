"""`hub attribution`: to whom a member is known. `hub anonymity`: its names, and learning with a second officer who gave something."""

from typing import Annotated

import typer

from hub.cli.session import Json, show, show_one, with_hub
from hub.domain.directory import Directory
from hub.domain.label import Attribution
from hub.domain.member import Principal, Role
from hub.service import anonymity
from hub.service.administer import COMMAND_LINE, get_any_member
from hub.service.context import Hub
from hub.web.api import anonymity_models as models
from hub.web.api.anonymity import lift_shown, wish_shown

attribution_app = typer.Typer(help="To whom members are known for what they give.", no_args_is_help=True)
app = typer.Typer(help="Names that no rendition may hold, and lifting anonymity, which takes two officers.", no_args_is_help=True)

WISH_COLUMNS = ("member", "collection", "known_to")
LIFT_COLUMNS = ("id", "object", "state", "reason", "proposed_by", "answered_by", "producer", "original")

Member = Annotated[str, typer.Option("--member", help="Slug or id of the member for which you act.")]
Lift = Annotated[str, typer.Argument(metavar="LIFT", help="Id of the proposal.")]


@attribution_app.command("set")
def set_attribution(
    ctx: typer.Context,
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="Id, ROOT/ALIAS, or an alias that is in one API Root only.")],
    known_to: Annotated[Attribution, typer.Argument(metavar="TO", help="everyone, agencies or hub.")],
    member: Member,
    as_json: Json = False,
) -> None:
    """Say to whom a member wants to be known for what it gives to a collection, where an object says nothing narrower."""

    async def work(hub: Hub) -> models.AttributionShown:
        principal = _principal(await hub.directory(), member)
        return wish_shown(await anonymity.set_attribution(hub, principal, collection, known_to))

    show_one(with_hub(ctx, work), as_json=as_json)


@attribution_app.command("list")
def list_attributions(ctx: typer.Context, member: Member, as_json: Json = False) -> None:
    """List to whom a member wants to be known, by collection; where nothing is set it is known to everyone."""

    async def work(hub: Hub) -> list[models.AttributionShown]:
        directory = await hub.directory()
        return [wish_shown(one) for one in anonymity.list_attributions(directory, _principal(directory, member))]

    show(with_hub(ctx, work), WISH_COLUMNS, as_json=as_json)


@app.command("names")
def names(
    ctx: typer.Context,
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="Slug or id.")],
    name: Annotated[list[str] | None, typer.Option(help="A name or a domain; again for more. They take the place of those before.")] = None,
    as_json: Json = False,
) -> None:
    """Show or set the names and domains of a member that no rendition may hold, beside those that it is registered with."""

    async def work(hub: Hub) -> models.NamesShown:
        directory = await hub.directory()
        slug = get_any_member(directory, member).slug
        if name is None:
            return models.NamesShown(member=slug, names=anonymity.get_names(directory, COMMAND_LINE, member))
        return models.NamesShown(member=slug, names=await anonymity.set_names(hub, COMMAND_LINE, member, name))

    show_one(with_hub(ctx, work), as_json=as_json)


@app.command("lift")
def propose_lift(
    ctx: typer.Context,
    object: Annotated[str, typer.Argument(help="STIX id of a rendition.")],
    reason: Annotated[str, typer.Option(help="Why; the second officer decides by it, and the producer reads it.")],
    as_json: Json = False,
) -> None:
    """Propose to learn who produced a rendition. Another officer has to approve, signed in with their own name."""

    async def work(hub: Hub) -> models.LiftShown:
        return lift_shown(await anonymity.propose_lift(hub, COMMAND_LINE, object, reason))

    show_one(with_hub(ctx, work), as_json=as_json)


@app.command("answer")
def answer_lift(
    ctx: typer.Context,
    lift: Lift,
    approved: Annotated[bool, typer.Option("--yes/--no", help="The answer.")],
    as_json: Json = False,
) -> None:
    """Approve or refuse what another officer proposed."""

    async def work(hub: Hub) -> models.LiftShown:
        return lift_shown(await anonymity.answer_lift(hub, COMMAND_LINE, lift, approved=approved))

    show_one(with_hub(ctx, work), as_json=as_json)


@app.command("list")
def list_lifts(ctx: typer.Context, as_json: Json = False) -> None:
    """List all proposals; of those that were approved with the command line's part, also the producer."""

    async def work(hub: Hub) -> list[models.LiftShown]:
        return [lift_shown(one) for one in await anonymity.list_lifts(hub, await hub.directory(), COMMAND_LINE)]

    show(with_hub(ctx, work), LIFT_COLUMNS, as_json=as_json)


@app.command("show")
def show_lift(ctx: typer.Context, lift: Lift, as_json: Json = False) -> None:
    """Show a proposal."""

    async def work(hub: Hub) -> models.LiftShown:
        return lift_shown(await anonymity.get_lift(hub, await hub.directory(), COMMAND_LINE, lift))

    show_one(with_hub(ctx, work), as_json=as_json)


def _principal(directory: Directory, member: str) -> Principal:
    """Return who acts: the command line, for a member and with no more rights than its publishers have."""
    return Principal(COMMAND_LINE.credential, Role.PUBLISHER, get_any_member(directory, member))
