"""`hub report-back`: on what reports are asked for, and how it stands."""

from typing import Annotated

import typer

from hub.cli.session import Json, show, show_one, with_hub
from hub.service import report_backs
from hub.service.adjudicate import row_of
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.web.api import report_backs as render
from hub.web.api import standing_models as models

app = typer.Typer()

COLUMNS = ("id", "object", "asker", "by", "nil_returns", "open", "picture")


@app.command("report-back")
def show_report_backs(
    ctx: typer.Context,
    item: Annotated[str | None, typer.Argument(help="Id of an item; without it, all requests are listed.")] = None,
    as_json: Json = False,
) -> None:
    """Show what is asked for in reports back, and how it stands."""
    if item is None:
        show(with_hub(ctx, _all), COLUMNS, as_json=as_json)
    else:
        show_one(with_hub(ctx, lambda hub: _one(hub, item)), as_json=as_json)


async def _all(hub: Hub) -> list[models.ReportBack]:
    found = await report_backs.list_report_backs(hub, await hub.directory(), COMMAND_LINE, after=0, limit=1_000)
    return [render.shown(one) for one in found]


async def _one(hub: Hub, item: str) -> models.ReportBack:
    row = row_of(hub, item)
    return render.shown(await report_backs.get_report_back(hub, await hub.directory(), COMMAND_LINE, row))
