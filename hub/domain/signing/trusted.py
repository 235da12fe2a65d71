"""Judging a signed object with keys that one trusts, as a consumer does: far from any hub, with what was published of the keys.

* A key for something else (a hub's log, its answers) signs no objects.
* A key that belongs to somebody signs for nobody else: who is named as the author must be its owner, as far as both are told.
* What a compromised key signed is suspect, unless a hub attests that it verified a signature by this key before that. That it took the
  object says nothing of a signature: what came unsigned can be signed at any time.
* A hub attests with the key that it publishes for objects, and in its own name: a member's key, which may be the compromised one, does not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from hub.domain.json import excerpt, read_document
from hub.domain.signing.attestation import Attested, read_attestation
from hub.domain.signing.jws import key_named
from hub.domain.signing.keys import PublicKey
from hub.domain.signing.object_signature import verify_object
from hub.domain.signing.registered import KeyStatus, Purpose
from hub.domain.timestamp import parse_timestamp
from hub.errors import Invalid

_DEPTH_MAX = 16
_FOR_OBJECTS = {None, Purpose.OBJECT, Purpose.BESIDE}


class Finding(StrEnum):
    """What an object turned out to be."""

    GOOD = "good"
    UNSIGNED = "unsigned"
    SUSPECT = "suspect"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key with what its publisher said of it."""

    public: PublicKey
    owner: str | None = None  # the identity that it belongs to; None: not told
    purpose: str | None = None  # of a hub's key
    status: str = KeyStatus.ACTIVE
    compromised_from_us: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the verification of an object."""

    finding: Finding
    told: str  # in words
    keys: tuple[TrustedKey, ...] = ()


def read_trusted(documents: Iterable[bytes]) -> dict[str, TrustedKey]:
    """Return the keys of JWK Sets, or of single JSON Web Keys, by thumbprint; those of kinds that nobody here knows are passed over.

    Raises:
        Invalid: one of them is neither, or none of the keys is known.
    """
    found: dict[str, TrustedKey] = {}
    for document in documents:
        read = read_document(document, depth_max=_DEPTH_MAX).value
        listed = read.get("keys", [read]) if isinstance(read, Mapping) else None
        if not isinstance(listed, list) or not all(isinstance(jwk, Mapping) for jwk in listed):
            raise Invalid("keys: a JWK Set (RFC 7517 §5) or a JSON Web Key is needed")
        for jwk in listed:
            try:
                key = _trusted(jwk)
            except Invalid:
                continue
            found[key.public.kid] = key
    if not found:
        raise Invalid("keys: there is no key among them that signs objects")
    return found


def judge(properties: Mapping[str, Any], keys: Mapping[str, TrustedKey], statement: Mapping[str, Any] | None = None) -> Verdict:
    """Verify all signatures of an object.

    Args:
        statement: what a hub attests of it; None: not known.
    """
    used: list[TrustedKey] = []

    def find_key(kid: str) -> PublicKey | None:
        key = keys.get(kid)
        if key is None or key.purpose not in _FOR_OBJECTS:
            return None
        used.append(key)
        return key.public

    try:
        if not verify_object(properties, find_key):
            return Verdict(Finding.UNSIGNED, "no signature")
    except Invalid as e:
        return Verdict(Finding.BAD, e.detail)
    author = properties.get("created_by_ref")
    for key in used:
        if key.owner is not None and author not in {None, key.owner}:
            told = f"signature: the key {key.public.kid} belongs to {key.owner}, and the object names {excerpt(author)} as its author"
            return Verdict(Finding.BAD, told, tuple(used))
    for key in used:
        if key.compromised_from_us is not None and not _is_verified_before(key.compromised_from_us, key.public.kid, statement):
            return Verdict(Finding.SUSPECT, f"signature: the key {key.public.kid} is compromised", tuple(used))
    ended = [key.public.kid for key in used if key.status not in {KeyStatus.ACTIVE, KeyStatus.COMPROMISED}]
    told = f"signed with {', '.join(key.public.kid for key in used)}"
    return Verdict(Finding.GOOD, f"{told} ({', '.join(ended)} has ended since, or not begun)" if ended else told, tuple(used))


def read_trusted_attestation(text: str, keys: Mapping[str, TrustedKey]) -> Mapping[str, Any]:
    """Return what a hub attests, where one of the keys is that hub's own for objects.

    Raises:
        Invalid: it is no attestation, or of no key that may attest in the name of the hub that it names.
    """
    kid = key_named(text.strip())
    key = keys.get(kid)
    if key is None:
        raise Invalid(f"the key {kid} of the attestation is not among those that are trusted")
    said = read_attestation(text, key.public)
    if key.purpose != Purpose.OBJECT or key.owner != said.get("hub"):
        raise Invalid(
            f"the key {kid} attests nothing in the name of {excerpt(said.get('hub'))}: it is not published as that hub's key for objects"
        )
    return said


def _is_verified_before(time_us: int, kid: str, statement: Mapping[str, Any] | None) -> bool:
    """Whether a hub attests that it verified a signature by a key before a time."""
    match statement:
        case {"attestation": Attested.SIGNED, "keys": [*kids], "accepted_at": str(accepted_at)}:
            return kid in kids and parse_timestamp(accepted_at) < time_us
        case _:
            return False


def _trusted(jwk: Mapping[str, Any]) -> TrustedKey:
    key = TrustedKey(PublicKey.from_jwk(jwk))
    match jwk.get("hub"):
        case {"owner": str(owner), **told}:
            since = told.get("compromised_from")
            since_us = parse_timestamp(since) if isinstance(since, str) else None
            purpose = str(told["purpose"]) if "purpose" in told else None
            return replace(key, owner=owner, purpose=purpose, status=str(told.get("status", key.status)), compromised_from_us=since_us)
        case _:
            return key
