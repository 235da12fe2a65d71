"""How far a live stream has told its member: the `id` of its events, which comes back as `Last-Event-ID`, sealed so that only ours count.

It holds no state of a server and does not run out: any node goes on from it, a week later too. It carries dates only; filters and rights
come from the request at hand, so it can neither grant nor reveal anything. It names each collection that the member could read when the
stream began, and each that was told of since; any other is told from its beginning, once the member may read it.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import itemgetter

from hub.domain.ids import MemberId
from hub.errors import NotUnderstood

COLLECTIONS_MAX = 2_000  # that a position can name: it has to fit into a header
_HEAD = struct.Struct(">BQ")  # form, date up to which of all collections was told that are not named
_ENTRY = struct.Struct(">IQQ")  # row of a collection, effective date, clock when all was told, or 0
_FORM = 2
_SEAL_BYTES = 9


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Up to which effective date a stream has told of each collection, and at which clock it had told all of it, last."""

    told_us: Mapping[int, int]  # by the collection's row
    caught_up_us: Mapping[int, int] = field(default_factory=dict)  # likewise, of some of them
    others_us: int = 0  # of collections that are not named: 0, nothing, unless there were more than can be named

    def named(self) -> "StreamPosition":
        """Return a position that names no more than COLLECTIONS_MAX. Of others some may be told twice, and never all of their past."""
        if len(self.told_us) <= COLLECTIONS_MAX:
            return self
        by_date = sorted(self.told_us.items(), key=itemgetter(1))  # so those have names of which least needs to be told again without
        others_us = by_date[COLLECTIONS_MAX][1]
        return StreamPosition(dict(by_date[:COLLECTIONS_MAX]), self.caught_up_us, min(self.others_us or others_us, others_us))


def seal(secret: bytes, member: MemberId, position: StreamPosition) -> str:
    """Return the `id` of what a stream has told a member up to here."""
    position = position.named()
    entries = b"".join(_ENTRY.pack(row, us, position.caught_up_us.get(row, 0)) for row, us in sorted(position.told_us.items()))
    raw = _HEAD.pack(_FORM, position.others_us) + entries
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
    others_us = int(_HEAD.unpack_from(raw)[1])
    entries = list(_ENTRY.iter_unpack(raw[_HEAD.size :]))
    return StreamPosition({row: us for row, us, _ in entries}, {row: us for row, _, us in entries if us}, others_us)


def _mark(secret: bytes, member: MemberId, raw: bytes) -> bytes:
    return hashlib.blake2b(member.encode() + raw, key=secret[:64], person=b"stream-position", digest_size=_SEAL_BYTES).digest()
