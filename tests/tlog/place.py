"""A hub on its database, without its loops: tests keep the log themselves, and look at it as an auditor does."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub.config import load_config
from hub.domain.member import Principal, Role
from hub.domain.signing.object_signature import object_digest
from hub.domain.tlog.auditing import Audit, Seen, audit
from hub.domain.tlog.checkpoint import Checkpoint
from hub.domain.tlog.leaf import Told, read_leaf
from hub.domain.tlog.note import Note
from hub.domain.tlog.tiles import bundle_path, extend, reader, root_of, split_bundle, tile_path, tiles_at
from hub.domain.tlog.tree import hash_leaf
from hub.errors import NotFound
from hub.service.admit import push
from hub.service.context import Hub, open_hub
from hub.service.hub_keys import open_keys
from hub.service.log_keeping import is_sound, open_log
from hub.service.proofs import get_checkpoint, get_entries, get_receipt, get_tile
from hub.store.database import open_database, prepare
from hub.store.tables import table
from hub.work.tlog import catch_up
from tests.scratch import copy_database
from tests.taxii.community import AGENCY, SHARED
from tests.taxii.content import Object, envelope

COLLECTION = SHARED.alias or ""
_LEAF = table("log_leaf")
_DIGESTS = prepare(select(_LEAF.c.digest).order_by(_LEAF.c.number))


@contextlib.asynccontextmanager
async def opened(url: str, **settings: Any) -> AsyncIterator[Hub]:
    """Open a hub on a database in which the community is; it signs with its own keys."""
    db = await open_database(url)
    try:
        hub = await open_hub(load_config(environ={}, database_url=url, **settings), db)
        await open_keys(hub)
        yield hub
    finally:
        await db.close()


async def member(hub: Hub, slug: str = AGENCY.slug) -> Principal:
    return Principal(f"test:{slug}", Role.PUBLISHER, (await hub.directory()).find_member(slug))


async def give(hub: Hub, *objects: Object, slug: str = AGENCY.slug, to: str = COLLECTION) -> None:
    """Push objects, all of which must be accepted."""
    status = await push(hub, await hub.directory(), await member(hub, slug), "hub", to, envelope(*objects))
    assert not status.failures, status.failures


async def keep(hub: Hub) -> None:
    """Enter and sign what waits, as the loop does."""
    assert await is_sound(hub), hub.log.fault
    await catch_up(hub)


async def served(hub: Hub) -> Mapping[str, bytes]:
    """Return all that the log serves to everybody, by path."""
    files = {"checkpoint": (await get_checkpoint(hub)).encode()}
    for tile, width in tiles_at(size_of(files)):
        path = tile_path(tile, width)
        files[path] = await get_tile(hub, str(tile.level), path.removeprefix(f"tile/{tile.level}/"))
        if tile.level == 0:
            path = bundle_path(tile.number, width)
            files[path] = await get_entries(hub, path.removeprefix("tile/entries/"))
    return files


def size_of(files: Mapping[str, bytes]) -> int:
    return Checkpoint.parse(Note.parse(files["checkpoint"].decode()).text).size


def told(files: Mapping[str, bytes]) -> list[Told]:
    """Return what the leaves tell everybody, in their order."""
    bundles = sorted(path for path in files if "entries" in path)
    return [read_leaf(leaf) for path in bundles for leaf in split_bundle(files[path])]


async def look(hub: Hub, before: Seen | None = None) -> Audit:
    """Look at the log as an auditor does; nothing may be wrong."""
    files = await served(hub)

    def fetch(path: str) -> bytes:
        if path not in files:
            raise NotFound("no such tile")
        return files[path]

    found = audit(fetch, await open_log(hub), before)
    assert found.findings == []
    return found


async def digests(hub: Hub) -> list[bytes]:
    """Return what the leaves are about, in their order."""
    async with hub.db.read() as conn:
        return [bytes(row[0]) for row in await conn.fetch(_DIGESTS)]


async def root_at(hub: Hub, size: int) -> bytes:
    """Return the root over the first leaves, from the leaves themselves."""
    files = await served(hub)
    leaves = [leaf for path in sorted(files) if "entries" in path for leaf in split_bundle(files[path])]
    tiles = extend(0, {}, [hash_leaf(leaf) for leaf in leaves[:size]])
    return root_of(size, reader(tiles))


async def receipt(hub: Hub, obj: Object, slug: str = AGENCY.slug) -> str:
    return await get_receipt(hub, await hub.directory(), await member(hub, slug), object_digest(json.loads(json.dumps(obj))).hex())


def backup_of(url: str, name: str) -> Path:
    """Copy a SQLite database that nobody writes to."""
    path = Path(url.removeprefix("sqlite:///"))
    kept = path.with_name(name)
    kept.mkdir()
    copy_database(path, kept)
    return kept


def restore(url: str, kept: Path) -> None:
    """Put a SQLite database back as it was."""
    path = Path(url.removeprefix("sqlite:///"))
    for part in path.parent.glob(f"{path.name}*"):
        part.unlink()
    copy_database(kept / path.name, path.parent)
