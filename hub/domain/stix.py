"""STIX 2.1 objects: read and checked once at the door, then trusted.

- A push is split into its objects without parsing them: a broken object fails alone (TAXII 2.1 §4.3.1), and the bytes that are kept, signed
  and served are the bytes that were sent.
- `read_object` refuses what is not STIX 2.1; custom types, unknown properties and extensions pass unchanged.
- Who sent an object, whether it is new, and when, is not known here: ownership, order and time are admission's.
"""

import hashlib
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import orjson

from hub.domain.json import check_count, check_depth, excerpt, read_document, read_items, read_members
from hub.domain.stix_limits import Limits
from hub.domain.stix_rules import check_rules
from hub.domain.stix_schema import check_shape
from hub.domain.stix_vocabulary import SCO_TYPES, VERSIONED_TYPES
from hub.errors import Invalid, TooLarge

__all__ = ["Limits", "StixObject", "describe", "microseconds", "read_envelope", "read_object"]

SPEC_VERSION = "2.1"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_S = 86_400
_UNIDENTIFIED = uuid.UUID("6d0f7c0e-51c4-5b0a-9d0b-3f9f1c7a2d11")  # name space of the ids given to refused objects without one
_TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,18})?Z")
_ID_CHARS_MAX = 300
_REF_BYTES_MIN = 3  # a shorter object holds no list of so many references


class StixObject(msgspec.Struct, frozen=True, kw_only=True):  # a frozen dataclass takes five times as long to make
    """One STIX 2.1 object that passed every check that needs nothing but the object itself."""

    id: str
    type: str
    created: str | None  # timestamps as their author wrote them; None where the object has none
    modified: str | None
    version: str | None  # TAXII's version: `modified`, else `created`; None: the date that the hub adds it
    version_us: int | None  # `version` in microseconds since the epoch, further digits cut off
    created_us: int | None
    created_by_ref: str | None
    revoked: bool
    marking_refs: tuple[str, ...]  # marking definitions of the object and of any part of it, each once
    body: bytes  # as received
    digest: bytes  # SHA-256 of the canonical form (RFC 8785)
    properties: Mapping[str, Any]  # the parsed body; not to be changed
    spec_version: str = SPEC_VERSION


def read_envelope(body: bytes, *, limits: Limits) -> list[bytes]:
    """Split a TAXII envelope, or a STIX bundle, into its objects as they were sent.

    Only `objects` matters: `more`, a bundle's `type` and `id` and whatever else stands beside it is ignored (TAXII 2.1 §7.1.1).
    The objects' syntax is checked, the rest of them is for `read_object`. Ten megabytes take about 30 ms.

    Raises:
        NotUnderstood: not JSON, a name occurs twice in the envelope, or what stands beside the objects is nested too deeply.
        Invalid: JSON, but no envelope: `objects` is absent, empty or not a list of objects.
        TooLarge: more objects, or more beside the objects, than the limits allow.
    """
    members = read_members(body)
    listed = members.pop("objects", None)
    if sum(map(len, members.values())) > limits.envelope_bytes_max:
        raise TooLarge(f"the envelope holds more than {limits.envelope_bytes_max} bytes beside its objects")
    for value in members.values():
        check_depth(value, depth_max=limits.depth_max - 1)
    if listed is None:
        raise Invalid("an envelope needs the property objects: a list of STIX objects")
    if not listed.startswith(b"["):
        raise Invalid("objects of an envelope must be a list of STIX objects")
    objects = read_items(listed)
    if not objects:
        raise Invalid("objects of an envelope must not be empty")
    if len(objects) > limits.objects_max:
        raise TooLarge(f"the envelope holds {len(objects)} objects; the hub takes {limits.objects_max} at once")
    for index, raw in enumerate(objects):
        if not raw.startswith(b"{"):
            raise Invalid(f"objects of an envelope must hold JSON objects only; item {index} is none")
    return objects


def read_object(raw: bytes, *, limits: Limits) -> StixObject:
    """Return the STIX 2.1 object in `raw`, checked in full: JSON, the OASIS schema of its type, the MUSTs beyond it, its pattern.

    Raises:
        NotUnderstood: not JSON, nested too deeply, or a name occurs twice.
        Invalid: over a limit, or not a STIX 2.1 object; the detail is a sentence that its author can act on.
    """
    if len(raw) > limits.object_bytes_max:
        raise Invalid(f"the object has {len(raw)} bytes; the hub takes {limits.object_bytes_max}")
    check_count(raw, values_max=limits.values_max)
    properties, canonical = read_document(raw, depth_max=limits.object_depth_max)
    _check_head(properties)
    check_shape(properties)
    check_rules(properties, limits=limits)
    if len(raw) > limits.refs_max * _REF_BYTES_MIN:
        _check_counts(properties, limits)
    # STIX 2.1 §3.2: cyber-observable objects have no versions; a property of theirs that is named so is a custom one.
    times = {} if properties["type"] in SCO_TYPES else properties
    marking_refs = _marking_refs(properties)
    _refuse_capitals(properties, marking_refs)
    created, modified = times.get("created"), times.get("modified")
    version = modified or created
    version_us = microseconds(version) if version else None
    return StixObject(
        id=properties["id"],
        type=properties["type"],
        created=created,
        modified=modified,
        version=version,
        version_us=version_us,
        created_us=version_us if created == version else microseconds(created) if created else None,
        created_by_ref=properties.get("created_by_ref"),
        revoked=properties.get("revoked", False),
        marking_refs=marking_refs,
        body=raw,
        digest=hashlib.sha256(canonical).digest(),
        properties=properties,
    )


def describe(raw: bytes) -> tuple[str, str | None]:
    """Return the id and version of an object that was refused, for the TAXII status, as far as they can be made out.

    An object without an id gets one that depends only on its bytes; the version is None where it has no valid `modified` or `created`.
    """
    try:
        head = orjson.loads(raw)
    except orjson.JSONDecodeError:
        head = None
    properties = head if isinstance(head, dict) else {}
    identifier = properties.get("id")
    if not isinstance(identifier, str) or not identifier.isprintable() or not 0 < len(identifier) <= _ID_CHARS_MAX:
        identifier = f"x-unidentified--{uuid.uuid5(_UNIDENTIFIED, hashlib.sha256(raw).hexdigest())}"
    version = properties.get("modified", properties.get("created"))
    return identifier, version if isinstance(version, str) and _is_timestamp(version) else None


def microseconds(timestamp: str) -> int:
    """Return a STIX timestamp that exists as microseconds since the epoch; further digits are cut off."""
    since = datetime.fromisoformat(timestamp) - _EPOCH
    return (since.days * _DAY_S + since.seconds) * 1_000_000 + since.microseconds


def _is_timestamp(text: str) -> bool:
    try:
        return _TIMESTAMP.fullmatch(text) is not None and datetime.fromisoformat(text) is not None
    except ValueError:
        return False


def _check_head(properties: Any) -> None:
    """Check what decides how to read the rest: that it is an object with a type and an id, of STIX 2.1."""
    if not isinstance(properties, dict):
        raise Invalid("a STIX object is a JSON object")
    for name in ("type", "id"):
        if not isinstance(properties.get(name), str):
            raise Invalid(f"the object needs the property {name}, a string")
    kind = properties["type"]
    if kind == "bundle":
        raise Invalid("a bundle is no STIX object: send its objects")
    if "spec_version" not in properties:
        # STIX 2.1 §3.1: only cyber-observable objects may leave it out; of custom types, those without times are taken for such.
        if kind not in SCO_TYPES and ("created" in properties or "modified" in properties or kind in VERSIONED_TYPES):
            raise Invalid("an object without spec_version is of spec_version 2.0; send 2.1")
    elif properties["spec_version"] == "2.0":
        raise Invalid("spec_version 2.0; send 2.1")
    elif properties["spec_version"] != SPEC_VERSION:
        raise Invalid(f"spec_version must be 2.1, not {excerpt(properties['spec_version'])}")


def _check_counts(properties: Mapping[str, Any], limits: Limits) -> None:
    for name, value in properties.items():
        if name.endswith("_refs") and isinstance(value, list) and len(value) > limits.refs_max:
            raise Invalid(f"{name} has {len(value)} entries; the hub takes {limits.refs_max}")


def _refuse_capitals(properties: Mapping[str, Any], marking_refs: tuple[str, ...]) -> None:
    """Refuse another spelling of an id on which ownership or release depends: to some readers it is the same id, to the hub it is not."""
    own = properties["id"] if properties["type"] in ("identity", "marking-definition") else ""
    for identifier in (own, properties.get("created_by_ref", ""), *marking_refs):
        if identifier != identifier.lower():
            raise Invalid(f"{excerpt(identifier)}: write ids of identities and marking definitions in lower case (RFC 4122 §3)")


def _marking_refs(properties: Mapping[str, Any]) -> tuple[str, ...]:
    refs = properties.get("object_marking_refs", ())
    if "granular_markings" in properties:
        refs = (*refs, *(marking["marking_ref"] for marking in properties["granular_markings"] if "marking_ref" in marking))
    return tuple(dict.fromkeys(refs))
