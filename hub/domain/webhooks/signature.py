"""Signatures of webhooks: Standard Webhooks 1.0.0, made and checked.

* Signed is `id.timestamp.body`: the id is that of the delivery and the same at each attempt, the timestamp that of the attempt.
* `v1` is HMAC-SHA256 under a secret that both sides know (`whsec_…`); `v1a` is Ed25519, of which the receiver has the public half
  only (`whpk_…`), so that what leaks at a receiver signs nothing.
* While keys rotate a message carries a signature by each, and one good signature by a key of the receiver's is enough.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hub.errors import Invalid

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
TOLERANCE_S = 300  # that a timestamp may differ from the receiver's clock, either way
SECRET_BYTES = 32  # of those that the hub makes
_SECRET_BYTES_MIN, _SECRET_BYTES_MAX = 24, 64
_ED25519_BYTES = 32
_SIGNATURES_MAX = 16  # in one message; who sends more does not get more looked at
_TIMESTAMP_DIGITS_MAX = 15


class VerifyingKey(Protocol):
    """What a receiver has: it can check signatures of one scheme."""

    @property
    def scheme(self) -> str:
        """The prefix of its signatures, "v1" or "v1a"."""

    def is_good(self, signature: bytes, message: bytes) -> bool:
        """Whether `signature` was made over `message` with this key, or its private half."""


class SigningKey(Protocol):
    """What the hub has."""

    @property
    def scheme(self) -> str:
        """The prefix of its signatures, "v1" or "v1a"."""

    def sign(self, message: bytes) -> bytes:
        """Return a signature over `message`."""

    def text(self) -> str:
        """Return the key as the standard writes it, to be kept: a secret."""

    def receiver_text(self) -> str:
        """Return what the receiver needs, as the standard writes it: the same secret, or the public half."""


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """The key of `v1`, which both sides know."""

    secret: bytes = field(repr=False)
    scheme: str = field(default="v1", init=False)

    def __post_init__(self) -> None:
        if not _SECRET_BYTES_MIN <= len(self.secret) <= _SECRET_BYTES_MAX:
            raise Invalid(f"a shared secret has {_SECRET_BYTES_MIN} to {_SECRET_BYTES_MAX} bytes")

    def sign(self, message: bytes) -> bytes:
        return hmac.digest(self.secret, message, hashlib.sha256)

    def is_good(self, signature: bytes, message: bytes) -> bool:
        return hmac.compare_digest(signature, self.sign(message))

    def text(self) -> str:
        return _written("whsec_", self.secret)

    def receiver_text(self) -> str:
        return self.text()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The key of `v1a` that a receiver has."""

    key: Ed25519PublicKey
    scheme: str = field(default="v1a", init=False)

    def is_good(self, signature: bytes, message: bytes) -> bool:
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def text(self) -> str:
        return _written("whpk_", self.key.public_bytes_raw())


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """The key of `v1a` that the hub has."""

    key: Ed25519PrivateKey = field(repr=False)
    scheme: str = field(default="v1a", init=False)

    @property
    def public(self) -> PublicKey:
        """The half that the receiver gets."""
        return PublicKey(self.key.public_key())

    def sign(self, message: bytes) -> bytes:
        return self.key.sign(message)

    def text(self) -> str:
        return _written("whsk_", self.key.private_bytes_raw() + self.key.public_key().public_bytes_raw())

    def receiver_text(self) -> str:
        return self.public.text()


def signing_key(text: str) -> SharedSecret | PrivateKey:
    """Read a key to sign with.

    Raises:
        Invalid: it is neither `whsec_…` nor `whsk_…`, or not whole.
    """
    prefix, raw = _read(text)
    if prefix == "whsec_":
        return SharedSecret(raw)
    if prefix == "whsk_" and len(raw) == 2 * _ED25519_BYTES:
        key = Ed25519PrivateKey.from_private_bytes(raw[:_ED25519_BYTES])
        if hmac.compare_digest(key.public_key().public_bytes_raw(), raw[_ED25519_BYTES:]):
            return PrivateKey(key)
    raise Invalid("this is no key to sign with; it begins with whsec_ or whsk_")


def verifying_key(text: str) -> SharedSecret | PublicKey:
    """Read what a receiver checks signatures with.

    Raises:
        Invalid: it is neither `whsec_…` nor `whpk_…`, or not whole.
    """
    prefix, raw = _read(text)
    if prefix == "whsec_":
        return SharedSecret(raw)
    if prefix == "whpk_" and len(raw) == _ED25519_BYTES:
        return PublicKey(Ed25519PublicKey.from_public_bytes(raw))
    raise Invalid("this is no key to check signatures with; it begins with whsec_ or whpk_")


def sign(keys: Sequence[SigningKey], message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Return the three headers of one attempt, with a signature by each key.

    Args:
        message_id: ASCII without a full stop, which ends it in what is signed.
    """
    assert message_id.isascii(), "ids of deliveries are UUIDs"
    assert "." not in message_id, "the full stop would end it early"
    message = _signed(message_id, str(timestamp_s), body)
    signatures = [f"{key.scheme},{base64.b64encode(key.sign(message)).decode()}" for key in keys]
    return {ID_HEADER: message_id, TIMESTAMP_HEADER: str(timestamp_s), SIGNATURE_HEADER: " ".join(signatures)}


def verify(keys: Sequence[VerifyingKey], headers: Mapping[str, str], body: bytes, *, now_s: int) -> str:
    """Return the id of a message whose signature is good and whose timestamp is near `now_s`.

    Args:
        headers: by name, in whatever case they came.
    Raises:
        Invalid: a header is missing or malformed, the timestamp is too old or too new, or no signature is by one of `keys`.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (given.get(name, "") for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER))
    if not (message_id and timestamp and signatures):
        raise Invalid(f"not signed: {ID_HEADER}, {TIMESTAMP_HEADER} and {SIGNATURE_HEADER} are needed")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= _TIMESTAMP_DIGITS_MAX):
        raise Invalid(f"{TIMESTAMP_HEADER}: seconds since the epoch are needed")
    if abs(int(timestamp) - now_s) > TOLERANCE_S:
        raise Invalid(f"{TIMESTAMP_HEADER}: more than {TOLERANCE_S} seconds away from now; it may be replayed, or a clock is wrong")
    message = _signed(message_id, timestamp, body)
    for part in signatures.split(" ")[:_SIGNATURES_MAX]:
        scheme, _, encoded = part.partition(",")
        signature = _decoded(encoded)
        if signature is not None and any(key.scheme == scheme and key.is_good(signature, message) for key in keys):
            return message_id
    raise Invalid(f"{SIGNATURE_HEADER}: no signature by a key that is known here")


def _signed(message_id: str, timestamp_s: str, body: bytes) -> bytes:
    return b".".join((message_id.encode(errors="surrogateescape"), timestamp_s.encode(), body))


def _written(prefix: str, raw: bytes) -> str:
    return prefix + base64.b64encode(raw).decode()


def _read(text: str) -> tuple[str, bytes]:
    prefix, separator, encoded = text.partition("_")
    return prefix + separator, _decoded(encoded) or b""


def _decoded(encoded: str) -> bytes | None:
    try:
        return base64.b64decode(encoded.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
