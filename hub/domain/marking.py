"""Markings: what the producer of an object says about who may see it, resolved to the pieces of a label.

- The strictest colour of the Traffic Light Protocol counts, of the object and of any part of it. TLP 1 is read as TLP 2.0 (WHITE is CLEAR).
- An object without a colour takes its collection's default. One with a marking definition that the hub does not know is unresolved, and is
  at least AMBER.
- More than a colour is said by the hub's sharing extension, on the object or on a marking definition that it refers to. Recipients
  must be named by all that name any, so that naming more markings never widens; sectors add up, as the source names each of them. Of
  releases, standings and attributions the narrowest counts.
- A marking definition means what the member says who pushes the object. What others say it means never widens: where they alone have said
  something, it stays unresolved, and is no wider than the strictest of them. So nobody can define what another's markings mean.
- Statements, IEP, PAP and other markings are known once their marking definition is, and say nothing about the colour unless they name one.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from hub.domain.ids import GroupId, MemberId
from hub.domain.json import excerpt
from hub.domain.label import Attribution, Severity, Tlp
from hub.domain.member import SECTORS, Standing
from hub.domain.reporting import wanted_of
from hub.domain.stix import StixObject
from hub.domain.stix_tlp import TLP2_EXTENSION, TLP2_IDS, TLP_DEFINITIONS, TLP_OF, colour_named
from hub.errors import Invalid

__all__ = [
    "SHARING_EXTENSION",
    "TLP2_IDS",
    "TLP_DEFINITIONS",
    "TLP_OF",
    "MarkingMeaning",
    "Resolution",
    "meaning_of",
    "resolve",
    "strictest_colour",
]

SHARING_EXTENSION = "extension-definition--b1f1a0c2-6d0e-4c5b-9f57-2f1d7c3e8a41"

_IEP_EXTENSION = "extension-definition--762e2e97-ee51-43e5-a9ea-165fbb862c4a"  # FIRST IEP 2.0; may carry a colour of TLP 1
_IDENTITY = re.compile(r"identity--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOPIC = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_TOPIC_CHARS_MAX = 64
_RECIPIENTS_MAX = 1_000
_NOTHING: Mapping[str, Tlp] = {}
_RELEASES = ("open", "reciprocal")
_REPORTS = ("voluntary", "mandatory")
_STANDINGS = tuple(map(str, Standing))
_ATTRIBUTIONS = tuple(map(str, Attribution))
_TRUTHS = (True, False)
_SAID = {
    "extension_type", "recipients", "sectors", "topic", "severity", "release", "report", "standing_min", "for_regulators", "attribution",
    "report_back",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class MarkingMeaning:
    """What one marking definition, or the sharing extension of one object, says. None and empty: nothing."""

    tlp: Tlp | None = None
    recipients: frozenset[MemberId] | None = None  # only these
    sectors: frozenset[str] = frozenset()  # the sectors that it concerns
    topic: str | None = None
    severity: Severity | None = None
    reciprocal: bool | None = None  # whether it takes part in reciprocal release
    standing_min: Standing | None = None  # the standing asked of a reader
    mandatory: bool | None = None  # a report that a law obliges
    for_regulators: bool | None = None  # regulators may see it
    attribution: Attribution | None = None  # to whom the producer is known

    def to_json(self) -> str:
        """Return the meaning as JSON text; equal meanings give equal text."""
        said: dict[str, Any] = {
            "tlp": self.tlp,
            "recipients": None if self.recipients is None else sorted(self.recipients),
            "sectors": sorted(self.sectors),
            "topic": self.topic,
            "severity": self.severity,
            "reciprocal": self.reciprocal,
            "standing_min": self.standing_min,
            "mandatory": self.mandatory,
            "for_regulators": self.for_regulators,
            "attribution": self.attribution,
        }
        return json.dumps({name: value for name, value in said.items() if value not in (None, [])}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "MarkingMeaning":
        """Return the meaning that `to_json()` wrote."""
        said = json.loads(text)
        return cls(
            tlp=Tlp(said["tlp"]) if "tlp" in said else None,
            recipients=frozenset(said["recipients"]) if "recipients" in said else None,
            sectors=frozenset(said.get("sectors", ())),
            topic=said.get("topic"),
            severity=Severity(said["severity"]) if "severity" in said else None,
            reciprocal=said.get("reciprocal"),
            standing_min=Standing(said["standing_min"]) if "standing_min" in said else None,
            mandatory=said.get("mandatory"),
            for_regulators=said.get("for_regulators"),
            attribution=Attribution(said["attribution"]) if "attribution" in said else None,
        )


@dataclass(frozen=True, slots=True)
class Resolution:
    """The pieces of a label (`hub.domain.label.Label`) that an object's markings decide."""

    tlp: Tlp
    groups: frozenset[GroupId]
    recipients: frozenset[MemberId]  # empty: nobody was named
    sectors: frozenset[str]
    topic: str | None  # None: the collection's
    severity: Severity
    unresolved: bool
    reciprocal: bool | None = None  # None: as the collection has it
    standing_min: Standing = Standing.OBSERVER
    mandatory: bool = False
    for_regulators: bool = False
    attribution: Attribution | None = None  # None: as the producer has it for the collection


def resolve(
    obj: StixObject, *, known: Mapping[str, MarkingMeaning], groups: Collection[str], default: Tlp, at_least: Mapping[str, Tlp] = _NOTHING
) -> Resolution:
    """Return what the markings of an object say about who may see it.

    Args:
        known: the marking definitions of the object's producer, by id; the nine of TLP need not be among them.
        groups: the ids of the sharing groups.
        default: the colour of content that names none.
        at_least: the colours of marking definitions that only others have explained, as `strictest_colour` gives them.
    Raises:
        Invalid: the object's own sharing extension says something that the hub does not understand.
    """
    refs = set(obj.marking_refs)
    named = refs.intersection(groups)
    unresolved = not (refs - named).issubset(known.keys() | TLP_OF.keys())
    own = _shared_by(obj.properties)
    said = [own, *(known[ref] for ref in obj.marking_refs if ref in known and ref not in TLP_OF)]
    colours = [TLP_OF[ref] for ref in refs if ref in TLP_OF] + [meaning.tlp for meaning in said if meaning.tlp is not None]
    if unresolved:
        colours += [default, Tlp.AMBER, *(at_least[ref] for ref in refs if ref in at_least and ref not in known)]
    tlp = _strictest(colours or [default])
    recipients = _named_by_all(said)
    if recipients is not None and not recipients:
        tlp = Tlp.RED  # no recipient is named by all: it is for nobody, and an empty set would be for everybody
    topics = (meaning.topic for meaning in said if meaning.topic is not None)
    imminent = any(meaning.severity is Severity.IMMINENT for meaning in said)
    releases = [meaning.reciprocal for meaning in said if meaning.reciprocal is not None]
    return Resolution(
        tlp=tlp,
        groups=frozenset(GroupId(ref) for ref in named),
        recipients=recipients or frozenset(),
        sectors=frozenset().union(*(meaning.sectors for meaning in said)),
        topic=next(topics, None),
        severity=Severity.IMMINENT if imminent else Severity.ROUTINE,
        unresolved=unresolved,
        reciprocal=any(releases) if releases else None,
        standing_min=max((m.standing_min for m in said if m.standing_min is not None), key=_rank, default=Standing.OBSERVER),
        mandatory=any(meaning.mandatory for meaning in said),
        for_regulators=any(meaning.for_regulators for meaning in said),
        attribution=max((m.attribution for m in said if m.attribution is not None), key=_rank, default=None),
    )


def strictest_colour(meanings: Iterable[MarkingMeaning]) -> Tlp:
    """Return the colour that several explanations of one marking come to; one that names recipients is for nobody else."""
    return _strictest(Tlp.RED if meaning.recipients is not None else meaning.tlp or Tlp.CLEAR for meaning in meanings)


def meaning_of(obj: StixObject) -> MarkingMeaning:
    """Return what a marking definition says, to be kept and given to `resolve` as `known`.

    Raises:
        Invalid: its TLP 2.0 or sharing extension says something that the hub does not understand.
    """
    shared = _shared_by(obj.properties)
    if obj.id in TLP_OF:
        colours = [TLP_OF[obj.id]]
    else:
        colours = _colours_named(obj.properties)
    return replace(shared, tlp=_strictest(colours) if colours else None)


def _colours_named(properties: Mapping[str, Any]) -> list[Tlp]:
    """Return every colour that a marking definition names: in its extensions, or as the label `TLP:…` where writers put that."""
    extensions, definition = properties.get("extensions", {}), properties.get("definition", {})
    colours: list[Tlp | None] = [colour_named(definition.get("tlp"))]
    if TLP2_EXTENSION in extensions:
        stated = extensions[TLP2_EXTENSION].get("tlp_2_0")
        colours.append(colour_named(stated) or _refuse(f"tlp_2_0 must be a colour of TLP 2.0, not {excerpt(stated)}"))
    if _IEP_EXTENSION in extensions:
        colours.append(colour_named(extensions[_IEP_EXTENSION].get("tlp")))
    texts = (properties.get("name"), properties.get("definition_type"), definition.get("statement"))
    colours += [colour_named(text) for text in texts if isinstance(text, str) and text.lower().startswith("tlp")]
    return [colour for colour in colours if colour is not None]


def sharing_of(properties: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a checked object says in the sharing extension; empty where it has none."""
    said: Mapping[str, Any] = properties.get("extensions", {}).get(SHARING_EXTENSION, {})
    return said


def _shared_by(properties: Mapping[str, Any]) -> MarkingMeaning:
    """Return what the sharing extension of an object says. A name that it does not know is refused: misspelt, it would widen."""
    extension = properties.get("extensions", {}).get(SHARING_EXTENSION)
    if extension is None:
        return MarkingMeaning()
    for name in extension:
        if name not in _SAID:
            _refuse(f"has no property {excerpt(name)}")
    recipients = None
    if "recipients" in extension:
        recipients = frozenset(MemberId(member) for member in _texts(extension, "recipients"))
        for member in recipients:
            if not _IDENTITY.fullmatch(member):
                _refuse(f"recipients must hold ids of identities, not {excerpt(member)}")
    sectors = _texts(extension, "sectors") if "sectors" in extension else []
    for sector in sectors:
        if sector not in SECTORS:
            _refuse(f"sectors must hold values of the STIX industry-sector vocabulary or of the UK's CNI sectors, not {excerpt(sector)}")
    topic, severity = extension.get("topic"), extension.get("severity")
    if topic is not None and not (isinstance(topic, str) and len(topic) <= _TOPIC_CHARS_MAX and _TOPIC.fullmatch(topic)):
        _refuse(f"topic must be up to {_TOPIC_CHARS_MAX} of a-z, 0-9 and single hyphens, not {excerpt(topic)}")
    if severity is not None and severity not in tuple(Severity):
        _refuse(f"severity must be one of {', '.join(Severity)}, not {excerpt(severity)}")
    release, report = _choice(extension, "release", _RELEASES), _choice(extension, "report", _REPORTS)
    wanted_of(extension)
    standing, attribution = _choice(extension, "standing_min", _STANDINGS), _choice(extension, "attribution", _ATTRIBUTIONS)
    return MarkingMeaning(
        recipients=recipients,
        sectors=frozenset(sectors),
        topic=topic,
        severity=None if severity is None else Severity(severity),
        reciprocal=None if release is None else release == "reciprocal",
        standing_min=None if standing is None else Standing(standing),
        mandatory=None if report is None else report == "mandatory",
        for_regulators=_choice(extension, "for_regulators", _TRUTHS),
        attribution=None if attribution is None else Attribution(attribution),
    )


def _choice(extension: Mapping[str, Any], name: str, choices: tuple[Any, ...]) -> Any:
    """Return what an extension says under a name, None where it does not; it must be one of `choices`."""
    value = extension.get(name)
    if name in extension and not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
        _refuse(f"{name} must be one of {', '.join(json.dumps(choice) for choice in choices)}, not {excerpt(value)}")
    return value


def _texts(extension: Mapping[str, Any], name: str) -> list[str]:
    values = extension[name]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values) or not 0 < len(values) <= _RECIPIENTS_MAX:
        _refuse(f"{name} must be a list of 1 to {_RECIPIENTS_MAX} strings")
    return values


def _named_by_all(said: Iterable[MarkingMeaning]) -> frozenset[MemberId] | None:
    naming = [meaning.recipients for meaning in said if meaning.recipients is not None]
    return frozenset.intersection(*naming) if naming else None


def _strictest(colours: Iterable[Tlp]) -> Tlp:
    return max(colours, key=_rank)


def _rank(value: Tlp | Standing | Attribution) -> int:
    return value.rank


def _refuse(reason: str) -> NoReturn:
    raise Invalid(f"sharing marking: {reason}")
