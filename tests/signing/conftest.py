"""A hub where two members sign, beside the fixtures of the TAXII tests: `signing` on SQLite, `either_signing` on both databases."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.signing.community import Signing, settle
from tests.taxii.community import Credential
from tests.taxii.conftest import _prepared, copied, shared
from tests.taxii.site import serve

__all__ = ["_prepared", "shared"]


@pytest.fixture
async def signing(_prepared: tuple[Path, Mapping[str, Credential]], tmp_path: Path) -> AsyncIterator[Signing]:
    async with copied(_prepared, tmp_path, key_algorithms=("Ed25519", "ES256", "ML-DSA-44")) as site:
        yield await settle(site)


@pytest.fixture
async def either_signing(database_url: str) -> AsyncIterator[Signing]:
    async with serve(database_url) as site:
        yield await settle(site)
