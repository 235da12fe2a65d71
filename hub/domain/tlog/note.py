"""Signed notes (C2SP signed-note): a text, and below it signature lines, each of a named key.

* A signature of a key that the reader does not know is ignored; one of a key that it knows must be good, or the note is refused.
* A key's id is a short hash of its name, its kind and itself: it finds the key, and proves nothing.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

from hub.domain.signing.keys import Algorithm, PublicKey
from hub.domain.tlog.base64 import decode, encode
from hub.errors import Invalid

NOTE_BYTES_MAX = 65_536
SIGNATURES_MAX = 64

_KEY_ID_BYTES = 4
_DASH = "\u2014 "
_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class Kind(IntEnum):
    """What a key signs, and how: the byte that the specification gives to it."""

    NOTE = 0x01  # Ed25519 over the text of the note
    COSIGNATURE = 0x04  # Ed25519 over the text and the time: see `hub.domain.tlog.cosignature`


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """A signature line; nothing of it is verified yet."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """Return it as it stands in a note."""
        return f"{_DASH}{self.name} {encode(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key that verifies signature lines, under the name that these have."""

    name: str
    kind: Kind
    public: PublicKey

    def __post_init__(self) -> None:
        """Check the name.

        Raises:
            Invalid: a note cannot hold it; or the key is not of Ed25519.
        """
        if not _NAME.fullmatch(self.name):
            raise Invalid(f"key name {self.name!r}: it must not be empty, nor hold spaces or +")
        if self.public.algorithm is not Algorithm.ED25519:
            raise Invalid(f"the log and its witnesses sign with {Algorithm.ED25519}, not with {self.public.algorithm}")

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read a verifier key as it is passed around: `name+id+key`.

        Raises:
            Invalid: it is none, or its id is of another key.
        """
        name, _, rest = text.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        try:
            raw = decode(encoded)
            key = cls(name, Kind(raw[0]), PublicKey(Algorithm.ED25519, raw[1:]))
        except (ValueError, IndexError, Invalid) as e:
            raise Invalid("not a verifier key; one looks like name+1a2b3c4d+AbC…=") from e
        if key.key_id.hex() != key_id:
            raise Invalid(f"the verifier key of {name} has the id {key.key_id.hex()}, not {key_id}: a character of it is wrong")
        return key

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode(bytes([self.kind]) + self.public.raw)}"

    @property
    def key_id(self) -> bytes:
        """The short hash by which signature lines name the key."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public.raw).digest()[:_KEY_ID_BYTES]

    def own(self, signatures: Sequence[NoteSignature]) -> list[NoteSignature]:
        """Return those signatures that say they are this key's."""
        return [one for one in signatures if one.name == self.name and one.key_id == self.key_id]


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends in a newline, with its signatures."""

    text: str
    signatures: tuple[NoteSignature, ...]

    @classmethod
    def parse(cls, content: str) -> "Note":
        """Read a note.

        Raises:
            Invalid: it is none.
        """
        if len(content.encode()) > NOTE_BYTES_MAX or _CONTROL.search(content):
            raise Invalid("not a signed note: it is too long, or holds control characters")
        text, blank, lines = content.rpartition("\n\n")
        if not blank or not lines.endswith("\n"):
            raise Invalid("not a signed note: a text, an empty line, and signature lines are needed")
        signatures = parse_signatures(lines)
        if not signatures:
            raise Invalid("not a signed note: nobody signed it")
        return cls(text + "\n", signatures)

    def __str__(self) -> str:
        return self.text + "\n" + "".join(one.line() for one in self.signatures)

    def require(self, key: VerifierKey) -> None:
        """Check that a key signed the text.

        Raises:
            Invalid: it did not, or a signature that bears its name is not its own.
        """
        own = key.own(self.signatures)
        if not own:
            raise Invalid(f"no signature of {key.name} ({key.key_id.hex()}) is on the note")
        if not all(key.public.verifies(one.signature, self.text.encode()) for one in own):
            raise Invalid(f"the signature of {key.name} is not over this text")


def parse_signatures(lines: str) -> tuple[NoteSignature, ...]:
    """Read signature lines.

    Raises:
        Invalid: one of the lines is none, or they are too many.
    """
    if lines.count("\n") > SIGNATURES_MAX:
        raise Invalid(f"more than {SIGNATURES_MAX} signatures")
    return tuple(_parse_signature(line) for line in lines.removesuffix("\n").split("\n"))


def _parse_signature(line: str) -> NoteSignature:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        raw = decode(encoded)
    except Invalid as e:
        raise Invalid("not a signature line of a note") from e
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or len(raw) <= _KEY_ID_BYTES:
        raise Invalid("not a signature line of a note")
    return NoteSignature(name, raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:])
