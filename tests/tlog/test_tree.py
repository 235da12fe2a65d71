"""Trees and proofs: against transparency-dev's vectors, and against RFC 6962's own definitions for every small tree."""

import base64
import itertools
import json
import random
from typing import Any

import pytest

from hub.domain.tlog.tiles import Tile, bundle_path, edge, extend, parse_number, reader, root_of, tile_path, tiles_at, width_at
from hub.domain.tlog.tree import (
    EMPTY_ROOT,
    HASH_BYTES,
    Node,
    check_consistency,
    check_inclusion,
    consistency_path,
    hash_children,
    hash_leaf,
    inclusion_path,
    prove,
)
from hub.errors import HubError, Invalid, NotFound
from tests.data import read_documents

EVERY_TREE_UP_TO = 33
LEAVES = [hash_leaf(number.to_bytes(2)) for number in range(1_500)]


def plain_root(hashes: list[bytes]) -> bytes:
    """The root as RFC 6962 §2.1 defines it."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else EMPTY_ROOT
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return hash_children(plain_root(hashes[:half]), plain_root(hashes[half:]))


def plain_hash(node: Node) -> bytes:
    return plain_root(LEAVES[node.number << node.height : (node.number + 1) << node.height])


ROOTS = [plain_root(LEAVES[:size]) for size in range(EVERY_TREE_UP_TO)]


def test_every_leaf_of_every_small_tree_is_proved_and_no_other_leaf_by_the_same_proof() -> None:
    for size in range(1, EVERY_TREE_UP_TO):
        for index in range(size):
            proof = prove(inclusion_path(index, size), plain_hash)
            check_inclusion(index, size, LEAVES[index], proof, ROOTS[size])
            for wrong in {index - 1, index + 1, size - 1} - {index}:
                with pytest.raises(Invalid):
                    check_inclusion(wrong, size, LEAVES[index], proof, ROOTS[size])


def test_every_small_tree_is_proved_to_begin_with_every_smaller_one_and_with_no_other() -> None:
    for old, size in itertools.combinations_with_replacement(range(EVERY_TREE_UP_TO), 2):
        proof = prove(consistency_path(old, size), plain_hash)
        check_consistency(old, size, ROOTS[old], ROOTS[size], proof)
        with pytest.raises(Invalid):
            check_consistency(old, size, hash_leaf(b"another"), ROOTS[size], proof)
        if old and old != size:
            with pytest.raises(Invalid):
                check_consistency(old, size, ROOTS[old], hash_leaf(b"another"), proof)
            with pytest.raises(Invalid):
                check_consistency(old, size, ROOTS[old], ROOTS[size], [*proof, proof[-1]])


def vectors(kind: str) -> list[tuple[str, dict[str, Any]]]:
    found = [(name, json.loads(raw)) for name, raw in read_documents("vectors/merkle") if f"/{kind}/" in name and name.endswith(".json")]
    assert len(found) > 50
    return found


def hashes(said: list[str] | None) -> list[bytes]:
    return [base64.b64decode(one) for one in said or ()]


def is_taken(check: Any, *arguments: Any) -> bool:
    try:
        check(*arguments)
    except HubError:
        return False
    return True


def test_the_inclusion_proofs_of_the_vectors_are_taken_or_refused_as_they_say() -> None:
    for name, case in vectors("inclusion"):
        leaf, root = base64.b64decode(case["leafHash"]), base64.b64decode(case["root"])
        taken = is_taken(check_inclusion, case["leafIdx"], case["treeSize"], leaf, hashes(case["proof"]), root)
        assert taken is not case["wantErr"], name


def test_the_consistency_proofs_of_the_vectors_are_taken_or_refused_as_they_say() -> None:
    for name, case in vectors("consistency"):
        roots = [base64.b64decode(case[root]) for root in ("root1", "root2")]
        taken = is_taken(check_consistency, case["size1"], case["size2"], *roots, hashes(case["proof"]))
        # The vectors leave the root of an empty tree open, and take "roots" that are no hashes where they compare nothing with them.
        is_stricter = any(len(root) != HASH_BYTES for root in roots) or (case["size1"] == 0 and roots[0] != EMPTY_ROOT)
        assert taken is (not case["wantErr"] and not is_stricter), name


def test_tiles_grow_into_the_same_tree_however_many_leaves_come_at_a_time() -> None:
    tiles: dict[Tile, bytes] = {}
    size = 0
    chance = random.Random(6962)
    while size < len(LEAVES):
        coming = LEAVES[size : size + chance.choice([1, 2, 100, 255, 256, 257, 300])]
        tiles.update(extend(size, {tile: tiles[tile] for tile in edge(size)}, coming))
        size += len(coming)
        assert root_of(size, reader(tiles)) == plain_root(LEAVES[:size])
        assert {tile: len(content) // HASH_BYTES for tile, content in tiles.items()} == dict(tiles_at(size))
        for index in chance.choices(range(size), k=5):
            check_inclusion(index, size, LEAVES[index], prove(inclusion_path(index, size), reader(tiles)), plain_root(LEAVES[:size]))


def test_a_tree_of_70000_has_the_tiles_of_the_specification() -> None:
    tiles = dict(tiles_at(70_000))
    assert [width_at(Tile(level, number), 70_000) for level, number in ((0, 272), (0, 273), (0, 274), (1, 1), (2, 0), (3, 0))] == [
        256, 112, 0, 17, 1, 0
    ]  # fmt: skip
    assert (len(tiles), sum(width < 256 for width in tiles.values())) == (273 + 1 + 1 + 1 + 1, 3)
    assert dict(tiles_at(256)) == {Tile(0, 0): 256, Tile(1, 0): 1}


@pytest.mark.parametrize(
    ("path", "number", "width"),
    [("000", 0, 256), ("067.p/1", 67, 1), ("x001/x234/067", 1_234_067, 256), ("x001/000.p/255", 1_000, 255)],
)
def test_a_tiles_path_is_written_and_read_alike(path: str, number: int, width: int) -> None:
    assert tile_path(Tile(3, number), width) == f"tile/3/{path}"
    assert bundle_path(number, width) == f"tile/entries/{path}"
    assert parse_number(path) == (number, width)


@pytest.mark.parametrize(
    "path", ["", "0", "1000", "x000/001", "x001", "001/002", "067.p/0", "067.p/256", "067.p/01", "067.p/", "-01", "00\u0661"]
)
def test_a_path_in_another_spelling_names_no_tile(path: str) -> None:
    with pytest.raises(NotFound):
        parse_number(path)
