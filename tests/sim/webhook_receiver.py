"""A receiver of webhooks, as a security team might run one, and one with bad manners.

Knobs, to be turned at any time:
    answers   answers to give to the next messages, instead of 200
    agrees    whether it answers challenges with their nonce
    origins   what it answers to OPTIONS as WebHook-Allowed-Origin; None: nothing
    stall     an event: while it is set to one, messages wait for it
    secrets   `whsec_…`: where there are any, a message that the published library does not verify is answered 401
    closes    the connection is closed after each answer

`received` holds what it took, in order; `connections` counts those that were opened. `arrived()` waits for the next messages.
"""

import asyncio
import contextlib
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import standardwebhooks
from aiohttp import web

WITHIN_S = 30.0


@dataclass(frozen=True)
class Received:
    """A message that was taken."""

    id: str
    body: bytes
    headers: dict[str, str]

    @property
    def event(self) -> Any:
        return json.loads(self.body)


@dataclass
class Answer:
    """An answer that is not 200. Where `endless` is set, its body never ends."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    endless: bool = False


class WebhookReceiver:
    """One address that takes webhooks."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.agrees = True
        self.origins: str | None = None
        self.stall: asyncio.Event | None = None
        self.secrets: list[str] = []
        self.closes = False
        self.received: list[Received] = []
        self.refused: list[str] = []  # ids of messages whose signature was not good
        self.options: list[str | None] = []  # the WebHook-Request-Origin of each
        self.connections = 0
        self.bytes_given = 0  # of endless answers
        self.given_up = asyncio.Event()  # set when an endless answer was cut off
        self.url = ""
        self._came = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def serving(
        self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator["WebhookReceiver"]:
        """Serve on a port of this machine."""
        handler = web.Server(self._handle, access_log=None)

        def connected() -> asyncio.Protocol:
            self.connections += 1
            return handler()

        server = await asyncio.get_running_loop().create_server(connected, host, port, ssl=tls)
        self.url = f"{'https' if tls else 'http'}://{host}:{server.sockets[0].getsockname()[1]}/hook"
        try:
            yield self
        finally:
            server.close()
            await handler.shutdown(0.1)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2].partition("/")[0])

    async def arrived(self, count: int = 1) -> list[Received]:
        """Wait until so many messages were taken in all, and return them."""
        async with asyncio.timeout(WITHIN_S), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)
        return self.received

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS":
            self.options.append(request.headers.get("WebHook-Request-Origin"))
            return web.Response(headers={"WebHook-Allowed-Origin": self.origins} if self.origins else {})
        body = await request.read()
        if self.stall is not None:
            await self.stall.wait()
        message = Received(request.headers.get("webhook-id", ""), body, dict(request.headers))
        if self.secrets and not self._is_signed(message):
            self.refused.append(message.id)
            return web.Response(status=401)
        if self.agrees and body.startswith(b'{"type":"challenge"'):
            return web.json_response({"challenge": message.event["challenge"]})
        async with self._came:
            self.received.append(message)
            self._came.notify_all()
        answer = self.answers.popleft() if self.answers else Answer()
        return await self._endless(request, answer) if answer.endless else self._answered(answer)

    def _answered(self, answer: Answer) -> web.Response:
        response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        if self.closes:
            response.force_close()
        return response

    async def _endless(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        await response.prepare(request)
        try:
            while True:
                await response.write(answer.body)
                self.bytes_given += len(answer.body)
        finally:  # the other side has had enough
            self.given_up.set()

    def _is_signed(self, message: Received) -> bool:
        for secret in self.secrets:
            with contextlib.suppress(standardwebhooks.webhooks.WebhookVerificationError):
                standardwebhooks.Webhook(secret).verify(message.body, message.headers, json_parse=False)
                return True
        return False
