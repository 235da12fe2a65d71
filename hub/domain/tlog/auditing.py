"""Checking a log from outside: what it serves is made anew from its entries, byte by byte, and must go on from what was seen before.

Pure but for `fetch`, which is given. What is wrong is told in sentences that name the resource; none is an exception.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hub.domain.tlog.checkpoint import Checkpoint, format_hash, verify_checkpoint
from hub.domain.tlog.cosignature import require_cosigned
from hub.domain.tlog.leaf import read_leaf
from hub.domain.tlog.note import Note, VerifierKey
from hub.domain.tlog.receipt import Proved
from hub.domain.tlog.tiles import (
    WIDTH,
    Tile,
    bundle_path,
    edge,
    extend,
    hash_in,
    reader,
    root_of,
    split_bundle,
    split_hashes,
    tile_of,
    tile_path,
    width_at,
)
from hub.domain.tlog.tree import HASH_BYTES, Node, check_consistency, consistency_path, hash_leaf, prove
from hub.errors import HubError, Invalid, Unavailable

Fetch = Callable[[str], bytes]  # returns what is at a path below the log's address; raises a HubError where it cannot


@dataclass(frozen=True, slots=True)
class Seen:
    """What an auditor keeps until it looks again."""

    note: str  # the checkpoint
    tiles: Mapping[Tile, bytes] = field(default_factory=dict)  # those at the right edge of its tree


@dataclass(slots=True)
class Audit:
    """What a look at a log found."""

    checkpoint: Checkpoint
    seen: Seen  # to be kept where nothing was found
    entries: int = 0  # that were checked
    findings: list[str] = field(default_factory=list)  # what is wrong
    disputes: dict[int, str] = field(default_factory=dict)  # entries whose hash is not the one in their tile, with the tile's path


def audit(fetch: Fetch, key: VerifierKey, before: Seen | None, witnesses: Sequence[VerifierKey] = ()) -> Audit:
    """Check what came since the last look, or without one everything: entries, tiles, and that they make the root that is signed.

    Args:
        witnesses: who has to have cosigned it.
    Raises:
        Invalid: the checkpoint is none of this log's, is not cosigned, or contradicts the one that was seen before.
        Unavailable: the log did not answer.
    """
    content = fetch("checkpoint").decode("utf-8", "replace")
    try:
        checkpoint = verify_checkpoint(Note.parse(content), key)
        require_cosigned(Note.parse(content), witnesses)
    except Invalid as e:
        raise Invalid(f"checkpoint: {e.detail}") from e
    start = 0
    if before is not None:
        earlier = verify_checkpoint(Note.parse(before.note), key)
        _require_onwards(earlier, checkpoint)
        start = earlier.size
    found = Audit(checkpoint, Seen(content))
    tiles = dict(before.tiles) if before is not None else {}
    for number in range(start // WIDTH, -(-checkpoint.size // WIDTH)):
        tiles = _take_bundle(found, fetch, tiles, number, start)
    for tile in edge(checkpoint.size):
        _compare_tile(found, fetch, tile, tiles[tile])
    if root_of(checkpoint.size, reader(tiles)) != checkpoint.root:
        begun = f"the {start} leaves seen before, followed by the new entries," if start else "its entries"
        found.findings += [
            f"{bundle_path(place // WIDTH, _width(checkpoint.size, place // WIDTH))}: entry {place} is not the one whose hash is in {path}"
            for place, path in found.disputes.items()
        ]
        found.findings.append(f"checkpoint: its root {format_hash(checkpoint.root)} is not that of the log: {begun} make another")
    found.seen = Seen(content, tiles)
    return found


def check_inclusion_of(proved: Proved, fetch: Fetch, checkpoint: Checkpoint) -> None:
    """Check that the tree of a receipt is the beginning of the one that was audited.

    Raises:
        Invalid: it is not: the log showed the receiver of the receipt another tree.
        Unavailable: the log did not answer.
    """
    told = proved.checkpoint
    if told.size > checkpoint.size:
        raise Invalid(f"the receipt is of a tree of {told.size} leaves, and the log shows {checkpoint.size}")
    tiles: dict[Tile, bytes] = {}

    def hash_of(node: Node) -> bytes:
        tile = tile_of(node)
        if tile not in tiles:
            tiles[tile] = _fetch_tile(fetch, tile, width_at(tile, checkpoint.size))
        return hash_in(node, tiles[tile])

    proof = prove(consistency_path(told.size, checkpoint.size), hash_of)
    check_consistency(told.size, checkpoint.size, told.root, checkpoint.root, proof)


def _require_onwards(earlier: Checkpoint, checkpoint: Checkpoint) -> None:
    if checkpoint.size < earlier.size:
        raise Invalid(f"checkpoint: the log went back: {earlier.size} leaves were seen, and now it has {checkpoint.size}")
    if checkpoint.size == earlier.size and checkpoint.root != earlier.root:
        roots = f"{format_hash(earlier.root)} and {format_hash(checkpoint.root)}"
        raise Invalid(f"checkpoint: the log signed two roots for {checkpoint.size} leaves: {roots}")


def _take_bundle(found: Audit, fetch: Fetch, tiles: dict[Tile, bytes], number: int, start: int) -> dict[Tile, bytes]:
    """Add the entries of a bundle; compare what became full with what the log serves, and return what is not full."""
    first = number * WIDTH
    width = _width(found.checkpoint.size, number)
    path = bundle_path(number, width)
    leaves = _leaves(found, fetch, path, width)
    known = max(0, start - first)
    for place, leaf in enumerate(leaves[known:], first + known):
        found.entries += 1
        try:
            if read_leaf(leaf).index != place:
                found.findings.append(f"{path}: entry {place} is one for another place in the log")
        except Invalid as e:
            found.findings.append(f"{path}: entry {place} is {e.detail}")
    hashes = [hash_leaf(leaf) for leaf in leaves]
    held = split_hashes(tiles.get(Tile(0, number), b""))
    found.findings += [f"{path}: entry {first + n} has changed since it was seen" for n in range(known) if held[n] != hashes[n]]
    grown = tiles | extend(first + known, tiles, hashes[known:])
    for tile in [tile for tile, content in grown.items() if len(content) == WIDTH * HASH_BYTES]:
        _compare_tile(found, fetch, tile, grown.pop(tile))  # what is above it holds its hash
    return grown


def _width(size: int, number: int) -> int:
    return width_at(Tile(0, number), size)


def _leaves(found: Audit, fetch: Fetch, path: str, width: int) -> list[bytes]:
    """Return the leaves in a bundle; what is missing of it counts as empty, and is told."""
    try:
        leaves = split_bundle(fetch(path))
        if len(leaves) != width:
            raise Invalid(f"it holds {len(leaves)} entries, not {width}")
    except Unavailable:
        raise
    except HubError as e:
        found.findings.append(f"{path}: {e.detail}")
        return [b""] * width
    return leaves


def _compare_tile(found: Audit, fetch: Fetch, tile: Tile, expected: bytes) -> None:
    width = len(expected) // HASH_BYTES
    path = tile_path(tile, width)
    try:
        served = _fetch_tile(fetch, tile, width)
    except Unavailable:
        raise
    except HubError as e:
        found.findings.append(f"{path}: {e.detail}")
        return
    wrong = [n for n, (one, other) in enumerate(zip(split_hashes(served), split_hashes(expected), strict=True)) if one != other]
    if wrong:
        place = tile.number * WIDTH + wrong[0]
        if tile.level == 0:
            found.disputes |= {tile.number * WIDTH + n: path for n in wrong}
        made_of = f"entry {place}" if tile.level == 0 else tile_path(Tile(tile.level - 1, place))
        more = f", and {len(wrong) - 1} more are wrong" if len(wrong) > 1 else ""
        found.findings.append(f"{path}: hash {wrong[0]} is not that of {made_of}{more}")


def _fetch_tile(fetch: Fetch, tile: Tile, width: int) -> bytes:
    content = fetch(tile_path(tile, width))
    if len(content) != width * HASH_BYTES:
        raise Invalid(f"it has {len(content)} bytes, not {width * HASH_BYTES}")
    return content
