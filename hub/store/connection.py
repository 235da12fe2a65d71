"""What store functions are given: the same few verbs on both databases, and the ways in."""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Table

from hub.errors import Conflict
from hub.store.statement import Statement

P = ParamSpec("P")
T = TypeVar("T")
Row = Sequence[Any]


class Duplicate(Conflict):
    """A row broke a uniqueness rule; `constraint` is its name in the schema."""

    def __init__(self, constraint: str) -> None:
        super().__init__("this exists already", constraint=constraint)
        self.constraint = constraint


@dataclass(frozen=True, slots=True)
class Change:
    """Rows to insert into a table, their values in the order of `columns`; or, where `keys` is not 0, rows to update."""

    table: Table
    columns: tuple[str, ...]
    rows: Sequence[Row]
    keys: int = 0  # so many of the first columns say which row is meant, the others what it becomes


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
    async def change(self, changes: Sequence[Change]) -> None:
        """Make changes of which none builds on another: in one round trip, where there are round trips and rows are few."""

    @abstractmethod
    async def next_rows(self, table: Table, count: int) -> Sequence[int]:
        """Return numbers for new rows of a table that has a column `row`; nobody else is given them."""

    async def insert_many(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert rows whose values stand in the order of `columns`."""
        await self.change([Change(table, tuple(columns), rows)])

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
