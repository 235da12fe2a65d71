"""Indicators of one kilobyte, made as fast as they can be stored: number `n` is always the same object, and no two share a pattern.

They are written in canonical JSON (RFC 8785), so that an object's digest is the hash of its bytes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from hub.domain.stix import StixObject, microseconds

OBJECT_BYTES = 1_000
CREATED = "2026-01-15T08:00:00.000Z"

_BEGAN = datetime.fromisoformat(CREATED)
_SPREAD_S = 200 * 86_400
_WORDS = b"seen beaconing to a controller from a site network; block, and look for the service it leaves behind. "


def indicator_id(n: int) -> str:
    """Return the id of indicator `n`: spread over all ids, as random ones are."""
    h = hashlib.blake2b(n.to_bytes(8, "big"), digest_size=16).hexdigest()
    return f"indicator--{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"


def created(n: int) -> str:
    """Return when indicator `n` was created: no two of a feed at the same moment."""
    return f"{(_BEGAN + timedelta(seconds=n % _SPREAD_S)).isoformat(timespec='milliseconds')[:23]}Z"


def indicator(n: int, markings: Sequence[str] = ()) -> bytes:
    """Return indicator `n` as bytes, with these `object_marking_refs`."""
    refs = ",".join(f'"{ref}"' for ref in markings)
    time = created(n)
    marked = f'"object_marking_refs":[{refs}],' if refs else ""
    after = (
        f'","id":"{indicator_id(n)}","indicator_types":["malicious-activity"],"modified":"{time}","name":"Controller {n}",'
        f'{marked}"pattern":"{_pattern(n)}","pattern_type":"stix",'
        f'"spec_version":"2.1","type":"indicator","valid_from":"{time}"}}'
    ).encode()
    before = f'{{"confidence":80,"created":"{time}","description":"'.encode()
    room = OBJECT_BYTES - len(before) - len(after)
    return before + (_WORDS * (room // len(_WORDS) + 1))[:room] + after


def as_read(n: int, body: bytes, markings: tuple[str, ...]) -> StixObject:
    """Return what `hub.domain.stix.read_object` makes of indicator `n`, without reading it: the properties are left out."""
    time = created(n)
    time_us = microseconds(time)
    return StixObject(
        id=indicator_id(n),
        type="indicator",
        created=time,
        modified=time,
        version=time,
        version_us=time_us,
        created_us=time_us,
        created_by_ref=None,
        revoked=False,
        marking_refs=markings,
        body=body,
        digest=hashlib.sha256(body).digest(),
        properties={},
    )


def envelope(bodies: Iterable[bytes]) -> bytes:
    """Return a TAXII envelope around objects."""
    return b'{"objects":[' + b",".join(bodies) + b"]}"


def _pattern(n: int) -> str:
    host = f"c{n}.example"
    match n % 4:
        case 0:
            return f"[domain-name:value = '{host}']"
        case 1:
            return f"[ipv4-addr:value = '198.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}']"
        case 2:
            return f"[url:value = 'https://{host}/update']"
    return f"[file:hashes.'SHA-256' = '{hashlib.sha256(host.encode()).hexdigest()}']"
