"""Bringing a database to the current schema. Migrations only go forward."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from sqlalchemy import create_engine, pool
from sqlalchemy.engine import Connection as EngineConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from hub.errors import ConfigError
from hub.store.database import connect_sqlite
from hub.store.postgresql import connect_postgresql
from hub.store.schema import MIGRATIONS, head


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
        raise ConfigError(f"cannot migrate the database: {_reason(e)}") from e
    return head()


def _reason(error: Exception) -> str:
    """Return what the database said, in one line and without the statement."""
    said = (error.orig.__cause__ or error.orig) if isinstance(error, DBAPIError) and error.orig is not None else error
    return str(said).partition("\n")[0]


async def _upgrade_postgres(url: str) -> None:
    # The driver reads the URL itself, as it does when the hub serves: SQLAlchemy has a reading of its own.
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: connect_postgresql(url), poolclass=pool.NullPool)
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
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config
