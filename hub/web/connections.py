"""The open connections of one process, and the limits that aiohttp does not keep.

* At most `connections_max` are open; more wait in the socket's queue to be accepted.
* A request's line and headers arrive within `headers_timeout_s` of the connection's opening, or of the request's first byte.
* A client that takes nothing of an answer for `keepalive_s` is cut off.
* When the process stops, whoever has connected is still answered.

aiohttp itself closes connections that are idle for `keepalive_s`, and `hub.web.limits.read_body` limits the time for a body.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any, cast

import structlog
from aiohttp import hdrs, web
from multidict import CIMultiDict, CIMultiDictProxy

from hub.config import Config

_LOOK_EVERY_S = 0.25  # one look at all connections costs less than a timer for each request
_TLS_END_S = 5.0  # for the client to agree to the end of TLS
_PAUSE_S = 1.0  # before accepting again when the system has no descriptor left

log = structlog.get_logger(__name__)


class Connections:
    """Accepts connections from one socket, hands them to aiohttp and watches over them. Belongs to one event loop."""

    def __init__(self, config: Config, *, tell_number: Callable[[int], None]) -> None:
        """Make it without any connection; `tell_number` is told how many are open whenever that changes."""
        self._config = config
        self._tell_number = tell_number
        self._watched: dict[object, _Watched] = {}  # by aiohttp's protocol
        self._handshakes = 0
        self._changed = asyncio.Event()
        self._sock: socket.socket | None = None  # None: accepts no (more) connections
        self._paused = False
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def accepting(self, sock: socket.socket, server: web.Server, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
        """Accept connections from a listening socket and watch over them for as long as the context lasts."""
        make_request = server.request_factory

        def make_noticed_request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
            # aiohttp calls this when it has read a request's headers.
            if (watched := self._watched.get(protocol)) is not None:
                watched.request_began()
            return make_request(_without_unknown_expectation(message), payload, protocol, writer, task)

        server.request_factory = make_noticed_request
        self._opening = partial(self._open, server=server, tls=tls)
        watch = self._begin(self._watch())
        sock.settimeout(0)
        self._sock = sock
        self._resume()
        try:
            yield
        finally:
            self.refuse(leave_queued=True)
            watch.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def refuse(self, *, leave_queued: bool) -> None:
        """Accept no more connections; those in the socket's queue are left to other processes, or else accepted first."""
        if self._sock is None:
            return
        asyncio.get_running_loop().remove_reader(self._sock)
        with contextlib.suppress(OSError):  # no descriptor is left: the rest cannot be helped
            while not leave_queued and self._has_room() and self._accept_one(self._sock):
                pass
        self._sock = None

    async def wait_until_answered(self, *, idle_too: bool, within_s: float) -> None:
        """Wait until each client that has just connected has had an answer, and, with `idle_too`, until no connection is left."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._handshakes or any(idle_too or watched.is_new for watched in self._watched.values()):
                    self._changed.clear()
                    await self._changed.wait()

    def request_ended(self, protocol: object) -> None:
        """Note that the connection of `protocol` has been sent its answer."""
        if (watched := self._watched.get(protocol)) is not None:
            watched.request_ended()
            self._changed.set()

    def opened(self, watched: "_Watched") -> None:
        """Note a connection that is now open."""
        self._watched[watched.protocol] = watched
        self._tell_number(len(self._watched))

    def closed(self, watched: "_Watched") -> None:
        """Note a connection that is no more."""
        self._watched.pop(watched.protocol, None)
        self._tell_number(len(self._watched))
        self._room_made()

    def _room_made(self) -> None:
        self._changed.set()
        if self._paused:
            self._resume()

    def _has_room(self) -> bool:
        return len(self._watched) + self._handshakes < self._config.connections_max

    def _resume(self) -> None:
        self._paused = False
        if self._sock is not None:
            asyncio.get_running_loop().add_reader(self._sock, self._accept)

    def _pause(self) -> None:
        self._paused = True
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock)

    def _accept(self) -> None:
        """Take one connection; the loop calls again while more wait, so that processes on one socket share them evenly."""
        if self._sock is None:
            return
        if not self._has_room():
            self._pause()
            return
        try:
            self._accept_one(self._sock)
        except OSError as e:
            log.error("cannot accept connections just now", reason=str(e))  # noqa: TRY400 - the reason says all
            self._pause()
            asyncio.get_running_loop().call_later(_PAUSE_S, self._resume)

    def _accept_one(self, sock: socket.socket) -> bool:
        try:
            taken, _ = sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False  # another process took it, or the client went away
        taken.settimeout(0)
        self._handshakes += 1
        self._begin(self._opening(taken))
        return True

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # No TaskGroup: one that is open around somebody else's block would wrap the errors of that block.
        task = asyncio.create_task(work, name="connections")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _open(self, taken: socket.socket, *, server: web.Server, tls: ssl.SSLContext | None) -> None:
        timeouts = {"ssl_handshake_timeout": float(self._config.headers_timeout_s), "ssl_shutdown_timeout": _TLS_END_S} if tls else {}
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: _Watched(server(), self), taken, ssl=tls, **timeouts)
        except OSError as e:
            # TLS that could not be agreed, or a client that went away: nothing that the hub could mend.
            log.debug("a connection was not opened", reason=str(e))
            taken.close()
        finally:
            self._handshakes -= 1
            self._room_made()

    async def _watch(self) -> None:
        """Close, again and again, the connections that took too long."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            now = loop.time()
            for watched in list(self._watched.values()):
                watched.look(now, headers_timeout_s=self._config.headers_timeout_s, stall_s=self._config.keepalive_s)


class _Watched(asyncio.Protocol):
    """aiohttp's protocol for one connection, and what must be known about it to keep the time limits."""

    __slots__ = ("_answering", "_awaiting_since", "_connections", "_loop", "_stalled", "is_new", "protocol", "transport")

    def __init__(self, protocol: web.RequestHandler, connections: Connections) -> None:
        self.protocol = protocol
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self.is_new = True  # no request was answered yet
        self._answering = False
        self._awaiting_since: float | None = None  # None: no headers are awaited
        self._stalled: tuple[float, int] | None = None  # since when, and with how many bytes, an answer waits to be taken

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is none by its class
        self._awaiting_since = self._loop.time()
        self._connections.opened(self)
        self.protocol.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._awaiting_since is None and not self._answering:
            self._awaiting_since = self._loop.time()
        self.protocol.data_received(data)

    def eof_received(self) -> bool | None:
        self.protocol.eof_received()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.closed(self)
        self.protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._stalled = (self._loop.time(), self.transport.get_write_buffer_size())
        self.protocol.pause_writing()

    def resume_writing(self) -> None:
        self._stalled = None
        self.protocol.resume_writing()

    def request_began(self) -> None:
        self._answering = True
        self._awaiting_since = None

    def request_ended(self) -> None:
        self._answering = False
        self.is_new = False

    def look(self, now: float, *, headers_timeout_s: float, stall_s: float) -> None:
        """Close the connection if it took too long."""
        if self._awaiting_since is not None and now - self._awaiting_since > headers_timeout_s:
            self.transport.abort()
        elif self._stalled is not None:
            since, waiting = self._stalled
            still_waiting = self.transport.get_write_buffer_size()
            if still_waiting < waiting:
                self._stalled = (now, still_waiting)  # slow, but it takes
            elif now - since > stall_s:
                self.transport.abort()


def _without_unknown_expectation(message: Any) -> Any:
    """Ignore an expectation that HTTP does not know (RFC 9110 §10.1.1): aiohttp would answer it itself, before anything here is asked."""
    expected = message.headers.get(hdrs.EXPECT)
    if expected is None or expected.lower() == "100-continue":
        return message
    headers = CIMultiDict(message.headers)
    headers.popall(hdrs.EXPECT)
    return message._replace(headers=CIMultiDictProxy(headers))


CONNECTIONS = web.AppKey("connections", Connections)
