"""The `hub` command: every command parses, calls one service function, and prints. Codes: 0 done, 1 refused or failed, 2 misused.

The module of a command is imported when the command is called: the libraries of all take longer than most commands.
"""

import contextlib
import gc
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from hub import __version__


class Place(NamedTuple):
    """Where a command is."""

    module: str  # of hub.cli
    help: str  # as the command itself has it, for the list of all
    app: str = "app"  # the Typer there that is the command, as a group of its own, or holds it


COMMANDS = {
    "serve": Place("serve", "Serve the hub until SIGTERM; SIGHUP replaces the workers of a hub on PostgreSQL without losing a connection."),
    "migrate": Place(
        "migrate", "Bring the database to the schema that this version needs, and initialise the hub where there is none yet."
    ),
    "check-config": Place("serve", "Show the settings that count, without secrets, and what is wrong with them."),
    "demo": Place("demo", "Run a hub with a fictional community, and say what to try."),
    "import": Place("data", "Take files into a collection, through the same admission as a push of the member."),
    "export": Place("data", "Write what a member may see of a collection."),
    "push": Place("remote", "Push files to a collection of a TAXII 2.1 server, and wait for what becomes of each object."),
    "pull": Place("remote", "Pull every version in a collection of a TAXII 2.1 server, oldest first, as NDJSON."),
    "keygen": Place("signing", "Make a key that signs objects and pushes, and beside it the public key that hubs register."),
    "sign": Place("signing", "Sign objects, and write them with their signatures."),
    "verify": Place("signing", "Verify the signatures of objects, one line for each; fail if any is bad, suspect or missing."),
    "preview": Place("preview", "Show who would see a draft: now, later and when, or never and by which rule."),
    "explain": Place("audit", "Explain whether a member sees an object, and by which policies."),
    "member": Place("members", "Organisations that take part.", "member_app"),
    "person": Place("members", "People who sign in with a password.", "person_app"),
    "group": Place("members", "Sharing groups: circles of members.", "group_app"),
    "token": Place("credentials", "Tokens, with which machines authenticate.", "token_app"),
    "certificate": Place("credentials", "Client certificates, known by their public key.", "certificate_app"),
    "key": Place("keys", "Members' signing keys.", "key_app"),
    "own-key": Place("keys", "The hub's own signing keys.", "own_key_app"),
    "root": Place("collections", "TAXII API Roots.", "root_app"),
    "collection": Place("collections", "TAXII collections, and who may read and write them.", "collection_app"),
    "agreement": Place("agreements", "Sharing agreements: between whom, on what basis, for what content and how long."),
    "release": Place("releases", "Requests that the source of what a member sees release it wider."),
    "attribution": Place("anonymity", "To whom members are known for what they give.", "attribution_app"),
    "anonymity": Place("anonymity", "Names that no rendition may hold, and lifting anonymity, which takes two officers."),
    "policy": Place("policy", "Check the policies that decide who sees what, try them, and put them in force."),
    "standing": Place("standing", "Show members' standings, or explain one: what raised and lowered it, and the next step."),
    "practice": Place("standing", "Enter that a member took part in joint practice.", "practice_app"),
    "contest": Place("standing", "Events that members contest, and the answers.", "contest_app"),
    "item": Place("items", "What members gave: items that wait for a ruling, and rulings."),
    "report-back": Place("reports", "Show what is asked for in reports back, and how it stands."),
    "subscription": Place("subscriptions", "Webhooks: who is told of what, where, and what became of it."),
    "listen": Place("listen", "Receive webhooks on this machine: verify, print, and answer each."),
    "connector": Place("connector", "Sources that the hub pulls from."),
    "audit": Place("audit_trail", "What administrators did, and whether a hub's log is what it seems.", "audit_app"),
    "prove": Place("log", "Get a receipt for each object, which proves without the hub that its log holds it, and check it."),
    "log": Place("log", "This hub's transparency log.", "log_app"),
    "witness": Place("witness", "Run a witness, which cosigns checkpoints of logs that it knows, as long as they only grow."),
}


class _Commands(TyperGroup):
    """The commands, of which the name and the help are known, and the rest when one is called."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {name: TyperCommand(name, help=place.help) for name, place in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load_command(name) if name else command, rest


def load_command(name: str) -> Any:
    """Return the command that is called so, importing its module."""
    place = COMMANDS[name]
    with _sparing_the_collector():
        module = importlib.import_module(f"hub.cli.{place.module}")
    group = typer.main.get_group(getattr(module, place.app))
    return group.commands.get(name, group)


@contextlib.contextmanager
def _sparing_the_collector() -> Iterator[None]:
    """Let the cyclic collector rest while modules are imported: it would walk them again and again, a tenth of the time, for no garbage."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def cli() -> typer.Typer:
    """Return the whole command line."""
    return typer.Typer(
        name="hub", cls=_Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, callback=_options,
        help="Fusion Hub: STIX 2.1 over TAXII 2.1, under policies written in Cedar.",
    )  # fmt: skip


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
        # Commands that take the file themselves find it as their default; with a variable of their own they would take that first.
        ctx.default_map = {name: {"config_file": config_file} for name in COMMANDS}


if __name__ == "__main__":
    main()
