"""The transparency log as it is stored: what waits to be entered, the leaves and tiles of the tree, what was signed.

* Whoever accepts something writes what is to be entered in the same transaction: one row for many versions of an append.
* What was entered leaves the outbox in the transaction that writes its leaves. Two nodes that enter at the same time meet at the leaves'
  numbers: the second is undone whole (`Duplicate`).
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import and_, bindparam, delete, func, select

from hub.domain.anonymity import due_us as publishing_us
from hub.domain.appending import Batch, VersionState
from hub.domain.ids import LabelId
from hub.domain.label import Attribution
from hub.domain.signing.object_signature import is_signed_whole
from hub.domain.tlog.leaf import LeafKind
from hub.domain.tlog.tiles import WIDTH, Tile
from hub.store.database import Change, Connection, among, prepare
from hub.store.state import add_state, change_state, find_state, remove_state
from hub.store.tables import table

PENDING = table("log_pending")
LEAF = table("log_leaf")
TILE = table("log_tile")
CHECKPOINT = table("log_checkpoint")
COSIGNATURE = table("log_cosignature")
VERSION = table("version")
ENTRY = table("entry")
COLLECTION = table("collection")

ABOUT_MAX = 512  # versions that one row of the outbox is about, at the most

_ORIGIN, _EVIDENCE = "log_origin", "log_evidence"  # in `hub_state`

_PENDING_COLUMNS = ("due_us", "kind", "about", "digest", "collection_row")
_LEAF_COLUMNS = ("number", "leaf", "salt", "digest", "version_row")

_DUE = prepare(select(PENDING.c.row).where(PENDING.c.due_us <= bindparam("now")).limit(1))
_LIST_PENDING = prepare(
    select(PENDING.c.row, PENDING.c.due_us, PENDING.c.kind, PENDING.c.about, PENDING.c.digest, COLLECTION.c.id)
    .outerjoin(COLLECTION, COLLECTION.c.row == PENDING.c.collection_row)
    .where(PENDING.c.due_us <= bindparam("now"))
    .order_by(PENDING.c.row)
    .limit(bindparam("limit"))
)
_NEWEST_PENDING = prepare(
    select(PENDING.c.row, PENDING.c.due_us, PENDING.c.kind, PENDING.c.about, PENDING.c.digest, COLLECTION.c.id)
    .outerjoin(COLLECTION, COLLECTION.c.row == PENDING.c.collection_row)
    .order_by(PENDING.c.row.desc())
    .limit(bindparam("limit"))
)
_DONE = prepare(delete(PENDING).where(among(PENDING.c.row, "rows")))
_VERSIONS = prepare(select(VERSION.c.row, VERSION.c.accepted_us, VERSION.c.digest, VERSION.c.body).where(among(VERSION.c.row, "rows")))
_PRODUCER = prepare(select(VERSION.c.producer_id, VERSION.c.object_row).where(VERSION.c.row == bindparam("sought")))
_PLACES = prepare(
    select(ENTRY.c.collection_row, ENTRY.c.label_id, ENTRY.c.date_us, ENTRY.c.ordinal).where(
        ENTRY.c.object_row == bindparam("object"), ENTRY.c.version_row == bindparam("sought")
    )
)
_LAST_LEAF = prepare(select(func.max(LEAF.c.number)))
_LEAVES = prepare(select(LEAF.c.leaf).where(LEAF.c.number >= bindparam("first"), LEAF.c.number < bindparam("end")).order_by(LEAF.c.number))
_LEAVES_ABOUT = prepare(
    select(LEAF.c.number, LEAF.c.leaf, LEAF.c.salt, LEAF.c.version_row)
    .where(LEAF.c.digest == bindparam("digest_sought"))
    .order_by(LEAF.c.number)
    .limit(bindparam("limit"))
)
_TILE = prepare(select(TILE.c.hashes).where(TILE.c.level == bindparam("at_level"), TILE.c.number == bindparam("at")))
_TILES = prepare(
    select(TILE.c.number, TILE.c.hashes)
    .where(TILE.c.level == bindparam("at_level"), TILE.c.number >= bindparam("first"))
    .order_by(TILE.c.number)
    .limit(bindparam("limit"))
)
_LATEST = prepare(
    select(CHECKPOINT.c.note).where(CHECKPOINT.c.origin == bindparam("log")).order_by(CHECKPOINT.c.size.desc()).limit(bindparam("limit"))
)
_LATEST_COSIGNED = prepare(
    select(CHECKPOINT.c.note)
    .join(COSIGNATURE, and_(COSIGNATURE.c.origin == CHECKPOINT.c.origin, COSIGNATURE.c.size == CHECKPOINT.c.size))
    .where(CHECKPOINT.c.origin == bindparam("log"))
    .order_by(CHECKPOINT.c.size.desc())
    .limit(bindparam("limit"))
)
_COSIGNATURES = prepare(
    select(COSIGNATURE.c.line)
    .where(COSIGNATURE.c.origin == bindparam("log"), COSIGNATURE.c.size == bindparam("at"))
    .order_by(COSIGNATURE.c.witness)
)
_COSIGNED = prepare(
    select(func.max(COSIGNATURE.c.size)).where(COSIGNATURE.c.origin == bindparam("log"), COSIGNATURE.c.witness == bindparam("by"))
)


@dataclass(frozen=True, slots=True)
class Pending:
    """Something that waits to be entered."""

    row: int
    due_us: int
    kind: LeafKind
    about: tuple[int, ...]
    digest: bytes | None  # of what it is about; of versions those of all, where each is that of what signatures would be made over
    collection: str | None


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """What a leaf about a version is made of."""

    row: int
    accepted_us: int
    digest: bytes  # of its canonical form, with its signatures
    body: bytes


class StoredLeaf(NamedTuple):  # a tuple, as each accepted version makes one
    """A leaf with what opens it."""

    number: int
    leaf: bytes
    salt: bytes
    digest: bytes
    version_row: int | None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a version is in the feed of a collection."""

    collection_row: int
    label: LabelId
    date_us: int
    ordinal: int


def accepted_versions(batch: Batch) -> Change:
    """Return what is to be entered of a batch: its new versions.

    Leaves of what was given anonymously come with its rendition, at the next whole minute: earlier they would stand beside those of what
    the same push brought by name. Those of renditions come at once: it is that minute.
    """
    named_us, anonymous_us = batch.now_us, publishing_us(batch.now_us)
    alike: dict[tuple[int, LeafKind, bool], list[VersionState]] = {}
    for _, version in batch.new_versions:
        assert version.incoming is not None, "a new version was made from something"
        properties = version.incoming.object.properties
        kind = LeafKind.REVOKE if properties.get("revoked") is True else LeafKind.ADD
        label = version.incoming.label
        due_us = named_us if label.anonymous or label.attribution is Attribution.EVERYONE else anonymous_us
        alike.setdefault((due_us, kind, is_signed_whole(properties)), []).append(version)
    rows = []
    for (due_us, kind, is_whole), versions in alike.items():
        for first in range(0, len(versions), ABOUT_MAX):
            some = versions[first : first + ABOUT_MAX]
            digests = b"".join([version.digest for version in some]) if is_whole else None
            rows.append((due_us, kind.value, json.dumps([version.row for version in some]), digests, batch.collection_row))
    return Change(PENDING, _PENDING_COLUMNS, rows)


def deleted_versions(rows: Sequence[int | None], collection_row: int, known_to: Attribution, *, at_us: int) -> Change:
    """Return what is to be entered of versions that were deleted from a collection.

    Leaves of what was given anonymously, and of its renditions, come at the next whole minute, as those of the acceptance do: earlier they
    would come before these, and tell the second in which somebody deleted it.

    Args:
        known_to: to whom it was given as known.
    """
    due_us = at_us if known_to is Attribution.EVERYONE else publishing_us(at_us)
    return Change(PENDING, _PENDING_COLUMNS, [(due_us, LeafKind.DELETE.value, json.dumps(list(rows)), None, collection_row)])


def audited(row: int, *, at_us: int) -> Change:
    """Return that a line of the audit trail is to be chained."""
    return Change(PENDING, _PENDING_COLUMNS, [(at_us, LeafKind.AUDIT.value, json.dumps([row]), None, None)])


async def add_pending(conn: Connection, kind: LeafKind, digest: bytes, *, at_us: int) -> None:
    """Have something entered that is no version, in the transaction of the thing itself.

    Args:
        digest: the SHA-256 of what it says: whoever holds that can be given a receipt (`find_leaves`).
    """
    assert len(digest) == 32, "a SHA-256"
    await conn.insert_many(PENDING, _PENDING_COLUMNS, [(at_us, kind.value, "[]", digest, None)])


async def read_origin(conn: Connection) -> str | None:
    """Return the name of the log; None where it has none yet."""
    return await find_state(conn, _ORIGIN)


async def name_log(conn: Connection, origin: str) -> None:
    """Give the log its name, or another one: under that it is another log, with the same leaves, and nothing speaks against it yet.

    Raises:
        Duplicate: another node named it first.
    """
    if not await change_state(conn, _ORIGIN, origin):
        await add_state(conn, {_ORIGIN: origin})
    await remove_state(conn, _EVIDENCE)


async def read_evidence(conn: Connection) -> str | None:
    """Return the checkpoint that a witness showed and the log contradicts; None where none did."""
    return await find_state(conn, _EVIDENCE)


async def keep_evidence(conn: Connection, note: str) -> None:
    """Keep a checkpoint that the log contradicts, in place of the one before.

    Raises:
        Duplicate: another node kept one at the same time.
    """
    await remove_state(conn, _EVIDENCE)
    await add_state(conn, {_EVIDENCE: note})


async def has_pending(conn: Connection, now_us: int) -> bool:
    """Whether something waits to be entered."""
    return await conn.fetch_one(_DUE, now=now_us) is not None


async def list_pending(conn: Connection, now_us: int, leaves_max: int) -> list[Pending]:
    """Return what waits to be entered, the oldest first, for so many leaves at the most; one row may bring more."""
    found: list[Pending] = []
    leaves = 0
    for row, due_us, kind, about, digest, collection in await conn.fetch(_LIST_PENDING, now=now_us, limit=leaves_max):
        rows = tuple(json.loads(about))
        leaves += len(rows) or 1
        if found and leaves > leaves_max:
            break
        found.append(Pending(row, due_us, LeafKind(kind), rows, digest, collection))
    return found


async def newest_pending(conn: Connection, limit: int) -> list[Pending]:
    """Return what waits to be entered, due or not, the newest first."""
    rows = await conn.fetch(_NEWEST_PENDING, limit=limit)
    return [
        Pending(row, due_us, LeafKind(kind), tuple(json.loads(about)), digest, collection)
        for row, due_us, kind, about, digest, collection in rows
    ]


async def load_versions(conn: Connection, rows: Collection[int]) -> dict[int, StoredVersion]:
    """Return versions by their rows."""
    return {row[0]: StoredVersion(*row) for row in await conn.fetch(_VERSIONS, rows=sorted(rows))}


async def find_placed(conn: Connection, version_row: int) -> tuple[str, list[Placed]]:
    """Return whose a version is, and where it is."""
    found = await conn.fetch_one(_PRODUCER, sought=version_row)
    assert found is not None, "versions are never deleted"
    return found[0], [Placed(*row) for row in await conn.fetch(_PLACES, object=found[1], sought=version_row)]


async def read_size(conn: Connection) -> int:
    """Return how many leaves the log has."""
    last = await conn.fetch_value(_LAST_LEAF)
    return 0 if last is None else int(last) + 1


async def read_tiles(conn: Connection, tiles: Iterable[Tile]) -> dict[Tile, bytes]:
    """Return tiles as far as they are there."""
    found = {tile: await conn.fetch_value(_TILE, at_level=tile.level, at=tile.number) for tile in tiles}
    return {tile: bytes(hashes) for tile, hashes in found.items() if hashes is not None}


async def list_tiles(conn: Connection, level: int, first: int, limit: int) -> list[tuple[Tile, bytes]]:
    """Return tiles of a level from number `first` on."""
    return [(Tile(level, number), hashes) for number, hashes in await conn.fetch(_TILES, at_level=level, first=first, limit=limit)]


async def read_bundle(conn: Connection, number: int, width: int) -> list[bytes]:
    """Return the first `width` leaves under a tile of level 0."""
    first = number * WIDTH
    return [row[0] for row in await conn.fetch(_LEAVES, first=first, end=first + width)]


async def find_leaves(conn: Connection, digest: bytes, *, limit: int) -> list[StoredLeaf]:
    """Return the leaves about something, the first first."""
    rows = await conn.fetch(_LEAVES_ABOUT, digest_sought=digest, limit=limit)
    return [StoredLeaf(number, leaf, salt, digest, version_row) for number, leaf, salt, version_row in rows]


async def write_leaves(
    conn: Connection, entered: Iterable[int], leaves: Sequence[StoredLeaf], tiles: Mapping[Tile, bytes], held: Collection[Tile],
    beside: Sequence[Change] = (),
) -> None:  # fmt: skip
    """Append leaves, with the tiles that they change, and take what they are about out of the outbox.

    Args:
        entered: rows of the outbox.
        held: the tiles that are there already.
    Raises:
        Duplicate: another node entered leaves at the same time.
    """
    await conn.execute(_DONE, rows=sorted(entered))
    grown = [(*tile, hashes) for tile, hashes in tiles.items() if tile in held]
    new = [(*tile, hashes) for tile, hashes in tiles.items() if tile not in held]
    await conn.change(
        [
            Change(LEAF, _LEAF_COLUMNS, leaves),
            Change(TILE, ("level", "number", "hashes"), grown, keys=2),
            Change(TILE, ("level", "number", "hashes"), new),
            *beside,
        ]
    )


async def add_checkpoint(conn: Connection, origin: str, size: int, note: str, *, at_us: int) -> None:
    """Publish a signed checkpoint.

    Raises:
        Duplicate: one of this size was published.
    """
    await conn.insert_many(CHECKPOINT, ("origin", "size", "note", "at_us"), [(origin, size, note, at_us)])


async def latest_checkpoint(conn: Connection, origin: str, *, is_cosigned: bool = False) -> str | None:
    """Return the note of the latest checkpoint, or of the latest one that a witness cosigned."""
    note: str | None = await conn.fetch_value(_LATEST_COSIGNED if is_cosigned else _LATEST, log=origin, limit=1)
    return note


async def cosignature_lines(conn: Connection, origin: str, size: int) -> list[str]:
    """Return the cosignatures of the checkpoint of this size."""
    return [row[0] for row in await conn.fetch(_COSIGNATURES, log=origin, at=size)]


async def cosigned_size(conn: Connection, origin: str, witness: str) -> int:
    """Return the size that a witness cosigned last, as far as this hub knows; 0: none."""
    return int(await conn.fetch_value(_COSIGNED, log=origin, by=witness) or 0)


async def add_cosignature(conn: Connection, origin: str, size: int, witness: str, line: str) -> None:
    """Keep a witness's cosignature."""
    await conn.insert_many(COSIGNATURE, ("origin", "size", "witness", "line"), [(origin, size, witness, line)])
