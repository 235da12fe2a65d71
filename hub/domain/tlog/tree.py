"""Merkle trees as RFC 6962 §2.1 hashes them: roots, inclusion and consistency proofs, and how a reader checks these.

* A tree of any size is cut, from the left, into complete subtrees; each is a `Node`, whose hash never changes once its leaves are there.
* A proof is planned first (`inclusion_path`, `consistency_path`): which nodes each of its hashes is made of. Whoever keeps the tree
  looks these nodes up, wherever they are, and `fold`s them. So nothing here holds a tree.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hub.errors import Invalid

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()  # RFC 6962 §2.1: the hash of an empty list

Span = list["Node"]  # what one hash of a proof is made of: complete subtrees, side by side, the largest first


class Node(NamedTuple):
    """A complete subtree: its 2**height leaves begin at number * 2**height."""

    height: int
    number: int


def hash_leaf(leaf: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node from those of its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def hash_complete(hashes: Sequence[bytes]) -> bytes:
    """Return the root over 2**n hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [hash_children(row[place], row[place + 1]) for place in range(0, len(row), 2)]
    return row[0]


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the hash of a span from those of its nodes; of none, the root of the empty tree."""
    if not hashes:
        return EMPTY_ROOT
    *before, result = hashes
    for left in reversed(before):
        result = hash_children(left, result)
    return result


def span(start: int, end: int) -> Span:
    """Return the complete subtrees that make up the leaves from `start` up to `end`; `start` is a multiple of the first one's size."""
    nodes = []
    while start < end:
        height = (end - start).bit_length() - 1
        nodes.append(Node(height, start >> height))
        start += 1 << height
    return nodes


def inclusion_path(index: int, size: int) -> list[Span]:
    """Return what an inclusion proof is made of (RFC 6962 §2.1.1), the leaf's neighbour first."""
    assert 0 <= index < size, "a leaf of the tree"
    path: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(span(middle, end))
            end = middle
        else:
            path.append(span(start, middle))
            start = middle
    return path[::-1]


def consistency_path(old: int, size: int) -> list[Span]:
    """Return what a proof is made of that a tree of `size` begins with the tree of size `old` (RFC 6962 §2.1.2)."""
    assert 0 <= old <= size, "an earlier tree"
    if old in (0, size):
        return []
    path: list[Span] = []
    start, end = 0, size
    is_whole_old = True  # whether what is left is the old tree itself, whose root the reader has
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(span(middle, end))
            end = middle
        else:
            path.append(span(start, middle))
            start = middle
            is_whole_old = False
    if not is_whole_old:
        path.append(span(start, end))
    return path[::-1]


def prove(path: Sequence[Span], hash_of: Callable[[Node], bytes]) -> list[bytes]:
    """Return the hashes of a proof that was planned."""
    return [fold([hash_of(node) for node in nodes]) for nodes in path]


def root_from_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that a tree of `size` must have if the leaf at `index` has this hash (RFC 9162 §2.1.3.2).

    Raises:
        Invalid: there is no such leaf, or the proof is not of the length that it takes.
    """
    if not 0 <= index < size:
        raise Invalid(f"inclusion proof: there is no leaf {index} in a tree of {size}")
    _require_hashes("inclusion proof", [leaf_hash, *proof])
    if len(proof) != len(inclusion_path(index, size)):
        raise Invalid(f"inclusion proof: {len(proof)} hashes do not prove leaf {index} of {size}")
    place, last, result = index, size - 1, leaf_hash
    for sibling in proof:
        if place & 1 or place == last:
            result = hash_children(sibling, result)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            result = hash_children(result, sibling)
        place, last = place >> 1, last >> 1
    return result


def check_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf with this hash is at `index` of the tree with this root.

    Raises:
        Invalid: the proof does not show it.
    """
    if root_from_inclusion(index, size, leaf_hash, proof) != root:
        raise Invalid(f"inclusion proof: leaf {index} is not in the tree of {size} with this root")


def check_consistency(old: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `size` begins with the leaves of the one of size `old`, unchanged (RFC 9162 §2.1.4.2).

    Raises:
        Invalid: the proof does not show it.
    """
    if not 0 <= old <= size:
        raise Invalid(f"consistency proof: a tree of {size} holds no tree of {old}")
    _require_hashes("consistency proof", [old_root, root, *proof])
    if len(proof) != len(consistency_path(old, size)):
        raise Invalid(f"consistency proof: {len(proof)} hashes do not lead from {old} to {size} leaves")
    if old in (0, size):
        if old_root != (root if old else EMPTY_ROOT):
            raise Invalid(f"consistency proof: two roots for {old} leaves")
        return
    before, after = _roots_from_consistency(old, size, old_root, proof)
    if before != old_root:
        raise Invalid(f"consistency proof: it does not begin with the tree of {old} leaves that has the earlier root")
    if after != root:
        raise Invalid(f"consistency proof: the tree of {size} leaves with the later root does not begin with the earlier {old}")


def _roots_from_consistency(old: int, size: int, old_root: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    place, last = old - 1, size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    # Where the old tree is one complete subtree, its root begins the proof without being sent.
    first, *rest = proof if old & (old - 1) else (old_root, *proof)
    before = after = first
    for sibling in rest:
        if place & 1 or place == last:
            before, after = hash_children(sibling, before), hash_children(sibling, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = hash_children(after, sibling)
        place, last = place >> 1, last >> 1
    return before, after


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _require_hashes(what: str, hashes: Sequence[bytes]) -> None:
    if any(len(one) != HASH_BYTES for one in hashes):
        raise Invalid(f"{what}: a hash has {HASH_BYTES} bytes")
