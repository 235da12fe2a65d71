"""A hub with a small community and a clock of the test's own, whose ledger is taken into account when the test says so.

`agency` (an agency), `energy`, `water` and `telecoms` (operators, each of its sector), `sister` (an operator with energy's owner). All but
the tests of grace are given the standing observer, so that what they have is earned. The collection `shared` is read and written by all,
`private` by energy and water only, `public` holds what is known to everybody.
"""

import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from hub.config import Config
from hub.domain.label import Tlp
from hub.domain.ledger import PUBLIC_TOPIC
from hub.domain.marking import SHARING_EXTENSION
from hub.domain.member import Member, MemberKind, Principal, Role, Standing
from hub.domain.standing import DAY_US
from hub.domain.taxii import Status
from hub.domain.timestamp import format_timestamp
from hub.service.administer import COMMAND_LINE
from hub.service.admit import push
from hub.service.assess import assess_all
from hub.service.collections import add_collection
from hub.service.context import Hub, open_hub
from hub.service.install import install
from hub.service.members import add_member
from hub.service.standing import Explained, get_standing
from hub.store.database import Row, open_database, prepare
from hub.store.tables import table
from tests.taxii.content import Object, envelope, indicator

START_US = 1_788_264_000_000_000  # 2026-09-01T12:00:00Z
HOUR_US = 3_600_000_000


@dataclass
class World:
    """The hub, and the clock that it goes by."""

    hub: Hub
    now_us: int = START_US

    def pass_time(self, *, days: float = 0, hours: float = 0) -> None:
        self.now_us += round(days * DAY_US + hours * HOUR_US)

    async def member(self, slug: str) -> Member:
        found = (await self.hub.directory()).find_member(slug)
        assert found is not None
        return found

    async def principal(self, slug: str, role: Role = Role.PUBLISHER) -> Principal:
        return Principal(f"person:{slug}-{role}", role, await self.member(slug))

    async def push(self, slug: str, *objects: Object, to: str = "shared") -> Status:
        """Push objects as a member; all must be accepted."""
        self.now_us += 1_000
        status = await push(self.hub, await self.hub.directory(), await self.principal(slug), "hub", to, envelope(*objects))
        assert not status.failures, status.failures
        return status

    async def settle(self) -> None:
        await assess_all(self.hub)

    async def standing(self, slug: str) -> Explained:
        """Take all into account, and return what the member is told."""
        await self.settle()
        return await get_standing(self.hub, await self.hub.directory(), await self.principal(slug))

    async def rows(self, name: str, *columns: str) -> list[Row]:
        """Return a table, or some columns of it, in the order of the values."""
        source = table(name)
        async with self.hub.db.read() as conn:
            found = await conn.fetch(prepare(select(*(source.c[column] for column in columns or source.c.keys()))))
        return sorted(found, key=repr)

    async def item(self, obj: Object) -> dict[str, Any]:
        """Return what the store holds of the item that an object became."""
        await self.settle()
        of = {stix_id: row for row, stix_id in await self.rows("object", "row", "stix_id")}
        names = table("item").c.keys()
        found = [dict(zip(names, row, strict=True)) for row in await self.rows("item")]
        return next(item for item in found if item["object_row"] == of[obj["id"]])

    def sighting(self, of: Object, **properties: Any) -> Object:
        return self._sdo("sighting", sighting_of_ref=of["id"], **properties)

    def opinion(self, on: Object, opinion: str, **properties: Any) -> Object:
        return self._sdo("opinion", opinion=opinion, object_refs=[on["id"]], **properties)

    def note(self, on: Object, **properties: Any) -> Object:
        return self._sdo("note", content="What we know of it.", object_refs=[on["id"]], **properties)

    def report(self, **properties: Any) -> Object:
        """Return an indicator as a careful member makes it, observed just now."""
        at = self.moment()
        words = {"description": "Seen in our network.", "confidence": 80, "valid_until": format_timestamp(self.now_us + 30 * DAY_US)}
        return indicator(created=at, modified=at, valid_from=at, **(words | properties))

    def _sdo(self, type: str, **properties: Any) -> Object:
        at = self.moment()
        return {"type": type, "spec_version": "2.1", "id": f"{type}--{uuid.uuid4()}", "created": at, "modified": at, **properties}

    def moment(self) -> str:
        return format_timestamp(self.now_us)[:-4] + "Z"


def shared_with(**said: Any) -> Object:
    """Return the extension by which a producer says more than a colour."""
    return {"extensions": {SHARING_EXTENSION: {"extension_type": "property-extension", **said}}}


@contextlib.asynccontextmanager
async def world_on(database_url: str) -> AsyncIterator[World]:
    """Open a migrated database as a hub with the community in it."""
    db = await open_database(database_url)
    try:
        await install(db, now_us=START_US, title="Test")
        hub = await open_hub(Config(database_url=database_url), db)
        world = World(hub)
        hub.now_us = lambda: world.now_us
        await settle_community(hub)
        yield world
    finally:
        await db.close()


async def settle_community(hub: Hub) -> None:
    """Add the members and the collections."""
    await add_member(
        hub, COMMAND_LINE, slug="agency", name="Cyber Agency", kind=MemberKind.AGENCY, sectors=["government"], standing=Standing.OBSERVER
    )  # fmt: skip
    for slug, sector in (("energy", "energy"), ("water", "water"), ("telecoms", "telecommunications"), ("sister", "energy")):
        await add_member(
            hub, COMMAND_LINE, slug=slug, name=f"The {slug} firm", kind=MemberKind.OPERATOR, sectors=[sector], standing=Standing.OBSERVER,
            owner="Grid Holdings" if slug in ("energy", "sister") else None,
        )  # fmt: skip
    for alias, grantees, topic in (
        ("shared", ["everyone"], "threat"),
        ("private", ["member:energy", "member:water"], "threat"),
        ("public", ["everyone"], PUBLIC_TOPIC),
    ):
        await add_collection(
            hub, COMMAND_LINE, title=alias, alias=alias, readers=grantees, writers=grantees, default_tlp=Tlp.GREEN, topic=topic
        )  # fmt: skip
