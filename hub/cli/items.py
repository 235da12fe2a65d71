"""`hub item`: what members gave, the queue of items that wait for a ruling, and rulings."""

from typing import Annotated

import typer

from hub.cli.session import Json, show, show_one, with_hub
from hub.domain.scoring import Verdict
from hub.service import adjudicate
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.web.api import items as render
from hub.web.api import standing_models as models

app = typer.Typer(help="What members gave: items that wait for a ruling, and rulings.", no_args_is_help=True)

COLUMNS = ("id", "object", "producer", "received_at", "collection")

Name = Annotated[str, typer.Argument(metavar="ITEM", help="The item's id.")]


@app.command("audit")
def list_audits(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(help="Items at most.", min=1, max=1_000)] = 100,
    after: Annotated[str | None, typer.Option(help="Begin after this item.", show_default="at the oldest")] = None,
    as_json: Json = False,
) -> None:
    """List items that were drawn at random and wait for a ruling, the oldest first."""

    async def work(hub: Hub) -> list[models.Item]:
        first = adjudicate.row_after(hub, after)
        found = await adjudicate.list_open_audits(hub, await hub.directory(), COMMAND_LINE, after=first, limit=limit)
        return [render.shown(one) for one in found]

    show(with_hub(ctx, work), COLUMNS, as_json=as_json)


@app.command("show")
def show_item(ctx: typer.Context, item: Name, as_json: Json = False) -> None:
    """Show an item and what it is worth."""

    async def work(hub: Hub) -> models.Item:
        return render.shown(await adjudicate.get_item(hub, await hub.directory(), COMMAND_LINE, adjudicate.row_of(hub, item)))

    show_one(with_hub(ctx, work), as_json=as_json)


@app.command("rule")
def rule_item(
    ctx: typer.Context,
    item: Name,
    verdict: Annotated[bool, typer.Option("--true/--false", help="Whether it is true.")],
    reason: Annotated[str, typer.Option(help="Why; the producer reads it.")],
) -> None:
    """Rule an item true or false; an earlier ruling falls."""

    async def work(hub: Hub) -> int:
        ruled = Verdict.TRUE if verdict else Verdict.FALSE
        row = adjudicate.row_of(hub, item)
        return await adjudicate.rule_item(hub, await hub.directory(), COMMAND_LINE, row, ruled, reason)

    typer.echo(f"ruled {'true' if verdict else 'false'} as event {with_hub(ctx, work)}")
