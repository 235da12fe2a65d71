"""The one strict JSON reader at the hub's door: RFC 8259 and I-JSON (RFC 7493).

- Text is strict UTF-8 without a byte order mark, nested no deeper than the limit, without duplicate names; NaN and Infinity are not JSON.
  A document that breaks this cannot be read: NotUnderstood.
- Integers lie within ±(2^53 - 1), other numbers are finite doubles, and no string holds a lone surrogate or U+0000. A value that breaks
  this belongs to one object and fails only that: Invalid; but for half of a surrogate pair, for which a body cannot be split.
- Messages name the place, and quote no more than `EXCERPT_CHARS` of what was sent.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

import msgspec
import orjson

from hub.domain.canonical import canonicalise, canonicalise_plain
from hub.errors import Invalid, NotUnderstood

INTEGER_MAX = 2**53 - 1  # I-JSON: what a double holds exactly
EXCERPT_CHARS = 80

_BOM = b"\xef\xbb\xbf"
_INTEGER_CHARS_MAX = len(str(-INTEGER_MAX))
_OPENING, _CLOSING, _QUOTE = b"[{", b"]}", b'"'
_NOT_STRUCTURE = bytes(set(range(256)) - set(_OPENING + _CLOSING + _QUOTE))
_NOT_COUNTED = bytes(set(range(256)) - set(b",[{" + _QUOTE))
_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)  # of a surrogate pair, alone
_ESCAPES_TO_CHECK = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")


def excerpt(text: object) -> str:
    """Return `text` quoted as JSON, cut to `EXCERPT_CHARS`: fit for an error message, whatever was sent."""
    shown = text if isinstance(text, str) else json.dumps(text)
    return json.dumps(shown if len(shown) <= EXCERPT_CHARS else shown[: EXCERPT_CHARS - 1] + "…", ensure_ascii=True)


def read_members(body: bytes) -> dict[str, bytes]:
    """Return the members of the JSON object in `body`, each value as the bytes that were sent, without building the values.

    The syntax of the values is checked; what else `read_document` checks is not.

    Raises:
        NotUnderstood: not JSON, or a name occurs twice.
        Invalid: JSON, but not an object.
    """
    _check_encoding(body)
    return _unique([(key.name, bytes(value)) for key, value in _decode(_MEMBERS, body, "object").items()])


def read_items(body: bytes) -> list[bytes]:
    """Return the items of the JSON array in `body`, each as the bytes that were sent, as `read_members` does.

    Raises:
        NotUnderstood: not JSON.
        Invalid: JSON, but not an array.
    """
    return [bytes(item) for item in _decode(_ITEMS, body, "array")]


class Document(NamedTuple):
    """A JSON document that was read strictly."""

    value: Any
    canonical: bytes  # its RFC 8785 form


def read_document(raw: bytes, *, depth_max: int) -> Document:
    """Read a whole JSON document strictly, as the head of this module says.

    Raises:
        NotUnderstood: not JSON, nested too deeply, or a name occurs twice in one object.
        Invalid: a number out of range, a lone surrogate or U+0000 in a string.
    """
    check_depth(raw, depth_max=depth_max)
    return _read_plain(raw) or _read_any(raw)


def _read_plain(raw: bytes) -> Document | None:
    """Read a document in which nothing is unusual, several times faster; None for any other, be it good or bad.

    orjson is strict about syntax, UTF-8 and control characters, but keeps the last of two equal names and makes a large integer a double.
    So the value must be plain, and written again it must have as many quotes as were sent: where none is escaped by number, every name and
    every string brings the same quotes to both, and a name that occurred twice is written once.
    """
    if b"\\" in raw and b"\\u" in raw:
        return None
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    canonical = canonicalise_plain(value)
    return Document(value, canonical) if canonical is not None and canonical.count(b'"') == raw.count(b'"') else None


def _read_any(raw: bytes) -> Document:
    text = _check_encoding(raw)
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotUnderstood(f"not JSON: {error.msg} (character {error.pos})") from error
    if _ESCAPES_TO_CHECK.search(raw):
        _check_strings(value)
    return Document(value, canonicalise(value))


def check_depth(raw: bytes, *, depth_max: int) -> None:
    """Refuse a document nested deeper than `depth_max`, without parsing it.

    Raises:
        NotUnderstood: it is.
    """
    if raw.count(b"{") + raw.count(b"[") <= depth_max:
        return  # no need to look which of them are in strings: there are too few to nest so deeply
    skeleton = raw.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NOT_STRUCTURE)
    depth = deepest = 0
    for bracket in b"".join(skeleton.split(_QUOTE)[::2]):  # every second part is a string
        depth += 1 if bracket in _OPENING else -1
        deepest = max(deepest, depth)
    if deepest > depth_max:
        raise NotUnderstood(f"JSON is nested more than {depth_max} levels deep")


def check_count(raw: bytes, *, values_max: int) -> None:
    """Refuse a document of more than about `values_max` values, without parsing it: tiny ones cost far more than their bytes.

    Raises:
        Invalid: it is.
    """
    if len(raw) <= values_max or raw.count(b",") + raw.count(b"[") + raw.count(b"{") <= values_max:
        return  # those in strings counted too
    skeleton = raw.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NOT_COUNTED)
    if sum(len(part) for part in skeleton.split(_QUOTE)[::2]) > values_max:
        raise Invalid(f"the object holds more than {values_max} values")


def strings_of(value: Any) -> Iterator[str]:
    """Yield every string of a JSON value, names included, in no particular order."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting += item
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


class _Name:
    """A name of an object while it is read: equal only to itself, so that a dict keeps duplicates too."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


_MEMBERS = msgspec.json.Decoder(dict[_Name, msgspec.Raw], dec_hook=lambda _type, name: _Name(name))
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_ANY = msgspec.json.Decoder(msgspec.Raw)


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes, kind: str) -> Any:
    try:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError as error:
            _ANY.decode(body)  # msgspec stops at the first byte that does not suit the type: is the rest JSON at all?
            raise Invalid(f"JSON, but not a JSON {kind}") from error
    except msgspec.DecodeError as error:
        if _HALF.search(body):  # which msgspec takes for the end of the text
            raise NotUnderstood("not I-JSON (RFC 7493 §2.1): a string holds half of a surrogate pair") from error
        raise NotUnderstood(f"not JSON: {error}") from error
    except RecursionError as error:
        raise NotUnderstood("JSON is nested too deeply") from error


def _check_encoding(raw: bytes) -> str:
    if raw.startswith(_BOM):
        raise NotUnderstood("JSON is sent without a byte order mark")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise NotUnderstood(f"JSON is sent as UTF-8; byte {error.start} is not") from error


def _check_strings(value: Any) -> None:
    for text in strings_of(value):
        if "\0" in text:
            raise Invalid(f"a string holds U+0000: {excerpt(text)}")
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise Invalid(f"a string holds half of a surrogate pair: {excerpt(text)}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise NotUnderstood(f"the name {excerpt(twice)} occurs twice in one JSON object")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _INTEGER_CHARS_MAX or abs(value := int(digits)) > INTEGER_MAX:
        raise Invalid(f"the integer {excerpt(digits)} is outside ±(2^53 - 1)")
    return value


def _double(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise Invalid(f"the number {excerpt(digits)} is too large for a double")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise NotUnderstood(f"not JSON: {name} is no JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_float=_double, parse_constant=_refuse_constant)
