"""A database that is killed together with its process (SIGKILL), for tests of what then is found."""

import os
import signal
from typing import Any

from hub.store.database import Connection, Database
from tests.watched import Watched, WatchedConnection

STATEMENTS = 3  # of a transaction: the process dies with the last of them


class Killing(Watched):
    """A database whose process dies at a named point of its writes, the n-th time that it gets there."""

    def __init__(self, inner: Database, point: str | None = None, *, times: int = 1) -> None:
        super().__init__(inner)
        self.point = point  # None: it lives
        self._left = times

    def die_at(self, point: str) -> None:
        """Die if this is the point, and the time."""
        if self.point == point:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        async def watched(conn: Connection) -> Any:
            if self.point == "inside the transaction":
                conn = KilledAfter(conn, STATEMENTS)
            result = await work(conn, *args, **kwargs)
            self.die_at("before the commit")
            return result

        self.die_at("before the transaction")
        result = await self.inner.write(watched)
        self.die_at("after the commit")
        return result


class KilledAfter(WatchedConnection):
    """A connection whose process dies with its n-th statement."""

    def __init__(self, inner: Connection, statements: int) -> None:
        super().__init__(inner)
        self._left = statements

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    async def fetch(self, statement: Any, **values: Any) -> Any:
        self._count()
        return await super().fetch(statement, **values)

    async def execute(self, statement: Any, **values: Any) -> int:
        self._count()
        return await super().execute(statement, **values)

    async def change(self, changes: Any) -> None:
        self._count()
        await super().change(changes)
