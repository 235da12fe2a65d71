"""Canonical JSON (RFC 8785): equal values give equal bytes, so that digests and signatures speak of values, not of spelling."""

import hashlib
import re
from typing import Any

import orjson
import rfc8785

from hub.errors import Invalid

_BEYOND_BMP = re.compile(rb"[\xf0-\xf4]")  # first byte, in UTF-8, of a character beyond U+FFFF


def canonicalise(value: Any) -> bytes:
    """Return the RFC 8785 form of a JSON value.

    Raises:
        Invalid: it has none: an integer outside ±(2^53 - 1), NaN, infinity or a lone surrogate.
    """
    # orjson with sorted names writes the same bytes as RFC 8785 unless the value holds a double (orjson: 1.0, -0.0) or a character beyond
    # U+FFFF (orjson sorts names by code point, RFC 8785 by UTF-16 unit), and is far faster.
    try:
        if not _holds_double(value):
            fast = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
            if fast.isascii() or not _BEYOND_BMP.search(fast):
                return fast
        return rfc8785.dumps(value)
    except (TypeError, UnicodeEncodeError, rfc8785.CanonicalizationError) as error:
        raise Invalid(f"no canonical JSON form: {error}") from error


def digest(value: Any) -> bytes:
    """Return the SHA-256 of `canonicalise(value)`."""
    return hashlib.sha256(canonicalise(value)).digest()


def _holds_double(value: Any) -> bool:
    for item in value.values() if type(value) is dict else value if type(value) is list else (value,):
        kind = type(item)
        if kind is float or ((kind is dict or kind is list) and _holds_double(item)):
            return True
    return False
