"""PostgreSQL over asyncpg: each read takes a connection from the pool, each write a transaction.

A commit that returned is on disk, by the server's own `synchronous_commit=on`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import asyncpg
from sqlalchemy import Table

from hub.errors import ConfigError, Unavailable
from hub.store.connection import Connection, Database, Duplicate, Row
from hub.store.statement import DIALECTS, Statement

P = ParamSpec("P")
T = TypeVar("T")

_COPY_ROWS_MIN = 50  # COPY takes a round trip more, and half the time for each row


async def open_postgresql(url: str, *, connections_max: int) -> "PostgresDatabase":
    """Open a pool of connections.

    Raises:
        ConfigError: the server cannot be reached, or does not let us in.
    """
    try:
        pool = await asyncpg.create_pool(
            url, min_size=1, max_size=connections_max, statement_cache_size=1024, reset=_no_reset, command_timeout=60,
            server_settings={"jit": "off", "application_name": "fusion-hub"},
        )  # fmt: skip
    except (OSError, asyncpg.PostgresError) as e:
        raise ConfigError(f"cannot connect to PostgreSQL: {e}") from e
    return PostgresDatabase(pool)


async def _no_reset(_: asyncpg.Connection) -> None:
    """Nothing that the hub runs changes a session, so there is nothing to undo between two uses."""


class PostgresConnection(Connection):
    """The verbs on an asyncpg connection."""

    dialect = "postgresql"

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def fetch(self, statement: Statement, **values: Any) -> list[Row]:
        text, bound = statement.bound(self.dialect, values)
        return await self.raw.fetch(text, *bound)  # type: ignore[no-any-return]

    async def execute(self, statement: Statement, **values: Any) -> int:
        text, bound = statement.bound(self.dialect, values)
        done: str = await self.raw.execute(text, *bound)  # "UPDATE 3"
        return int(done.rpartition(" ")[2]) if done[-1].isdigit() else 0

    async def execute_many(self, statement: Statement, rows: Sequence[dict[str, Any]]) -> None:
        bound = [statement.bound(self.dialect, values) for values in rows]
        if bound:
            await self.raw.executemany(bound[0][0], [values for _, values in bound])

    async def insert_many(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        if len(rows) >= _COPY_ROWS_MIN:
            await self.raw.copy_records_to_table(table.name, columns=columns, records=rows)
        elif rows:
            # One round trip whatever the number of rows: a column travels as an array.
            arrays = ", ".join(f"${n}::{table.c[name].type.compile(DIALECTS[self.dialect])}[]" for n, name in enumerate(columns, 1))
            text = f'INSERT INTO "{table.name}" ({", ".join(columns)}) SELECT * FROM unnest({arrays})'
            await self.raw.execute(text, *zip(*rows, strict=True))


class PostgresDatabase(Database):
    """A pool of connections to PostgreSQL."""

    dialect = "postgresql"

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        async with _postgres_errors(), self._pool.acquire(timeout=10) as raw:
            yield PostgresConnection(raw)

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        async with _postgres_errors(), self._pool.acquire(timeout=10) as raw, raw.transaction(isolation="repeatable_read", readonly=True):
            yield PostgresConnection(raw)

    async def write(self, work: Callable[Concatenate[Connection, P], Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        self.writing += 1
        try:
            async with _postgres_errors(), self._pool.acquire(timeout=10) as raw, raw.transaction():
                return await work(PostgresConnection(raw), *args, **kwargs)
        finally:
            self.writing -= 1

    async def close(self) -> None:
        try:
            await asyncio.wait_for(self._pool.close(), timeout=10)
        except TimeoutError:
            self._pool.terminate()


@contextlib.asynccontextmanager
async def _postgres_errors() -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as e:
        raise Duplicate(e.constraint_name or "") from e
    except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.OperatorInterventionError, asyncpg.InsufficientResourcesError,
            asyncpg.TransactionRollbackError, ConnectionError, TimeoutError) as e:  # fmt: skip
        raise Unavailable("the database cannot take this now; try again later", reason=f"{type(e).__name__}: {e}") from e
