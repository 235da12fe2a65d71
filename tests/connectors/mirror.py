"""A hub with one member, `mirror`, that takes in what another server has."""

import contextlib
import uuid
from collections.abc import AsyncIterator

import orjson

from hub.config import Config
from hub.domain.connector import Source
from hub.domain.ids import CollectionId, new_uuid
from hub.domain.member import Member, MemberKind, Principal, Role
from hub.domain.taxii import ALL_VERSIONS, Collection, Grantee, GranteeKind, Query
from hub.service.administer import COMMAND_LINE
from hub.service.connectors import configured_sources
from hub.service.context import Hub, now_us, open_hub
from hub.service.exporting import export_objects
from hub.service.install import DEFAULT_ROOT, install
from hub.service.members import add_member
from hub.store.collections import add_collection
from hub.store.database import Connection, open_database
from hub.store.directory import bump_revision

COLLECTION = "mirrored"


def indicators(count: int) -> list[bytes]:
    """Return valid indicators, each of nobody in particular."""
    return [
        orjson.dumps(
            {
                "type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid4()}", "created": "2026-01-01T00:00:00.000Z",
                "modified": "2026-01-01T00:00:00.000Z", "pattern": f"[ipv4-addr:value = '192.0.2.{number % 256}']", "pattern_type": "stix",
                "valid_from": "2026-01-01T00:00:00.000Z",
            }
        )
        for number in range(count)
    ]  # fmt: skip


def mirroring(database_url: str, url: str, **settings: object) -> Config:
    """Return the settings of a hub that pulls from `url`."""
    table = {"kind": "taxii", "url": url, "member": "mirror", "collection": COLLECTION, "page_objects": 10, "timeout_s": 20, "tries_max": 1}
    return Config(database_url=database_url, connectors=("taxii",), connector_settings={"peer": {**table, **settings}})


def source_of(config: Config) -> Source:
    """Return the one source of the settings."""
    (source,) = configured_sources(config)
    return source


@contextlib.asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Hub]:
    """Open a migrated database as a hub, with the member and its collection where they are not there yet."""
    db = await open_database(config.database_url)
    try:
        if await install(db, now_us=now_us(), title="mirror"):
            hub = await open_hub(config, db)
            member = await add_member(hub, COMMAND_LINE, slug="mirror", name="Mirror", kind=MemberKind.OPERATOR)
            await hub.db.write(_add_collection, member)
        yield await open_hub(config, db)
    finally:
        await db.close()


async def _add_collection(conn: Connection, writer: Member) -> None:
    """Insert a collection that holds nothing, not even the definitions of the hub's extensions."""
    readers, writers = (frozenset({who}) for who in (Grantee(GranteeKind.EVERYONE), Grantee(GranteeKind.MEMBER, writer.id)))
    collection = Collection(CollectionId(new_uuid()), DEFAULT_ROOT, "Mirrored", alias=COLLECTION, readers=readers, writers=writers)
    await add_collection(conn, collection, now_us=now_us())
    await bump_revision(conn)


async def held(hub: Hub) -> list[bytes]:
    """Return every version in the collection, as the member sees it."""
    member = (await hub.directory()).find_member("mirror")
    principal = Principal("test", Role.READER, member)
    pages = export_objects(hub, principal, "hub", COLLECTION, Query(versions=ALL_VERSIONS))
    return [body async for page in pages for body in page]
