"""The transparency log over HTTP: C2SP tlog-tiles, open to everybody, and receipts for those who may see what they are about."""

from aiohttp import hdrs, web

from hub.domain.tlog.note import VerifierKey
from hub.domain.tlog.proof_file import SUFFIX
from hub.service import proofs
from hub.service.log_keeping import open_log
from hub.web.keys import DIRECTORY, HUB, PRINCIPAL

_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_NEVER_CHANGES = "public, max-age=31536000, immutable"
_MAY_CHANGE = "no-cache"


def routes() -> list[web.RouteDef]:
    """Return the routes of the log."""
    return [
        web.get("/log/checkpoint", get_checkpoint),
        web.get("/log/key", get_key),
        web.get("/log/tile/entries/{path:.+}", get_entries),
        web.get("/log/tile/{level}/{path:.+}", get_tile),
        web.get("/trust/v1/proof/{digest}", get_receipt),
    ]


async def get_checkpoint(request: web.Request) -> web.Response:
    """Answer the latest checkpoint, with the cosignatures of witnesses."""
    return _answer((await proofs.get_checkpoint(request.app[HUB])).encode(), _TEXT, _MAY_CHANGE)


async def get_key(request: web.Request) -> web.Response:
    """Answer the key that verifies checkpoints, for who has no better way to learn it."""
    key: VerifierKey = await open_log(request.app[HUB])
    return _answer(f"{key}\n".encode(), _TEXT, _MAY_CHANGE)


async def get_entries(request: web.Request) -> web.Response:
    """Answer a bundle of leaves."""
    return _answer(await proofs.get_entries(request.app[HUB], request.match_info["path"]), _BYTES, _NEVER_CHANGES)


async def get_tile(request: web.Request) -> web.Response:
    """Answer a tile."""
    found = await proofs.get_tile(request.app[HUB], request.match_info["level"], request.match_info["path"])
    return _answer(found, _BYTES, _NEVER_CHANGES)


async def get_receipt(request: web.Request) -> web.Response:
    """Answer the receipt for what has this digest."""
    digest = request.match_info["digest"]
    receipt = await proofs.get_receipt(request.app[HUB], request[DIRECTORY], request[PRINCIPAL], digest)
    response = _answer(receipt.encode(), _TEXT, "no-store")
    response.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="{digest}{SUFFIX}"'
    return response


def _answer(body: bytes, content_type: str, caching: str) -> web.Response:
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: content_type, hdrs.CACHE_CONTROL: caching})
