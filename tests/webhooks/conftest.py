"""On both databases: a hub that may send to this machine and a receiver, or a hub with a clock of the test's own that sends to nobody."""

from collections.abc import AsyncIterator

import pytest

from tests.sim.webhook_receiver import Receiver
from tests.standing.world import World, world_on
from tests.taxii.community import SHARED
from tests.taxii.site import Community, Site
from tests.webhooks.recorder import Recorder


@pytest.fixture
async def hooked(community: Community) -> AsyncIterator[Site]:
    async with community.serve(webhooks_allow_http=True, webhooks_ports=()) as site:
        yield site


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().serving() as running:
        yield running


@pytest.fixture
def shared() -> str:
    """The path of the collection that all read and write."""
    return f"/taxii2/hub/collections/{SHARED.id}/"


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with world_on(database_url) as opened:
        yield opened


@pytest.fixture
def recorder(world: World) -> Recorder:
    recorder = Recorder()
    world.hub.hold_sends(recorder)
    return recorder
