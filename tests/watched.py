"""Databases and connections that pass all on, for tests that watch what goes through or let something happen around it."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from hub.store.database import Connection, Database


class Watched(Database):
    """Passes all on to another database. Who watches overrides what it is about."""

    def __init__(self, inner: Database) -> None:
        self.inner, self.dialect = inner, inner.dialect

    def read(self) -> Any:
        return self.inner.read()

    def snapshot(self) -> Any:
        return self.inner.snapshot()

    async def close(self) -> None:
        await self.inner.close()

    @property
    def writing(self) -> int:  # type: ignore[override]
        return self.inner.writing

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        return await self.inner.write(work, *args, **kwargs)


class WatchedConnection(Connection):
    """Passes all on to another connection. Who watches overrides what it is about."""

    def __init__(self, inner: Connection) -> None:
        self.inner, self.dialect = inner, inner.dialect

    async def fetch(self, statement: Any, **values: Any) -> Any:
        return await self.inner.fetch(statement, **values)

    async def execute(self, statement: Any, **values: Any) -> int:
        return await self.inner.execute(statement, **values)

    async def change(self, changes: Any) -> None:
        await self.inner.change(changes)

    async def next_rows(self, table: Any, count: int) -> Any:
        return await self.inner.next_rows(table, count)


class Counting(Watched):
    """Counts the rows that are read."""

    def __init__(self, inner: Database) -> None:
        super().__init__(inner)
        self.rows = 0

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        async with self.inner.read() as conn:
            yield _CountingConnection(conn, self)

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        async with self.inner.snapshot() as conn:
            yield _CountingConnection(conn, self)


class _CountingConnection(WatchedConnection):
    def __init__(self, inner: Connection, counting: Counting) -> None:
        super().__init__(inner)
        self._counting = counting

    async def fetch(self, statement: Any, **values: Any) -> Any:
        rows = await super().fetch(statement, **values)
        self._counting.rows += len(rows)
        return rows
