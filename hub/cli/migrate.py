"""`hub migrate`: the database's schema, and the hub in it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.telling import errors_told
from hub.config import Config, load_config
from hub.service.context import now_us, read_secret
from hub.service.install import install, renew_policies
from hub.store.database import open_database
from hub.store.migrate import upgrade

app = typer.Typer()


@app.command("migrate")
def migrate_database(
    config_file: Annotated[Path | None, typer.Option("--config", help="TOML file with the settings, instead of HUB_CONFIG.")] = None,
) -> None:
    """Bring the database to the schema that this version needs, and initialise the hub where there is none yet."""
    with errors_told():
        config = load_config(config_file)
        read_secret(config)  # before anything is made for a hub that could not serve
        revision = upgrade(config.database_url)
        installed, policies = asyncio.run(_install(config))
    typer.echo(f"{config.described()['database_url']} has schema {revision}")
    typer.echo("initialised a new hub: add an administrator with `hub person add`" if installed else "the hub in it was left as it is")
    typer.echo(policies)


async def _install(config: Config) -> tuple[bool, str]:
    db = await open_database(config.database_url)
    try:
        installed = await install(db, now_us=now_us(), title=config.title)
        return installed, await renew_policies(db, now_us=now_us())
    finally:
        await db.close()
