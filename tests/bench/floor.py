"""The floor: the least that an aiohttp process must do over the same store. Run as `python -m tests.bench.floor URL COLLECTION_ROW`.

* `GET /objects?limit=&after=`: one keyset query over the hub's own tables (entry joined with version), bodies joined; no
  authentication, no policy, no TAXII.
* `POST /objects`: the envelope split, each object checked against the compiled OASIS schema, all inserted in one transaction into a
  table of three columns and one unique index, and a status that names each object.

It uses the same drivers, the same durability and the same event loop as the hub.
"""

import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from typing import Any, Protocol

import asyncpg
import msgspec
import orjson
import uvloop
from aiohttp import web

from hub.domain.stix_schema import check_shape
from hub.store.sqlite import connect_sqlite

_PAGE = """
    SELECT entry.date_us, version.body FROM entry JOIN version ON version.row = entry.version_row
    WHERE entry.collection_row = {0} AND entry.date_us > {1} AND entry.superseded_us IS NULL
    ORDER BY entry.date_us LIMIT {2}
"""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS floor_object (stix_id TEXT NOT NULL, version TEXT NOT NULL, body {0} NOT NULL, UNIQUE (stix_id, version))"
)
_BODY_BYTES_MAX = 64 * 1024 * 1024

Rows = list[tuple[str, str, bytes]]


class Store(Protocol):
    """The two things that the floor asks of a database."""

    async def page(self, after_us: int, limit: int) -> list[tuple[int, bytes]]: ...
    async def insert(self, rows: Rows) -> None: ...


class _Sqlite:
    def __init__(self, path: str, collection_row: int) -> None:
        self._raw = connect_sqlite(path)
        self._raw.execute(_TABLE.format("BLOB"))
        self._collection_row = collection_row
        self._query = _PAGE.format("?", "?", "?")

    async def page(self, after_us: int, limit: int) -> list[tuple[int, bytes]]:
        return self._raw.execute(self._query, (self._collection_row, after_us, limit)).fetchall()

    async def insert(self, rows: Rows) -> None:
        self._raw.execute("BEGIN IMMEDIATE")
        try:
            self._raw.executemany("INSERT INTO floor_object VALUES (?, ?, ?)", rows)
        except sqlite3.Error:
            self._raw.execute("ROLLBACK")
            raise
        self._raw.execute("COMMIT")

    async def close(self) -> None:
        self._raw.close()


class _Postgres:
    def __init__(self, pool: asyncpg.Pool, collection_row: int) -> None:
        self._pool = pool
        self._collection_row = collection_row
        self._query = _PAGE.format("$1", "$2", "$3")

    async def page(self, after_us: int, limit: int) -> list[tuple[int, bytes]]:
        async with self._pool.acquire() as conn:
            return await conn.fetch(self._query, self._collection_row, after_us, limit)

    async def insert(self, rows: Rows) -> None:
        async with self._pool.acquire() as conn:
            await conn.execute(
                "INSERT INTO floor_object SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])", *zip(*rows, strict=True)
            )

    async def close(self) -> None:
        await self._pool.close()


async def _no_reset(_: asyncpg.Connection) -> None:
    """As in the hub: nothing changes a session, so there is nothing to undo between two uses."""


async def _open(url: str, collection_row: int) -> _Sqlite | _Postgres:
    if url.startswith("sqlite:///"):
        return _Sqlite(url.removeprefix("sqlite:///"), collection_row)
    pool = await asyncpg.create_pool(url, min_size=1, max_size=10, reset=_no_reset, server_settings={"jit": "off"})
    async with pool.acquire() as conn:
        await conn.execute(_TABLE.format("BYTEA"))
    return _Postgres(pool, collection_row)


class _Envelope(msgspec.Struct):
    objects: list[msgspec.Raw]


_ENVELOPE = msgspec.json.Decoder(_Envelope)
STORE = web.AppKey("store", Store)


async def _get(request: web.Request) -> web.Response:
    limit = int(request.query["limit"])
    rows = await request.app[STORE].page(int(request.query["after"]), limit + 1)
    more = b'],"more":true,"next":"%d"}' % rows[limit - 1][0] if len(rows) > limit else b"]}"
    return web.Response(body=b'{"objects":[' + b",".join([row[1] for row in rows[:limit]]) + more, content_type="application/json")


async def _post(request: web.Request) -> web.Response:
    rows: Rows = []
    for raw in _ENVELOPE.decode(await request.read()).objects:
        body = bytes(raw)
        obj: dict[str, Any] = orjson.loads(body)
        check_shape(obj)
        rows.append((obj["id"], obj["modified"], body))
    await request.app[STORE].insert(rows)
    status = {"status": "complete", "success_count": len(rows), "successes": [{"id": row[0], "version": row[1]} for row in rows]}
    return web.Response(body=orjson.dumps(status), status=202, content_type="application/json")


def build_floor(url: str, collection_row: int) -> web.Application:
    async def opened(app: web.Application) -> AsyncIterator[None]:
        store = await _open(url, collection_row)
        app[STORE] = store
        yield
        await store.close()

    app = web.Application(client_max_size=_BODY_BYTES_MAX)
    app.cleanup_ctx.append(opened)
    app.add_routes([web.get("/objects", _get), web.post("/objects", _post)])
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(
        build_floor(sys.argv[1], int(sys.argv[2])), host="127.0.0.1", port=int(os.environ["FLOOR_PORT"]), access_log=None, print=None
    )
