"""The embedded database: reads on the event loop, all writes on one thread.

* A keyset read takes less than a thread hop would, so it runs where it is asked for.
* Writes that wait together share one transaction on disk, each in a savepoint of its own. So a function given to `write`
  awaits nothing but its connection's methods: these complete without suspending.
* A commit that returned is on disk: WAL, `synchronous=FULL`.
"""

import asyncio
import contextlib
import logging
import queue
import re
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from sqlalchemy import Table

from hub.errors import ConfigError, Unavailable
from hub.store.connection import Change, Connection, Database, Duplicate, Row
from hub.store.statement import Statement

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger(__name__)

_SQLITE = "sqlite"
_WRITES_TOGETHER_MAX = 64  # transactions that share one commit
# Rows of one statement. The driver lets go of the interpreter for each, and must wait for it again while another thread computes.
_ROWS_TOGETHER_MAX = 128
_READERS_MAX = 32  # idle read connections that are kept
_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    "busy_timeout=10000",
    "cache_size=-8192",  # small, as the system keeps the file's pages anyway: so memory does not grow with what is stored
    # In pages. A push of 1,000 writes some 1,500: by the default each would copy them all into the file before its commit returns.
    "wal_autocheckpoint=8000",
)


def open_sqlite(path: str) -> "SqliteDatabase":
    """Open a database file.

    Raises:
        ConfigError: there is no such file, or it cannot be opened.
    """
    if not Path(path).exists():  # to open it would make an empty one
        raise ConfigError(f"there is no database {path}; run `hub migrate` first")
    return SqliteDatabase(path)


class SqliteConnection(Connection):
    """The verbs on a SQLite connection. They complete without suspending, so a writer's thread can drive them."""

    dialect = _SQLITE

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw

    async def fetch(self, statement: Statement, **values: Any) -> list[Row]:
        try:
            return self.raw.execute(*statement.bound(_SQLITE, values)).fetchall()
        except sqlite3.Error as e:
            raise _sqlite_error(e) from e

    async def execute(self, statement: Statement, **values: Any) -> int:
        with _sqlite_errors():
            return self.raw.execute(*statement.bound(_SQLITE, values)).rowcount

    async def change(self, changes: Sequence[Change]) -> None:
        with _sqlite_errors():
            for change in changes:
                for first, count in _stretches(len(change.rows)):
                    rows = change.rows[first : first + count]
                    self.raw.execute(_change_text(change.table.name, change.columns, change.keys, count), [*chain.from_iterable(rows)])

    async def next_rows(self, table: Table, count: int) -> Sequence[int]:
        # Nobody else writes before this transaction ends.
        with _sqlite_errors():
            (last,) = self.raw.execute(f'SELECT max("row") FROM "{table.name}"').fetchone()
        first = (last or 0) + 1
        return range(first, first + count)


class SqliteDatabase(Database):
    """One file, one writing thread, readers on the event loop."""

    dialect = _SQLITE

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: list[_Reader] = []
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        conn = SqliteConnection(connect_sqlite(path))
        self._writer = threading.Thread(target=self._write_loop, args=(conn,), name="sqlite-writer", daemon=True)
        self._writer.start()

    def read(self) -> contextlib.AbstractAsyncContextManager[Connection]:
        return self._idle.pop() if self._idle else _Reader(connect_sqlite(self._path), self._idle)

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        async with self.read() as conn:
            assert isinstance(conn, SqliteConnection), "ours"
            conn.raw.execute("BEGIN")
            try:
                yield conn
            finally:
                conn.raw.execute("COMMIT")

    async def write(self, work: Callable[Concatenate[Connection, P], Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        if not self._writer.is_alive():
            raise Unavailable("the hub is stopping")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._writes.put(_Write(lambda conn: work(conn, *args, **kwargs), loop, future))
        self.writing += 1
        future.add_done_callback(self._written)
        # A commit that was begun is finished whatever becomes of the caller.
        return await asyncio.shield(future)

    def _written(self, _: asyncio.Future[Any]) -> None:
        self.writing -= 1

    async def close(self) -> None:
        self._writes.put(None)
        await asyncio.to_thread(self._writer.join)
        for conn in self._idle:
            conn.raw.close()
        self._idle.clear()

    def _write_loop(self, conn: SqliteConnection) -> None:
        conn.raw.execute("PRAGMA temp_store=MEMORY")  # what a savepoint and a statement of many rows would restore is no work for the disk
        stopping = False
        while not stopping:
            together = [self._writes.get()]
            while together[-1] is not None and len(together) < _WRITES_TOGETHER_MAX:
                try:
                    together.append(self._writes.get_nowait())
                except queue.Empty:
                    break
            stopping = together[-1] is None
            _commit_together(conn, [write for write in together if write is not None])
        conn.raw.close()


class _Reader(SqliteConnection, contextlib.AbstractAsyncContextManager[Connection]):
    """A connection for reading that puts itself back. It is its own context: one more object a read would cost as much as a seek."""

    def __init__(self, raw: sqlite3.Connection, idle: "list[_Reader]") -> None:
        super().__init__(raw)
        self._idle = idle

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if len(self._idle) < _READERS_MAX:
            self._idle.append(self)
        else:
            self.raw.close()


class _Write:
    """One transaction that waits for the writing thread."""

    def __init__(
        self, work: Callable[[Connection], Coroutine[Any, Any, Any]], loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any]
    ) -> None:
        self.work, self.loop, self.future = work, loop, future
        self.outcome: Any = None
        self.error: BaseException | None = None

    def report(self) -> None:
        """Hand the outcome to the waiting task; a loop that was closed meanwhile waits for nothing."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._settle)

    def _settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.outcome)


def _commit_together(conn: SqliteConnection, writes: list[_Write]) -> None:
    """Run writes in one transaction on disk, each undone alone where it fails; report them when all is committed."""
    if not writes:
        return
    raw = conn.raw
    try:
        with _sqlite_errors():
            raw.execute("BEGIN IMMEDIATE")
        if len(writes) == 1:  # a savepoint would keep a second copy of every page that it changes
            _run(conn, writes[0], undo="ROLLBACK")
        else:
            for write in writes:
                raw.execute("SAVEPOINT one")
                _run(conn, write, undo="ROLLBACK TO one")
                raw.execute("RELEASE one")
        if raw.in_transaction:
            with _sqlite_errors():
                raw.execute("COMMIT")
    except BaseException as e:
        with contextlib.suppress(sqlite3.Error):
            raw.execute("ROLLBACK")
        for write in writes:
            write.error = write.error or e
        if not isinstance(e, (Unavailable, sqlite3.Error)):
            log.exception("the writing thread failed")
    for write in writes:
        write.report()


def _run(conn: SqliteConnection, write: _Write, *, undo: str) -> None:
    try:
        write.outcome = _drive(write.work(conn))
    except BaseException as e:  # noqa: BLE001 - it is the waiting task's to see
        write.error = e
        conn.raw.execute(undo)


def _stretches(count: int) -> Iterator[tuple[int, int]]:
    """Cut so many rows into stretches whose lengths are powers of two, so that few statements do for all; yield where each begins."""
    first, length = 0, _ROWS_TOGETHER_MAX
    while first < count:
        while length > count - first:
            length //= 2
        yield first, length
        first += length


@lru_cache(maxsize=512)
def _change_text(table: str, columns: tuple[str, ...], keys: int, count: int) -> str:
    names = ", ".join(f'"{column}"' for column in columns)
    rows = ", ".join([f"({', '.join('?' * len(columns))})"] * count)
    if not keys:
        return f'INSERT INTO "{table}" ({names}) VALUES {rows}'
    equal = [f'"{column}" = new."{column}"' for column in columns]
    meant = " AND ".join(f'"{table}".{one}' for one in equal[:keys])
    return f'WITH new({names}) AS (VALUES {rows}) UPDATE "{table}" SET {", ".join(equal[keys:])} FROM new WHERE {meant}'


def _drive(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that awaits nothing but a SQLite connection to its end."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    coroutine.close()
    raise RuntimeError("a write transaction awaited something other than its connection")


def connect_sqlite(path: str) -> sqlite3.Connection:
    """Open a SQLite file for use by one thread at a time: WAL, `synchronous=FULL`, foreign keys on."""
    raw = None
    try:
        raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=10)
        for pragma in _PRAGMAS:
            raw.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as e:
        if raw is not None:
            raw.close()
        raise ConfigError(f"cannot open the SQLite database {path}: {e}") from e
    return raw


@contextlib.contextmanager
def _sqlite_errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as e:
        raise _sqlite_error(e) from e


def _sqlite_error(error: sqlite3.Error) -> Exception:
    """Return what an error of the driver means to callers; itself, where it is our own mistake."""
    if isinstance(error, sqlite3.IntegrityError):
        return _duplicate_of(str(error)) or error
    not_now = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY)
    if isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in not_now:
        return Unavailable("the database cannot take this now; try again later", reason=str(error))
    return error


def _duplicate_of(message: str) -> Duplicate | None:
    """Name the constraint as the schema does: SQLite only tells the columns."""
    match = re.fullmatch(r"UNIQUE constraint failed: (.+)", message)
    if match is None:
        return None
    columns = [column.split(".") for column in match[1].split(", ")]
    return Duplicate("_".join(["uq", columns[0][0], *(name for _, name in columns)]))
