"""A hub that serves the community of the tests of TAXII, and keeps its log by itself."""

from collections.abc import AsyncIterator

import pytest

from tests.taxii.site import Site, serve


@pytest.fixture
async def site(sqlite_url: str) -> AsyncIterator[Site]:
    async with serve(sqlite_url) as serving:
        yield serving
