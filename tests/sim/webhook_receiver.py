"""A receiver of webhooks, as a security team might run one, and one with bad manners.

Knobs, to be turned at any time:
    answers   answers to give to the next messages
    answer    what is asked for the answer to a message where there are none of these; None: 200
    agrees    whether it answers challenges with their nonce, or as `answers` say, else 404
    origins   what it answers to OPTIONS as WebHook-Allowed-Origin; None: nothing
    secrets   `whsec_…`: where there are any, a message that the published library does not verify is answered 401

`received` holds what it took, in order, challenges left out; `connections` counts those that were opened. `until()` waits for messages,
`hold()` leaves them without an answer for a while.
"""

import asyncio
import contextlib
import json
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from multidict import CIMultiDictProxy
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

WITHIN_S = 30.0


@dataclass(frozen=True)
class Received:
    """A message that was taken."""

    id: str
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def data(self) -> Any:
        return self.json["data"]


@dataclass
class Answer:
    """An answer of the receiver's. Where `endless` is set, its body never ends."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    endless: bool = False


class Receiver:
    """One address that takes webhooks."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.answer: Callable[[Received], Awaitable[web.Response]] | None = None
        self.agrees = True
        self.origins: str | None = None
        self.secrets: list[str] = []
        self.received: list[Received] = []
        self.options: list[str | None] = []  # the WebHook-Request-Origin of each
        self.connections = 0
        self.given_up = asyncio.Event()  # set when an endless answer was cut off
        self.url = ""
        self._came = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def serving(self, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator["Receiver"]:
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

    async def until(self, count: int) -> list[Received]:
        """Wait until so many messages were taken in all, and return them."""
        async with asyncio.timeout(WITHIN_S), self._came:
            await self._came.wait_for(lambda: len(self.received) >= count)
        return self.received

    def hold(self) -> asyncio.Event:
        """Answer only when the event that this returns is set."""
        go_on = asyncio.Event()

        async def wait(_: Received) -> web.Response:
            await go_on.wait()
            return web.Response(status=204)

        self.answer = wait
        return go_on

    @property
    def kinds(self) -> list[str]:
        """What was told of, in order."""
        return [message.json["type"].removeprefix("fusion-hub.") for message in self.received]

    @property
    def objects(self) -> list[str]:
        """The ids of the objects that were told of, in order."""
        return [message.data["object_id"] for message in self.received]

    def verified(self, key: str, messages: Sequence[Received] | None = None) -> list[Any]:
        """Return what came, all or some, as the published library reads it, which refuses what is not well signed."""
        return [Webhook(key).verify(message.body, message.headers) for message in (self.received if messages is None else messages)]

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "OPTIONS":
            self.options.append(request.headers.get("WebHook-Request-Origin"))
            return web.Response(headers={"WebHook-Allowed-Origin": self.origins} if self.origins else {})
        message = Received(request.headers.get("webhook-id", ""), request.headers, await request.read())
        if self.secrets and not any(_is_signed(message, secret) for secret in self.secrets):
            return web.Response(status=401)
        if message.body.startswith(b'{"type":"challenge"'):
            return self._answered_challenge(message)
        async with self._came:
            self.received.append(message)
            self._came.notify_all()
        if not self.answers and self.answer is not None:
            return await self.answer(message)
        answer = self.answers.popleft() if self.answers else Answer()
        return await self._endless(request, answer) if answer.endless else _response(answer)

    def _answered_challenge(self, message: Received) -> web.Response:
        if self.agrees:
            return web.json_response({"challenge": message.json["challenge"]})
        return _response(self.answers.popleft() if self.answers else Answer(404))

    async def _endless(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=answer.headers)
        await response.prepare(request)
        try:
            while True:
                await response.write(answer.body)
        finally:  # the other side has had enough
            self.given_up.set()


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def _is_signed(message: Received, secret: str) -> bool:
    try:
        Webhook(secret).verify(message.body, message.headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True
