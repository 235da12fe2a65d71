"""Keys that sign and verify.

* A public key is known by its thumbprint (RFC 7638), which is its `kid` everywhere.
* Signatures are as JSON Web Signatures hold them: of ES256, the two numbers one after the other (RFC 7518 §3.4).
* A key that cannot bind anybody is refused: Ed25519 points of small order verify signatures that nobody made.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from nacl.bindings import crypto_sign_BYTES, crypto_sign_open
from nacl.exceptions import BadSignatureError

from hub.domain.canonical import canonicalise
from hub.domain.signing.algorithms import OLDER_NAMES, Algorithm
from hub.domain.signing.base64url import decode, encode
from hub.errors import Invalid

__all__ = ["Algorithm", "PrivateKey", "PublicKey", "Signer"]

_Private: TypeAlias = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey
_Public: TypeAlias = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey

_COORDINATE_BYTES = 32  # of P-256, and of each of the two numbers of a signature
_POINT = b"\x04"  # an uncompressed point follows (SEC 1 §2.3.3)
_ED25519_BYTES = 32
_ED25519_PRIME = 2**255 - 19
_ED25519_SMALL_ORDER = {  # y coordinates of the points of order 1, 2, 4 and 8
    0,
    1,
    _ED25519_PRIME - 1,
    0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
}
_PRIVATE_MEMBERS = {"d", "priv", "p", "q", "k"}  # of a JWK (RFC 7518 §6, RFC 8037 §2, RFC 9964 §4)


class Signer(Protocol):
    """What signs in the hub's name, wherever its key is kept."""

    @property
    def public(self) -> "PublicKey":
        """The key that verifies what it signs."""

    @property
    def is_prompt(self) -> bool:
        """Whether it signs at once; otherwise others should not have to wait meanwhile."""

    def sign(self, data: bytes) -> bytes:
        """Return the signature over `data`."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies signatures. Equal keys are equal values."""

    algorithm: Algorithm
    raw: bytes  # Ed25519: RFC 8032 §5.1.5; ES256: uncompressed point; ML-DSA: FIPS 204
    kid: str = field(init=False, compare=False)
    _key: _Public = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Find the key's thumbprint.

        Raises:
            Invalid: the bytes are no key of the algorithm.
        """
        try:
            object.__setattr__(self, "_key", _LOAD_PUBLIC[self.algorithm](self.raw))
        except (ValueError, UnsupportedAlgorithm) as e:
            raise Invalid(f"this is no public key of the algorithm {self.algorithm}") from e
        if self.algorithm is Algorithm.ED25519:
            _refuse_small_order(self.raw)
        object.__setattr__(self, "kid", encode(hashlib.sha256(canonicalise(self._members())).digest()))

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> "PublicKey":
        """Return the key of a JSON Web Key (RFC 7517). Its `kid` is not believed: the thumbprint counts.

        Raises:
            Invalid: it is no public key for signatures of an algorithm that the hub knows.
        """
        if jwk.keys() & _PRIVATE_MEMBERS:
            raise Invalid("key: it holds a private key; give the public one, and take this one out of use")
        if jwk.get("use", "sig") != "sig" or jwk.get("key_ops", ["verify"]) != ["verify"]:
            raise Invalid("key: it is not meant for signatures (use, key_ops)")
        match jwk:
            case {"kty": "OKP", "crv": "Ed25519", "x": str(x)}:
                found = cls(Algorithm.ED25519, decode(x))
            case {"kty": "EC", "crv": "P-256", "x": str(x), "y": str(y)}:
                found = cls(Algorithm.ES256, _POINT + decode(x) + decode(y))
            case {"kty": "AKP", "alg": Algorithm.ML_DSA_44 | Algorithm.ML_DSA_65, "pub": str(pub)}:
                found = cls(Algorithm(jwk["alg"]), decode(pub))
            case _:
                raise Invalid(f"key: a JSON Web Key for {', '.join(Algorithm)} is needed")
        if "alg" in jwk and jwk["alg"] != found.algorithm and OLDER_NAMES.get(str(jwk["alg"])) is not found.algorithm:
            raise Invalid(f"key: alg does not fit a key for {found.algorithm}")
        return found

    def jwk(self) -> dict[str, str]:
        """Return the key as a JSON Web Key."""
        return self._members() | {"alg": self.algorithm.value, "kid": self.kid, "use": "sig"}

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether `signature` was made over `data` with the private key to this one."""
        key = self._key
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                # libsodium: it refuses no less than OpenSSL, and other threads run meanwhile, so a push is verified by all processors.
                if len(signature) != crypto_sign_BYTES:
                    return False
                crypto_sign_open(signature + data, self.raw)
            elif isinstance(key, ec.EllipticCurvePublicKey):
                if len(signature) != 2 * _COORDINATE_BYTES:
                    return False
                r, s = (int.from_bytes(half) for half in (signature[:_COORDINATE_BYTES], signature[_COORDINATE_BYTES:]))
                key.verify(encode_dss_signature(r, s), data, ec.ECDSA(SHA256()))
            else:
                key.verify(signature, data)
        except (InvalidSignature, BadSignatureError):
            return False
        return True

    def _members(self) -> dict[str, str]:
        """Return the members of the JWK that make the thumbprint (RFC 7638 §3.2)."""
        match self.algorithm:
            case Algorithm.ED25519:
                return {"crv": "Ed25519", "kty": "OKP", "x": encode(self.raw)}
            case Algorithm.ES256:
                x, y = self.raw[1 : 1 + _COORDINATE_BYTES], self.raw[1 + _COORDINATE_BYTES :]
                return {"crv": "P-256", "kty": "EC", "x": encode(x), "y": encode(y)}
            case _:
                return {"alg": self.algorithm.value, "kty": "AKP", "pub": encode(self.raw)}


class PrivateKey:
    """A `Signer` whose key is in memory."""

    __slots__ = ("_key", "_public")
    is_prompt = True

    def __init__(self, key: _Private) -> None:
        self._key = key
        self._public = _public_of(key)

    def __repr__(self) -> str:
        return f"PrivateKey({self._public.algorithm}, kid={self._public.kid})"

    @classmethod
    def generate(cls, algorithm: Algorithm = Algorithm.ED25519) -> "PrivateKey":
        """Return a new key."""
        return cls(_GENERATE[algorithm]())

    @classmethod
    def from_pem(cls, pem: bytes, passphrase: bytes | None = None) -> "PrivateKey":
        """Return the key in a PKCS#8 file.

        Raises:
            Invalid: it is none, it is of another algorithm, or the passphrase is wrong or missing.
        """
        try:
            key = load_pem_private_key(pem, passphrase)
        except TypeError as e:
            raise Invalid("the key is encrypted: a passphrase is needed" if passphrase is None else "the key is not encrypted") from e
        except (ValueError, UnsupportedAlgorithm) as e:
            raise Invalid("this is no private key in PEM (PKCS#8), or the passphrase is wrong") from e
        if not isinstance(key, _Private):
            raise Invalid(f"the key is of another kind; a key for {', '.join(Algorithm)} is needed")
        return cls(key)

    @property
    def public(self) -> PublicKey:
        """The key that verifies what it signs."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Return the signature over `data`."""
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self._key.sign(data, ec.ECDSA(SHA256())))
            return r.to_bytes(_COORDINATE_BYTES) + s.to_bytes(_COORDINATE_BYTES)
        return self._key.sign(data)

    def to_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the key as PKCS#8, encrypted where there is a passphrase."""
        encryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _refuse_small_order(raw: bytes) -> None:
    y = int.from_bytes(raw, "little") & (2**255 - 1)  # without the sign of x
    if y >= _ED25519_PRIME or y in _ED25519_SMALL_ORDER:
        raise Invalid("key: this point is no public key of Ed25519: it would verify what nobody signed")


def _public_of(key: _Private) -> PublicKey:
    public = key.public_key()
    if isinstance(public, ec.EllipticCurvePublicKey):
        if not isinstance(public.curve, ec.SECP256R1):
            raise Invalid("the key is on another curve than P-256")
        return PublicKey(Algorithm.ES256, public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
    algorithm = next(algorithm for algorithm, kind in _KINDS.items() if isinstance(public, kind))
    return PublicKey(algorithm, public.public_bytes_raw())


def _load_ed25519(raw: bytes) -> ed25519.Ed25519PublicKey:
    if len(raw) != _ED25519_BYTES:
        raise ValueError(f"{len(raw)} bytes")
    return ed25519.Ed25519PublicKey.from_public_bytes(raw)


def _load_p256(raw: bytes) -> ec.EllipticCurvePublicKey:
    if len(raw) != 1 + 2 * _COORDINATE_BYTES:
        raise ValueError(f"{len(raw)} bytes")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)


_LOAD_PUBLIC: Mapping[Algorithm, Any] = {
    Algorithm.ED25519: _load_ed25519,
    Algorithm.ES256: _load_p256,
    Algorithm.ML_DSA_44: mldsa.MLDSA44PublicKey.from_public_bytes,
    Algorithm.ML_DSA_65: mldsa.MLDSA65PublicKey.from_public_bytes,
}
_GENERATE: Mapping[Algorithm, Any] = {
    Algorithm.ED25519: ed25519.Ed25519PrivateKey.generate,
    Algorithm.ES256: lambda: ec.generate_private_key(ec.SECP256R1()),
    Algorithm.ML_DSA_44: mldsa.MLDSA44PrivateKey.generate,
    Algorithm.ML_DSA_65: mldsa.MLDSA65PrivateKey.generate,
}
_KINDS: Mapping[Algorithm, Any] = {
    Algorithm.ED25519: ed25519.Ed25519PublicKey,
    Algorithm.ML_DSA_44: mldsa.MLDSA44PublicKey,
    Algorithm.ML_DSA_65: mldsa.MLDSA65PublicKey,
}
