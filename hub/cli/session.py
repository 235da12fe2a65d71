"""What the commands share: opening the hub that the settings name, printing for people or machines."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hub.cli.telling import errors_told
from hub.config import Config, load_config
from hub.errors import ConfigError, Unavailable
from hub.logs import configure_logs
from hub.service.context import Hub, open_hub
from hub.store.database import open_database
from hub.store.notices import tell_others
from hub.store.schema import check_migrated

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

WIDTH_UNSEEN = 240  # columns where nobody looks: cut by the next program, not by us


def settings(ctx: typer.Context) -> Config:
    """Return the settings that the command line, the environment and the file of `hub --config FILE` give.

    Raises:
        ConfigError: they are not in order.
    """
    path: Path | None = ctx.find_root().params.get("config_file")
    return load_config(path)


def with_hub(ctx: typer.Context, work: Callable[[Hub], Awaitable[T]]) -> T:
    """Open the hub, run `work` with it, close it, and return what `work` returns. An error ends the command with one line and code 1."""
    with errors_told():
        config = settings(ctx)
        if config.is_sqlite and not Path(config.database_url.removeprefix("sqlite:///")).exists():
            raise ConfigError("the database is not there; run `hub migrate` first")  # to open it would make an empty one
        configure_logs("warning", sys.stderr)
        return asyncio.run(on_hub(config, work))


def show(shown: Sequence[BaseModel], columns: Sequence[str], *, as_json: bool) -> None:
    """Print a list: a table of these columns, or JSON of everything."""
    if as_json:
        typer.echo(json.dumps([one.model_dump(mode="json") for one in shown], indent=2))
        return
    table = Table(*(column.replace("_", " ") for column in columns), box=None, pad_edge=False)
    for one in shown:
        values = one.model_dump(mode="json")
        table.add_row(*(Text(_cell(values[column]), overflow="fold") for column in columns))
    _console().print(table)


def show_one(shown: BaseModel, *, as_json: bool) -> None:
    """Print one thing with all that is known of it: a line for each field, or JSON."""
    if as_json:
        typer.echo(json.dumps(shown.model_dump(mode="json"), indent=2))
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in shown.model_dump(mode="json").items():
        table.add_row(Text(name.replace("_", " "), style="bold"), Text(_cell(value), overflow="fold"))
    _console().print(table)


async def on_hub(config: Config, work: Callable[[Hub], Awaitable[T]]) -> T:
    """Open the hub of these settings, run `work` with it, close it, and return what `work` returns.

    Raises:
        ConfigError: the database cannot be reached, or is not migrated.
    """
    db = await open_database(config.database_url)
    try:
        await check_migrated(db)
        hub = await open_hub(config, db)
        try:
            return await work(hub)
        finally:
            if hub.appended.is_set():
                with contextlib.suppress(Unavailable):  # who serves looks for itself, a little later
                    await tell_others(db)
    finally:
        await db.close()


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else WIDTH_UNSEEN)


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(str(one) for one in value) or "-"
        case dict():
            return ", ".join(f"{name}={_cell(one)}" for name, one in value.items()) or "-"
    return str(value)
