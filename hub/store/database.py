"""The database: opened here, whichever it is, and used through the few verbs that this module names.

SQLAlchemy builds and compiles the statements; its engine does not run them, because its cost per statement is that of a
whole page of the feed.
"""

from hub.store.connection import Change, Connection, Database, Duplicate, Row
from hub.store.postgresql import open_postgresql
from hub.store.sqlite import connect_sqlite, open_sqlite
from hub.store.statement import Statement, among, marked, mask_of, prepare, unsought, values_of

__all__ = [
    "Change", "Connection", "Database", "Duplicate", "Row", "Statement", "among", "connect_sqlite", "marked", "mask_of", "open_database",
    "prepare", "unsought", "values_of",
]  # fmt: skip


async def open_database(url: str, *, connections_max: int = 10) -> Database:
    """Open the database that `url` names (see `Config.database_url`).

    Raises:
        ConfigError: it is not there, or cannot be reached.
    """
    if url.startswith("sqlite:///"):
        return open_sqlite(url.removeprefix("sqlite:///"))
    return await open_postgresql(url, connections_max=connections_max)
