"""Finding the addresses of endpoints' names, in threads of its own.

The system's resolver blocks for as long as a name server keeps silent, and whoever owns a name can let it be silent. In asyncio's common
threads that would hold up all else that the hub does in threads, log-ins among it.

* Names have `THREADS_MAX` threads, and each name is looked for once at a time, however many requests wait for it.
* Nothing is remembered: where a name leads is for `hub.outbound.egress` to judge, each time anew.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

THREADS_MAX = 32

Lookup = Callable[..., list[tuple[Any, ...]]]
"""`socket.getaddrinfo`, or what does the same."""


class NameResolver(AbstractResolver):
    """Asks the system's resolver."""

    def __init__(self, lookup: Lookup = socket.getaddrinfo) -> None:
        """Start no thread yet."""
        self._lookup = lookup
        self._threads = ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="endpoint-names")
        self._asked: dict[tuple[str, int, int], asyncio.Future[list[tuple[Any, ...]]]] = {}

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Return the addresses of a name.

        Raises:
            OSError: it has none.
        """
        key = (host, port, family)
        found = self._asked.get(key)
        if found is None:
            found = self._asked[key] = asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: self._lookup(host, port, family=family, type=socket.SOCK_STREAM)
            )
            found.add_done_callback(lambda done: self._forget(key, done))
        try:
            infos = await asyncio.shield(found)  # who gives up waiting does not spoil it for the others
        except UnicodeError as e:
            raise OSError("no name can be so") from e
        return [_result(host, port, *info) for info in infos]

    async def close(self) -> None:
        """Let threads end when they have an answer."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _forget(self, key: tuple[str, int, int], done: asyncio.Future[list[tuple[Any, ...]]]) -> None:
        del self._asked[key]
        if not done.cancelled():
            done.exception()  # told to whoever waits; it is no news that nobody does any longer


def _result(host: str, port: int, family: int, _kind: int, protocol: int, _name: str, address: tuple[Any, ...]) -> ResolveResult:
    # Of an address with a zone the zone is left out: it is link-local, and refused with or without.
    return ResolveResult(
        hostname=host, host=str(address[0]), port=port, family=family, proto=protocol, flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    )
