"""`hub witness`: a witness of other organisations' transparency logs (C2SP tlog-witness).

What it prints goes into the setting log_witnesses of the hub, with the address at which the hub reaches it: that of a proxy that speaks
TLS.
"""

import logging
import os
import socket
from pathlib import Path
from typing import Annotated

import typer
from aiohttp import web

from hub.cli.log_client import read_key
from hub.cli.telling import errors_told
from hub.domain.signing.keys import PrivateKey
from hub.domain.tlog.cosignature import witness_key
from hub.domain.tlog.note import Kind
from hub.errors import ConfigError, HubError, Invalid
from hub.web.witness import Witness, build_witness

app = typer.Typer()

KEY_FILE = "witness.pem"


@app.command("witness")
def serve_witness(
    directory: Annotated[Path, typer.Argument(help="Where it keeps its key and what it cosigned.", file_okay=False)],
    name: Annotated[str, typer.Option(help="Name of the witness, such as witness.example.org/hub.")],
    log_key: Annotated[list[str], typer.Option("--log-key", help="Verifier key of a log, or a file with it. Repeatable.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65_535)] = 8461,
) -> None:
    """Run a witness, which cosigns checkpoints of logs that it knows, as long as they only grow."""
    with errors_told():
        keys = [read_key(text) for text in log_key]
        if any(key.kind is not Kind.NOTE for key in keys):
            raise Invalid("--log-key: give what `hub log show` shows; this is a witness's key")
        signer = _open_key(directory)
        witness = Witness(name, signer, {key.name: key for key in keys}, directory)
        shown = witness_key(name, signer)
        listening = _listen(host, port)
    typer.echo(f"{shown} http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}")
    logging.basicConfig(level=logging.WARNING)
    web.run_app(build_witness(witness), sock=listening, print=None, access_log=None)


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigError: it cannot listen there.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as e:
        raise ConfigError(f"cannot listen on {host}, port {port}: {str(e.strerror).partition(' (')[0]}; give --host or --port") from e


def _open_key(directory: Path) -> PrivateKey:
    """Return the witness's key, made on first use.

    Raises:
        ConfigError: it cannot be read or written, or others may read it.
    """
    path = directory / KEY_FILE
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
                file.write(PrivateKey.generate().to_pem())
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"{path} may be read by others: run `chmod 400 {path}`, or better begin with a new key")
        return PrivateKey.from_pem(path.read_bytes())
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror}") from e
    except HubError as e:
        raise ConfigError(f"{path}: {e.detail}") from e
