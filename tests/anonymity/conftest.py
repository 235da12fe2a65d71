"""`anonymous` is on SQLite; `either_anonymous` on both databases, for all that touches the store."""

from collections.abc import AsyncIterator

import pytest

from tests.anonymity.world import Anonymous
from tests.standing.world import world_on


@pytest.fixture
async def anonymous(sqlite_url: str) -> AsyncIterator[Anonymous]:
    async with world_on(sqlite_url) as world:
        yield Anonymous(world)


@pytest.fixture
async def either_anonymous(database_url: str) -> AsyncIterator[Anonymous]:
    async with world_on(database_url) as world:
        yield Anonymous(world)
