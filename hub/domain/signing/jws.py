"""JSON Web Signatures (RFC 7515), read strictly: what is not expected is refused, not ignored.

* Detached with an unencoded payload (RFC 7797): `<protected>..<signature>`, for what stands beside it, such as a STIX object.
* Compact, with the payload inside, for statements of the hub's own.
* The protected header holds exactly its members. It names the key by its thumbprint and never brings one; `typ` says what is signed, so
  that a signature of one kind cannot be taken for one of another.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hub.domain.json import excerpt, read_document
from hub.domain.signing.algorithms import OLDER_NAMES, Algorithm
from hub.domain.signing.base64url import decode, encode
from hub.domain.signing.keys import PublicKey, Signer
from hub.errors import Invalid, NotUnderstood

TEXT_CHARS_MAX = 8_192  # of a detached signature; one with ML-DSA-65 has 4,600
_HEADER_DEPTH_MAX = 3
_DETACHED = frozenset({"alg", "b64", "crit", "kid", "typ"})
_COMPACT = frozenset({"alg", "kid", "typ"})


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature as it was read: nothing of it is verified yet."""

    protected: str  # as it was sent: it is signed
    algorithm: Algorithm
    kid: str
    signature: bytes

    def is_good(self, key: PublicKey, payload: bytes) -> bool:
        """Whether it was made over `payload`, as it stands in the signing input, with this key."""
        return (
            key.kid == self.kid and key.algorithm is self.algorithm and key.verifies(self.signature, signing_input(self.protected, payload))
        )


def sign_detached(signer: Signer, payload: bytes, *, typ: str) -> str:
    """Return a detached signature over `payload`, which stands in the signing input as it is (RFC 7797)."""
    protected = _protected(signer, typ, b64=False, crit=["b64"])
    return f"{protected}..{encode(signer.sign(signing_input(protected, payload)))}"


def read_detached(text: str, *, typ: str) -> Signature:
    """Read a detached signature.

    Raises:
        Invalid: it is none, or its protected header is not exactly what it has to be.
    """
    if len(text) > TEXT_CHARS_MAX:
        raise Invalid(f"more than {TEXT_CHARS_MAX} characters")
    protected, between, signature = _parts(text)
    if between:
        raise Invalid("it brings a payload of its own; what is signed is the object")
    return Signature(protected, *_read_header(protected, _DETACHED, typ), decode(signature))


def sign_compact(signer: Signer, payload: bytes, *, typ: str) -> str:
    """Return `payload` with a signature over it (RFC 7515 §7.1)."""
    protected, encoded = _protected(signer, typ), encode(payload)
    return f"{protected}.{encoded}.{encode(signer.sign(signing_input(protected, encoded.encode())))}"


def verify_compact(text: str, key: PublicKey, *, typ: str) -> bytes:
    """Return the payload that `key` signed.

    Raises:
        Invalid: it is no such signature, is of another kind, or was not made with this key.
    """
    protected, encoded, signature = _parts(text)
    read = Signature(protected, *_read_header(protected, _COMPACT, typ), decode(signature))
    if not read.is_good(key, encoded.encode()):
        raise Invalid(f"it was not made with the key {key.kid} over this content")
    return decode(encoded)


def key_named(text: str) -> str:
    """Return the thumbprint of the key that a signature of either form names.

    Raises:
        Invalid: it is no signature.
    """
    return _kid(_header(_parts(text)[0]))


def signing_input(protected: str, payload: bytes) -> bytes:
    """Return what is signed: the protected header and the payload, which is encoded before where `b64` is not false."""
    return protected.encode("ascii") + b"." + payload


def _protected(signer: Signer, typ: str, **more: Any) -> str:
    header = {"alg": signer.public.algorithm.value, "kid": signer.public.kid, "typ": typ, **more}
    return encode(json.dumps(header, sort_keys=True, separators=(",", ":")).encode())


def _parts(text: str) -> tuple[str, str, str]:
    parts = text.split(".")
    if len(parts) != 3 or not parts[0] or not parts[2]:
        raise Invalid("not a compact JSON Web Signature")
    return parts[0], parts[1], parts[2]


def _header(protected: str) -> dict[str, Any]:
    try:
        header = read_document(decode(protected), depth_max=_HEADER_DEPTH_MAX).value
    except NotUnderstood as e:
        raise Invalid(f"the protected header is {e.detail}") from e
    if not isinstance(header, dict):
        raise Invalid("the protected header is no JSON object")
    return header


@lru_cache(maxsize=1024)  # most signatures of a key have one and the same
def _read_header(protected: str, members: frozenset[str], typ: str) -> tuple[Algorithm, str]:
    header = _header(protected)
    if header.keys() != members:
        raise Invalid(f"the protected header must have the members {', '.join(sorted(members))}, and no others")
    if header["typ"] != typ:
        raise Invalid(f"typ must be {typ}")
    if header.get("b64", False) is not False or header.get("crit", ["b64"]) != ["b64"]:
        raise Invalid('b64 must be false and crit must be ["b64"] (RFC 7797)')
    return _algorithm(header), _kid(header)


def _algorithm(header: dict[str, Any]) -> Algorithm:
    name = header["alg"]
    if not isinstance(name, str) or name not in {*Algorithm, *OLDER_NAMES}:
        raise Invalid(f"alg must be one of {', '.join(Algorithm)}, not {excerpt(name)}")
    return OLDER_NAMES.get(name) or Algorithm(name)


def _kid(header: dict[str, Any]) -> str:
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise Invalid("kid must be the thumbprint of a key (RFC 7638)")
    return kid
