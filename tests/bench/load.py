"""A client that costs little: requests are bytes made beforehand, answers are counted, not parsed.

Each connection sends its next request when the answer to the last one is whole, so `connections` is how many are under way.
"""

import asyncio
import re
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

MEDIA_TYPE = "application/taxii+json;version=2.1"
HOST = "127.0.0.1"

ANSWER_S_MAX = 120.0

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_END = b"\r\n\r\n"


class Refused(Exception):
    """A server answered a measured request otherwise than with success."""


@dataclass(slots=True)
class Load:
    """What was measured of a load."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)  # in seconds, in the order of the answers
    received: int = 0  # bytes of bodies

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Return the latency that `percent` of the requests stayed below, in milliseconds."""
        ordered = sorted(self.latencies)
        return 1_000 * ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]

    @property
    def median_ms(self) -> float:
        return 1_000 * statistics.median(self.latencies)


def get(path: str, token: str | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a GET request."""
    return _request("GET", path, token, headers or {})


def post(path: str, body: bytes, token: str | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a POST request with a TAXII body."""
    return _request("POST", path, token, {"Content-Type": MEDIA_TYPE, "Content-Length": str(len(body)), **(headers or {})}) + body


async def run(port: int, requests: Iterator[bytes], *, connections: int, seconds: float = float("inf")) -> Load:
    """Send requests until there are no more, or for some seconds; what is under way then is finished.

    Raises:
        Refused: an answer is no success, or a connection ended within one.
        TimeoutError: nothing ended the load in time.
    """
    load = Load()
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    until = began + seconds
    clients = [_Client(port, requests, load, until, loop.create_future()) for _ in range(connections)]
    try:
        async with asyncio.timeout((seconds if seconds < ANSWER_S_MAX else 0) + ANSWER_S_MAX):
            for client in clients:
                await client.connect()
            for client in clients:
                await client.done
    finally:
        for client in clients:
            client.close()
    load.seconds = time.perf_counter() - began
    return load


async def fetch(port: int, request: bytes) -> bytes:
    """Return the body of one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        head = await reader.readuntil(_END)
        return await reader.readexactly(_length(head))
    finally:
        writer.close()


def _request(method: str, path: str, token: str | None, headers: Mapping[str, str]) -> bytes:
    lines = {"Host": HOST, "Accept": MEDIA_TYPE, **headers}
    if token is not None:
        lines["Authorization"] = f"Bearer {token}"
    return "\r\n".join([f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in lines.items()), "", ""]).encode()


def _length(head: bytes) -> int:
    length = _LENGTH.search(head)
    if length is None or head[9:10] != b"2":
        raise Refused(head.decode(errors="replace"))
    return int(length[1])


class _Client(asyncio.Protocol):
    """One connection after another: a server may close each after its answer."""

    def __init__(self, port: int, requests: Iterator[bytes], load: Load, until: float, done: "asyncio.Future[None]") -> None:
        self.done = done
        self._port = port
        self._requests = requests
        self._load = load
        self._until = until
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._missing = -1  # bytes of the body that have not come; -1: the head is not whole yet
        self._closes = False
        self._began = 0.0
        self._next = next(requests, None)
        self._reconnecting: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done() and self._reconnecting is None:
            self.done.set_exception(Refused(f"the connection ended within an answer: {exc}"))

    def data_received(self, data: bytes) -> None:
        if self._missing < 0:
            self._head += data
            end = self._head.find(_END)
            if end < 0:
                return
            head, data = self._head[: end + 2], self._head[end + 4 :]
            try:
                self._missing = _length(head)
            except Refused as e:
                if not self.done.done():
                    self.done.set_exception(e)
                return
            self._load.received += self._missing
            self._closes = _CLOSE.search(head) is not None
        self._missing -= len(data)
        if self._missing <= 0:
            self._finish()

    def _send(self) -> None:
        assert self._transport is not None
        if self._next is None or time.perf_counter() >= self._until:
            self.done.set_result(None)
            return
        self._head, self._missing = b"", -1
        self._began = time.perf_counter()
        self._transport.write(self._next)

    def _finish(self) -> None:
        self._load.latencies.append(time.perf_counter() - self._began)
        self._next = next(self._requests, None)
        if not self._closes:
            self._send()
        elif self._next is None or time.perf_counter() >= self._until:
            self.done.set_result(None)
        else:
            self._reconnecting = asyncio.ensure_future(self._reconnect())

    async def _reconnect(self) -> None:
        # A connection for each request is part of what such a server's clients pay, so its time counts with the next request.
        try:
            self.close()
            await self.connect()
        except OSError as e:
            if not self.done.done():
                self.done.set_exception(e)
