"""The definitions of the hub's two extensions, as STIX objects: the same ones at every hub, so that any reader can resolve them.

* The signature extension is not signed itself (`hub.domain.signing.object_signature`).
* The attestation extension is: in what the hub writes in its own name, it says what the hub knows of who gave the content.
* Nobody else can send anything under their ids, nor under that of the identity which defines them.
"""

import json
from functools import cache

from hub.domain.signing.attestation import Attested
from hub.domain.signing.object_signature import SIGNATURE_EXTENSION, SIGNATURES_MAX
from hub.domain.stix import Limits, StixObject, read_object
from hub.errors import Invalid

ATTESTATION_EXTENSION = "extension-definition--ea0842d0-2e27-4d01-8521-3a54f649d810"
DEFINER = "identity--f8f5ece7-0aff-44f8-8398-58cad7d9065e"

_BORN = "2026-01-01T00:00:00.000Z"


@cache
def definitions() -> tuple[StixObject, ...]:
    """Return the identity that defines the extensions, and their definitions."""
    signatures = {"type": "array", "minItems": 1, "maxItems": SIGNATURES_MAX, "items": {"type": "string"}}
    return (
        _read(
            "identity", DEFINER, name="Fusion Hub extensions", description="Defines the extensions of Fusion Hub.", identity_class="system"
        ),
        _definition(
            SIGNATURE_EXTENSION,
            "Fusion Hub signatures",
            "Signatures of the object: detached JSON Web Signatures (RFC 7515, RFC 7797) over the RFC 8785 form of the object without this "
            "extension, and without `extensions` where nothing else is in it.",
            {"signatures": signatures},
        ),
        _definition(
            ATTESTATION_EXTENSION,
            "Fusion Hub attestation",
            "What the hub that signed the object knows of who gave the content: member-verified for a member that is not to be known, "
            "unsigned-accepted for a member that did not sign it.",
            {"attestation": {"enum": [Attested.ANONYMOUS.value, Attested.UNSIGNED.value]}},
        ),
    )


def is_definition(obj: StixObject) -> bool:
    """Whether an object is one of these, which everybody has.

    Raises:
        Invalid: it has the id of one, and says something else.
    """
    own = _by_id().get(obj.id)
    if own is None:
        return False
    if own.digest != obj.digest:
        raise Invalid("this id is that of one of the hub's own definitions; they are the same at every hub")
    return True


def definition_ids() -> frozenset[str]:
    """Return the ids of all that `definitions` returns."""
    return frozenset(_by_id())


@cache
def _by_id() -> dict[str, StixObject]:
    return {one.id: one for one in definitions()}


def _definition(id: str, name: str, description: str, properties: dict[str, object]) -> StixObject:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"extension_type": {"const": "property-extension"}, **properties},
        "required": ["extension_type", *properties],
        "additionalProperties": False,
    }
    return _read(
        "extension-definition", id, name=name, description=description, schema=json.dumps(schema, separators=(",", ":")), version="1.0.0",
        extension_types=["property-extension"],
    )  # fmt: skip


def _read(type: str, id: str, **properties: object) -> StixObject:
    said = {"type": type, "spec_version": "2.1", "id": id, "created_by_ref": DEFINER, "created": _BORN, "modified": _BORN, **properties}
    return read_object(json.dumps(said).encode(), limits=Limits())
