"""The `next` of a TAXII page: a position in a member's view of one collection, sealed so that only ours are taken.

It holds no state of a server and does not run out: any node reads it, a week later too. It carries the position only;
filters and rights come from the request at hand, so it can neither grant nor reveal anything (TAXII 2.1 App. B).
"""

import base64
import binascii
import hashlib
import hmac
import struct

from hub.domain.ids import CollectionId
from hub.errors import NotUnderstood

_POSITION = struct.Struct(">BQ")  # form, effective date in microseconds
_FORM = 1
_SEAL_BYTES = 9  # with the position 18 bytes: 24 characters, no padding


def seal(secret: bytes, collection: CollectionId, effective_us: int) -> str:
    """Return the `next` that goes on after an effective date."""
    position = _POSITION.pack(_FORM, effective_us)
    return base64.urlsafe_b64encode(position + _mark(secret, collection, position)).decode()


def unseal(secret: bytes, collection: CollectionId, text: str) -> int:
    """Return the effective date after which a page goes on.

    Raises:
        NotUnderstood: it was not made by this hub, or for another collection.
    """
    try:
        raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raw = b""
    position, mark = raw[: _POSITION.size], raw[_POSITION.size :]
    if len(raw) != _POSITION.size + _SEAL_BYTES or not hmac.compare_digest(mark, _mark(secret, collection, position)):
        raise NotUnderstood("next: not a position in this collection; send the `next` of a page of this collection, unchanged")
    return int(_POSITION.unpack(position)[1])


def _mark(secret: bytes, collection: CollectionId, position: bytes) -> bytes:
    # BLAKE2's own keyed mode (RFC 7693): a tenth of the cost of HMAC, once a page.
    return hashlib.blake2b(collection.encode() + position, key=secret[:64], person=b"taxii-next", digest_size=_SEAL_BYTES).digest()
