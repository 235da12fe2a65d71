"""What a leaf of the hub's log says, and to whom.

* To everybody: that something of this kind was accepted, in which second. Its content, its collection and its signatures are commitments:
  SHA-256 over a salt and the thing, so that nobody can so much as test a guess.
* To whoever is given a salt (in a receipt): that it is this very content. Each commitment has a salt of its own, made of the leaf's, so
  that opening one opens no other.
* To nobody any more, once the leaf's salt is forgotten; the log stays whole.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.domain.canonical import canonicalise
from hub.domain.signing.base64url import decode, encode
from hub.domain.timestamp import format_timestamp
from hub.errors import Invalid

SALT_BYTES = 32
DIGEST_BYTES = 32

_VERSION = 1
_SECOND_US = 1_000_000
_MEMBERS = {"a", "c", "e", "n", "o", "s", "v"}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class LeafKind(StrEnum):
    """What happened."""

    ADD = "add"  # a version was accepted
    REVOKE = "revoke"  # a version was accepted that revokes its object
    DELETE = "delete"  # a version was deleted from a collection
    KEY = "key"  # a key was registered or revoked, or called compromised
    AUDIT = "audit"  # the audit trail had come this far


class _Part(StrEnum):
    """What a leaf commits to, by its name in the leaf."""

    CONTENT = "o"  # of a version, d: the SHA-256 of what its signatures are made over; of other things, the digest of what they say
    COLLECTION = "c"  # the id of the collection
    WHOLE = "s"  # of a version, the SHA-256 of its canonical form with its signatures


@dataclass(frozen=True, slots=True)
class Fact:
    """What is entered into the log."""

    kind: LeafKind
    content: bytes  # the digest that the leaf is found by
    at_us: int  # when it was accepted; the leaf tells the second
    whole: bytes = b""  # see `_Part.WHOLE`; empty where there is no such thing
    collection: str = ""  # empty where it is about no collection

    def leaf(self, index: int, salt: bytes) -> bytes:
        """Return the leaf at `index`, with 32 random bytes for a salt."""
        said = {
            "v": _VERSION,
            "n": index,
            "e": self.kind.value,
            "a": format_timestamp(self.at_us // _SECOND_US * _SECOND_US).replace(".000000", ""),
            _Part.CONTENT.value: encode(_commit(_salt_of(salt, _Part.CONTENT), self.content)),
            _Part.COLLECTION.value: encode(_commit(_salt_of(salt, _Part.COLLECTION), self.collection.encode())),
            _Part.WHOLE.value: encode(_commit(_salt_of(salt, _Part.WHOLE), self.whole)),
        }
        return canonicalise(said)


@dataclass(frozen=True, slots=True)
class Opening:
    """What a receipt says beside the proof: the leaf, and the salts that open it for whoever holds the content."""

    leaf: bytes
    content_salt: bytes
    whole_salt: bytes

    @classmethod
    def of(cls, leaf: bytes, salt: bytes) -> "Opening":
        """Return the opening of a leaf with this salt; the collection stays closed."""
        return cls(leaf, _salt_of(salt, _Part.CONTENT), _salt_of(salt, _Part.WHOLE))

    @classmethod
    def parse(cls, content: bytes) -> "Opening":
        """Read the opening in a receipt.

        Raises:
            Invalid: it is none.
        """
        said = _read_object(content)
        match said:
            case {"leaf": str(leaf), "o": str(content_salt), "s": str(whole_salt)} if len(said) == 3:
                return cls(leaf.encode(), decode(content_salt), decode(whole_salt))
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
        if not hmac.compare_digest(told.content, _commit(self.content_salt, content)):
            raise Invalid("the leaf is about other content")
        if whole is not None and not hmac.compare_digest(told.whole, _commit(self.whole_salt, whole)):
            raise Invalid("the leaf is about this content with other signatures")
        return told


@dataclass(frozen=True, slots=True)
class Told:
    """What a leaf tells everybody."""

    index: int
    kind: LeafKind
    at: str  # the second, as RFC 3339 has it
    content: bytes  # a commitment, as the next two
    collection: bytes
    whole: bytes


def read_leaf(leaf: bytes) -> Told:
    """Read a leaf.

    Raises:
        Invalid: it is none of the hub's.
    """
    said = _read_object(leaf)
    if said.keys() != _MEMBERS or said["v"] != _VERSION or type(said["n"]) is not int or said["e"] not in set(LeafKind):
        raise Invalid("not a leaf of a hub's log")
    if not _TIME.fullmatch(str(said["a"])) or canonicalise(said) != leaf:
        raise Invalid("not a leaf of a hub's log")
    commitments = [decode(str(said[part.value])) for part in (_Part.CONTENT, _Part.COLLECTION, _Part.WHOLE)]
    return Told(said["n"], LeafKind(said["e"]), said["a"], *commitments)


def _read_object(content: bytes) -> Mapping[str, Any]:
    try:
        said = json.loads(content)
    except ValueError as e:
        raise Invalid("what should be JSON is none") from e
    if not isinstance(said, dict):
        raise Invalid("a JSON object is needed")
    return said


def _salt_of(salt: bytes, part: _Part) -> bytes:
    return hmac.digest(salt, b"fusion-hub leaf v1 " + part.value.encode(), "sha256")


def _commit(salt: bytes, value: bytes) -> bytes:
    return hashlib.sha256(salt + value).digest()
