"""`world` is on SQLite, for all that is computed; `either_world` on both databases, for all that touches the store."""

from collections.abc import AsyncIterator

import pytest

from tests.standing.world import World, world_on


@pytest.fixture
async def world(sqlite_url: str) -> AsyncIterator[World]:
    async with world_on(sqlite_url) as opened:
        yield opened


@pytest.fixture
async def either_world(database_url: str) -> AsyncIterator[World]:
    async with world_on(database_url) as opened:
        yield opened
