"""Handles: what stands for an item where it is shown, in place of its row of the ledger.

Rows are numbered as they are written, so neighbours tell of one push; of what was given anonymously, too. A handle is the row as one block,
encrypted under a key derived from the hub's secret (HKDF, RFC 5869), in the form of a UUID: it is always the same and tells nothing,
and the hub reads it back without looking anything up.
"""

import uuid
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_TAG = b"an item\0"  # what a handle decrypts to begins with this, and nothing else does
_ROW_BYTES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Handles:
    """The hub's handles. Made by `of`."""

    _cipher: Cipher[modes.ECB]

    @staticmethod
    def of(secret: bytes) -> "Handles":
        """Return the handles under the hub's secret."""
        return _made(secret)

    def of_row(self, row: int) -> str:
        """Return what stands for a row."""
        encryptor = self._cipher.encryptor()
        return str(uuid.UUID(bytes=encryptor.update(_TAG + row.to_bytes(_ROW_BYTES)) + encryptor.finalize()))

    def find_row(self, handle: str) -> int | None:
        """Return the row for which a handle stands; None: it is no handle of this hub."""
        try:
            block = uuid.UUID(handle).bytes
        except ValueError:
            return None
        decryptor = self._cipher.decryptor()
        plain = decryptor.update(block) + decryptor.finalize()
        return int.from_bytes(plain[len(_TAG) :]) if plain.startswith(_TAG) else None


@lru_cache(maxsize=8)
def _made(secret: bytes) -> Handles:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"hub: handles of items").derive(secret)
    return Handles(Cipher(algorithms.AES(key), modes.ECB()))  # noqa: S305 - a block alone, of which no two are alike
