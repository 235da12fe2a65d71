"""A hub that serves the community of the tests of TAXII, and keeps its log by itself."""

from collections.abc import AsyncIterator

import pytest

from tests.taxii.site import Community, Site


@pytest.fixture
async def site(sqlite_community: Community) -> AsyncIterator[Site]:
    async with sqlite_community.serve() as serving:
        yield serving
