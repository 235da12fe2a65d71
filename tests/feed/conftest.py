"""Databases that live as long as a module, and an event loop to use them: its examples each take a collection of their own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.feed.world import Site
from tests.postgres import PostgresServer
from tests.scratch import copy_database


@pytest.fixture(scope="module")
def module_sqlite_url(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{copy_database(_sqlite_template, tmp_path_factory.mktemp('module'))}"


@pytest.fixture(scope="module")
def module_postgresql_url(postgres_server: PostgresServer, _postgresql_template: str) -> Iterator[str]:
    name = postgres_server.create_database(_postgresql_template)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_url(request: pytest.FixtureRequest) -> str:
    return request.getfixturevalue(f"module_{request.param}_url")


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def site(module_url: str, runner: asyncio.Runner) -> Iterator[Site]:
    site = runner.run(Site.open(module_url))
    yield site
    runner.run(site.db.close())
