"""Bringing a database to the current schema. Migrations only go forward."""

import asyncio
import sqlite3
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from sqlalchemy import column, create_engine, pool, select, table
from sqlalchemy.engine import Connection as EngineConnection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from hub.errors import ConfigError
from hub.store.database import Database, connect_sqlite, prepare

_MIGRATIONS = Path(__file__).with_name("migrations")
_CURRENT = prepare(select(column("version_num")).select_from(table("alembic_version")))


def upgrade(url: str) -> str:
    """Bring the database that `url` names to the current schema, creating what is missing, and return its revision.

    Runs outside any event loop. Safe to run again, and by several nodes at once: each migration is one transaction.

    Raises:
        ConfigError: the database cannot be reached.
    """
    try:
        if url.startswith("sqlite:///"):
            path = url.removeprefix("sqlite:///")
            Path(path).absolute().parent.mkdir(parents=True, exist_ok=True)
            connect_sqlite(path).close()  # sets WAL, which stays with the file
            engine = create_engine(url, poolclass=pool.NullPool)
            with engine.begin() as connection:
                _upgrade(connection)
        else:
            asyncio.run(_upgrade_postgres(url))
    except (SQLAlchemyError, OSError) as e:
        raise ConfigError(f"cannot migrate the database: {e}") from e
    return head()


def head() -> str:
    """Return the revision of the schema that this code needs."""
    revision = ScriptDirectory.from_config(_alembic()).get_current_head()
    assert revision is not None, "there is a first migration"
    return revision


async def check_migrated(db: Database) -> None:
    """Raise ConfigError, saying what to run, unless the database has the schema that this code needs."""
    try:
        async with db.read() as conn:
            current = await conn.fetch_value(_CURRENT)
    except (sqlite3.OperationalError, asyncpg.UndefinedTableError):  # an empty database
        current = None
    if current is None:
        raise ConfigError("the database is empty; run `hub migrate` first")
    if current != head():
        known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
        if current in known:
            raise ConfigError(f"the database has schema {current}, this hub needs {head()}; run `hub migrate` first")
        raise ConfigError(f"the database has schema {current}, which this hub does not know: it was written by a newer one; install that")


async def _upgrade_postgres(url: str) -> None:
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=pool.NullPool)
    try:
        async with engine.begin() as connection:
            # Two nodes that migrate at once: the second waits and finds nothing to do.
            await connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7310842)")
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


def _upgrade(connection: EngineConnection) -> None:
    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _alembic() -> AlembicConfig:
    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
