"""What an object says of itself that its quality depends on, read from its properties; what others say of it is not known here.

* Properties are of a checked object (`hub.domain.stix`): those that STIX gives a type have the right form. Properties of other names are
  whatever their author likes, so none is looked at on a type that does not have it.
* Observables are normalised, so that the same one is the same key whoever wrote it, in an indicator or as an object.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from hub.domain.marking import sharing_of
from hub.domain.standing_rules import Kind
from hub.domain.stix import microseconds
from hub.domain.stix_schema import stated
from hub.domain.stix_vocabulary import SCO_TYPES

Properties = Mapping[str, Any]

_PATH = r"[\w.]+(?:\[(?:\*|\d+)\][\w.]*)*(?:'[\w-]+')?"
# The tokens of a pattern that tell which texts a property is compared with. Each character belongs to one token: linear in the length.
_TOKEN = re.compile(
    rf"(?P<type>[\w-]+):(?P<path>{_PATH})|'(?P<text>[^'\\]*(?:\\.[^'\\]*)*)'|(?P<word>[\w-]+)|(?P<mark>!=|<>|\])", re.DOTALL
)
# A pattern that asks for one text, which most do: read at once, as its tokens would be.
_SINGLE = re.compile(rf"\[([\w-]+):({_PATH}) = '([^'\\]*)'\]")
_NO_LONGER_COMPARED = frozenset({"AND", "OR", "NOT", "!=", "<>", "]"})  # after these, a text is not what the last property is asked for
_ESCAPED = re.compile(r"\\(.)")
_CVE = re.compile(r"CVE-\d{4}-\d{4,}", re.IGNORECASE)
_TECHNIQUE_SOURCES = frozenset({"mitre-attack", "mitre-ics-attack", "mitre-mobile-attack", "capec"})
_VALUE_TYPES = frozenset({"ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "mac-addr"})
_HASHED_TYPES = frozenset({"file", "artifact", "x509-certificate"})
_HASHED = frozenset({*(f"{type}:" for type in _HASHED_TYPES), "file:content_ref.", "process:binary_ref.", "process:image_ref."})
_HOST = ""  # an address or a domain, as its text says
_REFERRED = {  # what properties of patterns refer to, by the type of what is there
    "network-traffic:src_ref.value": _HOST,
    "network-traffic:dst_ref.value": _HOST,
    "domain-name:resolves_to_refs[*].value": _HOST,
    "ipv4-addr:resolves_to_refs[*].value": "mac-addr",
    "ipv6-addr:resolves_to_refs[*].value": "mac-addr",
    "email-message:from_ref.value": "email-addr",
    "email-message:sender_ref.value": "email-addr",
    "email-message:to_refs[*].value": "email-addr",
    "email-message:cc_refs[*].value": "email-addr",
    "email-message:bcc_refs[*].value": "email-addr",
}
_INDEX = re.compile(r"\[\d+\]")
_BARE_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+\.?(?::\d+)?(?=[/?#]|\Z)")  # with which a URL begins that has no scheme
_PLACES = frozenset({"identity", "location"})
_OBSERVED = {  # the property, beside `created`, that says when an object of a type was observed
    "indicator": "valid_from",
    "observed-data": "first_observed",
    "report": "published",
    "sighting": "first_seen",
}
_KINDS = {
    "ipv4-addr": Kind.ADDRESS,
    "ipv6-addr": Kind.ADDRESS,
    "mac-addr": Kind.ADDRESS,
    "domain-name": Kind.URL,
    "url": Kind.URL,
    "email-addr": Kind.URL,
    "file": Kind.HASH,
}


def kind_of(properties: Properties, keys: frozenset[str] | None = None) -> Kind:
    """Return what an object tells; an indicator tells what grows old first of what it compares.

    Args:
        keys: what `keys_of` returns for it, where that is known already.
    """
    keys = keys_of(properties) if keys is None else keys
    kinds = [_KINDS.get(key.partition(":")[0], Kind.REPORT) for key in keys or (properties["type"],)]
    return kinds[0] if len(kinds) == 1 else next(kind for kind in Kind if kind in kinds)


def keys_of(properties: Properties) -> frozenset[str]:
    """Return the observables that an object names, as "type:value" or "file:ALGORITHM:value"; empty where it describes only."""
    return frozenset(_keys(properties))


def observed_us_of(properties: Properties) -> int | None:
    """Return when its author first observed what an object tells: the earliest time that it gives for that; None if it gives none.

    `first_seen` of an actor or a campaign is not looked at: it says how old the actor is, not how old the observation.
    """
    type = properties["type"]
    if type in SCO_TYPES:
        return None
    stated = {properties.get("created"), properties.get(_OBSERVED.get(type, "created"))}  # most say the same twice
    times = [microseconds(time) for time in stated if time is not None]
    return min(times) if times else None


def sectors_of(properties: Properties) -> frozenset[str]:
    """Return the sectors that an object says it concerns: an identity in a property of its own, all others in the sharing extension."""
    return frozenset(stated(properties, "sectors") or sharing_of(properties).get("sectors", ()))


def context_of(properties: Properties, related: frozenset[str] = frozenset()) -> float:
    """Return the share of the context that an object should have: technique, relationship, confidence, defensive action, sector.

    Args:
        related: types of the objects that it is tied to, by relationships or as a report's content.
    """
    told = related | {properties["type"]}
    present = (
        bool(stated(properties, "kill_chain_phases"))
        or "attack-pattern" in told
        or any(reference["source_name"] in _TECHNIQUE_SOURCES for reference in _references(properties)),
        bool(related),
        stated(properties, "confidence") is not None,
        "course-of-action" in told,
        bool(sectors_of(properties)) or not related.isdisjoint(_PLACES),
    )
    return sum(present) / len(present)


def usability_of(properties: Properties) -> float:
    """Return the share of what makes an object fit to be used and passed on: author, marking, words for people, an end of validity."""
    wanted = [
        "created_by_ref" in properties,
        bool(properties.get("object_marking_refs")),
        any(stated(properties, name) for name in ("description", "content", "abstract")),
    ]
    if properties["type"] == "indicator":
        wanted.append("valid_until" in properties)
    return sum(wanted) / len(wanted)


def _keys(properties: Properties) -> Iterator[str]:
    type = properties["type"]
    if type == "indicator" and properties.get("pattern_type") == "stix":
        single = _SINGLE.fullmatch(properties["pattern"])
        yield from _asked_for(properties["pattern"]) if single is None else filter(None, [_compared(*single.groups())])
    elif type in _VALUE_TYPES:
        yield _key(type, properties["value"])
    elif type in _HASHED_TYPES:
        yield from (_hash_key(algorithm, value) for algorithm, value in properties.get("hashes", {}).items())
    elif type == "vulnerability":
        named = [properties["name"], *(reference.get("external_id", "") for reference in _references(properties))]
        yield from (f"vulnerability:{cve.upper()}" for name in named for cve in _CVE.findall(name))


def _asked_for(pattern: str) -> Iterator[str]:
    """Return what a pattern asks for, by whatever operator: as else a list of one, or a pattern without wildcards, would pass for news."""
    type = path = ""
    for token in _TOKEN.finditer(pattern):
        match token.lastgroup:
            case "path":
                type, path = token.group("type", "path")
            case "text":
                key = _compared(type, path, token["text"])
                if key is not None:
                    yield key
            case _ if token[0] in _NO_LONGER_COMPARED:
                type = path = ""


def _compared(type: str, path: str, text: str) -> str | None:
    value = _ESCAPED.sub(r"\1", text) if "\\" in text else text
    if path == "value" and type in _VALUE_TYPES:
        return _key(type, value)
    before, is_hash, algorithm = path.partition("hashes.")
    if is_hash:
        return _hash_key(algorithm.strip("'"), value) if f"{type}:{before}" in _HASHED else None
    referred = _REFERRED.get(f"{type}:{_INDEX.sub('[*]', path)}")
    return _key(referred or _host_type(value), value) if referred is not None else None


def _host_type(value: str) -> str:
    try:
        return "ipv4-addr" if ipaddress.ip_interface(value.strip()).version == 4 else "ipv6-addr"
    except ValueError:
        return "domain-name"


def _hash_key(algorithm: str, value: str) -> str:
    return f"file:{algorithm.upper().replace('-', '')}:{value.lower()}"


def _key(type: str, value: str) -> str:
    if type == "url":
        return f"url:{_normal_url(value)}"
    value = value.strip().rstrip(".").lower()
    if type == "ipv4-addr":
        value = value.removesuffix("/32")
    if type == "ipv6-addr":
        value = value.removesuffix("/128")
    return f"{type}:{value}"


def _normal_url(value: str) -> str:
    """Return a URL with scheme and host in lower case and no fragment; `//` begins one without a scheme; what cannot be split stays."""
    value = value.strip()
    try:
        parts = urlsplit(f"//{value}" if _BARE_HOST.match(value) else value)
    except ValueError:
        return value
    return urlunsplit((parts.scheme, parts.netloc.lower(), parts.path or "/", parts.query, ""))


def _references(properties: Properties) -> Sequence[Mapping[str, str]]:
    return stated(properties, "external_references") or ()
