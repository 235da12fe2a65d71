"""`hub connector`: running the configured sources by hand, and seeing where they stand."""

import asyncio
import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from hub.cli.session import Json, with_hub
from hub.domain.connector import Source
from hub.domain.timestamp import format_timestamp
from hub.errors import Conflict, NotFound, Unavailable
from hub.service.connecting import LEASE_S, Run, list_connector_states, run_source
from hub.service.connectors import configured_sources
from hub.service.context import Hub

app = typer.Typer(help="Sources that the hub pulls from.", no_args_is_help=True)


@app.command("run")
def run_connector(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the source: of its table [connector.NAME] in the settings.")],
    once: Annotated[bool, typer.Option("--once", help="Take in what is new, and end.")] = False,
) -> None:
    """Take in what a source has that is new, again and again until interrupted. A hub that serves does this by itself."""

    async def work(hub: Hub) -> None:
        source = _source(hub, name)
        while True:
            try:
                run = await _run(hub, source)
                typer.echo(f"{name}: accepted {run.accepted}, refused {run.refused}")
            except Unavailable as e:
                if once:
                    raise
                typer.echo(f"{name}: {e.detail}", err=True)
            if once:
                return
            await asyncio.sleep(source.poll_interval_s)

    try:
        with_hub(ctx, work)
    except KeyboardInterrupt:
        raise typer.Exit from None


@app.command("status")
def show_status(ctx: typer.Context, as_json: Json = False) -> None:
    """Show where each source stands: those in the settings, and those that ran before."""

    async def work(hub: Hub) -> list[dict[str, object]]:
        sources = {source.name: source for source in configured_sources(hub.config)}
        states = await list_connector_states(hub)
        rows: list[dict[str, object]] = []
        for name in sorted(sources.keys() | states.keys()):
            source, state = sources.get(name), states.get(name)
            rows.append(
                {
                    "name": name,
                    "kind": source.connector.name if source else None,  # None: no longer in the settings
                    "member": source.member if source else None,
                    "collection": source.collection if source else None,
                    "last_run": format_timestamp(state.run_us) if state else None,
                    "last_success": format_timestamp(state.success_us) if state and state.success_us else None,
                    "accepted": state.accepted if state else 0,
                    "refused": state.refused if state else 0,
                    "error": state.error if state else None,
                }
            )
        return rows

    rows = with_hub(ctx, work)
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    elif rows:
        table = Table(*(column.replace("_", " ") for column in rows[0]), box=None, pad_edge=False)
        for row in rows:
            table.add_row(*("-" if value is None else str(value) for value in row.values()))
        Console().print(table)
    else:
        typer.echo("no source is configured: connectors/README.md says how")


async def _run(hub: Hub, source: Source) -> Run:
    """Run a source; where another process has it, wait as long as a killed one's lease may last."""
    for _ in range(LEASE_S):
        try:
            return await run_source(hub, source)
        except Conflict:
            await asyncio.sleep(1)
    return await run_source(hub, source)


def _source(hub: Hub, name: str) -> Source:
    sources = {source.name: source for source in configured_sources(hub.config)}
    if name not in sources:
        raise NotFound(f"no source {name} in the settings; there is {', '.join(sources) or 'none'}")
    return sources[name]
