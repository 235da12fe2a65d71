"""Private keys in files of whoever signs, and the passphrases that open them."""

import os
import sys
from pathlib import Path

import typer

from hub.domain.signing.keys import PrivateKey
from hub.errors import Invalid

OPENED_BY = "HUB_KEY_PASSPHRASE"  # in the environment: others could see an argument


def read_signing_key(path: Path) -> PrivateKey:
    """Return the key in a PKCS#8 file; a passphrase is taken from the environment, or asked for.

    Raises:
        Invalid: it cannot be read, or is no key that signs.
    """
    try:
        pem = path.read_bytes()
    except OSError as e:
        raise Invalid(f"cannot read the key in {path}: {e.strerror}") from e
    passphrase = os.environ.get(OPENED_BY)
    if b"ENCRYPTED" in pem and passphrase is None and sys.stdin.isatty():
        passphrase = str(typer.prompt("Passphrase of the key", hide_input=True, err=True))
    try:
        return PrivateKey.from_pem(pem, passphrase.encode() if passphrase and b"ENCRYPTED" in pem else None)
    except Invalid as e:
        raise Invalid(f"{path}: {e.detail}") from e


def new_passphrase() -> bytes | None:
    """Return what is to encrypt a new key: from the environment, or asked for where somebody sits at a terminal; None: nothing."""
    given = os.environ.get(OPENED_BY)
    if given is None and sys.stdin.isatty():
        given = str(
            typer.prompt("Passphrase of the key", hide_input=True, confirmation_prompt=True, default="", show_default=False, err=True)
        )
    return given.encode() if given else None
