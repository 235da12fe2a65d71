"""How far a live stream has told its member: the `id` of its events, which comes back as `Last-Event-ID`, sealed so that only ours count.

It holds no state of a server and does not run out: any node goes on from it, a week later too. It carries dates only; filters and rights
come from the request at hand, so it can neither grant nor reveal anything. Of a collection that it does not name, the stream tells what
came after it began.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from hub.domain.ids import MemberId
from hub.errors import NotUnderstood

COLLECTIONS_MAX = 2_000  # that a position can name: it has to fit into a header
_HEAD = struct.Struct(">BQ")  # form, when the stream began
_ENTRY = struct.Struct(">IQQ")  # row of a collection, effective date, clock when all was told, or 0
_FORM = 2
_SEAL_BYTES = 9


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """When a stream began, up to which effective date it has told of each collection, and at which clock it had told all of it, last."""

    began_us: int
    told_us: Mapping[int, int]  # by the collection's row
    caught_up_us: Mapping[int, int] = field(default_factory=dict)  # likewise, of some of them


def seal(secret: bytes, member: MemberId, position: StreamPosition) -> str:
    """Return the `id` of what a stream has told a member up to here."""
    told_us = sorted(position.told_us.items())[:COLLECTIONS_MAX]
    entries = b"".join(_ENTRY.pack(row, us, position.caught_up_us.get(row, 0)) for row, us in told_us)
    raw = _HEAD.pack(_FORM, position.began_us) + entries
    return base64.urlsafe_b64encode(raw + _mark(secret, member, raw)).decode()


def unseal(secret: bytes, member: MemberId, text: str) -> StreamPosition:
    """Return the position after which a stream goes on.

    Raises:
        NotUnderstood: it was not made by this hub, or for another member.
    """
    try:
        sealed = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        sealed = b""
    raw, mark = sealed[:-_SEAL_BYTES], sealed[-_SEAL_BYTES:]
    is_whole = len(raw) >= _HEAD.size and raw[0] == _FORM and (len(raw) - _HEAD.size) % _ENTRY.size == 0
    if not is_whole or not hmac.compare_digest(mark, _mark(secret, member, raw)):
        raise NotUnderstood("Last-Event-ID: not an id of your stream; send that of the last event, unchanged, or none")
    began_us = int(_HEAD.unpack_from(raw)[1])
    entries = list(_ENTRY.iter_unpack(raw[_HEAD.size :]))
    return StreamPosition(began_us, {row: us for row, us, _ in entries}, {row: us for row, _, us in entries if us})


def _mark(secret: bytes, member: MemberId, raw: bytes) -> bytes:
    return hashlib.blake2b(member.encode() + raw, key=secret[:64], person=b"stream-position", digest_size=_SEAL_BYTES).digest()
