"""A hub where two members sign, beside the fixtures of the TAXII tests."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.signing.community import Signing, settle
from tests.taxii.community import Credential
from tests.taxii.conftest import _prepared, copied, shared

__all__ = ["_prepared", "shared"]


@pytest.fixture
async def signing(_prepared: tuple[Path, Mapping[str, Credential]], tmp_path: Path) -> AsyncIterator[Signing]:
    async with copied(_prepared, tmp_path, key_algorithms=("Ed25519", "ES256", "ML-DSA-44")) as site:
        yield await settle(site)
