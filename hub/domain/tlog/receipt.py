"""The hub's receipts: a proof file whose leaf is one of the hub's, and what one holds content for to check it against."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.domain.tlog.checkpoint import Checkpoint
from hub.domain.tlog.cosignature import require_cosigned
from hub.domain.tlog.leaf import Opening, Told
from hub.domain.tlog.note import VerifierKey
from hub.domain.tlog.proof_file import ProofFile
from hub.domain.tlog.tree import hash_leaf
from hub.errors import Invalid


@dataclass(frozen=True, slots=True)
class Proved:
    """What a receipt proves."""

    told: Told  # what the leaf says
    leaf_hash: bytes
    checkpoint: Checkpoint  # of the tree that holds it, signed by the log


def check_receipt(
    receipt: ProofFile, key: VerifierKey, content: bytes, *, whole: bytes | None = None, witnesses: Sequence[VerifierKey] = ()
) -> Proved:
    """Check a receipt, without asking anybody.

    Args:
        content: the digest of what it should be about: of an object, d.
        whole: the digest of the object's canonical form with its signatures; None: not asked.
        witnesses: who has to have cosigned it.
    Raises:
        Invalid: it does not prove that this content is in the log of this key; says what is wrong.
    """
    opening = Opening.parse(receipt.extra)
    told = opening.require(content, whole=whole)
    if told.index != receipt.index:
        raise Invalid(f"the receipt is for leaf {receipt.index}, but holds leaf {told.index}")
    require_cosigned(receipt.note, witnesses)
    leaf_hash = hash_leaf(opening.leaf)
    return Proved(told, leaf_hash, receipt.verify(leaf_hash, key))
