"""PostgreSQL over asyncpg: each read takes a connection from the pool, each write a transaction.

A commit that returned is on disk, by the server's own `synchronous_commit=on`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import lru_cache
from typing import Any, Concatenate, ParamSpec, TypeVar

import asyncpg
from sqlalchemy import Table

from hub.errors import ConfigError, Unavailable
from hub.store.connection import Change, Connection, Database, Duplicate, Row
from hub.store.statement import DIALECTS, Statement

P = ParamSpec("P")
T = TypeVar("T")

_COPY_ROWS_MIN = 50  # COPY takes a round trip more, and half the time for each row
_IDLE_MAX = 4  # connections that are kept at hand beside the pool
_ROWS_AHEAD = 1_000  # numbers of new rows that a process takes at once; those that are left when it ends are never used
# What runs often has an index, and its plan is kept, as to make one would take as long as a page. One that was made while a table was small
# would go on walking it when it is large.
_SESSION = {"jit": "off", "enable_seqscan": "off", "plan_cache_mode": "force_generic_plan", "application_name": "fusion-hub"}


async def open_postgresql(url: str, *, connections_max: int) -> "PostgresDatabase":
    """Open a pool of connections.

    Raises:
        ConfigError: the server cannot be reached, or does not let us in.
    """
    with _connect_errors():
        pool = await asyncpg.create_pool(
            url, min_size=1, max_size=connections_max, statement_cache_size=1024, reset=_no_reset, command_timeout=60,
            server_settings=_SESSION,
        )  # fmt: skip
    return PostgresDatabase(pool)


async def connect_postgresql(url: str) -> asyncpg.Connection:
    """Open one connection, for who needs no pool.

    Raises:
        ConfigError: the server cannot be reached, or does not let us in.
    """
    with _connect_errors():
        return await asyncpg.connect(url)


@contextlib.contextmanager
def _connect_errors() -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as e:  # ValueError: what the URL asks for is not to be had
        raise ConfigError(f"cannot connect to PostgreSQL: {str(e) or 'it does not answer'}") from e


async def _no_reset(_: asyncpg.Connection) -> None:
    """Nothing that the hub runs changes a session, so there is nothing to undo between two uses."""


class PostgresConnection(Connection):
    """The verbs on an asyncpg connection."""

    dialect = "postgresql"

    def __init__(self, raw: Any, rows_ahead: dict[str, list[int]]) -> None:
        self.raw = raw
        self._rows_ahead = rows_ahead

    async def fetch(self, statement: Statement, **values: Any) -> list[Row]:
        text, bound = statement.bound(self.dialect, values)
        return await self.raw.fetch(text, *bound)  # type: ignore[no-any-return]

    async def execute(self, statement: Statement, **values: Any) -> int:
        text, bound = statement.bound(self.dialect, values)
        done: str = await self.raw.execute(text, *bound)  # "UPDATE 3"
        return int(done.rpartition(" ")[2]) if done[-1].isdigit() else 0

    async def change(self, changes: Sequence[Change]) -> None:
        small = []
        for change in changes:
            if len(change.rows) >= _COPY_ROWS_MIN and not change.keys:
                await self.raw.copy_records_to_table(change.table.name, columns=change.columns, records=change.rows)
            elif change.rows:
                small.append(change)
        if small:
            text = _change_text(tuple((change.table, change.columns, change.keys) for change in small))
            await self.raw.execute(text, *(values for change in small for values in zip(*change.rows, strict=True)))

    async def next_rows(self, table: Table, count: int) -> Sequence[int]:
        ahead = self._rows_ahead.setdefault(table.name, [])
        if len(ahead) < count:
            text = f"SELECT nextval('{table.name}_row_seq') FROM generate_series(1, $1)"
            ahead.extend(row[0] for row in await self.raw.fetch(text, count + _ROWS_AHEAD))
        taken, ahead[:] = ahead[:count], ahead[count:]
        return taken


class PostgresDatabase(Database):
    """A pool of connections to PostgreSQL.

    What went well is kept at hand for the next, unless somebody waits for the pool: to give back and take costs as much as a small query.
    """

    dialect = "postgresql"

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._idle: list[Any] = []  # taken from the pool and lent to nobody
        self._waiting = 0  # for a connection of the pool
        self._rows_ahead: dict[str, list[int]] = {}  # numbers for new rows that this process has taken, by table

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        async with _postgres_errors(), self._lend() as raw:
            yield PostgresConnection(raw, self._rows_ahead)

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        async with _postgres_errors(), self._lend() as raw, raw.transaction(isolation="repeatable_read", readonly=True):
            yield PostgresConnection(raw, self._rows_ahead)

    async def write(self, work: Callable[Concatenate[Connection, P], Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        self.writing += 1
        try:
            async with _postgres_errors(), self._lend() as raw, raw.transaction():
                return await work(PostgresConnection(raw, self._rows_ahead), *args, **kwargs)
        finally:
            self.writing -= 1

    async def close(self) -> None:
        try:
            async with asyncio.timeout(10):
                while self._idle:
                    await self._pool.release(self._idle.pop())
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @contextlib.asynccontextmanager
    async def _lend(self) -> AsyncIterator[Any]:
        raw = await self._take()
        try:
            yield raw
        except BaseException:
            await self._pool.release(raw)  # which sees to what was cut off
            raise
        if self._waiting or len(self._idle) >= _IDLE_MAX:
            await self._pool.release(raw)
        else:
            self._idle.append(raw)

    async def _take(self) -> Any:
        while self._idle:
            raw = self._idle.pop()
            if not raw.is_closed():
                return raw
            await self._pool.release(raw)
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=10)
        finally:
            self._waiting -= 1


@lru_cache(maxsize=256)
def _change_text(shapes: tuple[tuple[Table, tuple[str, ...], int], ...]) -> str:
    """Return one statement for several changes, whatever the number of their rows: each column travels as an array."""
    parts = []
    place = 0
    for table, columns, keys in shapes:
        names = [f'"{column}"' for column in columns]
        types = [table.c[column].type.compile(DIALECTS["postgresql"]) for column in columns]
        arrays = ", ".join(f"${place + n}::{type}[]" for n, type in enumerate(types, 1))
        place += len(columns)
        if keys:
            values = ", ".join(f"{name} = new.{name}" for name in names[keys:])
            meant = " AND ".join(f'"{table.name}".{name} = new.{name}' for name in names[:keys])
            parts.append(f'UPDATE "{table.name}" SET {values} FROM unnest({arrays}) AS new({", ".join(names)}) WHERE {meant}')
        else:
            parts.append(f'INSERT INTO "{table.name}" ({", ".join(names)}) SELECT * FROM unnest({arrays})')
    *before, last = parts
    return (f"WITH {', '.join(f'part_{n} AS ({part})' for n, part in enumerate(before))} " if before else "") + last


@contextlib.asynccontextmanager
async def _postgres_errors() -> AsyncIterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as e:
        raise Duplicate(e.constraint_name or "") from e
    except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.OperatorInterventionError,
            asyncpg.InsufficientResourcesError, asyncpg.TransactionRollbackError, asyncpg.ReadOnlySQLTransactionError,
            asyncpg.IdleInTransactionSessionTimeoutError, asyncpg.PostgresSystemError, ConnectionError, TimeoutError) as e:  # fmt: skip
        raise Unavailable("the database cannot take this now; try again later", reason=f"{type(e).__name__}: {e}") from e
