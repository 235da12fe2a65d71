"""`hub serve` and `hub check-config`: running the hub."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hub.app import build_app
from hub.cli.telling import errors_told
from hub.config import Config, load_config
from hub.errors import HubError
from hub.logs import configure_logs
from hub.serve import is_loopback, listen, run, tls_context
from hub.service.connectors import configured_sources
from hub.service.context import open_hub
from hub.service.hub_keys import check_keys
from hub.service.policies import require_fit_policies
from hub.service.witnessing import configured_witnesses
from hub.store.database import open_database
from hub.store.schema import check_migrated

app = typer.Typer()

SettingsFile = Annotated[Path | None, typer.Option("--config", help="TOML file with the settings, instead of HUB_CONFIG.")]


@app.command("serve")
def serve_hub(
    config_file: SettingsFile = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on, instead of the setting listen_host.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on, instead of the setting listen_port.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes that serve, instead of the setting workers.")] = None,
) -> None:
    """Serve the hub until SIGTERM; SIGHUP replaces the workers of a hub on PostgreSQL without losing a connection."""
    given = {"HUB_CONFIG": config_file, "HUB_LISTEN_HOST": host, "HUB_LISTEN_PORT": port, "HUB_WORKERS": workers}
    # Workers read their settings for themselves, so what the command line says goes the same way as the rest.
    environ = {**os.environ, **{name: str(value) for name, value in given.items() if value is not None}}
    with errors_told():
        config = load_config(environ=environ)
        configure_logs(config.log_level, sys.stderr)
        run(config, environ, on_ready=lambda address: typer.echo(f"Fusion Hub answers at {address}/taxii2/"))


@app.command("check-config")
def check_config(config_file: SettingsFile = None) -> None:
    """Show the settings that count, without secrets, and what is wrong with them."""
    with errors_told():
        config = load_config(config_file)
    for name, value in config.described().items():
        typer.echo(f"{name} = {value!r}")
    problems = list(_problems(config))
    for problem in problems:
        typer.echo(f"problem: {problem}", err=True)
    if config.public_url is None and not is_loopback(config.listen_host):
        typer.echo("note: public_url is not set, so discovery names API Roots relative to the address that a client uses", err=True)
    if problems:
        raise typer.Exit(1)


async def _open(config: Config) -> None:
    """Do with the database what `hub serve` does when it starts, so that it says what it would say."""
    db = await open_database(config.database_url)
    try:
        await check_migrated(db)
        hub = await open_hub(config, db)
        await require_fit_policies(hub)
        await check_keys(hub)
    finally:
        await db.close()


def _problems(config: Config) -> Iterator[str]:
    checks: tuple[Callable[[], object], ...] = (
        lambda: build_app(config),
        lambda: configured_sources(config),
        lambda: configured_witnesses(config),
        lambda: tls_context(config),
        lambda: listen(replace(config, listen_port=0)).close(),  # its own port may be the running hub's
        lambda: asyncio.run(_open(config)),
    )
    for check in checks:
        try:
            check()
        except HubError as e:  # of the database, too, where it takes nothing just now
            yield e.detail
