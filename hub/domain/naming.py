"""What names and texts that administrators give may look like. Nothing is silently mended: a fault is told with the field's name.

Texts are refused where they could pretend to be another: characters that are invisible or turn the reading direction, and
forms that look like another sequence of characters (not in Unicode's normal form C).
"""

import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import urlsplit

from hub.domain.ids import MemberId
from hub.domain.member import SECTORS
from hub.errors import Invalid

NAME_CHARS_MAX = 200
DESCRIPTION_CHARS_MAX = 4_000
PASSWORD_CHARS_MIN, PASSWORD_CHARS_MAX = 12, 256

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_USERNAME = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,63}", re.ASCII)
_TOPIC = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+(;[a-z0-9!#$&^_.+-]+=[A-Za-z0-9!#$&^_.+-]+)*", re.ASCII)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)
_IDENTITY = re.compile(f"identity--{_UUID.pattern}", re.ASCII)


def checked_slug(value: str, field: str = "slug") -> str:
    """Return a short name for URLs and commands, if it is one; a UUID is none, since ids and slugs stand in the same places."""
    if not _SLUG.fullmatch(value) or _UUID.fullmatch(value):
        raise Invalid(f"{field}: write 1 to 63 of a-z, 0-9 and -, with no - at either end, and no UUID")
    return value


def checked_username(value: str) -> str:
    """Return a username, if it is one. It never holds a colon, which HTTP Basic has for itself."""
    if not _USERNAME.fullmatch(value):
        raise Invalid("username: write 1 to 64 of a-z, 0-9 and . _ @ + -, beginning with a letter or digit")
    return value


def checked_name(value: str, field: str = "name", *, chars_max: int = NAME_CHARS_MAX) -> str:
    """Return a name of one line, if it is one that cannot pass for another."""
    if not 1 <= len(value) <= chars_max or value != value.strip():
        raise Invalid(f"{field}: write 1 to {chars_max} characters, with no space at either end")
    _refuse_deceiving(value, field, allowed="")
    return value


def checked_description(value: str | None, field: str = "description") -> str | None:
    """Return a text of several lines, if it is in order; None stands for none."""
    if value is None:
        return None
    if not 1 <= len(value) <= DESCRIPTION_CHARS_MAX:
        raise Invalid(f"{field}: write 1 to {DESCRIPTION_CHARS_MAX} characters, or leave it out")
    _refuse_deceiving(value, field, allowed="\n\t")
    return value


def checked_title(value: str) -> str:
    """Return a collection's title, if it is one: clients glue root and title together with `.` and lists of titles with `,`."""
    checked_name(value, "title")
    if "." in value or "," in value:
        raise Invalid("title: write it without . and , which clients take for separators of titles")
    return value


def checked_topic(value: str, field: str = "topic") -> str:
    """Return a topic, which is an open vocabulary of words like `ip-protection`; `field` is what it was given as."""
    if not _TOPIC.fullmatch(value):
        raise Invalid(f"{field}: write a word of a-z, 0-9 and -, such as threat or ip-protection")
    return value


def checked_type(value: str) -> str:
    """Return what may be a STIX type."""
    if not _TOPIC.fullmatch(value):
        raise Invalid(f"types: {value[:64]!r} is no STIX type; write one like indicator or attack-pattern")
    return value


def checked_media_type(value: str) -> str:
    """Return a media type with its parameters, as TAXII lists them."""
    if not _MEDIA_TYPE.fullmatch(value) or len(value) > NAME_CHARS_MAX:
        raise Invalid("media_types: write media types such as application/stix+json;version=2.1")
    return value


def checked_sectors(values: Iterable[str]) -> frozenset[str]:
    """Return sectors, if all are of the vocabulary."""
    sectors = frozenset(values)
    unknown = sorted(sectors - SECTORS)
    if unknown:
        raise Invalid(f"sectors: {unknown[0]!r} is none; the sectors are {', '.join(sorted(SECTORS))}")
    return sectors


def checked_member_id(value: str) -> MemberId:
    """Return a STIX identity id, if it is one."""
    if not _IDENTITY.fullmatch(value):
        raise Invalid("id: write identity-- and a UUID in lower case, or leave it out to get one")
    return MemberId(value)


def checked_password(value: str) -> str:
    """Return a password, if it is long enough to be one, and short enough to be hashed."""
    if not PASSWORD_CHARS_MIN <= len(value) <= PASSWORD_CHARS_MAX:
        raise Invalid(f"password: write {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in value):
        raise Invalid("password: write it without control characters")
    return value


def is_uuid(value: str) -> bool:
    """Whether it is a UUID in its canonical form."""
    return _UUID.fullmatch(value) is not None


def _refuse_deceiving(value: str, field: str, *, allowed: str) -> None:
    for character in value:
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and character not in allowed:
            raise Invalid(f"{field}: the character U+{ord(character):04X} is invisible or turns the text; write it without")
    if not unicodedata.is_normalized("NFC", value):
        raise Invalid(f"{field}: write it in Unicode's normal form C")


def is_web_address(text: str) -> bool:
    """Whether a text is an http or https address (RFC 3986) with a host that can be one, and no port that cannot."""
    try:
        url = urlsplit(text)
        (url.hostname or "").encode("idna")
        return url.scheme in ("https", "http") and bool(url.hostname) and url.port != 0
    except ValueError:  # brackets that do not match, a port that is none, a name that cannot be one
        return False
