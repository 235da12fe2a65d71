"""A hub whose member energy does not want to be known, and what the others are given: the community of the tests of standing."""

import json
from dataclasses import dataclass
from typing import Any

from hub.domain.label import Attribution
from hub.domain.signing.extension import definition_ids
from hub.domain.signing.keys import PrivateKey
from hub.domain.taxii import ALL_VERSIONS, Query, Status, VersionMatch
from hub.service.admit import push
from hub.service.anonymity import set_attribution
from hub.service.remove import delete_object
from hub.service.renditions import publish_renditions
from hub.service.retrieve import list_objects
from tests.signing.community import register
from tests.standing.world import World, shared_with
from tests.taxii.content import Object, envelope

MINUTE_US = 60_000_000
OTHERS = ("agency", "water", "telecoms", "sister")


@dataclass
class Anonymous:
    """The world, with what the tests of anonymity do in it."""

    world: World

    async def push(self, slug: str, *objects: Object, to: str = "shared", sent_with: PrivateKey | None = None) -> Status:
        """Push objects as a member, whatever becomes of them, as if in a message that was signed with that key."""
        world = self.world
        world.now_us += 1_000
        directory, principal, kid = await world.hub.directory(), await world.principal(slug), sent_with and sent_with.public.kid
        return await push(world.hub, directory, principal, "hub", to, envelope(*objects), sent_with=kid)

    async def give(self, *objects: Object, to: str = "shared", sent_with: PrivateKey | None = None) -> None:
        """Push objects as energy, all of which must be taken, and let the renditions come."""
        status = await self.push("energy", *objects, to=to, sent_with=sent_with)
        assert not status.failures, status.failures
        await self.publish()

    async def publish(self) -> None:
        """Let the minute pass, and append what is due."""
        self.world.now_us += MINUTE_US
        while await publish_renditions(self.world.hub):
            pass

    async def key(self) -> PrivateKey:
        """Return a signing key of energy's."""
        key = PrivateKey.generate()
        await register(self.world.hub, key, "energy")
        return key

    async def hide(self, known_to: Attribution = Attribution.HUB, collection: str = "shared") -> None:
        """Let energy be known to so few for what it gives to a collection."""
        await set_attribution(self.world.hub, await self.world.principal("energy"), collection, known_to)

    async def seen(self, slug: str, *, of: str = "shared", versions: VersionMatch = ALL_VERSIONS) -> list[Object]:
        """Return what a member sees of a collection, every version, but for the definitions that are in each."""
        hub = self.world.hub
        query = Query(versions=versions, limit=1000)
        page = await list_objects(hub, await hub.directory(), await self.world.principal(slug), "hub", of, query)
        return [obj for obj in map(json.loads, page.bodies) if obj["id"] not in definition_ids()]

    async def renditions(self, slug: str = "water", **query: Any) -> list[Object]:
        """Return what a member sees but for the identity that stands in for producers."""
        identity = (await self.world.hub.directory()).identity
        return [obj for obj in await self.seen(slug, **query) if obj["id"] != identity]

    async def delete(self, obj: Object, versions: VersionMatch = ALL_VERSIONS) -> None:
        hub = self.world.hub
        principal = await self.world.principal("energy")
        await delete_object(hub, await hub.directory(), principal, "hub", "shared", obj["id"], Query(versions=versions))


def hidden(known_to: str = "hub", **said: Any) -> dict[str, Any]:
    """Return the property by which an object says to whom its producer is to be known."""
    return shared_with(attribution=known_to, **said)
