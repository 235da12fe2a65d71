"""What of a STIX object is signed, and where its signatures are.

* Signatures stand in the object, in a property extension of their own: any reader of STIX may ignore them, and they travel with the object.
* Signed is P: the RFC 8785 form of the object without that one extension, and without `extensions` where nothing else is in it. Spelling
  may change on the way, values may not.
* `d`, the SHA-256 of P, is what the hub's attestations and its log call the version by. It is the same for a signed copy and an unsigned
  one.
* The extension holds nothing but its two members, as nothing in it is signed.
"""

import hashlib
from collections.abc import Callable, Mapping
from itertools import compress
from typing import Any

from hub.domain.canonical import canonicalise
from hub.domain.signing.jws import Signature, read_detached, sign_detached
from hub.domain.signing.keys import PublicKey, Signer
from hub.errors import Invalid

SIGNATURE_EXTENSION = "extension-definition--ed46ac72-daf3-4d7b-a67e-5563fa5bd067"
SIGNATURE_TYPE = "stix-object-sig+jws"
SIGNATURES_MAX = 4

_EXTENSION_TYPE = "property-extension"
_MEMBERS = {"extension_type", "signatures"}


def is_signed_whole(properties: Mapping[str, Any]) -> bool:
    """Whether P is the canonical form of the whole object: then d is the SHA-256 of that."""
    extensions = properties.get("extensions")
    return not isinstance(extensions, Mapping) or (bool(extensions) and SIGNATURE_EXTENSION not in extensions)


def signed_bytes(properties: Mapping[str, Any]) -> bytes:
    """Return P: what the signatures of an object are made over.

    Raises:
        Invalid: the object has no canonical form.
    """
    if is_signed_whole(properties):
        return canonicalise(properties)
    extensions = properties["extensions"]
    rest = {id: extension for id, extension in extensions.items() if id != SIGNATURE_EXTENSION}
    signed = {name: value for name, value in properties.items() if name != "extensions"}
    return canonicalise({**signed, "extensions": rest} if rest else signed)


def object_digest(properties: Mapping[str, Any]) -> bytes:
    """Return d, the SHA-256 of P."""
    return hashlib.sha256(signed_bytes(properties)).digest()


def signatures_of(properties: Mapping[str, Any]) -> tuple[Signature, ...]:
    """Return an object's signatures, none of them verified; empty where it has none.

    Raises:
        Invalid: what stands where signatures are is not what it has to be.
    """
    extensions = properties.get("extensions")
    if not isinstance(extensions, Mapping):
        return ()
    if SIGNATURE_EXTENSION not in extensions:
        if any(id.lower() == SIGNATURE_EXTENSION for id in extensions):
            raise Invalid("signature: write the id of its extension in lower case")
        return ()
    extension = extensions[SIGNATURE_EXTENSION]
    if not isinstance(extension, Mapping) or extension.keys() != _MEMBERS or extension["extension_type"] != _EXTENSION_TYPE:
        raise Invalid(f"signature: its extension holds extension_type ({_EXTENSION_TYPE}) and signatures, and nothing else")
    texts = extension["signatures"]
    if not isinstance(texts, list) or not 0 < len(texts) <= SIGNATURES_MAX or len({str(text) for text in texts}) < len(texts):
        raise Invalid(f"signature: signatures must be a list of one to {SIGNATURES_MAX} signatures, each once")
    return tuple(_read(text) for text in texts)


def sign_object(properties: Mapping[str, Any], *signers: Signer) -> dict[str, Any]:
    """Return the object with a signature of each signer, after those that it has.

    A signer's earlier signature stays where it is good, and is replaced where the object was changed since.

    Raises:
        Invalid: the object cannot be signed, or has as many signatures as it may have.
    """
    if not all(isinstance(properties.get(name), str) for name in ("type", "id")):
        raise Invalid("only a STIX object can be signed; it has a type and an id")
    held = properties.get("extensions", {})
    if not isinstance(held, Mapping):
        raise Invalid("extensions must be an object")
    payload = signed_bytes(properties)
    own = {signer.public.kid: signer.public for signer in signers}
    signatures = signatures_of(properties)
    texts = held[SIGNATURE_EXTENSION]["signatures"] if signatures else []
    is_kept = [s.kid not in own or s.is_good(own[s.kid], payload) for s in signatures]
    kept = list(compress(texts, is_kept))
    done = {s.kid for s in compress(signatures, is_kept)}
    added = [sign_detached(signer, payload, typ=SIGNATURE_TYPE) for signer in signers if signer.public.kid not in done]
    if len(kept) + len(added) > SIGNATURES_MAX:
        raise Invalid(f"signature: an object takes {SIGNATURES_MAX} signatures at most")
    extension = {"extension_type": _EXTENSION_TYPE, "signatures": [*kept, *added]}
    return {**properties, "extensions": {**held, SIGNATURE_EXTENSION: extension}}


def verify_object(properties: Mapping[str, Any], find_key: Callable[[str], PublicKey | None]) -> tuple[PublicKey, ...]:
    """Return the keys with which an object was signed, each of its signatures verified; empty where it has none.

    Args:
        find_key: returns the key with this thumbprint, if it may sign this object.
    Raises:
        Invalid: one of the signatures is bad, or of no key that may sign the object.
    """
    signatures = signatures_of(properties)
    payload = signed_bytes(properties) if signatures else b""
    keys: list[PublicKey] = []
    for signature in signatures:
        key = find_key(signature.kid)
        if key is None:
            raise Invalid(f"signature: the key {signature.kid} is not known as one that may sign this object")
        if not signature.is_good(key, payload):
            raise Invalid(f"signature: it was not made with the key {key.kid} over this content")
        keys.append(key)
    return tuple(keys)


def _read(text: object) -> Signature:
    if not isinstance(text, str):
        raise Invalid("signature: a signature is a text")
    try:
        return read_detached(text, typ=SIGNATURE_TYPE)
    except Invalid as e:
        raise Invalid(f"signature: {e.detail}") from e
