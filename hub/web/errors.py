"""How errors look on the wire: the one table from an error's code to a status, and one shape for each surface.

* Paths under /taxii2 answer TAXII error resources (TAXII 2.1 §3.6.1), all others RFC 9457 problem details. The path decides.
* A `HubError` shows its `detail`. An error that nobody foresaw shows an id, under which the log tells the rest.
* Cancellation is no error: it passes.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

from hub.domain.http_signature.push import WANTED
from hub.errors import HubError, TooMany, Unavailable, Unsigned
from hub.web.keys import ERROR_CODE, REQUEST_ID

STATUS: Mapping[str, HTTPStatus] = {
    "not_understood": HTTPStatus.BAD_REQUEST,
    "unauthenticated": HTTPStatus.UNAUTHORIZED,
    "withheld": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "not_acceptable": HTTPStatus.NOT_ACCEPTABLE,
    "timed_out": HTTPStatus.REQUEST_TIMEOUT,
    "conflict": HTTPStatus.CONFLICT,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "unsupported": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "invalid": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too_many": HTTPStatus.TOO_MANY_REQUESTS,
    "internal": HTTPStatus.INTERNAL_SERVER_ERROR,
    "config": HTTPStatus.INTERNAL_SERVER_ERROR,  # settings are checked at the start: later it is our own mistake
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
_CODES = {status: code for code, status in STATUS.items() if code != "config"}
_DETAILS = {
    HTTPStatus.NOT_FOUND: "there is nothing at this path",
    HTTPStatus.METHOD_NOT_ALLOWED: "this path does not take this method; the Allow header lists those it takes",
    HTTPStatus.REQUEST_TIMEOUT: "the request did not arrive in time",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "the body is too large",
}
_CHALLENGES = ('Basic realm="hub", charset="UTF-8"', 'Bearer realm="hub"')
_KEPT_HEADERS = (hdrs.ALLOW, hdrs.RETRY_AFTER, hdrs.WWW_AUTHENTICATE)

log = structlog.get_logger(__name__)


@web.middleware
async def render_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer whatever a handler raises in the shape of its surface."""
    try:
        return await handler(request)
    except HubError as e:
        return _of_hub_error(request, e)
    except web.HTTPException as e:
        if e.status < 400:
            raise
        return _of_http_exception(request, e)
    except Exception:
        log.exception("unexpected error", error_id=request[REQUEST_ID], method=request.method)
        return error_response(request, "internal", f"unexpected error; the hub's log holds it under {request[REQUEST_ID]}")


def error_response(request: web.Request, code: str, detail: str, *, status: int | None = None) -> web.Response:
    """Return the error resource of the surface that `request` is for.

    Args:
        code: a key of STATUS.
        status: where it is not the one that STATUS gives to the code.
    """
    status = STATUS[code] if status is None else status
    request[ERROR_CODE] = code
    title = HTTPStatus(status).phrase
    error_id = request[REQUEST_ID]
    if is_taxii(request.path):
        content_type = "application/taxii+json;version=2.1"
        body: dict[str, str | int] = {
            "title": title, "description": detail, "error_id": error_id, "error_code": code, "http_status": str(int(status)),
        }  # fmt: skip
    else:
        content_type = "application/problem+json"
        body = {"type": f"urn:fusion-hub:problem:{code}", "title": title, "status": int(status), "detail": detail, "error_id": error_id}
    headers = CIMultiDict({hdrs.CONTENT_TYPE: content_type})
    if status == HTTPStatus.UNAUTHORIZED:
        for challenge in _CHALLENGES:
            headers.add(hdrs.WWW_AUTHENTICATE, challenge)
    # json escapes what clients sent and a detail repeats, lone surrogates included.
    return web.Response(status=status, body=json.dumps(body).encode(), headers=headers)


def is_taxii(path: str) -> bool:
    """Whether a path belongs to the TAXII surface, slashes doubled by clients included."""
    return path.lstrip("/").partition("/")[0] == "taxii2"


def _of_hub_error(request: web.Request, error: HubError) -> web.Response:
    if error.context or error.code in ("internal", "config"):
        log.warning("request failed", code=error.code, detail=error.detail, context=error.context)
    response = error_response(request, error.code, error.detail)
    if isinstance(error, TooMany | Unavailable):
        response.headers[hdrs.RETRY_AFTER] = str(error.retry_after_s)
    if isinstance(error, Unsigned):
        response.headers["Accept-Signature"] = WANTED  # RFC 9421 §5: what the next try has to sign
    return response


def _of_http_exception(request: web.Request, error: web.HTTPException) -> web.Response:
    status = HTTPStatus(error.status)
    code = _CODES.get(status) or ("internal" if status >= 500 else "not_understood")
    response = error_response(request, code, _DETAILS.get(status, status.description or status.phrase), status=status)
    for name in _KEPT_HEADERS:
        if name in error.headers and name not in response.headers:
            response.headers.extend((name, value) for value in error.headers.getall(name))
    return response
