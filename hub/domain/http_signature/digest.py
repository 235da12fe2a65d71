"""Digests of a message's content (RFC 9530): over the bytes that are sent, before anything is decompressed."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.domain.http_signature.fields import read_dictionary
from hub.errors import NotUnderstood

FIELD = "content-digest"

# Those that RFC 9530 §7.2 calls active; all others in a field are passed over.
_ALGORITHMS: Mapping[str, Callable[[], Any]] = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


def content_digest(body: bytes) -> str:
    """Return the value of a `Content-Digest` field for a body."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


class Digests:
    """What a `Content-Digest` says of a body, compared with the body while it arrives."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Read the field.

        Raises:
            NotUnderstood: it holds no digest that the hub can compare.
        """
        told = read_dictionary("Content-Digest", lines)
        self._told = {name: value for name, (value, _) in told.items() if name in _ALGORITHMS}
        if not self._told or not all(type(value) is bytes for value in self._told.values()):
            raise NotUnderstood(f"Content-Digest: one of {', '.join(_ALGORITHMS)} is needed, as a byte sequence between colons")
        self._found = {name: _ALGORITHMS[name]() for name in self._told}

    def update(self, chunk: bytes) -> None:
        """Take in the next part of the body, as it was sent."""
        for found in self._found.values():
            found.update(chunk)

    def require_equal(self) -> None:
        """Compare, once all parts are in.

        Raises:
            NotUnderstood: the body is another one than the digests were made of.
        """
        for name, found in self._found.items():
            if not hmac.compare_digest(found.digest(), self._told[name]):
                raise NotUnderstood(f"Content-Digest: the body does not have this {name}: it was changed, or cut off, on its way")
