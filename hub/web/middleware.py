"""What happens to every request before and after its handler. The order is that of `hub.app`: identify, render errors, authenticate."""

import re
import secrets
import time

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from structlog.contextvars import bind_contextvars

from hub.domain.directory import Directory
from hub.domain.member import Principal
from hub.errors import Unauthenticated
from hub.service.authenticate import authenticate
from hub.web.addresses import ORIGINS
from hub.web.health import HEALTH
from hub.web.keys import ADDRESS, BEGAN, DIRECTORY, HUB, OPEN_PATHS, PRINCIPAL, REQUEST_ID
from hub.web.limits import REQUESTS

REQUEST_ID_HEADER = "X-Request-Id"
_GOOD_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def route_of(request: web.Request) -> str | None:
    """Return the template of the route that a request goes to, such as `/taxii2/{root}/`; None where there is no route."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else None


@web.middleware
async def identify_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id and its sender's address, and let go of the connection where the process is stopping."""
    request[BEGAN] = time.perf_counter()
    given = request.headers.get(REQUEST_ID_HEADER)
    request_id = given if given is not None and _GOOD_REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
    request[REQUEST_ID] = request_id
    app = request.app
    request[ADDRESS] = app[ORIGINS].address_of(request)
    bind_contextvars(request_id=request_id)
    response = await handler(request)
    if app[HEALTH].draining:
        response.force_close()
    return response


@web.middleware
async def authenticate_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who asks, as of this very moment, and let nobody ask too much. What is not open by name takes a credential."""
    if route_of(request) in OPEN_PATHS:
        return await handler(request)
    app = request.app
    directory = await app[HUB].directory()
    principal = await _authenticated(request, directory)
    app[REQUESTS].require(principal.credential)
    app[REQUESTS].charge(principal.credential)
    request[PRINCIPAL], request[DIRECTORY] = principal, directory
    return await handler(request)


async def finish_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the last hand to an answer's headers: nothing about the software, nothing kept by caches, nothing guessed by browsers."""
    headers = response.headers
    headers.popall(hdrs.SERVER, None)
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
    if (request_id := request.get(REQUEST_ID)) is not None:
        headers[REQUEST_ID_HEADER] = request_id
    if request.app[ORIGINS].is_secure(request):
        headers["Strict-Transport-Security"] = "max-age=31536000"


async def _authenticated(request: web.Request, directory: Directory) -> Principal:
    app = request.app
    principal = await authenticate(
        app[HUB],
        directory,
        authorization=request.headers.get(hdrs.AUTHORIZATION),
        certificate=app[ORIGINS].certificate_of(request),
        address=request[ADDRESS],
    )
    if principal is None:
        raise Unauthenticated("this needs a credential: a username and password, a token, or a client certificate")
    return principal
