"""What a log sends to a witness (C2SP tlog-witness, add-checkpoint), and when a witness may cosign.

A witness keeps one thing of each log: the last checkpoint that it cosigned. It cosigns only what provably begins with that.
"""

import re
from dataclasses import dataclass

from hub.domain.tlog.checkpoint import Checkpoint, format_hash, parse_hash
from hub.domain.tlog.note import Note
from hub.domain.tlog.tree import EMPTY_ROOT, check_consistency
from hub.errors import Conflict, Invalid, NotUnderstood

SIZE_MEDIA_TYPE = "text/x.tlog.size"
REQUEST_BYTES_MAX = 131_072

_OLD = re.compile(r"old (0|[1-9]\d{0,18})", re.ASCII)
_HASHES_MAX = 63


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A checkpoint, with the proof that it goes on from the one that the witness cosigned last."""

    old: int  # its size
    proof: tuple[bytes, ...]
    note: Note

    @classmethod
    def parse(cls, content: str) -> "AddCheckpoint":
        """Read what a log sent.

        Raises:
            NotUnderstood: it is not of this form.
        """
        head, blank, note = content.partition("\n\n")
        first, *lines = head.split("\n")
        old = _OLD.fullmatch(first)
        if not blank or old is None or len(lines) > _HASHES_MAX:
            raise NotUnderstood("an old size, at most 63 hashes, an empty line and a checkpoint are needed")
        try:
            return cls(int(old[1]), tuple(map(parse_hash, lines)), Note.parse(note))
        except Invalid as e:
            raise NotUnderstood(e.detail) from e

    def __str__(self) -> str:
        return "\n".join([f"old {self.old}", *map(format_hash, self.proof), "", str(self.note)])


def require_growth(held: Checkpoint | None, request: AddCheckpoint, checkpoint: Checkpoint) -> None:
    """Check that a checkpoint goes on from the one that the witness cosigned last.

    Args:
        held: that one; None: the witness has cosigned nothing of the log yet.
        checkpoint: the one in the request.
    Raises:
        NotUnderstood: its old size is above its new one.
        Conflict: the log began at another size than that of `held`.
        Invalid: the proof does not lead from one to the other, or there are two roots for one size.
    """
    if request.old > checkpoint.size:
        raise NotUnderstood("the old size is above the size of the checkpoint")
    size = held.size if held is not None else 0
    if request.old != size:
        raise Conflict(f"the last checkpoint cosigned has {size} leaves", size=size)
    old_root = held.root if held is not None and held.size else EMPTY_ROOT
    check_consistency(request.old, checkpoint.size, old_root, checkpoint.root, request.proof)
