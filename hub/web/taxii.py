"""The endpoints of TAXII 2.1 (§4, §5): each handler parses, calls one service function, and renders.

Rules:
* Every path is served with and without its last slash, without a redirect, and where clients glue addresses together so that
  slashes are doubled.
* Every answer carries TAXII's own media type, spelt exactly, without a charset.
* A page that has entries carries the dates of the first and the last; an empty one carries none (§3.2).
* Who may do what is decided behind the service functions, never here.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps

from aiohttp import hdrs, web

from hub.domain.directory import Directory
from hub.domain.member import Principal
from hub.domain.taxii import MEDIA_TYPE_TAXII, Page, Query
from hub.domain.timestamp import format_timestamp
from hub.errors import HubError, NotFound
from hub.service.admit import get_status, push
from hub.service.context import Hub
from hub.service.remove import delete_object
from hub.service.retrieve import (
    get_collection,
    get_object,
    get_root,
    list_collections,
    list_manifest,
    list_objects,
    list_roots,
    list_versions,
)
from hub.web import taxii_resources as resources
from hub.web.keys import BODY, DIRECTORY, HUB, IS_ASSUMED, PRINCIPAL, SENT_WITH
from hub.web.limits import charge_objects, read_body, require_objects
from hub.web.metrics import METRICS
from hub.web.negotiate import refuse_unacceptable, refuse_unsupported
from hub.web.taxii_query import DELETION, LISTING, ONE_OBJECT, VERSIONS, Parameters, parse_query

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TYPED = {hdrs.CONTENT_TYPE: MEDIA_TYPE_TAXII}
_SLASHES = re.compile("/{2,}")


def routes() -> list[web.RouteDef]:
    """Return all routes under `/taxii2/`. Channels (§6) are reserved by the standard and have none."""
    collection = "/taxii2/{root}/collections/{collection}"
    # aiohttp tries routes in their order: what is asked for all day comes first.
    return [
        *_resource(f"{collection}/objects", {hdrs.METH_GET: get_objects, hdrs.METH_POST: add_objects}),
        *_resource(f"{collection}/manifest", {hdrs.METH_GET: get_manifest}),
        *_resource("/taxii2/{root}/status/{status}", {hdrs.METH_GET: get_push_status}),
        *_resource(f"{collection}/objects/{{object}}", {hdrs.METH_GET: get_one_object, hdrs.METH_DELETE: delete_one_object}),
        *_resource(f"{collection}/objects/{{object}}/versions", {hdrs.METH_GET: get_versions}),
        *_resource("/taxii2", {hdrs.METH_GET: get_discovery}),
        *_resource("/taxii2/{root}", {hdrs.METH_GET: get_api_root}),
        *_resource("/taxii2/{root}/collections", {hdrs.METH_GET: get_collections}),
        *_resource(collection, {hdrs.METH_GET: get_one_collection}),
        web.route(hdrs.METH_ANY, r"/{path:/+taxii2/.*|taxii2/(?:.*/)?/.*}", _serve_with_single_slashes),
    ]


async def get_discovery(request: web.Request) -> web.Response:
    """Server Information: Discovery (§4.1). API Roots are relative unless the hub's public address is set."""
    config = request.app[HUB].config
    roots = list_roots(request[DIRECTORY])
    return _answer(resources.discovery(config.title, config.description, config.contact, roots, (config.public_url or "").rstrip("/")))


async def get_api_root(request: web.Request) -> web.Response:
    """Get API Root Information (§4.2)."""
    root = get_root(request[DIRECTORY], request.match_info["root"])
    return _answer(resources.api_root(root, content_length_max=request.app[HUB].config.body_bytes_max))


async def get_push_status(request: web.Request) -> web.Response:
    """Get Status (§4.3)."""
    path = request.match_info
    found = await get_status(request.app[HUB], request[DIRECTORY], request[PRINCIPAL], path["root"], path["status"])
    return _answer(resources.status(found))


async def get_collections(request: web.Request) -> web.Response:
    """Get Collections (§5.1)."""
    found = await list_collections(request.app[HUB], request[DIRECTORY], request[PRINCIPAL], request.match_info["root"])
    return _answer(resources.collections(found))


async def get_one_collection(request: web.Request) -> web.Response:
    """Get a Collection (§5.2)."""
    path = request.match_info
    held, decision = await get_collection(request.app[HUB], request[DIRECTORY], request[PRINCIPAL], path["root"], path["collection"])
    return _answer(resources.collection(held.collection, decision))


async def get_manifest(request: web.Request) -> web.Response:
    """Get Object Manifests (§5.3)."""
    page = await list_manifest(*_asked(request), _query(request, LISTING))
    return _answer_page(resources.manifest(page), page)


async def get_objects(request: web.Request) -> web.Response:
    """Get Objects (§5.4)."""
    page = await list_objects(*_asked(request), _query(request, LISTING), is_assumed=request[IS_ASSUMED])
    return _answer_page(resources.envelope(page), page)


async def add_objects(request: web.Request) -> web.Response:
    """Add Objects (§5.5)."""
    refuse_unsupported(request.headers.get(hdrs.CONTENT_TYPE))
    require_objects(request)
    body = await _body(request)
    status = await push(*_asked(request), body, sent_with=request.get(SENT_WITH), is_assumed=request[IS_ASSUMED])
    charge_objects(request, status.total)
    request.app[METRICS].count_push(status)
    return _answer(resources.status(status), status=202)


async def _body(request: web.Request) -> bytes:
    """Return the body. It is read once, also where the request is judged once more."""
    if BODY not in request:
        try:
            request[BODY] = await read_body(request, request.app[HUB].config)
        except HubError as e:
            request[BODY] = e
    body = request[BODY]
    if isinstance(body, HubError):
        raise body
    return body


async def get_one_object(request: web.Request) -> web.Response:
    """Get an Object (§5.6)."""
    page = await get_object(*_asked(request), request.match_info["object"], _query(request, ONE_OBJECT))
    return _answer_page(resources.envelope(page), page)


async def delete_one_object(request: web.Request) -> web.Response:
    """Delete an Object (§5.7)."""
    await delete_object(*_asked(request), request.match_info["object"], _query(request, DELETION))
    return _answer(b"")


async def get_versions(request: web.Request) -> web.Response:
    """Get Object Versions (§5.8)."""
    page = await list_versions(*_asked(request), request.match_info["object"], _query(request, VERSIONS))
    return _answer_page(resources.versions(page), page)


def _resource(path: str, handlers: Mapping[str, Handler]) -> list[web.RouteDef]:
    """Return the routes of one resource, whose `path` is given without its last slash. GET brings HEAD along."""
    allowed = sorted({*handlers, hdrs.METH_OPTIONS} | ({hdrs.METH_HEAD} if hdrs.METH_GET in handlers else set()))
    answering = {method: _negotiated(handler) for method, handler in handlers.items()} | {hdrs.METH_OPTIONS: _options(allowed)}
    return [web.route(method, form, handler) for form in (f"{path}/", path) for method, handler in answering.items()]


def _negotiated(handler: Handler) -> Handler:
    @wraps(handler)
    async def answer(request: web.Request) -> web.StreamResponse:
        if not all(map(str.isprintable, request.match_info.values())):
            raise NotFound("there is nothing at this path")  # no id has control characters, and databases refuse some of them
        refuse_unacceptable(_accept(request))
        return await handler(request)

    return answer


def _options(allowed: Sequence[str]) -> Handler:
    headers = _TYPED | {hdrs.ALLOW: ",".join(allowed)}

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=headers)

    return answer


async def _serve_with_single_slashes(request: web.Request) -> web.StreamResponse:
    url = request.rel_url
    single = url.with_path(_SLASHES.sub("/", url.raw_path), encoded=True)
    found = await request.app.router.resolve(request.clone(rel_url=single))
    if found.http_exception is not None:
        raise found.http_exception
    request.match_info.update(found)
    return await found.handler(request)


def _accept(request: web.Request) -> str | None:
    return ",".join(request.headers.getall(hdrs.ACCEPT, ())) if hdrs.ACCEPT in request.headers else None


def _asked(request: web.Request) -> tuple[Hub, Directory, Principal, str, str]:
    """Return what every service function about a collection takes first."""
    path = request.match_info
    return request.app[HUB], request[DIRECTORY], request[PRINCIPAL], path["root"], path["collection"]


def _query(request: web.Request, parameters: Parameters) -> Query:
    return parse_query(request.rel_url.raw_query_string, parameters, match_values_max=request.app[HUB].config.match_values_max)


def _answer(body: bytes, *, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, headers=_TYPED)


def _answer_page(body: bytes, page: Page) -> web.Response:
    if page.first_us is None or page.last_us is None:
        return _answer(body)
    dates = {
        "X-TAXII-Date-Added-First": format_timestamp(page.first_us),
        "X-TAXII-Date-Added-Last": format_timestamp(page.last_us),
    }
    return web.Response(body=body, headers=_TYPED | dates)
