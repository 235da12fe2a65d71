"""Pseudonyms: ids of renditions that only the hub can tie to an original, and the sealed record that says which it was.

* Everything is under keys derived from the hub's secret (HKDF, RFC 5869): whoever reads the tables alone learns nothing from them.
* An object has one pseudonym for each producer that gave it, so its versions line up; two objects of one producer have nothing in common.
"""

import hashlib
import hmac
import json
import secrets
import uuid
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.domain.ids import MemberId

_NONCE_BYTES = 12  # AES-GCM's own, drawn at random: a record is sealed anew far less often than 2**32 times


@dataclass(frozen=True, slots=True)
class Source:
    """What a rendition was made from."""

    producer: MemberId
    stix_id: str
    version_us: int | None  # None: of an object without versions


@dataclass(frozen=True, slots=True, eq=False)
class Pseudonyms:
    """The hub's pseudonyms. Made by `of`."""

    _names: bytes
    _seal: AESGCM

    @staticmethod
    def of(secret: bytes) -> "Pseudonyms":
        """Return the pseudonyms under the hub's secret."""
        return _made(secret)

    def id_of(self, producer: MemberId, stix_id: str) -> str:
        """Return the id of the rendition of an object: of the same type, and a UUID like any random one."""
        digest = self._digest("id", producer, stix_id)
        return f"{stix_id.partition('--')[0]}--{uuid.UUID(bytes=digest[:16], version=4)}"

    def token_of(self, source: Source) -> str:
        """Return what stands in the store for one version of an original."""
        return self._digest("version", source.producer, source.stix_id, str(source.version_us)).hex()

    def seal(self, rendition: str, source: Source) -> bytes:
        """Return the record of what a rendition was made from, for nobody but the hub."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        plain = json.dumps([source.producer, source.stix_id, source.version_us]).encode()
        return nonce + self._seal.encrypt(nonce, plain, rendition.encode())

    def unseal(self, rendition: str, sealed: bytes) -> Source:
        """Return what `seal` was given for this rendition."""
        producer, stix_id, version_us = json.loads(self._seal.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], rendition.encode()))
        return Source(MemberId(producer), stix_id, version_us)

    def _digest(self, *parts: str) -> bytes:
        return hmac.digest(self._names, "\0".join(parts).encode(), hashlib.sha256)


@lru_cache(maxsize=8)
def _made(secret: bytes) -> Pseudonyms:
    return Pseudonyms(_derived(secret, b"hub: pseudonyms"), AESGCM(_derived(secret, b"hub: sealed sources")))


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret)
