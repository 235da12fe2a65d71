"""Sets of public keys, as hubs publish them and people keep them (JWK Set, RFC 7517 §5)."""

from typing import Any

from hub.domain.json import read_document
from hub.domain.signing.keys import PublicKey
from hub.domain.signing.registered import KeyStatus, Purpose
from hub.errors import Invalid

_DEPTH_MAX = 16


def answer_keys(document: bytes) -> dict[str, PublicKey]:
    """Return the keys of a set that sign answers over HTTP now, by thumbprint.

    A key of which the set says that it is for something else, or good no longer, is left out; so is one of an unknown kind.

    Raises:
        Invalid: it is no JWK Set, or no such key is in it.
    """
    found = [_answer_key(jwk) for jwk in _members(document)]
    keys = {key.kid: key for key in found if key is not None}
    if not keys:
        raise Invalid("there is no key in the JWK Set that signs answers")
    return keys


def _members(document: bytes) -> list[Any]:
    read = read_document(document, depth_max=_DEPTH_MAX).value
    if not isinstance(read, dict) or not isinstance(read.get("keys"), list):
        raise Invalid('this is no JWK Set: an object with a list of "keys" is needed')
    keys: list[Any] = read["keys"]
    return keys


def _answer_key(jwk: Any) -> PublicKey | None:
    told = jwk.get("hub", {}) if isinstance(jwk, dict) else None
    if not isinstance(told, dict) or told.get("purpose", Purpose.RESPONSE) != Purpose.RESPONSE:
        return None
    if told.get("status", KeyStatus.ACTIVE) != KeyStatus.ACTIVE:
        return None
    try:
        return PublicKey.from_jwk(jwk)
    except Invalid:
        return None
