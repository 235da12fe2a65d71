"""Receipts (C2SP tlog-proof): that a leaf is in a log, in one file that is checked without asking anybody."""

import re
from dataclasses import dataclass

from hub.domain.tlog.base64 import decode, encode
from hub.domain.tlog.checkpoint import Checkpoint, format_hash, parse_hash, verify_checkpoint
from hub.domain.tlog.note import Note, VerifierKey
from hub.domain.tlog.tree import check_inclusion
from hub.errors import Invalid

MEDIA_TYPE = "text/plain; charset=utf-8"
SUFFIX = ".tlog-proof"

_HEAD = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9]\d{0,18})", re.ASCII)
_HASHES_MAX = 63


@dataclass(frozen=True, slots=True)
class ProofFile:
    """A receipt."""

    extra: bytes  # what it takes to make the leaf from what the reader holds: see `hub.domain.tlog.leaf.Opening`
    index: int
    hashes: tuple[bytes, ...]
    note: Note  # the checkpoint

    @classmethod
    def parse(cls, content: str) -> "ProofFile":
        """Read a receipt.

        Raises:
            Invalid: it is none.
        """
        head, blank, note = content.partition("\n\n")
        lines = head.split("\n")
        if not blank or lines.pop(0) != _HEAD:
            raise Invalid(f"not a receipt of a transparency log: its first line must be {_HEAD}")
        extra = _parse_extra(lines.pop(0)) if lines and lines[0].startswith("extra ") else b""
        index = _INDEX.fullmatch(lines.pop(0)) if lines else None
        if index is None or len(lines) > _HASHES_MAX:
            raise Invalid("not a receipt of a transparency log: the leaf's index, and at most 63 hashes, are needed")
        return cls(extra, int(index[1]), tuple(map(parse_hash, lines)), Note.parse(note))

    def __str__(self) -> str:
        extra = [f"extra {encode(self.extra)}"] if self.extra else []
        lines = [_HEAD, *extra, f"index {self.index}", *map(format_hash, self.hashes), "", str(self.note)]
        return "\n".join(lines)

    def verify(self, leaf_hash: bytes, key: VerifierKey) -> Checkpoint:
        """Return the checkpoint, signed by its log, of the tree that holds a leaf with this hash.

        Raises:
            Invalid: the log did not sign it, or the leaf is not in it.
        """
        checkpoint = verify_checkpoint(self.note, key)
        check_inclusion(self.index, checkpoint.size, leaf_hash, self.hashes, checkpoint.root)
        return checkpoint


def _parse_extra(line: str) -> bytes:
    try:
        return decode(line.removeprefix("extra "))
    except Invalid as e:
        raise Invalid("not a receipt of a transparency log: its second line is not base64") from e
