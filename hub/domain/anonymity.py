"""Renditions: what others get of an object whose producer is not to be known to them.

A rendition is a new object in the hub's name, made so that nothing in it names its producer or ties it to anything that does:

* Id, `created_by_ref` and times are the hub's: the id is a pseudonym, `created` and `modified` are when the hub received the object, to the
  minute; other times of what was observed are widened to whole minutes, as tools write one moment into many objects.
* Only what the standard gives the type is kept. External references are kept as far as they are public catalogues', by their ids alone.
* A reference to what the same producer gave anonymously, or to what the hub does not know, becomes the reference to its rendition; one to
  what the producer gave by name is left out, and one to what others gave stays.
* Markings are stated anew: the colour, the sharing groups, and what the sharing extension says, but for recipients and attribution.
* The hub signs it, and says in what is signed that a member gave it. Whether that member signs is not told, as few may.
* Nothing is edited silently: an object with a text that names its producer is refused, and what is left out of one is told to its producer.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from hub.domain.ids import MemberId
from hub.domain.label import Attribution, Label, Severity, Tlp
from hub.domain.marking import SHARING_EXTENSION, Resolution, sharing_of
from hub.domain.member import MemberKind, Standing
from hub.domain.named import Names
from hub.domain.pseudonym import Pseudonyms, Source
from hub.domain.signing.attestation import Attested
from hub.domain.signing.extension import ATTESTATION_EXTENSION
from hub.domain.signing.keys import Signer
from hub.domain.signing.object_signature import SIGNATURE_EXTENSION, sign_object
from hub.domain.stix import Limits, StixObject, microseconds, read_object
from hub.domain.stix_schema import properties_of, stated
from hub.domain.stix_tlp import TLP2_IDS
from hub.domain.stix_vocabulary import SCO_TYPES, SDO_TYPES, SRO_TYPES, TIME_ORDER, TIMESTAMPS
from hub.domain.taxii import Collection
from hub.domain.timestamp import format_timestamp
from hub.errors import Invalid

MINUTE_US = 60_000_000
_MILLISECOND_US = 1_000
_BORN_US = 1_767_225_600_000_000  # 2026-01-01: when the identity that stands in for producers was written

_DROPPED = frozenset({"created_by_ref", "labels", "lang", "granular_markings", "extensions", "contact_information", "authors"})
_MADE_ANEW = frozenset({"id", "created", "modified", "object_marking_refs", "external_references"})
_LATER_OF_TWO = {kind: later for kind, (_, later, _) in TIME_ORDER.items()} | {"malware-analysis": "analysis_ended"}
_CATALOGUES = {
    "cve": r"CVE-\d{4}-\d{4,}",
    "cwe": r"CWE-\d+",
    "capec": r"CAPEC-\d+",
    "mitre-attack": r"[A-Z]{1,2}\d{4}(?:\.\d{3})?",
    "mitre-ics-attack": r"[A-Z]{1,2}\d{4}(?:\.\d{3})?",
    "mitre-mobile-attack": r"[A-Z]{1,2}\d{4}(?:\.\d{3})?",
}
_STIX_ID = re.compile(r"[a-z0-9-]+--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NEEDS_NONE = "marking-definition"  # a rendition states its markings anew, so nobody else needs the producer's


@dataclass(frozen=True, slots=True)
class Disguise:
    """What the renditions of one producer's objects are made with."""

    pseudonyms: Pseudonyms
    hub: MemberId  # the hub's own identity, which stands in for the producer
    producer: MemberId
    names: Names
    own: Mapping[str, Attribution]  # what the producer gave of the objects that are referred to, and to whom it wants to be known for each
    others: frozenset[str]  # those that others gave by name, and renditions
    signers: tuple[Signer, ...]  # the hub's


@dataclass(frozen=True, slots=True)
class Draft:
    """A rendition, but for its times."""

    pseudonyms: Pseudonyms
    source: Source
    label: Label
    properties: Mapping[str, Any]
    left_out: tuple[str, ...]  # properties of the original that it does not have, or not whole
    signers: tuple[Signer, ...]  # the hub's
    limits: Limits

    @property
    def id(self) -> str:
        """The rendition's STIX id."""
        return str(self.properties["id"])

    @property
    def has_versions(self) -> bool:
        """Whether it is of a kind that has versions."""
        return self.properties["type"] not in SCO_TYPES

    @property
    def token(self) -> str:
        """What stands in the store for the version that it is made from."""
        return self.pseudonyms.token_of(self.source)

    def sealed(self) -> bytes:
        """Return the record of what it is made from."""
        return self.pseudonyms.seal(self.id, self.source)

    def at(self, created_us: int, modified_us: int) -> StixObject:
        """Return the rendition with its times, signed by the hub.

        Raises:
            Invalid: what is left of the object is no STIX object.
        """
        times = {"created": _moment(created_us), "modified": _moment(modified_us)} if self.has_versions else {}
        signed = sign_object({**self.properties, **times}, *self.signers)
        return read_object(orjson.dumps(signed, option=orjson.OPT_SORT_KEYS), limits=self.limits)


def needs_rendition(obj: StixObject, producer: MemberId) -> bool:
    """Whether others get anything of an object at all: a producer's own identity and its marking definitions would only name it."""
    return obj.type != _NEEDS_NONE and obj.id != producer


def label_of_rendition(label: Label, recipients: frozenset[MemberId]) -> Label:
    """Return the label of the rendition of what has this label; `recipients` are those that the producer named.

    It does not tell what kind of member the producer is: what operators give is what policies let out least.
    """
    return replace(label, anonymous=True, producer=None, producer_kind=MemberKind.OPERATOR, recipients=recipients)


def draft_of(
    obj: StixObject, disguise: Disguise, resolution: Resolution, label: Label, *, states_colour: bool, limits: Limits, now_us: int
) -> Draft:
    """Return the rendition of an object that passed every other check.

    Args:
        label: the rendition's.
        states_colour: whether the object names a colour of its own, or only has its collection's.
    Raises:
        Invalid: it cannot be given anonymously; the reason says which property stands in the way.
    """
    kind = obj.type
    if kind not in SDO_TYPES | SRO_TYPES | SCO_TYPES:
        raise _cannot(f"objects of the type {kind} have no anonymous rendition")
    kept = {name: value for name, value in obj.properties.items() if name in properties_of(kind) - _DROPPED - _MADE_ANEW}
    left_out = obj.properties.keys() - kept.keys() - _MADE_ANEW - {"created_by_ref"}
    if set(obj.properties.get("extensions", ())) <= {SHARING_EXTENSION, SIGNATURE_EXTENSION}:
        left_out -= {"extensions"}
    references = _References(disguise)
    rendition: dict[str, Any] = {name: references.mapped(name, value) for name, value in kept.items()}
    if kind not in SCO_TYPES:
        _widen_times(kind, rendition)
        rendition["created_by_ref"] = disguise.hub
    catalogued = list(_catalogued(obj.properties))
    if catalogued:
        rendition["external_references"] = catalogued
    if catalogued != list(stated(obj.properties, "external_references") or ()):
        left_out |= {"external_references"}
    rendition["id"] = disguise.pseudonyms.id_of(disguise.producer, obj.id)
    for name in [name for name, value in rendition.items() if value in (None, [])]:
        del rendition[name]
    _refuse_named(rendition, disguise)
    refs = sorted(resolution.groups) + ([TLP2_IDS[resolution.tlp]] if states_colour else [])
    if refs:
        rendition["object_marking_refs"] = refs
    said = _sharing(obj, resolution)
    rendition["extensions"] = {ATTESTATION_EXTENSION: {"extension_type": "property-extension", "attestation": Attested.ANONYMOUS.value}}
    if len(said) > 1:
        rendition["extensions"][SHARING_EXTENSION] = said
    source = Source(disguise.producer, obj.id, obj.version_us)
    without = tuple(sorted(left_out | references.left_out))
    draft = Draft(disguise.pseudonyms, source, label, rendition, without, disguise.signers, limits)
    try:
        draft.at(now_us, now_us)
    except Invalid as e:
        raise _cannot(f"without {', '.join(without) or 'its id'} too little is left of it: {e.detail}") from e
    return draft


def next_version_us(last_us: int | None, received_us: int) -> int:
    """Return when a version of a rendition is said to be from: received, to the minute, and after the last one."""
    minute_us = received_us - received_us % MINUTE_US
    return minute_us if last_us is None else max(minute_us, last_us + _MILLISECOND_US)


def due_us(received_us: int) -> int:
    """Return when a rendition is to be appended: at the next whole minute, with all others of its minute."""
    return received_us - received_us % MINUTE_US + MINUTE_US


def hub_identity(id: MemberId) -> StixObject:
    """Return the identity that stands in for producers. Always the same, so that it is one version in every collection."""
    born = _moment(_BORN_US)
    text = "Stands in for producers that are not to be known to you."
    said = {
        "type": "identity", "spec_version": "2.1", "id": id, "created_by_ref": id, "created": born, "modified": born, "name": "Fusion Hub",
        "description": text, "identity_class": "system",
    }  # fmt: skip
    return read_object(orjson.dumps(said), limits=Limits())


def label_of_hub_identity(collection: Collection) -> Label:
    """Return the label of that identity in a collection."""
    return Label(collection.id, Tlp.CLEAR, MemberKind.OPERATOR, topic=collection.topic, anonymous=True)


@dataclass(slots=True)
class _References:
    """Maps references, and keeps which properties lost one."""

    disguise: Disguise
    left_out: frozenset[str] = frozenset()

    def mapped(self, name: str, value: Any) -> Any:
        """Return a property with its references mapped; None where none is left."""
        if name.endswith("_ref") and isinstance(value, str):
            return self._target(name, value)
        if name.endswith("_refs") and isinstance(value, list):
            return [target for target in (self._target(name, one) for one in value) if target is not None]
        if isinstance(value, Mapping):
            return {key: self.mapped(key, part) for key, part in value.items() if key != "extensions"}
        if isinstance(value, list):
            return [self.mapped("", part) for part in value]
        return value

    def _target(self, name: str, target: Any) -> Any:
        disguise = self.disguise
        if not isinstance(target, str) or not _STIX_ID.fullmatch(target) or target in disguise.others:
            return target
        named = target == disguise.producer or disguise.own.get(target, Attribution.HUB) is Attribution.EVERYONE
        if not named:
            return disguise.pseudonyms.id_of(disguise.producer, target)
        self.left_out |= {name}
        return None


def _widen_times(kind: str, properties: dict[str, Any]) -> None:
    """Cut times to the minute, the later one of two upwards, so that their order stays."""
    for name in TIMESTAMPS.get(kind, ()):
        if name in properties:
            us = microseconds(properties[name])
            upwards = name == _LATER_OF_TWO.get(kind)
            properties[name] = _moment(-(-us // MINUTE_US) * MINUTE_US if upwards else us - us % MINUTE_US)


def _catalogued(properties: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for reference in stated(properties, "external_references") or ():
        source, id = reference["source_name"], reference.get("external_id", "")
        if source in _CATALOGUES and re.fullmatch(_CATALOGUES[source], id):
            yield {"source_name": source, "external_id": id}


def _sharing(obj: StixObject, resolution: Resolution) -> dict[str, Any]:
    """Return what the sharing extension of a rendition says. Whom it is for, and who is known to whom, are not for others."""
    said: dict[str, Any] = {"extension_type": "property-extension"}
    own = sharing_of(obj.properties)
    told = {
        "sectors": sorted(resolution.sectors) or None,
        "topic": resolution.topic,
        "severity": "imminent" if resolution.severity is Severity.IMMINENT else None,
        "release": None if resolution.reciprocal is None else "reciprocal" if resolution.reciprocal else "open",
        "report": "mandatory" if resolution.mandatory else None,
        "standing_min": resolution.standing_min.value if resolution.standing_min is not Standing.OBSERVER else None,
        "for_regulators": resolution.for_regulators or None,
        "report_back": own.get("report_back"),
    }
    return said | {name: value for name, value in told.items() if value is not None}


def _refuse_named(rendition: Mapping[str, Any], disguise: Disguise) -> None:
    for path, text in _texts(rendition, ""):
        if disguise.names.are_in(text):
            raise _cannot(f"{path} names you: its name, short name, domain or id; write it without")
        if not _STIX_ID.fullmatch(text) and any(id not in disguise.others for id in _STIX_ID.findall(text)):
            raise _cannot(f"{path} holds the id of an object that is not known as another's; refer to it instead")


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield every text in a value with the path to it, the names of properties, and what is encoded as base64 or hexadecimal digits."""
    if isinstance(value, str):
        yield path, value
        decode = next((decode for suffix, decode in _ENCODED.items() if path.endswith(suffix)), None)
        if decode is not None:
            try:
                yield path, decode(value).decode("latin-1")
            except (binascii.Error, ValueError):
                return  # nobody can read it that way
    elif isinstance(value, Mapping):
        for name, part in value.items():
            inner = f"{path}.{name}" if path else name
            yield inner, name
            yield from _texts(part, inner)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _texts(part, f"{path}[{index}]")


_ENCODED: dict[str, Callable[[str], bytes]] = {"_bin": base64.b64decode, "_hex": bytes.fromhex}


def _moment(us: int) -> str:
    """Return a time as STIX writers do: to the millisecond."""
    return format_timestamp(us)[:-4] + "Z"


def _cannot(reason: str) -> Invalid:
    return Invalid(f"attribution: it cannot be given anonymously: {reason}")
