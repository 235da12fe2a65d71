"""The one way out for requests to addresses that others have given.

* Each socket is made here, when its final address is known, and refused where `hub.outbound.target` says so. aiohttp asks no resolver
  for an address that is written as one, and a name may resolve otherwise from one moment to the next: so a check of names, or in a
  resolver, could be passed by. This one is behind both.
* Nothing of the environment counts: no proxies, no `.netrc`. No redirects are followed, no cookies kept, no names remembered.
* Endpoints that differ in certificate, authority or opened networks share no connections.
"""

import asyncio
import os
import socket
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver

from hub.domain.webhooks.subscription import Endpoint
from hub.errors import Invalid
from hub.outbound.resolver import NameResolver
from hub.outbound.target import REFUSED, Network, Rules, may_connect, networks_of

CONNECT_S = 5.0
TOTAL_S = 15.0
_IDLE_S = 15.0
_SESSIONS_MAX = 256  # of endpoints with manners of their own, that are kept open while nothing is sent
_READ_BYTES = 16_384  # that are taken off a connection before somebody asks for them


class TargetRefused(OSError):
    """A socket would have led where the hub may not send."""

    def __init__(self) -> None:
        super().__init__(REFUSED)


class _Loan:
    """A session, lent for as long as the context lasts: to several requests at a time."""

    def __init__(self, session: aiohttp.ClientSession, returned: Callable[[], Awaitable[None]]) -> None:
        self.session, self._returned = session, returned
        self.uses = 0  # now

    async def __aenter__(self) -> aiohttp.ClientSession:
        self.uses += 1
        return self.session

    async def __aexit__(self, *raised: object) -> None:
        self.uses -= 1
        await self._returned()


class Egress:
    """Sessions that connect only where endpoints may be. One per process; made and closed in its event loop."""

    def __init__(self, rules: Rules, *, resolver: AbstractResolver | None = None, total_s: float = TOTAL_S) -> None:
        """Open nothing yet.

        Args:
            resolver: finds addresses, and is closed with this; None takes the system's.
            total_s: the time that a request may take, its answer included.
        """
        self.rules = rules
        self.total_s = total_s
        self._resolver = resolver or NameResolver()
        self._open: OrderedDict[tuple[str | None, str | None, tuple[str, ...]], _Loan] = OrderedDict()
        self._opening = asyncio.Lock()

    async def session(self, endpoint: Endpoint) -> AbstractAsyncContextManager[aiohttp.ClientSession]:
        """Lend the session for an endpoint; it may be closed once it was given back.

        Raises:
            Invalid: its certificate, authority or networks cannot be used.
        """
        manners = (endpoint.client_certificate, endpoint.ca, endpoint.private_cidrs)
        held = self._open.get(manners)
        if held is None:
            async with self._opening:
                held = self._open.get(manners)
                if held is None:
                    tls = await asyncio.to_thread(tls_for, endpoint)
                    held = self._open[manners] = _Loan(self._make(tls, networks_of(endpoint.private_cidrs)), self._close_idle)
        self._open.move_to_end(manners)
        return held

    async def close(self) -> None:
        """Close all connections."""
        while self._open:
            await self._open.popitem()[1].session.close()
        await self._resolver.close()

    async def _close_idle(self) -> None:
        if len(self._open) > _SESSIONS_MAX:
            idle = next((manners for manners, held in self._open.items() if not held.uses), None)
            if idle is not None:
                await self._open.pop(idle).session.close()

    def _make(self, tls: ssl.SSLContext, opened: tuple[Network, ...]) -> aiohttp.ClientSession:
        def make_socket(address: aiohttp.AddrInfoType) -> socket.socket:
            family, kind, protocol, _, target = address
            if not may_connect(str(target[0]), opened):
                raise TargetRefused
            return socket.socket(family, kind, protocol)

        connector = aiohttp.TCPConnector(
            socket_factory=make_socket, resolver=self._resolver, use_dns_cache=False, ssl=tls, limit=0, keepalive_timeout=_IDLE_S
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self.total_s, sock_connect=CONNECT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            read_bufsize=_READ_BYTES,
        )


def tls_for(endpoint: Endpoint) -> ssl.SSLContext:
    """Return TLS for an endpoint: its authorities or the public ones, and its client certificate where it has one. Reads files.

    Raises:
        Invalid: a certificate or key cannot be read, or they do not belong together.
    """
    if endpoint.ca == "":  # which stands for the public authorities elsewhere
        raise Invalid("ca: this is no PEM of certificates")
    # What stands between the certificates may be in any language; OpenSSL takes no text but ASCII.
    authorities = None if endpoint.ca is None else endpoint.ca.encode("ascii", "replace").decode("ascii")
    try:
        context = ssl.create_default_context(cadata=authorities)
    except (ssl.SSLError, ValueError) as e:
        raise Invalid("ca: this is no PEM of certificates") from e
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if endpoint.client_certificate is not None:
        _load_client_certificate(context, endpoint.client_certificate)
    return context


def _load_client_certificate(context: ssl.SSLContext, pem: str) -> None:
    # OpenSSL takes certificates with their keys from files only.
    number, path = tempfile.mkstemp(suffix=".pem")  # readable by this user alone
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(pem)
        context.load_cert_chain(path, password=_ask_nobody)
    except (OSError, ValueError) as e:
        raise Invalid("client_certificate: a PEM is needed with the certificate, its chain and its private key, unencrypted") from e
    finally:
        Path(path).unlink()


def _ask_nobody() -> str:
    raise ValueError("the key is encrypted")  # without this OpenSSL would ask at the terminal
