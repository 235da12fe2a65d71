"""An auditor finds every byte that a log changes, and names where; a log that only grows gives it nothing to find."""

from collections.abc import Callable

import pytest

from hub.domain.signing.keys import PrivateKey
from hub.domain.tlog.auditing import Seen, audit, check_inclusion_of
from hub.domain.tlog.checkpoint import Checkpoint, log_key, sign_checkpoint
from hub.domain.tlog.leaf import Fact, LeafKind, Opening
from hub.domain.tlog.note import Note
from hub.domain.tlog.proof_file import ProofFile
from hub.domain.tlog.receipt import check_receipt
from hub.domain.tlog.tiles import WIDTH, bundle_path, extend, make_bundle, reader, root_of, tile_path, tiles_at
from hub.domain.tlog.tree import HASH_BYTES, hash_leaf, inclusion_path, prove
from hub.errors import Invalid, NotFound

ORIGIN = "hub.example.org/log"
SIGNER = PrivateKey.generate()
KEY = log_key(ORIGIN, SIGNER)
SALT = bytes(32)
SIZE = WIDTH * WIDTH + 1  # the smallest tree with a full tile of level 1


def entry(number: int, *, said: str = "") -> bytes:
    return Fact(LeafKind.ADD, number.to_bytes(32), 0, collection=said).leaf(number, SALT)


class Log:
    """A log as files: what is at each path."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves, self.size = leaves, len(leaves)
        self.tiles = extend(0, {}, [hash_leaf(leaf) for leaf in leaves])
        self.root = root_of(self.size, reader(self.tiles))
        self.files = {"checkpoint": str(sign_checkpoint(Checkpoint(ORIGIN, self.size, self.root), SIGNER)).encode()}
        for tile, width in tiles_at(self.size):
            self.files[tile_path(tile, width)] = self.tiles[tile]
            if tile.level == 0:
                self.files[bundle_path(tile.number, width)] = make_bundle(leaves[tile.number * WIDTH :][:width])

    def fetch(self, path: str) -> bytes:
        """Return what is at a path; the beginning of a tile is there, too."""
        if path in self.files:
            return self.files[path]
        whole, _, width = path.partition(".p/")
        if width and whole in self.files and "entries" not in whole:
            return self.files[whole][: int(width) * HASH_BYTES]
        raise NotFound("no such tile")

    def receipt(self, index: int) -> str:
        proof = prove(inclusion_path(index, self.size), reader(self.tiles))
        note = Note.parse(self.files["checkpoint"].decode())
        return str(ProofFile(bytes(Opening.of(self.leaves[index], SALT)), index, tuple(proof), note))

    def changed(self, path: str, place: int) -> "Log":
        """Return the log with one byte of a file changed."""
        other = Log.__new__(Log)
        other.__dict__ = {**self.__dict__, "files": dict(self.files)}
        content = bytearray(self.files[path])
        content[place] ^= 1
        other.files[path] = bytes(content)
        return other


@pytest.fixture(scope="module")
def leaves() -> list[bytes]:
    return [entry(number) for number in range(600)]


def look(log: Log, before: Seen | None = None) -> list[str]:
    return audit(log.fetch, KEY, before).findings


def test_a_log_of_any_size_gives_an_auditor_nothing_to_find(leaves: list[bytes]) -> None:
    for size in (0, 1, 255, 256, 257, 511, 512, 600):
        found = audit(Log(leaves[:size]).fetch, KEY, None)
        assert (found.findings, found.entries, found.checkpoint.size) == ([], size, size)


def test_an_auditor_that_looks_again_reads_only_what_is_new(leaves: list[bytes]) -> None:
    seen: Seen | None = None
    size = 0
    for grown in (0, 3, 3, 255, 256, 300, 512, 513, 600):
        found = audit(Log(leaves[:grown]).fetch, KEY, seen)
        assert (found.findings, found.entries) == ([], grown - size)
        seen, size = found.seen, grown


def test_every_file_of_which_a_byte_is_changed_is_named(leaves: list[bytes]) -> None:
    log = Log(leaves)
    for path, content in log.files.items():
        for place in {0, len(content) // 2, len(content) - 1}:
            try:
                findings = look(log.changed(path, place))
            except Invalid as e:
                findings = [e.detail]
            assert any(finding.startswith(f"{path}:") for finding in findings), (path, place, findings)


def test_tiles_of_three_levels_are_checked() -> None:
    log = Log([entry(number) for number in range(SIZE)])
    assert {tile.level for tile in log.tiles} == {0, 1, 2}
    for path, place in (("tile/0/100", 3), ("tile/1/000", 5), ("tile/2/000.p/1", 0)):
        log = log.changed(path, place * HASH_BYTES)
    assert look(log) == [
        f"tile/0/100: hash 3 is not that of entry {100 * WIDTH + 3}",
        "tile/1/000: hash 5 is not that of tile/0/005",
        "tile/2/000.p/1: hash 0 is not that of tile/1/000",
    ]


def test_a_log_that_is_written_anew_is_found_whoever_signs_it(leaves: list[bytes]) -> None:
    seen = audit(Log(leaves[:300]).fetch, KEY, None).seen
    for place in (0, 255, 256, 299):
        other = [*leaves[:place], entry(place, said="other"), *leaves[place + 1 :]]
        assert look(Log(other)) == [], "to who never looked before, it is a log like any other"
        findings = look(Log(other), seen)
        assert any("300 leaves seen before" in finding for finding in findings), place


def test_a_log_that_went_back_or_signed_two_roots_for_a_size_is_found(leaves: list[bytes]) -> None:
    seen = audit(Log(leaves[:300]).fetch, KEY, None).seen
    with pytest.raises(Invalid, match="went back"):
        look(Log(leaves[:299]), seen)
    with pytest.raises(Invalid, match="two roots for 300 leaves"):
        look(Log([*leaves[:299], entry(299, said="other")]), seen)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda leaf: leaf.replace(b'"n":7', b'"n":8'), "for another place"),
        (lambda leaf: leaf.replace(b'"e":"add"', b'"e":"odd"'), "not a leaf of a hub's log"),
    ],
)
def test_an_entry_that_is_none_of_a_hubs_is_found(leaves: list[bytes], change: Callable[[bytes], bytes], said: str) -> None:
    (finding,) = look(Log([*leaves[:7], change(leaves[7]), *leaves[8:]]))
    assert finding.startswith("tile/entries/000: entry 7")
    assert said in finding


def test_a_receipt_of_a_tree_that_others_were_not_shown_is_found(leaves: list[bytes]) -> None:
    log, other = Log(leaves), Log([entry(0, said="other"), *leaves[1:400]])
    checkpoint = audit(log.fetch, KEY, None).checkpoint
    content = (5).to_bytes(32)
    for size in (6, 256, 400, 600):
        honest = check_receipt(ProofFile.parse(Log(leaves[:size]).receipt(5)), KEY, content)
        check_inclusion_of(honest, log.fetch, checkpoint)
    with pytest.raises(Invalid, match="consistency"):
        check_inclusion_of(check_receipt(ProofFile.parse(other.receipt(5)), KEY, content), log.fetch, checkpoint)
    with pytest.raises(Invalid, match="600 leaves"):
        check_inclusion_of(check_receipt(ProofFile.parse(log.receipt(5)), KEY, content), other.fetch, Checkpoint(ORIGIN, 400, other.root))
