"""`hub prove` and `hub log`: receipts from the transparency log of any hub, and the name of this hub's own log."""

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.held_objects import held_objects, read_receipt
from hub.cli.log_client import LogClient, read_key, read_witnesses
from hub.cli.remote import CaFile, Credentials, Password, Token, User
from hub.cli.session import with_hub
from hub.cli.telling import errors_told
from hub.errors import HubError, Invalid
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.service.hub_keys import open_keys
from hub.service.log_keeping import memory_of, open_log, rename_log
from hub.service.proofs import get_checkpoint

app = typer.Typer()
log_app = typer.Typer(help="This hub's transparency log.", no_args_is_help=True)

Url = Annotated[str, typer.Argument(help="Address of the hub, such as https://hub.example.org.")]
Files = Annotated[list[Path], typer.Argument(help="Bundles, envelopes, NDJSON, single objects; .gz; folders of these.", exists=True)]
LogKey = Annotated[
    str | None, typer.Option("--log-key", help="Verifier key of the log, or a file with it.", show_default="the one that the hub shows")
]
Witnesses = Annotated[
    list[str] | None,
    typer.Option("--witness", help="Verifier key of a witness, or a file with it: it has to have cosigned what is checked. Repeatable."),
]
Receipts = Annotated[Path, typer.Option(help="Directory of receipts, one for each object: <digest>.tlog-proof.", file_okay=False)]


@app.command("prove")
def prove_objects(
    url: Url,
    files: Files,
    receipts: Receipts = Path(),
    log_key: LogKey = None,
    witness: Witnesses = None,
    user: User = None,
    password: Password = None,
    token: Token = None,
    ca_file: CaFile = None,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nobody: check receipts that are there; needs --log-key.")] = False,
) -> None:
    """Get a receipt for each object, which proves without the hub that its log holds it, and check it."""
    with errors_told(), contextlib.closing(LogClient(url, Credentials.of(user, password, token), ca_file)) as client:
        if offline and log_key is None:
            raise Invalid("--offline needs --log-key: a key that is known from elsewhere")
        key = read_key(log_key) if log_key is not None else client.key()
        witnesses = read_witnesses(witness)
        receipts.mkdir(parents=True, exist_ok=True)
        failed = 0
        for held in held_objects(files):
            try:
                path = held.receipt_in(receipts)
                content = read_receipt(path) if offline else client.receipt(held.digest)
                proved = held.check(content, key, witnesses)
                if not offline:
                    path.write_text(content, encoding="utf-8")
                told = proved.told
                typer.echo(f"{held.name}: {told.kind} at {told.at}, leaf {told.index} of {proved.checkpoint.origin}: {path}")
            except HubError as e:
                failed += 1
                typer.echo(f"{held.name}: {e.detail}", err=True)
        if failed:
            raise typer.Exit(1)


@log_app.command("show")
def show_log(ctx: typer.Context) -> None:
    """Show the log's verifier key, which members and witnesses need, and its latest checkpoint."""

    async def work(hub: Hub) -> tuple[str, str, str]:
        await open_keys(hub)
        key = await open_log(hub)
        return str(key), await get_checkpoint(hub), str(memory_of(hub.config, key) or "nowhere; set state_dir")

    key, checkpoint, memory = with_hub(ctx, work)
    typer.echo(f"verifier key: {key}\nthe last checkpoint is remembered in: {memory}\n\n{checkpoint}", nl=False)


@log_app.command("rename")
def begin_another(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name, such as hub.example.org/log/2: one that the hub never had.")],
) -> None:
    """Begin another log with the same leaves, where the old one cannot go on: the database is a backup from before what was published.

    Members and witnesses have to be told the new verifier key; receipts of the old log stay good for who has them.
    """

    async def work(hub: Hub) -> str:
        await open_keys(hub)
        await rename_log(hub, COMMAND_LINE, name)
        return str(await open_log(hub))

    typer.echo(f"the log is now {with_hub(ctx, work)}")
