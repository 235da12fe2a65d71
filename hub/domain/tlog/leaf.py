"""What a leaf of the hub's log says, and to whom.

* To everybody: that something of this kind was accepted, in which second. Its content, its collection and its signatures are commitments:
  SHA-256 over a salt and the thing, so that nobody can so much as test a guess.
* To whoever is given a salt (in a receipt): that it is this very content. Each commitment has a salt of its own, made of the leaf's, so
  that opening one opens no other.
* To nobody any more, once the leaf's salt is forgotten; the log stays whole.
"""

import hashlib
import hmac
import re
import secrets
from binascii import b2a_base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from hub.domain.canonical import canonicalise
from hub.domain.json import read_document
from hub.domain.signing.base64url import decode, encode
from hub.domain.timestamp import format_timestamp
from hub.errors import Invalid

SALT_BYTES = 32
_DEPTH_MAX = 2
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


class LeafKind(StrEnum):
    """What happened."""

    ADD = "add"  # a version was accepted
    REVOKE = "revoke"  # a version was accepted that revokes its object
    DELETE = "delete"  # a version was deleted from a collection
    KEY = "key"  # a key was registered or revoked, or called compromised
    AUDIT = "audit"  # the audit trail had come this far


# What a leaf commits to. The salt of each commitment is a hash of the leaf's and of one of these, which are of one length.
_CONTENT = b"fusion-hub leaf v1 o"  # of a version, d: what its signatures are made over; of other things, the digest of what they say
_COLLECTION = b"fusion-hub leaf v1 c"  # the id of the collection
_WHOLE = b"fusion-hub leaf v1 s"  # of a version, the SHA-256 of its canonical form with its signatures

_LEAF = re.compile(
    rb'\{"a":"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)","c":"(?P<collection>[\w-]{43})","e":"(?P<kind>[a-z]+)",'
    rb'"n":(?P<index>0|[1-9]\d{0,18}),"o":"(?P<content>[\w-]{43})","s":"(?P<whole>[\w-]{43})","v":1\}'
)


class Fact(NamedTuple):  # a tuple, as each accepted version makes one
    """What is entered into the log."""

    kind: LeafKind
    content: bytes  # the digest that the leaf is found by
    at_us: int  # when it was accepted; the leaf tells the second
    whole: bytes = b""  # see `_WHOLE`; empty where there is no such thing
    collection: str = ""  # empty where it is about no collection

    def leaf(self, index: int, salt: bytes) -> bytes:
        """Return the leaf at `index`, with 32 random bytes for a salt."""
        said = (
            _second(self.at_us // 1_000_000),
            _commit(_salt_of(salt, _COLLECTION), self.collection.encode()),
            self.kind.value.encode(),
            index,
            _commit(_salt_of(salt, _CONTENT), self.content),
            _commit(_salt_of(salt, _WHOLE), self.whole),
        )
        # Canonical JSON (RFC 8785): names in their order, no spaces, nothing to escape.
        return b'{"a":"%bZ","c":"%b","e":"%b","n":%d,"o":"%b","s":"%b","v":1}' % said


class Leaf(NamedTuple):
    """A leaf that follows others."""

    text: bytes
    salt: bytes
    place: int  # of what it says, among what came with it


def make_leaves(facts: Sequence[Fact], first: int) -> Iterator[Leaf]:
    """Yield the leaves of what is entered together, the first at the index `first`: by second, and in one second in the order of salts."""
    salts = secrets.token_bytes(SALT_BYTES * len(facts))
    salted = [
        (fact.at_us // 1_000_000, fact.kind is LeafKind.DELETE, salts[place * SALT_BYTES : (place + 1) * SALT_BYTES], place)
        for place, fact in enumerate(facts)
    ]
    salted.sort()
    for index, (_, _, salt, place) in enumerate(salted, first):
        yield Leaf(facts[place].leaf(index, salt), salt, place)


@dataclass(frozen=True, slots=True)
class Opening:
    """What a receipt says beside the proof: the leaf, and the salts that open it for whoever holds the content."""

    leaf: bytes
    content_salt: bytes
    whole_salt: bytes

    @classmethod
    def of(cls, leaf: bytes, salt: bytes) -> "Opening":
        """Return the opening of a leaf with this salt; the collection stays closed."""
        return cls(leaf, _salt_of(salt, _CONTENT), _salt_of(salt, _WHOLE))

    @classmethod
    def parse(cls, content: bytes) -> "Opening":
        """Read the opening in a receipt.

        Raises:
            Invalid: it is none.
        """
        said = _read_object(content)
        match said:
            case {"leaf": str(leaf), "o": str(content_salt), "s": str(whole_salt)} if len(said) == 3:
                opening = cls(leaf.encode(), decode(content_salt), decode(whole_salt))
                if len(opening.content_salt) == len(opening.whole_salt) == SALT_BYTES and bytes(opening) == content:
                    return opening
        raise Invalid("the receipt does not say how its leaf is opened")

    def __bytes__(self) -> bytes:
        return canonicalise({"leaf": self.leaf.decode(), "o": encode(self.content_salt), "s": encode(self.whole_salt)})

    def require(self, content: bytes, *, whole: bytes | None = None) -> "Told":
        """Return what the leaf says, if it is about this content.

        Args:
            whole: the digest of the canonical form with its signatures; None: not asked.
        Raises:
            Invalid: it is about something else.
        """
        told = read_leaf(self.leaf)
        if not hmac.compare_digest(told.content.encode(), _commit(self.content_salt, content)):
            raise Invalid("the leaf is about other content")
        if whole is not None and not hmac.compare_digest(told.whole.encode(), _commit(self.whole_salt, whole)):
            raise Invalid("the leaf is about this content with other signatures")
        return told


@dataclass(frozen=True, slots=True)
class Told:
    """What a leaf tells everybody."""

    index: int
    kind: LeafKind
    at: str  # the second, as RFC 3339 has it
    content: str  # a commitment, in base64url, as the next two
    collection: str
    whole: str


def read_leaf(leaf: bytes) -> Told:
    """Read a leaf.

    Raises:
        Invalid: it is none of the hub's: it has one form.
    """
    match = _LEAF.fullmatch(leaf)
    if match is None or match["kind"].decode() not in set(LeafKind):
        raise Invalid("not a leaf of a hub's log")
    kind, at, content, collection, whole = (match[name].decode() for name in ("kind", "at", "content", "collection", "whole"))
    return Told(int(match["index"]), LeafKind(kind), at, content, collection, whole)


def _read_object(content: bytes) -> Mapping[str, Any]:
    said = read_document(content, depth_max=_DEPTH_MAX).value
    if not isinstance(said, dict):
        raise Invalid("a JSON object is needed")
    return said


def _salt_of(salt: bytes, part: bytes) -> bytes:
    # The salt is random and of one length, so a hash will do where HMAC would take five times as long.
    return hashlib.sha256(part + salt).digest()


def _commit(salt: bytes, value: bytes) -> bytes:
    # 43 characters, one for padding, and a line's end: `encode` would find that out three times a leaf.
    return b2a_base64(hashlib.sha256(salt + value).digest())[:43].translate(_URL_SAFE)


@lru_cache(maxsize=8)
def _second(at_s: int) -> bytes:
    return format_timestamp(at_s * 1_000_000)[:19].encode()
