"""Another TAXII 2.1 server, to pull from and push to, with the manners of the real ones.

Knobs, to be turned at any time:
    paging    how it pages: by `next` that says where it is (as OpenTAXII), by `next` that it remembers and forgets after use, and for
              which it wants a `limit` (as medallion), or by date alone, without `next`
    page_max  objects in a page at most, whatever is asked for
    faults    answers to give to the next requests for objects and the next pushes, instead of pages and statuses
    fault_after how many pages to give first, and then which answer, once
    stall     an event: while it is set to one, requests for objects wait for it
    packed    compress pages with gzip
    dated     False: no X-TAXII-Date-Added headers
    pending   how often a status is `pending` before it is complete
    refused   ids of objects that it refuses, each with the message

`requests` holds what it was asked for objects, in order; `signed_in` the Authorization headers; `pushed` the objects that it took,
`push_lengths` the size of each body. Dates are given with the objects, in
microseconds, so that many can share one.
"""

import asyncio
import contextlib
import gzip
import json
import uuid
from collections import deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from aiohttp import web

MEDIA_TYPE = "application/taxii+json;version=2.1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Paging(Enum):
    """How a server says where the next page begins."""

    POSITION = "by a next that says where it is"
    MEMORY = "by a next that it forgets"
    DATE = "by date alone"


@dataclass
class Fault:
    """An answer that is no page."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b'{"title": "fault"}'
    content_type: str = MEDIA_TYPE


class TaxiiPeer:
    """One API Root with one collection."""

    def __init__(self) -> None:
        self.collection_id = str(uuid.uuid4())
        self.paging = Paging.POSITION
        self.page_max = 1_000
        self.faults: deque[Fault] = deque()
        self.fault_after: tuple[int, Fault] | None = None
        self.stall: asyncio.Event | None = None
        self.stalled = asyncio.Event()  # set when a request waits for `stall`
        self.packed = False
        self.dated = True
        self.pending = 0
        self.refused: dict[str, str] = {}
        self.requests: list[dict[str, str]] = []
        self.signed_in: list[str | None] = []
        self.pushed: list[dict[str, Any]] = []
        self.push_lengths: list[int] = []
        self.content_length_max = 10_000_000
        self.url = ""
        self._held: list[tuple[int, bytes]] = []
        self._memory: dict[str, int] = {}
        self._statuses: dict[str, dict[str, Any]] = {}

    def add(self, objects: Iterable[bytes], *, at_us: int | None = None) -> None:
        """Add objects, all at one date, or each a millisecond after the one before."""
        for body in objects:
            self._held.append((at_us if at_us is not None else (self._held[-1][0] if self._held else 0) + 1_000, body))

    def forget(self) -> None:
        """Forget every `next` that was given out."""
        self._memory.clear()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["TaxiiPeer"]:
        """Serve on a free port of this machine."""
        app = web.Application(client_max_size=100_000_000)
        collection = f"/taxii2/root/collections/{self.collection_id}/"
        app.router.add_get("/taxii2/root/", self._root)
        app.router.add_get(collection, self._collection)
        app.router.add_get(f"{collection}objects/", self._objects)
        app.router.add_post(f"{collection}objects/", self._push)
        app.router.add_get("/taxii2/root/status/{id}/", self._status)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            self.url = f"http://{host}:{port}{collection}"
            yield self
        finally:
            await runner.cleanup()

    async def _root(self, _: web.Request) -> web.Response:
        return _json({"title": "root", "versions": [MEDIA_TYPE], "max_content_length": self.content_length_max})

    async def _collection(self, request: web.Request) -> web.Response:
        self.signed_in.append(request.headers.get("Authorization"))
        return _json({"id": self.collection_id, "title": "collection", "can_read": True, "can_write": True})

    async def _objects(self, request: web.Request) -> web.Response:
        self.requests.append(dict(request.query))
        if self.stall is not None:
            self.stalled.set()
            await self.stall.wait()
        if self.fault_after is not None:
            pages, fault = self.fault_after
            self.fault_after = (pages - 1, fault) if pages else None
            if not pages:
                return _answer(fault)
        if self.faults:
            return _answer(self.faults.popleft())
        return self._page(request)

    def _page(self, request: web.Request) -> web.Response:
        after = request.query.get("added_after")
        if after is not None and "." not in after:
            return _answer(Fault(400))  # as OpenTAXII, which wants the digits of the fraction
        start = next((i for i, (date, _) in enumerate(self._held) if date > _microseconds(after)), len(self._held)) if after else 0
        token = request.query.get("next")
        if token is not None:
            if self.paging is Paging.MEMORY:
                if token not in self._memory or "limit" not in request.query:
                    return _answer(Fault(400))
                start = self._memory.pop(token)
            else:
                start = int(token)
        end = min(start + min(int(request.query.get("limit", self.page_max)), self.page_max), len(self._held))
        if self.paging is Paging.DATE and end < len(self._held):
            while end > start and self._held[end - 1][0] == self._held[end][0]:  # never inside a group of equal dates
                end -= 1
        return self._rendered(start, end)

    def _rendered(self, start: int, end: int) -> web.Response:
        page = self._held[start:end]
        envelope: list[bytes] = []
        if end < len(self._held):
            envelope.append(b'"more":true')
            if self.paging is not Paging.DATE:
                envelope.append(b'"next":"' + self._next(end).encode() + b'"')
        if page:
            envelope.append(b'"objects":[' + b",".join(body for _, body in page) + b"]")
        headers = {"Content-Type": MEDIA_TYPE}
        if page and self.dated:
            headers |= {"X-TAXII-Date-Added-First": _timestamp(page[0][0]), "X-TAXII-Date-Added-Last": _timestamp(page[-1][0])}
        body = b"{" + b",".join(envelope) + b"}"
        if self.packed:
            return web.Response(body=gzip.compress(body), headers=headers | {"Content-Encoding": "gzip"})
        return web.Response(body=body, headers=headers)

    def _next(self, position: int) -> str:
        if self.paging is Paging.POSITION:
            return str(position)
        token = uuid.uuid4().hex
        self._memory[token] = position
        return token

    async def _push(self, request: web.Request) -> web.Response:
        if self.faults:
            return _answer(self.faults.popleft())
        self.push_lengths.append(len(await request.read()))
        objects = (await request.json())["objects"]
        failures = [
            {"id": obj["id"], "version": obj.get("modified", "none"), "message": self.refused[obj["id"]]}
            for obj in objects
            if obj["id"] in self.refused
        ]
        self.pushed += [obj for obj in objects if obj["id"] not in self.refused]
        status = {
            "id": str(uuid.uuid4()),
            "status": "complete",
            "total_count": len(objects),
            "success_count": len(objects) - len(failures),
            "failure_count": len(failures),
            "pending_count": 0,
        }
        self._statuses[status["id"]] = {**status, **({"failures": failures} if failures else {})}
        return self._told(status["id"], status=202)

    async def _status(self, request: web.Request) -> web.Response:
        return self._told(request.match_info["id"], status=200)

    def _told(self, id: str, *, status: int) -> web.Response:
        held = self._statuses[id]
        if self.pending:
            self.pending -= 1
            total = held["total_count"]
            held = {"id": id, "status": "pending", "total_count": total, "success_count": 0, "failure_count": 0, "pending_count": total}
        return _json(held, status=status)


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=json.dumps(value).encode(), headers={"Content-Type": MEDIA_TYPE})


def _answer(fault: Fault) -> web.Response:
    return web.Response(status=fault.status, body=fault.body, headers={"Content-Type": fault.content_type, **fault.headers})


def _timestamp(us: int) -> str:
    return (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _microseconds(text: str) -> int:
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)
