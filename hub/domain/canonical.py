"""Canonical JSON (RFC 8785): equal values give equal bytes, so that digests and signatures speak of values, not of spelling."""

import hashlib
import re
from collections.abc import Iterable
from typing import Any

import orjson
import rfc8785

from hub.errors import Invalid

_BEYOND_BMP = re.compile(rb"[\xf0-\xf4]")  # first byte, in UTF-8, of a character beyond U+FFFF
_INTEGER_MAX = 2**53 - 1  # I-JSON (RFC 7493 §2.2): what a double holds exactly


def canonicalise(value: Any) -> bytes:
    """Return the RFC 8785 form of a JSON value.

    Raises:
        Invalid: it has none: an integer outside ±(2^53 - 1), NaN, infinity or a lone surrogate.
    """
    fast = canonicalise_plain(value)
    if fast is not None:
        return fast
    try:
        return rfc8785.dumps(value)
    except (TypeError, UnicodeEncodeError, rfc8785.CanonicalizationError) as error:
        raise Invalid(f"no canonical JSON form: {error}") from error


def digest(value: Any) -> bytes:
    """Return the SHA-256 of `canonicalise(value)`."""
    return hashlib.sha256(canonicalise(value)).digest()


def canonicalise_plain(value: Any) -> bytes | None:
    """Return the RFC 8785 form of a plain JSON object or array, much faster; None where `canonicalise` has to see to it.

    orjson with sorted names writes the same bytes as RFC 8785 unless the value holds a double (orjson: 1.0, -0.0) or a character beyond
    U+FFFF (orjson sorts names by code point, RFC 8785 by UTF-16 unit).
    """
    if not _is_plain(value):
        return None
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a lone surrogate
        return None
    return text if text.isascii() or not _BEYOND_BMP.search(text) else None


def _is_plain(value: Any) -> bool:
    """Whether a value is an object or array that holds neither doubles nor integers beyond I-JSON."""
    items: Iterable[Any] = value.values() if type(value) is dict else value if type(value) is list else (0.0,)
    for item in items:
        kind = type(item)
        if kind is str or kind is bool or item is None:
            continue
        if kind is int:
            if not -_INTEGER_MAX <= item <= _INTEGER_MAX:
                return False
        elif kind is float or not _is_plain(item):
            return False
    return True
