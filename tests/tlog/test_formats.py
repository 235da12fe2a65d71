"""Notes, checkpoints, cosignatures, receipts and leaves: the specifications' own examples, and every byte of ours changed in turn."""

import secrets
from collections.abc import Callable

import pytest

from hub.domain.signing.keys import Algorithm, PrivateKey
from hub.domain.tlog.checkpoint import Checkpoint, format_hash, log_key, sign_checkpoint, verify_checkpoint
from hub.domain.tlog.cosignature import cosign, cosigned_at, witness_key
from hub.domain.tlog.leaf import Fact, LeafKind, Opening, read_leaf
from hub.domain.tlog.note import Note, VerifierKey
from hub.domain.tlog.proof_file import ProofFile
from hub.domain.tlog.receipt import Proved, check_receipt
from hub.domain.tlog.tiles import make_bundle, split_bundle
from hub.domain.tlog.tree import EMPTY_ROOT, hash_children, hash_leaf
from hub.domain.tlog.witness import AddCheckpoint, require_growth
from hub.errors import Conflict, HubError, Invalid, NotUnderstood

ORIGIN = "hub.example.org/log"
LOG, WITNESS, STRANGER = (PrivateKey.from_pem(PrivateKey.generate().to_pem()) for _ in range(3))
DIGEST, SALT = bytes(range(32)), bytes(range(32, 64))

EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_NOTE = (
    "This is an example message.\n"
    "\n"
    "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def checkpoint(size: int = 1, root: bytes | None = None) -> Checkpoint:
    return Checkpoint(ORIGIN, size, hash_leaf(b"leaf") if root is None else root)


def test_the_specifications_example_of_a_note_is_verified_by_its_key() -> None:
    key, note = VerifierKey.parse(EXAMPLE_KEY), Note.parse(EXAMPLE_NOTE)
    note.require(key)
    assert (str(key), str(note)) == (EXAMPLE_KEY, EXAMPLE_NOTE)
    changed = Note(note.text.replace("an", "no"), note.signatures)
    with pytest.raises(Invalid, match="not over this text"):
        changed.require(key)


def test_a_verifier_key_with_a_wrong_character_is_refused() -> None:
    for wrong in (EXAMPLE_KEY.replace("foo", "fou"), EXAMPLE_KEY.replace("530d", "530e"), EXAMPLE_KEY[:-4], "example.com/foo", "a+b+c+d"):
        with pytest.raises(Invalid):
            VerifierKey.parse(wrong)


def test_a_log_signs_with_ed25519_only() -> None:
    with pytest.raises(Invalid, match="Ed25519"):
        log_key(ORIGIN, PrivateKey.generate(Algorithm.ES256))


def test_a_checkpoint_is_verified_by_its_logs_key_only() -> None:
    note = Note.parse(str(sign_checkpoint(checkpoint(), LOG)))
    assert verify_checkpoint(note, log_key(ORIGIN, LOG)) == checkpoint()
    for other in (log_key(ORIGIN, STRANGER), log_key("hub.example.org/other", LOG)):
        with pytest.raises(Invalid, match="no signature"):
            verify_checkpoint(note, other)


def test_a_checkpoint_says_a_size_and_a_root_in_one_spelling() -> None:
    for text in (
        "o\n01\nX\n",
        "o\n-1\nX\n",
        "\n1\nX\n",
        "o\n1\n",
        "o\n1\nX\n\n",
        "o\n0\nX\n",
        "o\n9999999999999999999\nX\n",
        "o\n1\nQQ==\n",
    ):
        with pytest.raises(Invalid):
            Checkpoint.parse(text.replace("X", format_hash(hash_leaf(b""))))


def test_a_cosignature_tells_when_and_a_strangers_is_ignored() -> None:
    text = checkpoint().text()
    note = Note(text, (cosign(text, "witness.example", WITNESS, at_s=1_700_000_000), cosign(text, "other.example", STRANGER, at_s=1)))
    assert cosigned_at(note, witness_key("witness.example", WITNESS)) == 1_700_000_000
    assert cosigned_at(note, witness_key("nobody.example", WITNESS)) is None
    with pytest.raises(Invalid, match="not over this checkpoint"):
        cosigned_at(Note(text.replace("1", "2"), note.signatures), witness_key("witness.example", WITNESS))


def receipt() -> ProofFile:
    leaf = Fact(LeafKind.ADD, DIGEST, 1_700_000_000_123_456, b"whole", "collection").leaf(1, SALT)
    sibling = hash_leaf(b"before")
    root = hash_children(sibling, hash_leaf(leaf))
    return ProofFile(bytes(Opening.of(leaf, SALT)), 1, (sibling,), sign_checkpoint(checkpoint(2, root), LOG))


def check(content: str) -> Proved:
    return check_receipt(ProofFile.parse(content), log_key(ORIGIN, LOG), DIGEST, whole=b"whole")


def test_a_receipt_proves_that_content_with_its_signatures_is_in_the_log_and_when_it_came() -> None:
    content = str(receipt())
    assert str(ProofFile.parse(content)) == content
    proved = check(content)
    assert (proved.told.kind, proved.told.index, proved.told.at) == (LeafKind.ADD, 1, "2023-11-14T22:13:20Z")
    assert proved.checkpoint.size == 2
    opening = Opening.parse(receipt().extra)
    with pytest.raises(Invalid, match="other content"):
        opening.require(SALT)
    with pytest.raises(Invalid, match="other signatures"):
        opening.require(DIGEST, whole=b"other")


def test_no_byte_of_a_receipt_can_be_changed_unseen() -> None:
    content = str(receipt())
    for place in range(len(content)):
        # The last character before padding has bits that say nothing: its neighbours in the alphabet would be read as the same.
        for other in {"A", "B", chr(ord(content[place]) + 1), chr(ord(content[place]) - 1)} - {content[place]}:
            with pytest.raises(HubError):
                check(content[:place] + other + content[place + 1 :])


def test_a_leaf_tells_nothing_of_its_content_and_opening_one_part_opens_no_other() -> None:
    fact = Fact(LeafKind.ADD, DIGEST, 0, b"whole", "collection")
    one, other = fact.leaf(7, SALT), fact.leaf(7, secrets.token_bytes(32))
    told, told_otherwise = read_leaf(one), read_leaf(other)
    assert {told.content, told.collection, told.whole}.isdisjoint({told_otherwise.content, told_otherwise.collection, told_otherwise.whole})
    assert len({len(one), len(Fact(LeafKind.ADD, SALT, 0).leaf(7, SALT))}) == 1, "nor does its length tell anything"
    opening = bytes(Opening.of(one, SALT))
    assert SALT not in opening
    assert b"collection" not in opening


@pytest.mark.parametrize(
    "change",
    [
        lambda leaf: leaf.replace(b'"v":1', b'"v":2'),
        lambda leaf: leaf.replace(b'"e":"add"', b'"e":"odd"'),
        lambda leaf: leaf.replace(b'"n":7', b'"n":7.0'),
        lambda leaf: leaf.replace(b",", b", "),
        lambda leaf: leaf.replace(b"{", b'{"x":1,'),
        lambda leaf: leaf[:-1],
    ],
)
def test_a_leaf_has_one_form(change: Callable[[bytes], bytes]) -> None:
    leaf = Fact(LeafKind.ADD, DIGEST, 0).leaf(7, SALT)
    read_leaf(leaf)
    with pytest.raises(Invalid):
        read_leaf(change(leaf))


def test_a_bundle_of_entries_is_read_as_it_was_made_and_not_when_it_is_cut_off() -> None:
    leaves = [b"", b"one", bytes(65_535)]
    content = make_bundle(leaves)
    assert split_bundle(content) == leaves
    for end in (1, 4, 6, len(content) - 1):
        with pytest.raises(Invalid):
            split_bundle(content[:end])


A, B, C = (hash_leaf(name) for name in (b"a", b"b", b"c"))
AB = hash_children(A, B)


def grows(held: Checkpoint | None, old: int, new: Checkpoint, *proof: bytes) -> bool:
    content = str(AddCheckpoint(old, proof, sign_checkpoint(new, LOG)))
    request = AddCheckpoint.parse(content)
    assert str(request) == content
    require_growth(held, request, new)
    return True


def test_a_witness_cosigns_what_goes_on_from_what_it_cosigned_last() -> None:
    assert grows(None, 0, checkpoint(1, A))
    assert grows(checkpoint(1, A), 1, checkpoint(2, AB), B)
    assert grows(checkpoint(2, AB), 2, checkpoint(2, AB))
    assert grows(checkpoint(2, AB), 2, checkpoint(3, hash_children(AB, C)), C)
    assert grows(checkpoint(0, EMPTY_ROOT), 0, checkpoint(1, A))


def test_a_witness_cosigns_no_second_root_no_shrinking_and_nothing_unproved() -> None:
    with pytest.raises(Conflict, match="2 leaves"):
        grows(checkpoint(2, AB), 1, checkpoint(3, C), B)
    with pytest.raises(Invalid, match="two roots"):
        grows(checkpoint(2, AB), 2, checkpoint(2, hash_children(A, C)))
    with pytest.raises(NotUnderstood):
        grows(checkpoint(2, AB), 2, checkpoint(1, A))
    with pytest.raises(Invalid):
        grows(checkpoint(2, AB), 2, checkpoint(3, hash_children(AB, C)))
    with pytest.raises(Invalid):
        grows(checkpoint(2, AB), 2, checkpoint(3, hash_children(hash_children(A, C), C)), C)
    for content in ("old 01\n\n", "old 1\nX\n\n" + str(sign_checkpoint(checkpoint(), LOG)), "new 1\n\n" + EXAMPLE_NOTE, "old 1\n"):
        with pytest.raises(NotUnderstood):
            AddCheckpoint.parse(content)
