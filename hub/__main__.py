"""The `hub` command: every command parses, calls one service function, and prints. Codes: 0 done, 1 refused or failed, 2 misused."""

from pathlib import Path
from typing import Annotated

import typer

from hub import __version__
from hub.cli import audit, collections, connector, credentials, data, demo, members, policy, remote, serve


def cli() -> typer.Typer:
    """Return the whole command line."""
    app = typer.Typer(
        name="hub", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, callback=_options,
        help="Fusion Hub: STIX 2.1 over TAXII 2.1, under policies written in Cedar.",
    )  # fmt: skip
    app.add_typer(serve.app)
    app.add_typer(demo.app)
    app.add_typer(data.app)
    app.add_typer(remote.app)
    app.add_typer(members.member_app, name="member")
    app.add_typer(members.person_app, name="person")
    app.add_typer(credentials.token_app, name="token")
    app.add_typer(credentials.certificate_app, name="certificate")
    app.add_typer(members.group_app, name="group")
    app.add_typer(collections.root_app, name="root")
    app.add_typer(collections.collection_app, name="collection")
    app.add_typer(policy.app, name="policy")
    app.add_typer(connector.app, name="connector")
    app.add_typer(audit.audit_app, name="audit")
    app.command("explain")(audit.explain_view)
    return app


def main() -> None:
    """Run the command that the arguments name."""
    cli()()


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"Fusion Hub {__version__}")
        raise typer.Exit


def _options(
    ctx: typer.Context,
    config_file: Annotated[Path | None, typer.Option("--config", envvar="HUB_CONFIG", help="TOML file with the settings.")] = None,
    _version: Annotated[bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Take the options that stand before the command."""
    if config_file is not None:
        # Commands that take the file themselves find it as their default.
        ctx.default_map = {name: {"config_file": config_file} for name in getattr(ctx.command, "commands", ())}


if __name__ == "__main__":
    main()
