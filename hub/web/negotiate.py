"""Media types between the hub and TAXII clients: what they may ask for, and what they may send (TAXII 2.1 §1.6.8, §3.1).

Rules:
* An `Accept` that leaves room for a type of TAXII 2.1 is served, however it is spaced, quoted or spelt; everything else is
  refused, so that a client that also speaks TAXII 2.0 learns to ask for 2.1.
* The answer is always TAXII 2.1's own type. STIX 2.1 counts as asked for too, since some endpoints of the standard require
  clients to name both.
* A body is a TAXII envelope or, from clients that know no better, a STIX bundle.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from hub.domain.taxii import MEDIA_TYPE_TAXII
from hub.errors import NotAcceptable, Unsupported

_TAXII = "application/taxii+json"
_STIX = "application/stix+json"
_VERSION = "2.1"
# An element of a list ends at a comma, a part of an element at a semicolon; neither counts inside a quoted string.
_ELEMENT = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_PART = re.compile(r'(?:[^;"]|"(?:[^"\\]|\\.)*"?)+')
_PLAIN = frozenset({MEDIA_TYPE_TAXII, "*/*"})  # what nearly every client sends


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One element of an `Accept` header, or a `Content-Type`; names are in lower case."""

    type: str  # "type/subtype", where either may be "*"
    version: str | None  # None: any
    charset: str | None
    quality: float  # 0: not wanted

    def covers(self, media_type: str) -> bool:
        """Whether the range leaves room for version 2.1 of this type."""
        return self.type in (media_type, "application/*", "*/*") and self.version in (None, _VERSION)

    @property
    def precision(self) -> int:
        """How closely the range names a type: where several cover one, the closest counts (RFC 9110 §12.5.1)."""
        return 2 * (self.type != "*/*") + 2 * ("*" not in self.type) + (self.version is not None)


def refuse_unacceptable(accept: str | None) -> None:
    """Refuse a request whose client takes no type of TAXII 2.1.

    Args:
        accept: the `Accept` header, several joined by commas; None or blank takes everything.
    Raises:
        NotAcceptable: says which type to ask for.
    """
    if accept is not None and accept not in _PLAIN and not _is_acceptable(accept):
        raise NotAcceptable(f"this server answers in {MEDIA_TYPE_TAXII}: name that in Accept; TAXII 2.0 and 1.x are not spoken here")


def refuse_unsupported(content_type: str | None) -> None:
    """Refuse a body that is neither TAXII 2.1 nor STIX 2.1.

    Raises:
        Unsupported: says which type to send.
    """
    if content_type is None or not _is_supported(content_type):
        raise Unsupported(f"send an envelope as Content-Type: {MEDIA_TYPE_TAXII}")


def parse_media_ranges(header: str) -> Iterator[MediaRange]:
    """Yield the media types of a header in order; an element that is not one is left out."""
    for element in _ELEMENT.findall(header):
        name, *parameters = [part.strip() for part in _PART.findall(element)] or [""]
        name = "*/*" if name == "*" else name.lower()  # `*` alone is what the oldest Java clients send
        if "/" not in name:
            continue
        values = dict(map(_parse_parameter, parameters))
        yield MediaRange(name, values.get("version"), values.get("charset"), _parse_quality(values.get("q", "1")))


@lru_cache(maxsize=128)  # clients send the same few with every request
def _is_acceptable(accept: str) -> bool:
    ranges = list(parse_media_ranges(accept))
    return not accept.strip() or any(_quality(ranges, media_type) > 0 for media_type in (_TAXII, _STIX))


def _quality(ranges: list[MediaRange], media_type: str) -> float:
    covering = [r for r in ranges if r.covers(media_type)]
    closest = max((r.precision for r in covering), default=0)
    return max((r.quality for r in covering if r.precision == closest), default=0)


@lru_cache(maxsize=128)
def _is_supported(content_type: str) -> bool:
    ranges = list(parse_media_ranges(content_type))
    if len(ranges) != 1:
        return False
    sent = ranges[0]
    return sent.type in (_TAXII, _STIX) and sent.version in (None, _VERSION) and sent.charset in (None, "utf-8")


def _parse_parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip().strip('"').strip().lower()


def _parse_quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0  # a weight that cannot be read is no refusal
