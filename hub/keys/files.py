"""Keys in files: encrypted PKCS#8 that nobody but the hub's user may read."""

import os
import stat
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.registered import Purpose
from hub.errors import ConfigError, Invalid
from hub.keys.whole import write_whole

_PASSPHRASE_BYTES = 32
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def passphrase_of(file: Path | None, secret: bytes) -> bytes:
    """Return what the keys are encrypted with: what the file holds, or without one a value derived from the hub's secret.

    Raises:
        ConfigError: the file cannot be read, is empty, or may be read by everybody.
    """
    if file is None:
        return HKDF(SHA256(), _PASSPHRASE_BYTES, salt=None, info=b"fusion-hub keys at rest").derive(secret).hex().encode()
    try:
        # Group bits are let pass: systemd shows credentials with an access list as such.
        if file.stat().st_mode & stat.S_IRWXO:
            raise ConfigError(f"keys_passphrase_file: {file} may be read by everybody; run `chmod o= {file}`")
        passphrase = file.read_bytes().strip()
    except OSError as e:
        raise ConfigError(f"keys_passphrase_file: cannot read {file}: {e.strerror}") from e
    if not passphrase:
        raise ConfigError(f"keys_passphrase_file: {file} is empty")
    return passphrase


def find_key(directory: Path, purpose: Purpose, kid: str, passphrase: bytes) -> PrivateKey | None:
    """Return the key with this thumbprint; None where there is no file of it.

    Raises:
        ConfigError: the file may be read by others, is no key, or the passphrase is another.
    """
    path = key_path(directory, purpose, kid)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise ConfigError(f"keys_dir: cannot read {path}: {e.strerror}") from e
    with os.fdopen(fd, "rb") as file:
        mode = os.fstat(fd).st_mode
        if mode & _OTHERS:
            raise ConfigError(f"{path} may be read by others (mode {stat.S_IMODE(mode):04o}): run `chmod 400` on it, and rotate the key")
        return open_key(file.read(), passphrase, str(path))


def open_key(pem: bytes, passphrase: bytes, place: str) -> PrivateKey:
    """Decrypt a key; `place` is where it was found, for the error.

    Raises:
        ConfigError: it is no key, or the passphrase is another.
    """
    try:
        return PrivateKey.from_pem(pem, passphrase)
    except Invalid as e:
        raise ConfigError(
            f"{place}: {e.detail}; keys_passphrase_file, or the hub's secret key where that is unset, must be as it was"
        ) from e


def write_key(directory: Path, purpose: Purpose, key: PrivateKey, passphrase: bytes) -> None:
    """Write a new key, whole or not at all.

    Raises:
        ConfigError: the file cannot be written.
    """
    path = key_path(directory, purpose, key.public.kid)
    try:
        write_whole(path, key.to_pem(passphrase), mode=0o400)
    except OSError as e:
        raise ConfigError(f"keys_dir: cannot write {path}: {e.strerror}") from e


def check_writable(directory: Path) -> None:
    """Look whether keys can be written to a directory, or it can be made, without making anything.

    Raises:
        ConfigError: they cannot.
    """
    place = directory.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise ConfigError(f"keys_dir: cannot write to {directory}: {place} is no directory")
    if not os.access(place, os.W_OK | os.X_OK):
        raise ConfigError(f"keys_dir: cannot write to {directory}: the hub's user may not write to {place}")


def key_path(directory: Path, purpose: Purpose, kid: str) -> Path:
    """Return the file of a key."""
    return directory / f"{purpose}.{kid}.pem"
