"""Connections and transactions on SQLite and PostgreSQL, over the drivers themselves.

SQLAlchemy builds and compiles the statements; its engine does not run them, because its cost per statement is that of a
whole page of the feed. Rules:

* A statement is made once, at module level, with `prepare()`, and compiled once per dialect.
* On SQLite a read runs on the event loop itself (a keyset read takes less than a thread hop) and all writes run on one
  thread; writes that wait together share one transaction on disk, each in a savepoint of its own. So a function given to
  `write` awaits nothing but its connection's methods.
* On PostgreSQL each read takes a connection from the pool, and each write a transaction.
* A commit that returned is on disk: `synchronous=FULL`, `synchronous_commit=on`.
"""

import asyncio
import contextlib
import logging
import queue
import re
import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

import asyncpg
import orjson
from sqlalchemy import BigInteger, Boolean, Table, Text, bindparam
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import asyncpg as asyncpg_dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement, ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from hub.errors import ConfigError, Conflict, Unavailable

P = ParamSpec("P")
T = TypeVar("T")
Row = Sequence[Any]

log = logging.getLogger(__name__)

_SQLITE = "sqlite"
_DIALECTS = {_SQLITE: sqlite.dialect(paramstyle="qmark"), "postgresql": asyncpg_dialect.dialect()}  # type: ignore[no-untyped-call]
_WRITES_TOGETHER_MAX = 64  # transactions that share one commit
_READERS_MAX = 32  # idle SQLite read connections that are kept


class Duplicate(Conflict):
    """A row broke a uniqueness rule; `constraint` is its name in the schema."""

    def __init__(self, constraint: str) -> None:
        super().__init__("this exists already", constraint=constraint)
        self.constraint = constraint


class Statement:
    """A statement compiled once for each dialect: its text, and its parameters in order."""

    def __init__(self, clause: ClauseElement) -> None:
        self._clause = clause
        self._compiled: dict[str, _Compiled] = {}

    def bound(self, dialect: str, given: dict[str, Any]) -> tuple[str, list[Any]]:
        """Return the text and the values for one execution."""
        compiled = self._compiled.get(dialect)
        if compiled is None:
            compiled = self._compiled[dialect] = self._compile(dialect)
        values = [given[name] for name in compiled.names] if compiled.all_given else compiled.values(given)
        for place in compiled.lists:
            values[place] = orjson.dumps(values[place]).decode()
        return compiled.text, values

    def _compile(self, dialect: str) -> "_Compiled":
        compiled = self._clause.compile(dialect=_DIALECTS[dialect], compile_kwargs={"render_postcompile": True})
        assert isinstance(compiled, SQLCompiler), "a statement, not a definition"
        names = tuple(compiled.positiontup or ())
        constants = {name: value for name, value in compiled.params.items() if value is not None or name.startswith("param_")}
        # On SQLite a list travels as JSON text, see `among`.
        is_list = {name: dialect == _SQLITE and isinstance(compiled.binds[name].type, ARRAY) for name in names}
        lists = tuple(place for place, name in enumerate(names) if is_list[name])
        return _Compiled(str(compiled), names, constants, lists, all_given=not constants)


@dataclass(frozen=True, slots=True)
class _Compiled:
    text: str
    names: tuple[str, ...]
    constants: dict[str, Any]
    lists: tuple[int, ...]  # places whose values travel as JSON text
    all_given: bool  # whether no parameter has a value of its own

    def values(self, given: dict[str, Any]) -> list[Any]:
        return [given[name] if name in given else self.constants[name] for name in self.names]


def prepare(clause: ClauseElement) -> Statement:
    """Wrap a Core statement for repeated execution. Values come by the names of its `bindparam`s."""
    return Statement(clause)


class among(ColumnElement[bool]):  # noqa: N801 - reads as an operator
    """`column` is one of the values in the list parameter `name`: one statement for lists of any length."""

    inherit_cache = False
    type = Boolean()
    _is_implicitly_boolean = True

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        self.column = column
        self.bind = bindparam(name, type_=ARRAY(Text() if isinstance(column.type, Text) else BigInteger()))


@compiles(among, _SQLITE)
def _among_sqlite(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} IN (SELECT value FROM json_each({compiler.process(element.bind, **kw)}))"


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{compiler.process(element.column, **kw)} = ANY ({compiler.process(element.bind, **kw)})"


class values_of(FunctionElement[Any]):  # noqa: N801 - reads as a function
    """The values of the list parameter `name` as rows of one column, `value`."""

    inherit_cache = False
    name = "values_of"

    def __init__(self, name: str, item: type[Text] | type[BigInteger]) -> None:
        self.bind = bindparam(name, type_=ARRAY(item()))
        super().__init__()


@compiles(values_of, _SQLITE)
def _values_of_sqlite(element: values_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_each({compiler.process(element.bind, **kw)})"


@compiles(values_of, "postgresql")
def _values_of_postgresql(element: values_of, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(SELECT unnest({compiler.process(element.bind, **kw)}) AS value)"


class Connection(ABC):
    """What store functions get: the same few verbs on both databases."""

    dialect: str

    @abstractmethod
    async def fetch(self, statement: Statement, **values: Any) -> list[Row]:
        """Return all rows, as tuples in the statement's column order."""

    @abstractmethod
    async def execute(self, statement: Statement, **values: Any) -> int:
        """Run a statement and return how many rows it touched."""

    @abstractmethod
    async def execute_many(self, statement: Statement, rows: Sequence[dict[str, Any]]) -> None:
        """Run a statement once for each dict of values."""

    @abstractmethod
    async def insert_many(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert rows whose values stand in the order of `columns`."""

    async def fetch_one(self, statement: Statement, **values: Any) -> Row | None:
        """Return the first row, or None."""
        rows = await self.fetch(statement, **values)
        return rows[0] if rows else None

    async def fetch_value(self, statement: Statement, **values: Any) -> Any:
        """Return the first column of the first row, or None."""
        rows = await self.fetch(statement, **values)
        return rows[0][0] if rows else None


class Database(ABC):
    """A database that is open. `read` and `write` are the only ways in."""

    dialect: str
    writing = 0  # write transactions that wait or run

    @abstractmethod
    def read(self) -> contextlib.AbstractAsyncContextManager[Connection]:
        """Lend a connection for reading. Each statement sees what was committed when it began."""

    @abstractmethod
    def snapshot(self) -> contextlib.AbstractAsyncContextManager[Connection]:
        """Lend a connection for reading whose statements all see the same moment."""

    @abstractmethod
    async def write(self, work: Callable[Concatenate[Connection, P], Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work(conn, …)` in one transaction, and return what it returns once that is committed.

        Raises:
            Duplicate: a uniqueness rule was broken.
            Unavailable: the database cannot be reached, is locked or is full.
        """

    @abstractmethod
    async def close(self) -> None:
        """Finish what was begun and close every connection."""


async def open_database(url: str, *, connections_max: int = 10) -> Database:
    """Open the database that `url` names (see `Config.database_url`)."""
    if url.startswith("sqlite:///"):
        return _open_sqlite(url.removeprefix("sqlite:///"))
    try:
        pool = await asyncpg.create_pool(
            url, min_size=1, max_size=connections_max, statement_cache_size=1024, reset=_no_reset, command_timeout=60,
            server_settings={"jit": "off", "application_name": "fusion-hub"},
        )  # fmt: skip
    except (OSError, asyncpg.PostgresError) as e:
        raise ConfigError(f"cannot connect to PostgreSQL: {e}") from e
    return PostgresDatabase(pool)


def _open_sqlite(path: str) -> "SqliteDatabase":
    if not Path(path).exists():  # to open it would make an empty one
        raise ConfigError(f"there is no database {path}; run `hub migrate` first")
    return SqliteDatabase(path)


async def _no_reset(_: asyncpg.Connection) -> None:
    """Nothing that the hub runs changes a session, so there is nothing to undo between two uses."""


# --- SQLite ---------------------------------------------------------------------------------------------------------------


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

    async def execute_many(self, statement: Statement, rows: Sequence[dict[str, Any]]) -> None:
        bound = [statement.bound(_SQLITE, values) for values in rows]
        if bound:
            with _sqlite_errors():
                self.raw.executemany(bound[0][0], [values for _, values in bound])

    async def insert_many(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        places = ", ".join("?" * len(columns))
        with _sqlite_errors():
            self.raw.executemany(f'INSERT INTO "{table.name}" ({", ".join(columns)}) VALUES ({places})', rows)


class SqliteDatabase(Database):
    """One file, one writing thread, readers on the event loop."""

    dialect = _SQLITE

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: list[SqliteConnection] = []
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_loop, name="sqlite-writer", daemon=True)
        self._writer.start()

    def read(self) -> contextlib.AbstractAsyncContextManager[Connection]:
        return _LentReader(self)

    def take_reader(self) -> SqliteConnection:
        """Return a connection that nobody uses."""
        return self._idle.pop() if self._idle else SqliteConnection(connect_sqlite(self._path))

    def give_reader(self, conn: SqliteConnection) -> None:
        """Take a connection back."""
        if len(self._idle) < _READERS_MAX:
            self._idle.append(conn)
        else:
            conn.raw.close()

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

    def _write_loop(self) -> None:
        conn = SqliteConnection(connect_sqlite(self._path))
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


class _LentReader(contextlib.AbstractAsyncContextManager[Connection]):
    """A reader for the length of a block. A class of its own, as `asynccontextmanager` costs as much as a seek."""

    __slots__ = ("_conn", "_db")

    def __init__(self, db: SqliteDatabase) -> None:
        self._db = db

    async def __aenter__(self) -> SqliteConnection:
        self._conn = self._db.take_reader()
        return self._conn

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._db.give_reader(self._conn)


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
        for write in writes:
            raw.execute("SAVEPOINT one")
            try:
                write.outcome = _drive(write.work(conn))
            except BaseException as e:  # noqa: BLE001 - it is the waiting task's to see
                write.error = e
                raw.execute("ROLLBACK TO one")
            raw.execute("RELEASE one")
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
    try:
        raw = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=10)
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=10000",
            "cache_size=-65536",
            "mmap_size=1073741824",
        ):
            raw.execute(f"PRAGMA {pragma}")
    except sqlite3.Error as e:
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
    full_or_busy = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR)
    if isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF in full_or_busy:
        return Unavailable("the database cannot take this now; try again later", reason=str(error))
    return error


def _duplicate_of(message: str) -> Duplicate | None:
    """Name the constraint as the schema does: SQLite only tells the columns."""
    match = re.fullmatch(r"UNIQUE constraint failed: (.+)", message)
    if match is None:
        return None
    columns = [column.split(".") for column in match[1].split(", ")]
    return Duplicate("_".join(["uq", columns[0][0], *(name for _, name in columns)]))


# --- PostgreSQL -----------------------------------------------------------------------------------------------------------


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
        if not rows:
            return
        # One round trip whatever the number of rows: a column travels as an array.
        arrays = ", ".join(f"${n}::{table.c[name].type.compile(_DIALECTS[self.dialect])}[]" for n, name in enumerate(columns, 1))
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
