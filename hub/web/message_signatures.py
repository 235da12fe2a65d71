"""Signatures of messages on the wire (RFC 9421): those of requests are verified, and answers are signed where clients ask for it.

* A request that changes something is verified before its handler begins; its body is compared with what was signed while it is read
  (`hub.web.limits.read_body`). Signatures of requests that only read are not looked at, and one without any costs a look at two headers.
* Every answer is signed for which there is an `Accept-Signature` that can be fulfilled, errors included. One without content, to HEAD
  for example, carries the digest of nothing (RFC 9530 appendix B.2). Of a stream of events, which has no end, the signature covers all but
  a digest: who answers, and what. Where the key cannot sign, the answer goes out without: it is for its client to refuse it.
"""

import asyncio
from functools import partial

import structlog
from aiohttp import Payload, hdrs, web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict, CIMultiDictProxy

from hub.domain.http_signature.answer import ACCEPT, sign_answer
from hub.domain.http_signature.digest import FIELD as CONTENT_DIGEST
from hub.domain.http_signature.digest import content_digest
from hub.domain.http_signature.message import Answer, Lines, Request, normal_uri
from hub.domain.http_signature.signature import INPUT, VALUE
from hub.errors import Unavailable
from hub.service.hub_keys import signed
from hub.service.message_signatures import check_message
from hub.web.addresses import ORIGINS
from hub.web.keys import DIRECTORY, HUB, PRINCIPAL, SENT_WITH

_READING = frozenset({hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_OPTIONS})
_SECOND_US = 1_000_000
_DIGEST_INLINE_BYTES_MAX = 256 * 1024  # what is larger takes longer than others should wait for the event loop

log = structlog.get_logger(__name__)


@web.middleware
async def verify_message(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let a request that changes something pass if it is signed well, or need not be."""
    if request.method not in _READING and (principal := request.get(PRINCIPAL)) is not None:
        # Most requests carry none, and pay for no address to compare.
        message = _request(request) if is_signed(request) else None
        kid = await check_message(request.app[HUB], request[DIRECTORY], principal, message, has_body=request.can_read_body)
        if kid is not None:
            request[SENT_WITH] = kid
    return await handler(request)


def is_signed(request: web.Request) -> bool:
    """Whether a request has a field in which signatures are told; nothing of it is verified."""
    return INPUT in request.headers or VALUE in request.headers


async def sign_response(request: web.Request, response: web.StreamResponse) -> None:
    """Sign an answer that is about to be sent, where its client asks for it; the last to touch its headers."""
    if ACCEPT not in request.headers:
        return
    if isinstance(response, web.Response):
        response.headers[CONTENT_DIGEST] = await _digest(b"" if request.method == hdrs.METH_HEAD else response.body or b"")
    hub = request.app[HUB]
    signer = hub.keys.response
    answer = Answer(response.status, _lines(response.headers), _request(request))
    try:
        signature = await signed(signer, partial(sign_answer, answer, signer, now_s=hub.now_us() // _SECOND_US))
    except Unavailable as e:
        log.error("an answer is not signed", reason=e.detail)  # noqa: TRY400 - the detail says it all
        return
    response.headers.update(signature)


async def _digest(body: bytes | bytearray | Payload) -> str:
    assert isinstance(body, bytes), "the hub makes its answers of bytes"
    return content_digest(body) if len(body) <= _DIGEST_INLINE_BYTES_MAX else await asyncio.to_thread(content_digest, body)


def _request(request: web.Request) -> Request:
    return Request(request.method, _target_uri(request), _lines(request.headers))


def _target_uri(request: web.Request) -> str:
    """Return the address as the client wrote it: behind a proxy only the settings know its beginning."""
    app = request.app
    scheme = "https" if app[ORIGINS].is_secure(request) else "http"
    public_url = app[HUB].config.public_url
    base = public_url.rstrip("/") if public_url is not None else f"{scheme}://{request.host}"  # of which clients may leave the host empty
    target = request.raw_path if request.raw_path.startswith("/") else request.rel_url.raw_path_qs
    return normal_uri(base + target)


def _lines(headers: CIMultiDictProxy[str] | CIMultiDict[str]) -> Lines:
    return lambda name: headers.getall(name, ())
