"""A receiver as members have them: a server on a port of its own that checks, keeps and answers what it is sent."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook


@dataclass(frozen=True)
class Received:
    """A message that came."""

    id: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]


@dataclass
class Receiver:
    """What came, and how it is answered."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    answer: Callable[["Received"], Awaitable[web.Response]] | None = None  # None: 204
    agrees: bool = True
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def until(self, count: int, *, within_s: float = 20.0) -> list[Received]:
        """Wait until so many messages came, and return all."""
        async with asyncio.timeout(within_s), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)
        return self.received

    @property
    def kinds(self) -> list[str]:
        return [message.json["type"].removeprefix("fusion-hub.") for message in self.received]

    @property
    def objects(self) -> list[str]:
        return [message.data["object_id"] for message in self.received]

    def verified(self, key: str, messages: Sequence[Received] | None = None) -> list[Any]:
        """Return what came, all or some, as the published library reads it, which refuses what is not well signed."""
        return [Webhook(key).verify(message.body, message.headers) for message in (self.received if messages is None else messages)]

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.method == "OPTIONS":
            return web.Response(headers={"WebHook-Allowed-Origin": "*"} if self.agrees else {})
        found = json.loads(body)
        if found.get("type") == "challenge":
            return web.json_response({"challenge": found["challenge"]}) if self.agrees else web.Response(status=404)
        message = Received(request.headers["webhook-id"], {k.lower(): v for k, v in request.headers.items()}, body)
        async with self._came:
            self.received.append(message)
            self._came.notify_all()
        return web.Response(status=204) if self.answer is None else await self.answer(message)


@contextlib.asynccontextmanager
async def receiving(path: str = "/hook") -> AsyncIterator[Receiver]:
    """Serve a receiver."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", path, receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}{path}"
    try:
        yield receiver
    finally:
        await runner.cleanup()
