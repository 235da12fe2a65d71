"""A hub where two members sign, beside the fixtures of the TAXII tests: `signing` on SQLite, `either_signing` on both databases."""

from collections.abc import AsyncIterator

import pytest

from tests.signing.community import Signing, settle
from tests.taxii.conftest import shared
from tests.taxii.site import Community

__all__ = ["shared"]


@pytest.fixture
async def signing(sqlite_community: Community) -> AsyncIterator[Signing]:
    async with sqlite_community.serve(key_algorithms=("Ed25519", "ES256", "ML-DSA-44")) as site:
        yield await settle(site)


@pytest.fixture
async def either_signing(community: Community) -> AsyncIterator[Signing]:
    async with community.serve() as site:
        yield await settle(site)
