"""Reading the transparency log: its checkpoint, tiles and entries for everybody; receipts for those who may see what they are about."""

import contextlib
from collections.abc import Iterable

from hub.domain.directory import Directory
from hub.domain.member import Principal, Role
from hub.domain.tlog.checkpoint import Checkpoint
from hub.domain.tlog.leaf import LeafKind, Opening, read_leaf
from hub.domain.tlog.note import Note
from hub.domain.tlog.proof_file import ProofFile
from hub.domain.tlog.tiles import LEVEL_MAX, Tile, make_bundle, parse_number, reader, tiles_for, width_at
from hub.domain.tlog.tree import HASH_BYTES, inclusion_path, prove
from hub.errors import NotFound, Unavailable
from hub.service.administer import is_admin, require_active
from hub.service.context import Hub
from hub.service.log_keeping import log_name
from hub.service.sequence import find_waiting
from hub.service.view import rights, see
from hub.store.database import Connection
from hub.store.tlog import StoredLeaf, cosignature_lines, find_leaves, find_placed, latest_checkpoint, read_bundle, read_origin, read_tiles

_LEAVES_MAX = 100  # about the same content: from members who each sent it, and of its deletions


async def get_checkpoint(hub: Hub) -> str:
    """Return the note of the latest checkpoint, with its cosignatures as far as they are there.

    Raises:
        NotFound: none was signed yet.
    """
    origin = await log_name(hub)
    async with hub.db.read() as conn:
        return (await _published(conn, origin))[0]


async def get_tile(hub: Hub, level: str, path: str) -> bytes:
    """Return a tile, or the beginning of one, of a tree that was published.

    Raises:
        NotFound: there is no such tile, or no tree that was published has it yet.
    """
    number, width = parse_number(path)
    if not (level.isascii() and level.isdecimal() and str(int(level)) == level and int(level) <= LEVEL_MAX):
        raise NotFound("no such tile")
    tile = Tile(int(level), number)
    await _require_published(hub, tile, width)
    async with hub.db.read() as conn:
        held = await read_tiles(conn, [tile])
    return held[tile][: width * HASH_BYTES]


async def get_entries(hub: Hub, path: str) -> bytes:
    """Return the leaves under a tile of level 0, or under the beginning of one.

    Raises:
        NotFound: there is no such bundle, or no tree that was published has it yet.
    """
    number, width = parse_number(path)
    await _require_published(hub, Tile(0, number), width)
    async with hub.db.read() as conn:
        return make_bundle(await read_bundle(conn, number, width))


async def get_receipt(hub: Hub, directory: Directory, principal: Principal, digest: str) -> str:
    """Return the receipt for what has this digest (of an object, d; in hex), as a `.tlog-proof` file.

    Raises:
        NotFound: there is no such thing, or none that the caller may see.
        Unavailable: it was accepted a moment ago, and is entered in the next; what was given anonymously, at the next whole minute.
    """
    require_active(principal)
    leaf = await _find_entered(hub, directory, principal, digest)
    async with hub.db.read() as conn:
        note, checkpoint = await _published_with(conn, leaf.number)
        path = inclusion_path(leaf.number, checkpoint.size)
        tiles = await read_tiles(conn, tiles_for(path))
    hashes = tuple(prove(path, reader(tiles)))
    return str(ProofFile(bytes(Opening.of(leaf.leaf, leaf.salt)), leaf.number, hashes, Note.parse(note)))


async def _find_entered(hub: Hub, directory: Directory, principal: Principal, digest: str) -> StoredLeaf:
    content, leaves = await leaves_about(hub, digest)
    with contextlib.suppress(NotFound):
        return await find_visible(hub, directory, principal, leaves)
    for due_us, version_row in await find_waiting(hub, content):
        if version_row is None or await may_see(hub, directory, principal, version_row):
            left_s = max(0, due_us - hub.now_us()) // 1_000_000
            raise Unavailable("it was accepted, and waits to be entered; try again later", retry_after_s=left_s + 1)
    _, leaves = await leaves_about(hub, digest)  # it may have been entered meanwhile
    return await find_visible(hub, directory, principal, leaves)


async def _published(conn: Connection, origin: str) -> tuple[str, Checkpoint]:
    """Return the latest checkpoint with its cosignatures.

    Raises:
        NotFound: none was signed yet.
    """
    note = await latest_checkpoint(conn, origin)
    if note is None:
        raise NotFound("the log has no checkpoint yet")
    checkpoint = Checkpoint.in_note(note)
    return await _cosigned(conn, checkpoint, note), checkpoint


async def _published_with(conn: Connection, number: int) -> tuple[str, Checkpoint]:
    """Return the latest checkpoint that a witness cosigned, where it covers a leaf, or else the latest, with its cosignatures.

    Raises:
        Unavailable: none covers it yet; a log that begins has no name and no checkpoint.
    """
    origin = await read_origin(conn)
    if origin is not None:
        for is_cosigned in (True, False):
            note = await latest_checkpoint(conn, origin, is_cosigned=is_cosigned)
            if note is not None and (checkpoint := Checkpoint.in_note(note)).size > number:
                return await _cosigned(conn, checkpoint, note), checkpoint
    raise Unavailable("it is about to be signed; try again in a second", retry_after_s=1)


async def _cosigned(conn: Connection, checkpoint: Checkpoint, note: str) -> str:
    return note + "".join(await cosignature_lines(conn, checkpoint.origin, checkpoint.size))


async def _require_published(hub: Hub, tile: Tile, width: int) -> None:
    origin = await log_name(hub)
    async with hub.db.read() as conn:
        _, checkpoint = await _published(conn, origin)
    if width > width_at(tile, checkpoint.size):
        raise NotFound("no such tile")


async def leaves_about(hub: Hub, digest: str) -> tuple[bytes, list[StoredLeaf]]:
    """Return a digest that was written in hex, and the leaves about it.

    Raises:
        NotFound: it is no digest.
    """
    content = _digest(digest)
    async with hub.db.read() as conn:
        return content, await find_leaves(conn, content, limit=_LEAVES_MAX)


async def find_visible(hub: Hub, directory: Directory, principal: Principal, leaves: Iterable[StoredLeaf]) -> StoredLeaf:
    """Return the first of these leaves that is about something which the caller may see.

    Raises:
        NotFound: there is none.
    """
    for leaf in leaves:
        if leaf.version_row is not None:
            if await may_see(hub, directory, principal, leaf.version_row):
                return leaf
        elif read_leaf(leaf.leaf).kind is LeafKind.KEY or is_admin(principal):
            return leaf
    raise NotFound("the log holds nothing of this digest, or nothing that you may see")


async def may_see(hub: Hub, directory: Directory, principal: Principal, version_row: int) -> bool:
    """Whether a version is the caller's own, or in its view of some collection."""
    member = principal.member
    if member is None:
        return False
    async with hub.db.read() as conn:
        producer, places = await find_placed(conn, version_row)
    if producer == member.id:
        return True
    held_by_row = {held.row: held for held in directory.collections.values()}
    for place in places:
        held = held_by_row.get(place.collection_row)
        if held is None:
            continue  # it came since the request did
        if (await rights(hub, directory, Principal("", Role.READER, member), held.collection)).can_read:
            seen = await see(hub, directory, member, held)
            since = seen.view.effective_us(place.label, place.date_us, place.ordinal, seen.clock_us)
            if since is not None and since <= seen.clock_us:
                return True
    return False


def _digest(text: str) -> bytes:
    try:
        digest = bytes.fromhex(text) if len(text) == 64 and text.islower() | text.isdecimal() else b""
    except ValueError:
        digest = b""
    if not digest:
        raise NotFound("a digest has 64 hexadecimal digits, in lower case")
    return digest
