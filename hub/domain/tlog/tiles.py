"""A tree cut into tiles, as C2SP tlog-tiles serves it: 256 hashes wide, eight levels of the tree high.

* Tile n of level l holds the hashes of the subtrees of height 8·l from n·256 on, as many as are complete: so a tile that is not full yet
  is the beginning of what it will be, and no hash in it ever changes.
* An entry bundle holds the leaves under a tile of level 0.
"""

import re
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from hub.domain.tlog.tree import HASH_BYTES, Node, fold, hash_complete, span
from hub.errors import Invalid, NotFound

WIDTH = 256
HEIGHT = 8
LEVEL_MAX = 63
LEAF_BYTES_MAX = 65_535

_PATH = re.compile(r"(?P<number>(?:x\d{3}/)*\d{3})(?:\.p/(?P<width>[1-9]\d{0,2}))?", re.ASCII)
_LENGTH = struct.Struct(">H")


class Tile(NamedTuple):
    """Where a tile is."""

    level: int
    number: int


def tile_path(tile: Tile, width: int = WIDTH) -> str:
    """Return the path of a tile below the log's prefix; narrower than 256 it is a partial one."""
    return f"tile/{tile.level}/{_number_path(tile.number, width)}"


def bundle_path(number: int, width: int = WIDTH) -> str:
    """Return the path of the leaves under a tile of level 0."""
    return f"tile/entries/{_number_path(number, width)}"


def parse_number(path: str) -> tuple[int, int]:
    """Return the number and the width that the end of a tile's path names.

    Raises:
        NotFound: it names none.
    """
    match = _PATH.fullmatch(path)
    width = WIDTH if match is None or match["width"] is None else int(match["width"])
    if match is None or (match["width"] is not None and width >= WIDTH) or (match["number"].startswith("x000/")):
        raise NotFound("no such tile")
    return int(match["number"].replace("x", "").replace("/", "")), width


def width_at(tile: Tile, size: int) -> int:
    """Return how many hashes a tile has in a tree of `size`; 0: it is not there."""
    return max(0, min(WIDTH, (size >> HEIGHT * tile.level) - tile.number * WIDTH))


def tiles_at(size: int, *, after: int = 0) -> Iterable[tuple[Tile, int]]:
    """Yield every tile of a tree of `size`, with its width, but for those that were full at size `after`; level by level."""
    level = 0
    while size >> HEIGHT * level:
        first = (after >> HEIGHT * level) // WIDTH
        for number in range(first, -(-(size >> HEIGHT * level) // WIDTH)):
            yield Tile(level, number), width_at(Tile(level, number), size)
        level += 1


def tile_of(node: Node) -> Tile:
    """Return the tile that holds the hashes under a node, or the node's own."""
    level = node.height // HEIGHT
    return Tile(level, node.number << node.height % HEIGHT >> HEIGHT)


def hash_in(node: Node, tile: bytes) -> bytes:
    """Return the hash of a node from its tile."""
    count = 1 << node.height % HEIGHT
    start = node.number * count % WIDTH * HASH_BYTES
    part = tile[start : start + count * HASH_BYTES]
    assert len(part) == count * HASH_BYTES, "the tile holds all that is complete"
    return hash_complete(split_hashes(part))


def reader(tiles: Mapping[Tile, bytes]) -> Callable[[Node], bytes]:
    """Return a function that finds the hash of a node among these tiles."""
    return lambda node: hash_in(node, tiles[tile_of(node)])


def tiles_for(spans: Iterable[Sequence[Node]]) -> set[Tile]:
    """Return the tiles that hold all of these nodes."""
    return {tile_of(node) for nodes in spans for node in nodes}


def root_of(size: int, hash_of: Callable[[Node], bytes]) -> bytes:
    """Return the root of a tree of `size`."""
    return fold([hash_of(node) for node in span(0, size)])


def edge(size: int) -> list[Tile]:
    """Return the tiles at the right edge of a tree of `size` that are not full: those that more leaves change."""
    return [Tile(level, count // WIDTH) for level in range(LEVEL_MAX) if (count := size >> HEIGHT * level) % WIDTH]


def extend(size: int, tiles: Mapping[Tile, bytes], leaf_hashes: Sequence[bytes]) -> dict[Tile, bytes]:
    """Return the tiles that are new or changed once these leaves follow the first `size`.

    Args:
        tiles: those of `edge(size)`.
    """
    changed: dict[Tile, bytes] = {}
    level, count, coming = 0, size, list(leaf_hashes)
    while coming:
        above = []
        for start in range(0, len(coming), WIDTH):
            above += _fill(changed, tiles, Tile(level, (count + start) // WIDTH), coming[start : start + WIDTH])
        level, count, coming = level + 1, count // WIDTH, above
    return changed


def _fill(changed: dict[Tile, bytes], tiles: Mapping[Tile, bytes], tile: Tile, hashes: Sequence[bytes]) -> list[bytes]:
    """Add hashes to a tile, and to the next one what it has no room for; return the hashes of those that are full now."""
    held = changed.get(tile) or tiles.get(tile, b"")
    room = WIDTH - len(held) // HASH_BYTES
    content = changed[tile] = held + b"".join(hashes[:room])
    full = [hash_complete(split_hashes(content))] if len(content) == WIDTH * HASH_BYTES else []
    if len(hashes) > room:
        changed[Tile(tile.level, tile.number + 1)] = b"".join(hashes[room:])
    return full


def split_hashes(content: bytes) -> list[bytes]:
    """Return the hashes in a tile."""
    return [content[place : place + HASH_BYTES] for place in range(0, len(content), HASH_BYTES)]


def make_bundle(leaves: Iterable[bytes]) -> bytes:
    """Return an entry bundle."""
    return b"".join(_LENGTH.pack(len(leaf)) + leaf for leaf in leaves)


def split_bundle(content: bytes) -> list[bytes]:
    """Return the leaves in an entry bundle.

    Raises:
        Invalid: it ends within one.
    """
    leaves = []
    place = 0
    while place < len(content):
        end = place + _LENGTH.size
        length = _LENGTH.unpack(content[place:end])[0] if end <= len(content) else LEAF_BYTES_MAX
        leaf = content[end : end + length]
        if len(leaf) < length:
            raise Invalid("it ends within an entry")
        leaves.append(leaf)
        place = end + length
    return leaves


def _number_path(number: int, width: int) -> str:
    digits = str(number).zfill(-(-len(str(number)) // 3) * 3)
    parts = [digits[place : place + 3] for place in range(0, len(digits), 3)]
    path = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    return path if width == WIDTH else f"{path}.p/{width}"
