"""The commands that deploy/README.md gives for backup and restore, run as they are written there, on databases of the hub."""

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import asyncpg

from hub.store.database import open_database
from hub.store.schema import check_migrated
from tests.postgres import PostgresServer

README = Path(__file__).resolve().parents[2] / "deploy" / "README.md"


def command(beginning: str) -> str:
    (found,) = [line for line in README.read_text().splitlines() if line.startswith(beginning)]
    return found


def run(line: str, replaced: dict[str, str], environ: dict[str, str] | None = None) -> None:
    for written, meant in replaced.items():
        assert written in line
        line = line.replace(written, meant)
    subprocess.run(line, shell=True, check=True, env={**os.environ, **(environ or {})})


async def is_migrated(url: str) -> bool:
    db = await open_database(url)
    try:
        await check_migrated(db)  # raises where it is not
    finally:
        await db.close()
    return True


async def test_sqlite_is_backed_up_while_it_is_written(sqlite_url: str, tmp_path: Path) -> None:
    source, copy = sqlite_url.removeprefix("sqlite:///"), str(tmp_path / "copy.sqlite3")
    with closing(sqlite3.connect(source, isolation_level=None)) as writer:
        writer.execute("INSERT INTO hub_state (name, value) VALUES ('written', 'just now')")  # and not yet moved out of the write-ahead log
        run(
            command("python3 -c 'import sqlite3"),
            {"/var/lib/fusion-hub/fusion-hub.sqlite3": source, "/var/backups/fusion-hub.sqlite3": copy},
        )
    with closing(sqlite3.connect(copy)) as restored:
        assert restored.execute("SELECT value FROM hub_state WHERE name = 'written'").fetchone() == ("just now",)
    assert await is_migrated(f"sqlite:///{copy}")


async def test_postgresql_is_restored_into_a_new_database(postgres_server: PostgresServer, postgresql_url: str, tmp_path: Path) -> None:
    source = postgresql_url.partition("?")[0].rpartition("/")[2]
    connection = await asyncpg.connect(postgresql_url)
    await connection.execute("INSERT INTO hub_state (name, value) VALUES ('written', 'just now')")
    await connection.close()
    environ = {
        "PATH": f"{postgres_server.binaries}:{os.environ['PATH']}",
        "PGHOST": str(postgres_server.directory),
        "PGUSER": "postgres",
    }
    dump, target = {"/var/backups/fusion-hub.dump": str(tmp_path / "dump")}, {"hub_restored": "restored"}
    run(command("pg_dump "), {" hub": f" {source}", **dump}, environ)
    run(command("createdb "), target, environ)
    run(command("pg_restore "), {**dump, **target}, environ)
    restored = await asyncpg.connect(postgres_server.url("restored"))
    assert await restored.fetchval("SELECT value FROM hub_state WHERE name = 'written'") == "just now"
    await restored.close()
    assert await is_migrated(postgres_server.url("restored"))
    postgres_server.drop_database("restored")
