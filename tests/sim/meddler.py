"""A man in the middle: passes requests on to a hub, and changes its answers on their way back."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import aiohttp
from aiohttp import hdrs, web
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict

_OF_ONE_CONNECTION = (hdrs.CONTENT_LENGTH, hdrs.TRANSFER_ENCODING, hdrs.CONNECTION, hdrs.DATE, hdrs.SERVER)


@dataclass
class Passing:
    """An answer on its way."""

    status: int
    headers: CIMultiDict[str]
    body: bytes


@dataclass
class Meddler:
    """Stands between clients and the hub at `target`."""

    target: str
    change: Callable[[Passing], object] = lambda _: None  # does to an answer what it likes
    only: str = ""  # where not empty: leave answers to requests alone whose path does not end so
    url: str = field(init=False, default="")

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["Meddler"]:
        """Serve on a port of its own."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        async with TestServer(app) as server:
            self.url = str(server.make_url("")).rstrip("/")
            yield self

    async def _pass_on(self, request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name not in _OF_ONE_CONNECTION}
        url = aiohttp.client.URL(self.target + request.raw_path, encoded=True)
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, url, data=await request.read() or None, headers=headers) as reply,
        ):
            kept = CIMultiDict((name, value) for name, value in reply.headers.items() if name not in _OF_ONE_CONNECTION)
            passing = Passing(reply.status, kept, await reply.read())
        if request.path.endswith(self.only):
            self.change(passing)
        return web.Response(status=passing.status, headers=passing.headers, body=passing.body)
