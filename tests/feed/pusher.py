"""A hub in a process of its own that pushes and is killed at a named point. Run by test_never_lose.

    python -m tests.feed.pusher URL ALIAS MEMBER POINT FIRST COUNT

It pushes envelopes of ten indicators as the first member, and writes the number of an envelope to standard output once that is
acknowledged. The process kills itself (SIGKILL) at POINT of envelope COUNT.
"""

import asyncio
import json
import os
import signal
import sys
import uuid
from typing import Any

from hub.config import load_config
from hub.domain.member import Principal, Role
from hub.service.admit import push
from hub.service.context import open_hub
from hub.store.database import Connection, Database, open_database

POINTS = ("before the transaction", "inside the transaction", "before the commit", "after the commit")
ENVELOPE_OBJECTS = 10


class Killing(Database):
    """A database that is killed together with its process at a named point of its writes."""

    def __init__(self, inner: Database) -> None:
        self.inner, self.dialect = inner, inner.dialect
        self.point: str | None = None

    def read(self) -> Any:
        return self.inner.read()

    def snapshot(self) -> Any:
        return self.inner.snapshot()

    async def close(self) -> None:
        await self.inner.close()

    @property
    def writing(self) -> int:
        return self.inner.writing

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        async def watched(conn: Connection) -> Any:
            if self.point == "inside the transaction":
                conn = KilledAfter(conn, 4)
            result = await work(conn, *args, **kwargs)
            self.die_at("before the commit")
            return result

        self.die_at("before the transaction")
        result = await self.inner.write(watched)
        self.die_at("after the commit")
        return result

    def die_at(self, point: str) -> None:
        if self.point == point:
            os.kill(os.getpid(), signal.SIGKILL)


class KilledAfter(Connection):
    """A connection whose process dies with its n-th statement."""

    def __init__(self, inner: Connection, statements: int) -> None:
        self.inner, self.dialect, self.left = inner, inner.dialect, statements

    async def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    async def fetch(self, statement: Any, **values: Any) -> Any:
        await self._count()
        return await self.inner.fetch(statement, **values)

    async def execute(self, statement: Any, **values: Any) -> int:
        await self._count()
        return await self.inner.execute(statement, **values)

    async def change(self, changes: Any) -> None:
        await self._count()
        await self.inner.change(changes)

    async def next_rows(self, table: Any, count: int) -> Any:
        return await self.inner.next_rows(table, count)


def indicators(envelope: int) -> list[dict[str, object]]:
    """The objects of the n-th envelope."""
    return [
        {
            "type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid5(uuid.NAMESPACE_OID, f'{envelope}.{n}')}",
            "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern_type": "stix",
            "pattern": f"[ipv4-addr:value = '203.0.113.{n}']", "valid_from": "2026-01-01T00:00:00Z",
        }
        for n in range(ENVELOPE_OBJECTS)
    ]  # fmt: skip


async def main(url: str, alias: str, member: str, point: str, first: int, count: int) -> None:
    db = Killing(await open_database(url))
    hub = await open_hub(load_config(environ={}, database_url=url), db)
    directory = await hub.directory()
    principal = Principal("test", Role.PUBLISHER, directory.find_member(member))
    for number in range(first, first + count):
        if number == first + count - 1:
            db.point = point
        status = await push(hub, directory, principal, "hub", alias, json.dumps({"objects": indicators(number)}).encode())
        assert len(status.successes) == ENVELOPE_OBJECTS, status.failures
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5], int(sys.argv[5]), int(sys.argv[6])))
