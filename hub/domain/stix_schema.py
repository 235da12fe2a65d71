"""The shape of STIX 2.1 objects: the OASIS JSON schemas, compiled once per type, and one helpful sentence for what does not fit.

The schemas are those that the package stix2-validator carries; they are read from its files, without importing its code. What no schema can
say is in `stix_rules`. Corrections of the schemas, each where the schema contradicts the standard, are in `_correct`.
"""

import importlib.util
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import orjson

from hub.domain.json import excerpt
from hub.domain.stix_vocabulary import SCO_TYPES, STANDARD_TYPES
from hub.errors import ConfigError, Invalid

_Kind = jsonschema_rs.ValidationErrorKind

_ERRORS_CONSIDERED = 20
_VALUES_MAX = 2_000  # of an object that is looked at whole for errors: one may take 20 µs
_PROPERTIES_MAX = 100  # no type of the standard has half as many
_ITEMS_SHOWN, _MEMBERS_SHOWN = 5, 20  # of each list and object inside one that has more
_ALTERNATIVES_SHOWN = 3
_OPTIONS_SHOWN = 8

# The forms that schemas give as regular expressions, in words; the key is how the expression begins.
_FORMS = {
    "^[0-9]{4}-(0[1-9]|1[012])-": "a timestamp, YYYY-MM-DDThh:mm:ss[.s]Z",
    "T\\d{2}:\\d{2}:\\d{2}\\.\\d{3,}Z$": "a timestamp with at least three digits of the second",
    "T\\d{2}:\\d{2}:\\d{2}Z$": "a timestamp without a fraction of the second",
    "^[a-z][a-z0-9-]+[a-z0-9]--[0-9a-fA-F]{8}-": "an identifier, type--UUID, of a UUID of version 1 to 5",
    "^([a-z][a-z0-9]*)+(-[a-z0-9]+)*\\-?$": "a type name of a-z, 0-9 and single hyphens",
    "^([A-Za-z0-9+/]{4})*": "base64",
    "^(?:cpe:2": "a CPE 2.3 name",
    "^([a-fA-F0-9]{2})+$": "an even number of hexadecimal digits",
}
_PREFIX = re.compile(r"\^\(?([a-z0-9|-]+?)\)?--")  # how schemas say which type an identifier begins with
_COMMON_FORMS = {
    "created": {"$ref": "../common/timestamp.json"},
    "modified": {"$ref": "../common/timestamp.json"},
    "created_by_ref": {"$ref": "../common/identifier.json"},
    "revoked": {"type": "boolean"},
    "lang": {"type": "string"},
}
_BASES = ("core", "cyber-observable-core")
_OF_ANY_PROPERTY = ("propertyNames", "allOf")  # where these two hold what goes for the name and value of any property
_PROPERTY_NAMES = {"pattern": "^([a-z0-9_]{3,250}|id)$"}
# The kinds of error that tell an author most, most telling first.
_TELLING = "Required PropertyNames Type AdditionalProperties Enum Pattern MinItems MinProperties Minimum Maximum Format".split()


def check_shape(properties: Mapping[str, Any]) -> None:
    """Refuse an object that does not fit the OASIS schema of its type; a custom type is held to the properties common to all.

    Raises:
        Invalid: it does not fit; the detail is one sentence about the first thing to mend.
    """
    name = schema_name(properties)
    if not fits(name, properties):
        errors = _errors(validator_of(name), properties)
        raise Invalid(
            _reason(_first_to_mend(errors)) if errors else "the object does not fit the schema of its type; it is too large to say where"
        )


def fits(name: str, properties: Mapping[str, Any]) -> bool:
    """Whether an object fits a schema: the answer of `validator_of`, in half of its time."""
    lean = _lean_of(name)
    if lean is None:
        return validator_of(name).is_valid(properties)
    if not lean.names.issuperset(properties):
        others = {name: value for name, value in properties.items() if name not in lean.names}
        if not lean.any_property.is_valid(others):
            return False
    return lean.validator.is_valid(properties)


@cache
def validator_of(name: str) -> jsonschema_rs.Draft202012Validator:
    """Return the compiled schema of a type, or `core` or `cyber-observable-core` for custom objects."""
    return _compile(_schemas()[name])


class _Lean(NamedTuple):
    """A schema in two: what it says of any property's name and value, which is the dear part, and all the rest."""

    validator: jsonschema_rs.Draft202012Validator  # the rest
    any_property: jsonschema_rs.Draft202012Validator
    names: frozenset[str]  # properties of which the rest allows nothing that `any_property` refuses


@cache
def _lean_of(name: str) -> _Lean | None:
    """Return a schema in two, or None for one that is not made on a base."""
    schema = _schemas()[name]
    first, *own = [schema] if name in _BASES else schema.get("allOf", [{}])
    base = _schemas().get(name if name in _BASES else Path(first.get("$ref", "")).stem)
    if base is None:
        return None
    any_property = _compile({key: base[key] for key in ("$id", *_OF_ANY_PROPERTY)})
    rest = {key: value for key, value in base.items() if key not in _OF_ANY_PROPERTY}
    names = _bound_names(schema, [rest, *own], any_property)
    if own:
        del rest["$id"]  # it becomes part of another schema, from where relative references lead to the same
        rest = schema | {"allOf": [rest, *own]}
    return _Lean(_compile(rest), any_property, names)


def _bound_names(schema: dict[str, Any], parts: list[dict[str, Any]], any_property: jsonschema_rs.Draft202012Validator) -> frozenset[str]:
    """Return the properties that the parts of a schema bind at least as `any_property` does: no null, no empty list, no form by name."""
    tables = [part["properties"] for part in parts if "properties" in part]
    values = _compile(
        {"$id": schema["$id"], "definitions": schema.get("definitions", {}), "allOf": [{"properties": table} for table in tables]}
    )
    return frozenset(
        name
        for name in chain(*tables)
        if any_property.is_valid({name: "x"}) and not values.is_valid({name: None}) and not values.is_valid({name: []})
    )


def _compile(schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema,
        registry=_registry(),
        validate_formats=True,
        email_options=jsonschema_rs.EmailOptions(allow_display_text=False),
        offline=True,
    )


def _errors(validator: jsonschema_rs.Draft202012Validator, properties: Mapping[str, Any]) -> list[jsonschema_rs.ValidationError]:
    """Return errors to choose the most telling one from; none where they lie beyond what is looked at of a very large object.

    The library collects all errors before it gives the first: of a million values that would hold up everybody for a minute.
    """
    if not _has_many_values(properties):
        shown: Mapping[str, Any] = properties
    elif len(properties) <= _PROPERTIES_MAX:
        shown = {name: _beginning(value) for name, value in properties.items()}
    else:
        return []
    return list(islice(validator.iter_errors(shown), _ERRORS_CONSIDERED))


def _has_many_values(properties: Mapping[str, Any]) -> bool:
    waiting: list[Any] = [properties]
    count = 0
    while waiting and count <= _VALUES_MAX:
        item = waiting.pop()
        if isinstance(item, list | dict):
            count += len(item)
            waiting += (item.values() if isinstance(item, dict) else item) if count <= _VALUES_MAX else ()
    return count > _VALUES_MAX


def _beginning(value: Any) -> Any:
    """Return a JSON value of which every list and object holds its first few members only."""
    if isinstance(value, list):
        return [_beginning(item) for item in value[:_ITEMS_SHOWN]]
    if isinstance(value, dict):
        return {name: _beginning(item) for name, item in islice(value.items(), _MEMBERS_SHOWN)}
    return value


def schema_name(properties: Mapping[str, Any]) -> str:
    """Return the name of the schema that an object is held to."""
    kind: str = properties["type"]
    if kind in STANDARD_TYPES:
        return kind
    # A custom object without both times can only be a custom SCO (STIX 2.1 §3.1: every other kind has them).
    return "core" if "created" in properties or "modified" in properties else "cyber-observable-core"


def stated(properties: Mapping[str, Any], name: str) -> Any:
    """Return a property of a checked object, in the form that the standard gives it; None if it is absent.

    None also where the type has no property of that name: then it is a custom one, and whatever its author likes (STIX 2.1 §11.1).
    """
    return properties[name] if name in properties and name in properties_of(schema_name(properties)) else None


@cache
def properties_of(schema: str) -> frozenset[str]:
    """Return the properties that the standard gives a type, those of all objects included.

    Args:
        schema: a standard type, or as `schema_name` returns it.
    """
    base = "cyber-observable-core" if schema in SCO_TYPES or schema == "cyber-observable-core" else "core"
    return frozenset(chain(_properties_in(_schemas()[base]), _properties_in(_schemas()[schema])))


@cache
def _schemas() -> dict[str, Any]:
    package = importlib.util.find_spec("stix2validator")
    folder = Path(package.origin).parent / "schemas-2.1" / "schemas" if package and package.origin else None
    files = sorted(folder.rglob("*.json")) if folder else []
    if not files:
        raise ConfigError("the OASIS STIX 2.1 schemas are missing: install stix2-validator 3.2.0, whose wheel carries them")
    return {file.stem: _correct(file.stem, orjson.loads(file.read_bytes())) for file in files}


@cache
def _registry() -> jsonschema_rs.Registry:
    return jsonschema_rs.Registry([(schema["$id"], schema) for schema in _schemas().values()])


def _properties_in(schema: Mapping[str, Any]) -> Iterator[str]:
    yield from schema.get("properties", ())
    for part in chain.from_iterable(schema.get(way, ()) for way in ("allOf", "anyOf", "oneOf")):
        yield from _properties_in(part)


def _correct(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    if name == "granular-marking":  # STIX 2.1 §7.2.3.1: either a marking or a language, not always a marking
        schema["required"] = ["selectors"]
        schema["oneOf"] = [{"required": ["marking_ref"]}, {"required": ["lang"]}]
    if name == "location":
        schema["allOf"][1]["properties"]["precision"]["minimum"] = 0  # §4.10: a distance in metres
    if name == "software":
        own = schema["allOf"][1]["properties"]
        own["languages"]["items"] = {"type": "string"}  # §6.14: RFC 5646 tags, not only three letters; `stix_rules` checks them
        own["cpe"]["pattern"] = f"^(?:{own['cpe']['pattern']})$"  # the whole of it is a CPE name, not only a part
    if name in ("core", "cyber-observable-core", "marking-definition"):
        schema["propertyNames"] = _PROPERTY_NAMES  # §11.1; the schemas look at the beginning of a name only
    if name in ("cyber-observable-core", "marking-definition"):
        # §3.2 gives these kinds no such properties and the schemas let any value pass; where one is there, it means what it says.
        for common, form in _COMMON_FORMS.items():
            schema["properties"].setdefault(common, form)
    return schema


def _first_to_mend(errors: list[jsonschema_rs.ValidationError]) -> jsonschema_rs.ValidationError:
    def rank(error: jsonschema_rs.ValidationError) -> tuple[int, int]:
        kind = type(error.kind).__name__
        return _TELLING.index(kind) if kind in _TELLING else len(_TELLING), len(error.instance_path)

    return min(errors, key=rank)


def _reason(error: jsonschema_rs.ValidationError) -> str:
    path = ".".join(str(step) for step in error.instance_path)
    subject = excerpt(path)[1:-1] or "the object"
    match error.kind:
        case _Kind.Required(property=missing):
            return f"{subject} needs the property {missing}"
        case _Kind.PropertyNames(error=name):
            return f"{excerpt(name.instance)} is no property name: they are 3 to 250 of a-z, 0-9 and _"
        case _Kind.AdditionalProperties(unexpected=names):
            return f"{subject} may not have a property named {excerpt(names[0])}"
        case _Kind.Type(types=types):
            return f"{subject} must be of type {' or '.join(types)}, not {_kind_of(error.instance)}"
        case _Kind.MinItems() | _Kind.MinProperties():
            return f"{subject} must not be empty: leave it out"
        case _Kind.AnyOf(context=context) | _Kind.OneOfNotValid(context=context):
            return _alternatives(subject, error.instance, context)
    if isinstance(error.instance, str | int | float) and (wanted := _wanted(error.kind)):
        return f"{subject} must {wanted}, not {excerpt(error.instance)}"
    rule = "/".join(map(str, error.schema_path))[-60:]
    return f"{subject} holds a value or a combination of properties that STIX 2.1 does not allow (schema rule {rule})"


def _wanted(kind: Any) -> str:
    """Return what a string or number has to be, to stand after "must"; empty for other kinds of error."""
    match kind:
        case _Kind.Enum(options=options):
            shown = ", ".join(str(option) for option in options[:_OPTIONS_SHOWN])
            return f"be one of {shown}" + (", …" if len(options) > _OPTIONS_SHOWN else "")
        case _Kind.Pattern(pattern=pattern):
            if prefix := _PREFIX.fullmatch(pattern):
                return f"point to {prefix[1].replace('|', ' or ')}"
            return "be " + next((words for start, words in _FORMS.items() if pattern.startswith(start)), f"of the form {pattern}")
        case _Kind.Minimum(limit=limit):
            return f"be at least {limit}"
        case _Kind.Maximum(limit=limit):
            return f"be at most {limit}"
        case _Kind.Format(format=name):
            return f"be a valid {name}"
        case _Kind.Not():
            return "have another form or point to another type"
    return ""


def _alternatives(subject: str, instance: Any, context: list[list[jsonschema_rs.ValidationError]]) -> str:
    if instance is None or instance == []:
        return f"{subject} must not be null or an empty list: leave it out"
    reasons = dict.fromkeys(_reason(_first_to_mend(branch)) for branch in _nearest(context))
    return ", or ".join(islice(reasons, _ALTERNATIVES_SHOWN))


def _nearest(context: list[list[jsonschema_rs.ValidationError]]) -> Iterator[list[jsonschema_rs.ValidationError]]:
    """Yield the branches with the fewest errors: the alternatives that the author most likely meant."""
    branches = [branch for branch in context if branch]
    fewest = min(map(len, branches), default=0)
    return (branch for branch in branches if len(branch) == fewest)


def _kind_of(value: object) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", type(None): "null"}
    return names.get(type(value), "number")
