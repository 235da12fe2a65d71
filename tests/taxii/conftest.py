"""A hub to talk to: `site` on SQLite for all that is said on the wire, `either_site` on both databases for all that touches the store."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.taxii.community import ADVISORIES, DROPBOX, PRIVATE, SECOND, SHARED, Credential
from tests.taxii.site import Site, prepare, serve, serve_again


@pytest.fixture(scope="session")
def _prepared(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Credential]]:
    """A SQLite database with the community in it, to be copied: making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("community") / "hub.sqlite3"
    shutil.copy(_sqlite_template, path)
    with ThreadPoolExecutor(1) as pool:  # a loop of its own, beside those of the tests
        return path, pool.submit(asyncio.run, prepare(f"sqlite:///{path}")).result()


@contextlib.asynccontextmanager
async def copied(prepared: tuple[Path, Mapping[str, Credential]], folder: Path, **settings: Any) -> AsyncIterator[Site]:
    """Serve a copy of a prepared database."""
    template, credentials = prepared
    path = folder / "hub.sqlite3"
    for part in template.parent.glob(f"{template.name}*"):  # the file, and what it may have left in its write-ahead log
        shutil.copy(part, path.with_name(part.name))
    async with serve_again(f"sqlite:///{path}", credentials, **settings) as serving:
        yield serving


@pytest.fixture
async def site(_prepared: tuple[Path, Mapping[str, Credential]], tmp_path: Path) -> AsyncIterator[Site]:
    async with copied(_prepared, tmp_path) as serving:
        yield serving


@pytest.fixture
async def either_site(database_url: str) -> AsyncIterator[Site]:
    async with serve(database_url) as serving:
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
