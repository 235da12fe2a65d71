"""What happens to every request before and after its handler. The order is that of `hub.app`: identify, render errors, authenticate."""

import os
import re
import time

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from structlog.contextvars import bind_contextvars

from hub.domain.directory import Directory
from hub.errors import HubError, Unauthenticated
from hub.service.authenticate import authenticate
from hub.service.context import Moved, tier_of
from hub.web.addresses import ORIGINS
from hub.web.health import HEALTH
from hub.web.keys import ADDRESS, BEGAN, DIRECTORY, HUB, IS_ASSUMED, OPEN_PATHS, PRINCIPAL, REQUEST_ID, ROUTE
from hub.web.limits import REQUESTS
from hub.web.message_signatures import is_signed

REQUEST_ID_HEADER = "X-Request-Id"
# Polls read the collection's head, and the revision with it, pushes lock the collection, and read it there: so they are judged by the
# directory at hand, and once more where it turns out to have moved. That spares polls a query of three, and pushes one of six.
COMPARING = frozenset({"/taxii2/{root}/collections/{collection}/objects", "/taxii2/{root}/collections/{collection}/objects/"})
_GOOD_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


@web.middleware
async def identify_request(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id and its sender's address, and let go of the connection where the process is stopping."""
    request[BEGAN] = time.perf_counter()
    given = request.headers.get(REQUEST_ID_HEADER)
    request_id = given if given is not None and _GOOD_REQUEST_ID.fullmatch(given) else os.urandom(12).hex()
    request[REQUEST_ID] = request_id
    resource = request.match_info.route.resource
    request[ROUTE] = resource.canonical if resource is not None else "none"
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
    if request[ROUTE] in OPEN_PATHS:
        return await handler(request)
    hub = request.app[HUB]
    if _is_compared(request) and (assumed := hub.assumed_directory()) is not None:
        try:
            return await _judged_by(assumed, request, handler, is_assumed=True)
        except Moved:
            pass
        except HubError:
            if await hub.directory() is assumed:
                raise
    return await _judged_by(await hub.directory(), request, handler, is_assumed=False)


def _is_compared(request: web.Request) -> bool:
    """Whether the handler finds out if the directory has moved. What is signed is verified once, as the second time would be a replay."""
    if request[ROUTE] not in COMPARING:
        return False
    return request.method == hdrs.METH_GET or (request.method == hdrs.METH_POST and not is_signed(request))


async def _judged_by(directory: Directory, request: web.Request, handler: Handler, *, is_assumed: bool) -> web.StreamResponse:
    app = request.app
    origins = app[ORIGINS]
    principal = await authenticate(
        app[HUB],
        directory,
        authorization=request.headers.get(hdrs.AUTHORIZATION),
        certificate=origins.certificate_of(request),
        address=request[ADDRESS],
    )
    if principal is None:
        raise Unauthenticated("this needs a credential: a username and password, a token, or a client certificate")
    requests = app[REQUESTS]
    member = principal.member
    per_min = (await tier_of(app[HUB], directory, member)).requests_per_minute if member is not None else None
    requests.require(principal.credential, per_min=per_min)
    requests.charge(principal.credential, per_min=per_min)
    request[PRINCIPAL], request[DIRECTORY], request[IS_ASSUMED] = principal, directory, is_assumed
    del directory  # the request has it, and may let go of it: a stream lasts longer than most directories
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
