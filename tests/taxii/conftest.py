"""A hub to talk to: `site` on SQLite for all that is said on the wire, `either_site` on both databases for all that touches the store."""

from collections.abc import AsyncIterator

import pytest

from tests.taxii.community import ADVISORIES, DROPBOX, PRIVATE, SECOND, SHARED
from tests.taxii.site import Community, Site


@pytest.fixture
async def site(sqlite_community: Community) -> AsyncIterator[Site]:
    async with sqlite_community.serve() as serving:
        yield serving


@pytest.fixture
async def either_site(community: Community) -> AsyncIterator[Site]:
    async with community.serve() as serving:
        yield serving


@pytest.fixture
def shared() -> str:
    """The path of the collection that all read and write."""
    return f"/taxii2/hub/collections/{SHARED.id}/"


@pytest.fixture
def second() -> str:
    """The path of another one like it."""
    return f"/taxii2/hub/collections/{SECOND.id}/"


@pytest.fixture
def advisories() -> str:
    """The path of the collection that all read and the agency writes."""
    return f"/taxii2/hub/collections/{ADVISORIES.id}/"


@pytest.fixture
def dropbox() -> str:
    """The path of the collection that all write and the agency reads."""
    return f"/taxii2/hub/collections/{DROPBOX.id}/"


@pytest.fixture
def private() -> str:
    """The path of the collection of which only the agency may know."""
    return f"/taxii2/hub/collections/{PRIVATE.id}/"
