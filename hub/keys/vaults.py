"""The three places in which the hub's own keys can be kept, behind one face.

* A directory: a file for each key, named by its purpose and thumbprint, so that a new key replaces no file.
* The database, for nodes that share nothing else: the same encrypted PKCS#8, in the row of the key.
* A security module, over PKCS#11.
"""

from pathlib import Path
from typing import NamedTuple, Protocol

from hub.config import Config
from hub.domain.signing.keys import Algorithm, PrivateKey, Signer
from hub.domain.signing.registered import Purpose
from hub.errors import ConfigError
from hub.keys.files import check_writable, find_key, open_key, passphrase_of, write_key
from hub.keys.pkcs11 import Token


class Made(NamedTuple):
    """A key that was made, and what the database is to keep of the private one."""

    signer: Signer
    sealed: bytes | None = None


class Vault(Protocol):
    """Where keys are kept."""

    def find(self, purpose: Purpose, kid: str, sealed: bytes | None) -> Signer | None:
        """Return the key with this thumbprint; None where it is not here. `sealed` is what the database keeps of it."""

    def make(self, purpose: Purpose, algorithm: Algorithm) -> Made:
        """Make a new key for a purpose."""

    def check_room(self) -> None:
        """Raise ConfigError where it can be told beforehand that no key can be made."""


class DirectoryVault:
    """Keys in files."""

    def __init__(self, directory: Path, passphrase: bytes) -> None:
        self._directory, self._passphrase = directory, passphrase

    def find(self, purpose: Purpose, kid: str, sealed: bytes | None) -> Signer | None:
        """Return the key in the file that is named so."""
        del sealed
        return find_key(self._directory, purpose, kid, self._passphrase)

    def make(self, purpose: Purpose, algorithm: Algorithm) -> Made:
        """Write a new key to a file of its own."""
        key = PrivateKey.generate(algorithm)
        write_key(self._directory, purpose, key, self._passphrase)
        return Made(key)

    def check_room(self) -> None:
        """Look whether files can be written to the directory, or it can be made."""
        check_writable(self._directory)


class DatabaseVault:
    """Keys in rows of the database."""

    def __init__(self, passphrase: bytes) -> None:
        self._passphrase = passphrase

    def find(self, purpose: Purpose, kid: str, sealed: bytes | None) -> Signer | None:
        """Return the key in the row, if it is there."""
        return None if sealed is None else open_key(sealed, self._passphrase, f"the key {kid} for the purpose {purpose} in the database")

    def make(self, purpose: Purpose, algorithm: Algorithm) -> Made:
        """Return a new key and its encrypted form."""
        del purpose
        key = PrivateKey.generate(algorithm)
        return Made(key, key.to_pem(self._passphrase))

    def check_room(self) -> None:
        """A database that is open takes a row more."""


class TokenVault:
    """Keys in a security module. It makes what it can, whatever algorithm is wished."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def find(self, purpose: Purpose, kid: str, sealed: bytes | None) -> Signer | None:
        """Return the key under the label of the purpose with this thumbprint."""
        del sealed
        return self._token.find_key(purpose, kid)

    def make(self, purpose: Purpose, algorithm: Algorithm) -> Made:
        """Make a new key in the module.

        Raises:
            ConfigError: the algorithm is one that no module is asked for.
        """
        if algorithm.is_post_quantum:
            raise ConfigError("object_key_beside: a security module is not asked for post-quantum keys; unset it, or pkcs11_module")
        return Made(self._token.create_key(purpose))

    def check_room(self) -> None:
        """Nothing but to make a key tells whether the module makes one."""


def open_vault(config: Config, secret: bytes) -> Vault:
    """Return the place that the settings name. It may block.

    Args:
        secret: the hub's, from which the passphrase is derived where no file holds one.
    Raises:
        ConfigError: it cannot be opened.
    """
    if config.pkcs11_module is not None:
        assert config.pkcs11_token is not None, "checked with the settings"
        assert config.pkcs11_pin_file is not None, "checked with the settings"
        try:
            pin = config.pkcs11_pin_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as e:
            raise ConfigError(f"pkcs11_pin_file: cannot read {config.pkcs11_pin_file}") from e
        return TokenVault(Token(config.pkcs11_module, config.pkcs11_token, pin))
    passphrase = passphrase_of(config.keys_passphrase_file, secret)
    directory = config.keys_directory
    return DatabaseVault(passphrase) if directory is None else DirectoryVault(directory, passphrase)
