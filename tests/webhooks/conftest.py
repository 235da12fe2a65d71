"""A hub that may send to this machine, on both databases, and one receiver."""

from collections.abc import AsyncIterator

import pytest

from tests.taxii.community import SHARED
from tests.taxii.site import Site, serve
from tests.webhooks.receiver import Receiver, receiving


@pytest.fixture
async def hooked(database_url: str) -> AsyncIterator[Site]:
    async with serve(database_url, webhooks_allow_http=True, webhooks_ports=()) as site:
        yield site


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
def shared() -> str:
    """The path of the collection that all read and write."""
    return f"/taxii2/hub/collections/{SHARED.id}/"
