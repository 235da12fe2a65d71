"""The MUSTs of STIX 2.1 that no schema can say, for objects whose shape `stix_schema` has found right.

Each rule is a function that raises Invalid with a sentence for the object's author. Beyond the standard there is one rule of the hub's own:
an identity's name is written so that it cannot look like another's without being it.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.domain.json import excerpt
from hub.domain.pattern import check_pattern
from hub.domain.stix_limits import Limits
from hub.domain.stix_schema import check_shape
from hub.domain.stix_tlp import check_tlp_definition
from hub.domain.stix_vocabulary import (
    BARRED_REFERENCES,
    ID_CONTRIBUTORS,
    PART_REFERENCES,
    PART_TIMESTAMPS,
    REFERENCES,
    TIME_ORDER,
    TIMESTAMPS,
)
from hub.domain.stix_words import is_character_set, is_language
from hub.domain.timestamp import at_any_precision
from hub.errors import Invalid

_PROPERTY_NAME = re.compile(r"[a-z0-9_]{3,250}|id")
_TYPE_NAME = re.compile(r"-?[a-z0-9]+(?:-[a-z0-9]+)*-?")
_TYPE_NAME_CHARS = range(3, 251)
_UUID_CHARS = 36
_TIMES_OF_ALL = ("created", "modified")
_REGISTRY_PROPERTIES = frozenset({"lang", "languages", "name_enc", "path_enc"})
_INDEX = re.compile(r"\[([0-9]{1,9})\]")
_NONE: frozenset[str] = frozenset()
_Tables = Mapping[str, frozenset[str]]  # property -> the types that it may point to, or may not
_NO_REFERENCES: _Tables = {}
_REFERENCES_OF_ALL: _Tables = {"created_by_ref": frozenset({"identity"}), "object_marking_refs": frozenset({"marking-definition"})}
_REFERENCES = {kind: {**_REFERENCES_OF_ALL, **tables} for kind, tables in REFERENCES.items()}
# Bidirectional controls, characters without width or ink, tags: they change a name, or how it looks, without being seen.
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


def check_rules(properties: Mapping[str, Any], *, limits: Limits) -> None:
    """Refuse an object that breaks a MUST of STIX 2.1 beyond its shape.

    Raises:
        Invalid: it does; the detail names the property.
    """
    kind = properties["type"]
    _check_identifier(kind, properties)
    _check_times(kind, properties)
    _check_references(kind, properties)
    if not _REGISTRY_PROPERTIES.isdisjoint(properties):
        _check_words(properties)
    if "granular_markings" in properties:
        _check_granular_markings(properties)
    if kind == "indicator":
        if properties["pattern_type"] == "stix":
            _check_indicator_pattern(properties["pattern"], limits)
    elif kind == "marking-definition":
        _check_marking_definition(properties)
    elif kind == "identity":
        _check_visible("name", properties["name"])
    elif kind == "language-content":
        _check_contents(properties["contents"])
    elif kind == "observed-data":
        _check_observed_data(properties)


def _check_identifier(kind: str, properties: Mapping[str, Any]) -> None:
    identifier = properties["id"]
    if not identifier.startswith(kind) or len(identifier) != len(kind) + _UUID_CHARS + 2:
        raise Invalid(f"id must be {excerpt(kind)[1:-1]}--UUID, the type of the object first, not {excerpt(identifier)}")
    if kind in ID_CONTRIBUTORS and ID_CONTRIBUTORS[kind].isdisjoint(properties) and UUID(identifier[-_UUID_CHARS:]).version != 4:
        raise Invalid(f"id of this {kind} must be a UUID of version 4, as it has none of the properties that a deterministic id is made of")


def _check_times(kind: str, properties: Mapping[str, Any]) -> None:
    for name in TIMESTAMPS.get(kind, _TIMES_OF_ALL):
        if name in properties:
            _check_exists(name, properties[name])
    if kind in PART_TIMESTAMPS:
        for path in PART_TIMESTAMPS[kind]:
            text = _at_path(properties, path)
            if text is not None:
                _check_exists(".".join(path), text)
    _check_order(properties, "created", "modified", may_be_equal=True)
    if kind in TIME_ORDER:
        earlier, later, may_be_equal = TIME_ORDER[kind]
        _check_order(properties, earlier, later, may_be_equal=may_be_equal)


def _check_exists(name: str, text: str) -> None:
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{name} is no moment that exists: {excerpt(text)} ({error})") from error


def _check_order(properties: Mapping[str, Any], earlier: str, later: str, *, may_be_equal: bool) -> None:
    if earlier not in properties or later not in properties:
        return
    first, second = properties[earlier], properties[later]
    if len(first) != len(second):  # texts of one precision sort as they are
        first, second = at_any_precision(first), at_any_precision(second)
    if second < first or (second == first and not may_be_equal):
        relation = "later than or equal to" if may_be_equal else "later than"
        raise Invalid(f"{later} ({excerpt(properties[later])}) must be {relation} {earlier} ({excerpt(properties[earlier])})")


def _check_references(kind: str, properties: Mapping[str, Any]) -> None:
    for name, types in BARRED_REFERENCES.get(kind, _NO_REFERENCES).items():
        if name in properties:
            _check_targets(name, properties[name], barred=types)
    for name, types in _REFERENCES.get(kind, _REFERENCES_OF_ALL).items():
        if name in properties:
            _check_targets(name, properties[name], allowed=types)
    if kind in PART_REFERENCES:
        for path, part, tables in _parts_with_references(kind, properties):
            for name, types in tables.items():
                if name in part:
                    _check_targets(path + name, part[name], allowed=types)


def _parts_with_references(kind: str, properties: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], _Tables]]:
    """Yield the parts of an object that may hold references, each with the path to it and what its references may point to."""
    for steps, tables in PART_REFERENCES.get(kind, {}).items():
        found = _at_path(properties, steps)
        for part in found if isinstance(found, list) else [found]:
            if isinstance(part, dict):
                yield ".".join(steps) + ".", part, tables


def _check_targets(name: str, value: Any, *, allowed: frozenset[str] = _NONE, barred: frozenset[str] = _NONE) -> None:
    """Refuse a reference, or a list of them, that points to any type but those allowed, if any are, or to one that is barred."""
    for target in value if isinstance(value, list) else [value]:
        kind, dashes, _ = target.partition("--") if isinstance(target, str) else ("", "", "")
        if not dashes or kind in barred or (allowed and kind not in allowed):
            wanted = f"must point to {' or '.join(sorted(allowed))}, not" if allowed else "may not point to"
            raise Invalid(f"{name} {wanted} {excerpt(target)}")


def _check_granular_markings(properties: Mapping[str, Any]) -> None:
    for marking in properties["granular_markings"]:
        for selector in dict.fromkeys(marking["selectors"]):
            if not _selects(properties, selector):
                raise Invalid(f"granular_markings selects {excerpt(selector)}, which this object does not have")
        if not is_language(marking.get("lang", "en")):
            raise Invalid(f"lang of a granular marking must be an RFC 5646 language tag, not {excerpt(marking['lang'])}")


def _check_marking_definition(properties: Mapping[str, Any]) -> None:
    granular = (marking.get("marking_ref") for marking in properties.get("granular_markings", ()))
    if properties["id"] in (*properties.get("object_marking_refs", ()), *granular):
        raise Invalid("a marking definition may not mark itself")
    check_tlp_definition(properties)


def _check_visible(name: str, text: str) -> None:
    if text.isascii():
        return
    if _INVISIBLE.search(text):
        raise Invalid(f"{name} of an identity may not hold invisible or direction-changing characters: {excerpt(text)}")
    if not unicodedata.is_normalized("NFC", text):
        raise Invalid(f"{name} of an identity must be in Unicode's normal form C: {excerpt(text)}")


def _selects(value: Any, selector: str) -> bool:
    for step in selector.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and (index := _INDEX.fullmatch(step)) and int(index[1]) < len(value):
            value = value[int(index[1])]
        else:
            return False
    return True


def _check_words(properties: Mapping[str, Any]) -> None:
    """Check the values that come from a registry outside STIX."""
    kind = properties["type"]
    if "lang" in properties and not is_language(properties["lang"]):
        raise Invalid(f"lang must be an RFC 5646 language tag, not {excerpt(properties['lang'])}")
    if kind == "software":
        for language in dict.fromkeys(properties.get("languages", ())):
            if not is_language(language):
                raise Invalid(f"languages must hold RFC 5646 language tags or ISO 639-2 codes, not {excerpt(language)}")
    for name in {"directory": ("path_enc",), "file": ("name_enc",)}.get(kind, ()):
        if name in properties and not is_character_set(properties[name]):
            raise Invalid(f"{name} must be a character set's preferred name in the IANA registry, not {excerpt(properties[name])}")


def _check_indicator_pattern(pattern: str, limits: Limits) -> None:
    for object_type, name in check_pattern(pattern, limits=limits):
        if len(object_type) not in _TYPE_NAME_CHARS or not _TYPE_NAME.fullmatch(object_type):
            raise Invalid(f"pattern: {excerpt(object_type)} is no name of an object type")
        if not _PROPERTY_NAME.fullmatch(name):
            raise Invalid(f"pattern: {excerpt(name)} is no name of a property of {excerpt(object_type)}")


def _check_contents(contents: Mapping[str, Any]) -> None:
    for language, translations in contents.items():
        if not is_language(language):
            raise Invalid(f"contents must have RFC 5646 language tags as names, not {excerpt(language)}")
        if not isinstance(translations, dict):
            raise Invalid(f"contents.{language} must be an object: property names and their translations")
        for name in translations:
            if not _PROPERTY_NAME.fullmatch(name):
                raise Invalid(f"contents.{language}: {excerpt(name)} is no property name: they are 3 to 250 of a-z, 0-9 and _")


def _check_observed_data(properties: Mapping[str, Any]) -> None:
    objects = properties.get("objects", {})
    for key, part in objects.items():
        try:
            check_shape(part)
            _check_embedded(part["type"], part, objects)
        except Invalid as error:
            raise Invalid(f"objects.{excerpt(key)[1:-1]}: {error.detail}") from error


def _check_embedded(kind: str, part: Mapping[str, Any], objects: Mapping[str, Any]) -> None:
    """Check one object of the deprecated `objects`: its references are keys beside it."""
    _check_times(kind, part)
    _check_words(part)
    for path, holder, tables in [("", part, REFERENCES.get(kind, _NO_REFERENCES)), *_parts_with_references(kind, part)]:
        for name, types in tables.items():
            for key in [holder[name]] if isinstance(holder.get(name), str) else holder.get(name, ()):
                if key not in objects:
                    raise Invalid(f"{path}{name} names {excerpt(key)}, which is not among the objects")
                if objects[key].get("type") not in types:
                    raise Invalid(f"{path}{name} must point to {' or '.join(sorted(types))}, not {excerpt(objects[key].get('type'))}")


def _at_path(value: Any, steps: tuple[str, ...]) -> Any:
    for step in steps:
        if not isinstance(value, dict) or step not in value:
            return None
        value = value[step]
    return value
