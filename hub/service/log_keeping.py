"""The condition of the transparency log, and signing its tree.

* Nothing is entered or signed that contradicts what was published: a checkpoint in the database, one that this node remembers in a file
  outside of it, or one that a witness cosigned. The hub goes on serving; what is accepted waits to be entered. What a witness showed is
  kept in the database, so that no process forgets it.
* On its first look a process finds the whole tree anew from the hashes of its leaves.
* A checkpoint is signed once its leaves are committed. It is remembered first and published then, so that none is published that a restored
  database could contradict unnoticed. One size is signed once.
"""

import asyncio
import contextlib
import logging
from pathlib import Path
from urllib.parse import quote

from hub.config import Config
from hub.domain.member import Principal, Role
from hub.domain.tlog.checkpoint import Checkpoint, log_key, sign_checkpoint, verify_checkpoint
from hub.domain.tlog.note import Note, VerifierKey
from hub.domain.tlog.tiles import HEIGHT, WIDTH, Tile, reader, root_of, split_hashes, tile_path, tiles_for, width_at
from hub.domain.tlog.tree import HASH_BYTES, hash_complete, span
from hub.errors import Conflict, HubError, Invalid, NotFound, Unavailable
from hub.keys.remembered import FILE, read_remembered, remember
from hub.service.administer import Change, change, require_role
from hub.service.context import Hub
from hub.store.database import Connection, Duplicate
from hub.store.tlog import (
    add_checkpoint,
    has_pending,
    keep_evidence,
    latest_checkpoint,
    list_tiles,
    name_log,
    read_evidence,
    read_origin,
    read_size,
    read_tiles,
)  # fmt: skip

_TILES_TOGETHER = 16  # hashed before others get the event loop

log = logging.getLogger(__name__)


class Contradiction(HubError):
    """The tree in the database is not the one that was published, or is not whole."""

    code = "unavailable"


def memory_of(config: Config, key: VerifierKey) -> Path | None:
    """Return the file in which this node remembers the last checkpoint of a log; None where no directory is given.

    The hub's keys are in a directory of their own; others may keep their state where this one does.
    """
    if config.state_dir is not None:
        return config.state_dir / f"{quote(key.name, safe='')}+{key.key_id.hex()}.{FILE}"
    return None if config.keys_directory is None else config.keys_directory / FILE


async def open_log(hub: Hub) -> VerifierKey:
    """Return the key that verifies the log's checkpoints; on first use the log gets its name.

    Raises:
        Invalid: the hub's key for the log is of another kind than checkpoints are signed with.
    """
    async with hub.db.read() as conn:
        origin = await read_origin(conn)
    if origin is None:
        try:
            await hub.db.write(name_log, _first_origin(hub.config, (await hub.directory()).identity))
        except Duplicate:
            log.info("another node named the log")
        return await open_log(hub)
    return log_key(origin, hub.keys.log)


async def log_name(hub: Hub) -> str:
    """Return the log's name.

    Raises:
        NotFound: it has none yet: nobody has served this hub.
    """
    async with hub.db.read() as conn:
        origin = await read_origin(conn)
    if origin is None:
        raise NotFound("the log has no checkpoint yet")
    return origin


async def rename_log(hub: Hub, principal: Principal, origin: str) -> None:
    """Begin another log with the same leaves, as the one of the old name cannot go on: it was published further than the database is.

    Raises:
        Withheld: `principal` is no administrator.
        Invalid: the name is none that a checkpoint can have.
        Conflict: the log has this name already.
    """
    require_role(principal, Role.ADMIN)
    key = log_key(origin, hub.keys.log)

    async def work(c: Change) -> None:
        before = await read_origin(c.conn)
        if before == key.name:
            raise Conflict("the log has this name already; what it published under it cannot be taken back")
        await name_log(c.conn, key.name)
        await c.record("log.rename", key.name, before=before)

    await change(hub, principal, work)


async def is_behind(hub: Hub) -> bool:
    """Whether something waits to be entered or signed. What another node published meanwhile is remembered."""
    key = await open_log(hub)
    async with hub.db.read() as conn:
        waiting = await has_pending(conn, hub.now_us())
        size = await read_size(conn)
        latest = await latest_checkpoint(conn, key.name)
    if latest is not None and hub.log.is_recomputed:
        await follow(hub, latest)
    return waiting or latest is None or Checkpoint.in_note(latest).size < size


async def is_sound(hub: Hub) -> bool:
    """Look whether the tree is the one that was published, as far as it was; on the first look of this process, whether it is whole."""
    condition, before = hub.log, hub.log.fault
    condition.fault = await _find_fault(hub)
    condition.is_recomputed = condition.fault is None
    if condition.fault is not None and condition.fault != before:
        log.error("the transparency log is not signed: %s", condition.fault)
    elif condition.fault is None and before is not None:
        log.warning("the transparency log is signed again")
    return condition.fault is None


async def sign(hub: Hub) -> bool:
    """Sign the tree as it is now and publish that; whether it was not published yet. The log is sound."""
    key = await open_log(hub)
    async with hub.db.read() as conn:
        size = await read_size(conn)
        latest = await latest_checkpoint(conn, key.name)
        if latest is not None and Checkpoint.in_note(latest).size >= size:
            await follow(hub, latest)
            return False
        root = await _root_at(conn, size)
    note = str(await asyncio.to_thread(sign_checkpoint, Checkpoint(key.name, size, root), hub.keys.log))
    await follow(hub, note)
    await hub.db.write(add_checkpoint, key.name, size, note, at_us=hub.now_us())
    return True


async def follow(hub: Hub, note: str) -> None:
    """Remember what was published, or is about to be, by whichever node.

    Raises:
        Unavailable: it cannot be remembered, or what is remembered is no checkpoint.
    """
    told, known = Checkpoint.in_note(note), hub.log.published
    path = memory_of(hub.config, log_key(told.origin, hub.keys.log))

    def is_later(other: Checkpoint) -> bool:
        return other.origin == told.origin and other.size >= told.size

    if known is not None and is_later(known):
        return
    if path is not None:
        await asyncio.to_thread(remember, path, note, unless=lambda held: is_later(_read(held)))
    hub.log.published = told


async def hold_against(hub: Hub, evidence: str) -> None:
    """Look at a checkpoint that a witness shows: where the tree does not begin with it, the log is not signed any more, by any process.

    Raises:
        Invalid: it is none that the log's key signed.
    """
    key = await open_log(hub)
    verify_checkpoint(Note.parse(evidence), key)
    async with hub.db.read() as conn:
        size = await read_size(conn)
    try:
        await _require_begins_with(hub, size, evidence, key)
    except Contradiction:
        with contextlib.suppress(Duplicate):  # another node keeps one
            await hub.db.write(keep_evidence, evidence)
        await is_sound(hub)


async def _find_fault(hub: Hub) -> str | None:
    key = await open_log(hub)
    try:
        async with hub.db.read() as conn:
            size = await read_size(conn)
            published = await latest_checkpoint(conn, key.name)
            evidence = await read_evidence(conn)
        if not hub.log.is_recomputed:
            await _recompute(hub, size)
        for note in (published, await asyncio.to_thread(_remembered, hub.config, key), evidence):
            if note is not None:
                await _require_begins_with(hub, size, note, key)
    except (Contradiction, Unavailable) as e:
        return e.detail
    return None


def _read(held: str) -> Checkpoint:
    try:
        return Checkpoint.in_note(held)
    except Invalid as e:
        raise Unavailable("what this node remembers of the transparency log is no checkpoint", reason=e.detail) from e


def _remembered(config: Config, key: VerifierKey) -> str | None:
    path = memory_of(config, key)
    return None if path is None else read_remembered(path)


async def _require_begins_with(hub: Hub, size: int, published: str, key: VerifierKey) -> None:
    """Refuse a tree that does not begin with one that was published; what was published of a log of another name does not count."""
    try:
        note = Note.parse(published)
        if Checkpoint.parse(note.text).origin != key.name:
            return
        checkpoint = verify_checkpoint(note, key)
    except HubError as e:
        raise Contradiction(f"a checkpoint that this hub should have signed is not its own: {e.detail}") from e
    if checkpoint.size > size:
        raise Contradiction(f"{checkpoint.size} leaves were published, and the database holds {size}: its backup was too old")
    async with hub.db.read() as conn:
        if await _root_at(conn, checkpoint.size) != checkpoint.root:
            raise Contradiction(f"the first {checkpoint.size} leaves in the database are not those that were published")


async def _root_at(conn: Connection, size: int) -> bytes:
    tiles = await read_tiles(conn, tiles_for([span(0, size)]))
    return root_of(size, reader(tiles))


async def _recompute(hub: Hub, size: int) -> None:
    """Find every tile above the lowest anew from those below, and compare.

    Raises:
        Contradiction: one is missing, or is not what follows from those below it.
    """
    above = await _hash_level(hub, size)
    level = 1
    while above:
        expected = {
            Tile(level, number): b"".join(above[number * WIDTH : (number + 1) * WIDTH]) for number in range(-(-len(above) // WIDTH))
        }
        for first in range(0, len(expected), _TILES_TOGETHER):
            async with hub.db.read() as conn:
                for tile, hashes in await list_tiles(conn, level, first, _TILES_TOGETHER):
                    # Leaves that another node enters meanwhile only add to the right edge.
                    if not hashes.startswith(expected.pop(tile, b"")):
                        raise Contradiction(f"{tile_path(tile)} does not hold the hashes of the tiles below it")
        if expected:
            raise Contradiction(f"{tile_path(min(expected))} is missing")
        above = await asyncio.to_thread(_hash_full, [b"".join(above[n : n + WIDTH]) for n in range(0, len(above), WIDTH)])
        level += 1


async def _hash_level(hub: Hub, size: int) -> list[bytes]:
    """Return the hashes of the full tiles of level 0."""
    above: list[bytes] = []
    count = -(-size // WIDTH)
    for first in range(0, count, _TILES_TOGETHER):
        async with hub.db.read() as conn:
            tiles = (await list_tiles(conn, 0, first, _TILES_TOGETHER))[: count - first]
        for number, (tile, hashes) in enumerate(tiles, first):
            if tile.number != number or len(hashes) < width_at(tile, size) * HASH_BYTES:
                raise Contradiction(f"{tile_path(Tile(0, number))} is missing or too short")
        if len(tiles) < min(_TILES_TOGETHER, count - first):
            raise Contradiction(f"{tile_path(Tile(0, first + len(tiles)))} is missing")
        above += await asyncio.to_thread(_hash_full, [hashes for _, hashes in tiles])
    return above[: size >> HEIGHT]


def _hash_full(tiles: list[bytes]) -> list[bytes]:
    return [hash_complete(split_hashes(one)) for one in tiles if len(one) == WIDTH * HASH_BYTES]


def _first_origin(config: Config, identity: str) -> str:
    """Return the log's name: where members find it, or without an address a name that no other hub has."""
    if config.public_url is not None:
        return config.public_url.partition("://")[2].rstrip("/").replace("+", "-") + "/log"
    return f"fusion-hub.invalid/{identity.removeprefix('identity--')}/log"
