"""Checkpoints (C2SP tlog-checkpoint): which log, how many leaves, which root, signed by the log."""

import re
from dataclasses import dataclass

from hub.domain.signing.keys import Signer
from hub.domain.tlog.base64 import decode, encode
from hub.domain.tlog.note import Kind, Note, NoteSignature, VerifierKey
from hub.domain.tlog.tree import EMPTY_ROOT, HASH_BYTES
from hub.errors import Invalid

SIZE_MAX = 2**63 - 1
_SIZE = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one size."""

    origin: str  # which log
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()  # further lines; the hub writes none

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read a checkpoint from the text of its note.

        Raises:
            Invalid: it is none.
        """
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise Invalid("not a checkpoint: origin, size and root are needed, a line each")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size) or int(size) > SIZE_MAX:
            raise Invalid("not a checkpoint: its second line must be the number of leaves")
        if size == "0" and parse_hash(root) != EMPTY_ROOT:
            raise Invalid("not a checkpoint: the root of no leaves is the hash of nothing")
        return cls(origin, int(size), parse_hash(root), tuple(extensions))

    @classmethod
    def in_note(cls, note: str) -> "Checkpoint":
        """Read what a signed checkpoint says; who signed it is not verified.

        Raises:
            Invalid: it is no signed note, or none of a checkpoint.
        """
        return cls.parse(Note.parse(note).text)

    def text(self) -> str:
        """Return the text that is signed."""
        return "".join(f"{line}\n" for line in (self.origin, str(self.size), format_hash(self.root), *self.extensions))


def log_key(origin: str, signer: Signer) -> VerifierKey:
    """Return the key that verifies what `signer` signs for a log.

    Raises:
        Invalid: a log cannot sign with a key of its kind.
    """
    return VerifierKey(origin, Kind.NOTE, signer.public)


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> Note:
    """Return a checkpoint signed by its log."""
    key = log_key(checkpoint.origin, signer)
    text = checkpoint.text()
    return Note(text, (NoteSignature(key.name, key.key_id, signer.sign(text.encode())),))


def verify_checkpoint(note: Note, key: VerifierKey) -> Checkpoint:
    """Return the checkpoint in a note that its log signed.

    Raises:
        Invalid: the log did not sign it, or it is of another log.
    """
    note.require(key)
    checkpoint = Checkpoint.parse(note.text)
    if checkpoint.origin != key.name:
        raise Invalid(f"the checkpoint is of the log {checkpoint.origin}, not of {key.name}")
    return checkpoint


def format_hash(value: bytes) -> str:
    """Return a hash as the lines of checkpoints and proofs hold it."""
    return encode(value)


def parse_hash(line: str) -> bytes:
    """Read a hash from a line.

    Raises:
        Invalid: it is none.
    """
    try:
        value = decode(line)
    except Invalid:
        value = b""
    if len(value) != HASH_BYTES:
        raise Invalid("a line is not the base64 form of a SHA-256 hash")
    return value
