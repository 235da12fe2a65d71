"""The URL parameters of TAXII requests (TAXII 2.1 §3.4), read strictly.

Rules:
* A parameter that the endpoint defines is well-formed and given once, or the request is refused: a filter that is dropped in
  silence would hand out what was not asked for. Parameters that it does not define are ignored.
* `next` is passed on unread: what it means is for the service that made it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from hub.domain.taxii import ALL_VERSIONS, Query, VersionMatch
from hub.domain.timestamp import parse_timestamp
from hub.errors import NotUnderstood

_LIMIT_DIGITS_MAX = 18
_KEPT_CHARS_MAX = 512  # a longer query is read each time
_VERSION_WORDS = frozenset({"first", "last", "all"})


@dataclass(frozen=True, slots=True, eq=False)  # there are four of them, each equal to itself only: hashing their parts would take long
class Parameters:
    """Which parameters an endpoint defines, and what their absence means."""

    names: frozenset[str]
    absent: Query


_PAGE = {"added_after", "limit", "next"}
LISTING = Parameters(frozenset(_PAGE | {"match[id]", "match[type]", "match[version]", "match[spec_version]"}), Query())
ONE_OBJECT = Parameters(frozenset(_PAGE | {"match[version]", "match[spec_version]"}), Query())
VERSIONS = Parameters(frozenset(_PAGE | {"match[spec_version]"}), Query(versions=ALL_VERSIONS))
# §5.7 wants the object gone, so absence means all versions here, not the last one.
DELETION = Parameters(frozenset({"match[version]", "match[spec_version]"}), Query(versions=ALL_VERSIONS))


def parse_query(text: str, parameters: Parameters, *, match_values_max: int) -> Query:
    """Return what the query string of a request asks for.

    Args:
        text: the part of the URL behind the `?`, still percent-encoded.
        match_values_max: the most values that one `match[…]` may list.
    Raises:
        NotUnderstood: a malformed parameter, one given twice, or too many values; names the parameter.
    """
    if not text:
        return parameters.absent
    return (_read_kept if len(text) <= _KEPT_CHARS_MAX else _read)(text, parameters, match_values_max)


def _read(text: str, parameters: Parameters, match_values_max: int) -> Query:
    given: dict[str, Any] = {}
    for pair in text.split("&"):
        raw_name, _, raw_value = pair.partition("=")
        name = _decode(raw_name)
        if name is None or name not in parameters.names:
            continue
        field, read = _READERS[name]
        if field in given:
            raise NotUnderstood(f"{name} is given more than once")
        value = _decode(raw_value)
        if value is None:
            raise NotUnderstood(f"{name}: not percent-encoded UTF-8 without control characters")
        try:
            given[field] = read(value, match_values_max)
        except NotUnderstood as e:
            raise NotUnderstood(f"{name}: {e.detail}") from e
    return replace(parameters.absent, **given) if given else parameters.absent


# Who has read a feed to its end asks the same again and again, and so does everybody else who has.
_read_kept = lru_cache(maxsize=1_024)(_read)


def _decode(text: str) -> str | None:
    if "%" not in text:
        decoded = text.replace("+", " ")
    else:
        try:
            decoded = unquote_to_bytes(text.replace("+", " ")).decode()
        except UnicodeDecodeError:
            return None
    # Control characters are in no value that could match, and databases refuse some of them.
    return decoded if decoded.isprintable() else None


def _read_added_after(value: str, _: int) -> int:
    return parse_timestamp(value)


def _read_limit(value: str, _: int) -> int:
    if not (value.isascii() and value.isdecimal()) or not value.strip("0"):
        raise NotUnderstood("a whole number above 0 is needed")
    return int(value.lstrip("0")[:_LIMIT_DIGITS_MAX])


def _read_next(value: str, _: int) -> str | None:
    return value or None  # some clients always send the parameter, empty where they have no cursor yet


def _read_values(value: str, values_max: int) -> tuple[str, ...]:
    values = tuple(dict.fromkeys(_split(value, values_max)))
    if "" in values:
        raise NotUnderstood("an empty value; write values with a comma between them")
    return values


def _read_versions(value: str, values_max: int) -> VersionMatch:
    values = _split(value, values_max)
    words = _VERSION_WORDS.intersection(values)
    exact_us = {parse_timestamp(v) for v in values if v not in _VERSION_WORDS}
    if len(words) + len(exact_us) < len(values):
        raise NotUnderstood("a value is given twice")
    if "all" in words and len(values) > 1:
        raise NotUnderstood("`all` stands alone")
    return VersionMatch(all="all" in words, first="first" in words, last="last" in words, exact_us=tuple(sorted(exact_us)))


def _split(value: str, values_max: int) -> list[str]:
    values = value.split(",", values_max)
    if len(values) > values_max:
        raise NotUnderstood(f"more than {values_max} values; ask in several requests")
    return values


_READERS: dict[str, tuple[str, Callable[[str, int], Any]]] = {
    "added_after": ("added_after_us", _read_added_after),
    "limit": ("limit", _read_limit),
    "next": ("next", _read_next),
    "match[id]": ("ids", _read_values),
    "match[type]": ("types", _read_values),
    "match[version]": ("versions", _read_versions),
    "match[spec_version]": ("spec_versions", _read_values),
}
