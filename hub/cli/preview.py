"""`hub preview`: who would see a draft."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.session import Json, show_one, with_hub
from hub.cli.telling import errors_told
from hub.domain.document import objects_of
from hub.domain.member import Principal, Role
from hub.service.administer import COMMAND_LINE, get_any_member
from hub.service.context import Hub
from hub.service.install import DEFAULT_ROOT
from hub.service.preview import preview
from hub.web.api import preview as api

app = typer.Typer()


@app.command("preview")
def preview_draft(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="Bundle, envelope, NDJSON or single object; - reads standard input.", allow_dash=True)],
    collection: Annotated[str, typer.Option(help="Alias or id of the collection.")],
    member: Annotated[str, typer.Option(help="Slug or id of the member that would push it.")],
    root: Annotated[str, typer.Option(help="API Root of the collection.")] = DEFAULT_ROOT,
    as_json: Json = False,
) -> None:
    """Show who would see a draft: now, later and when, or never and by which rule."""
    with errors_told():
        raws = objects_of(sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes())
    body = b'{"objects": [' + b",".join(raws) + b"]}"

    async def work(hub: Hub) -> api.Preview:
        directory = await hub.directory()
        # Whoever has the machine may know every name, as a coordinator may.
        principal = Principal(COMMAND_LINE.credential, Role.COORDINATOR, get_any_member(directory, member))
        return api.shown(await preview(hub, directory, principal, root, collection, body))

    found = with_hub(ctx, work)
    if as_json:
        show_one(found, as_json=True)
    else:
        _tell(found)
    if found.refused:
        raise typer.Exit(1)


def _tell(found: api.Preview) -> None:
    for audience in found.audiences:
        typer.echo(f"{', '.join(audience.objects)}: TLP:{audience.tlp.upper()}{', reciprocal' if audience.reciprocal else ''}")
        for share in audience.shares:
            typer.echo(f"  {_when(share)}: {share.members} ({', '.join(share.names or ())})")
            for rule in share.rules:
                typer.echo(f"    {rule.id}: {rule.reason}")
    for refusal in found.refused:
        typer.echo(f"{refusal.object}: refused: {refusal.reason}", err=True)


def _when(share: api.Share) -> str:
    if not share.seen:
        return "never"
    return f"after {share.delay_h} h, at {share.seen_at}" if share.delay_h else "now"
