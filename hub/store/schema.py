"""Which schema this code needs, and whether a database has it. Alembic, which takes long to import, has no part in that."""

import sqlite3
from pathlib import Path

import asyncpg
from sqlalchemy import column, select, table

from hub.errors import ConfigError
from hub.store.database import Database, prepare

MIGRATIONS = Path(__file__).with_name("migrations")
_CURRENT = prepare(select(column("version_num")).select_from(table("alembic_version")))


def revisions() -> list[str]:
    """Return the revisions that this code knows, oldest first. A migration's file begins with the number that is its revision."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def head() -> str:
    """Return the revision of the schema that this code needs."""
    return revisions()[-1]


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
        if current in revisions():
            raise ConfigError(f"the database has schema {current}, this hub needs {head()}; run `hub migrate` first")
        raise ConfigError(f"the database has schema {current}, which this hub does not know: it was written by a newer one; install that")
