"""What others verify with: the hub's keys and its members', for everybody, and attestations for those who may see what they are about."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import hdrs, web

from hub.service.attestations import attest
from hub.service.hub_keys import list_keys
from hub.service.member_keys import published_keys
from hub.web.keys import DIRECTORY, HUB, PRINCIPAL

HUB_KEYS = "/.well-known/jwks.json"
MEMBER_KEYS = "/trust/v1/members/{identity}/jwks.json"

_KEYS = "application/jwk-set+json"
_ATTESTATION = "application/jose"
_SHORTLY = "public, max-age=300"  # so long a verifier may not know that a key has ended


def routes() -> list[web.RouteDef]:
    """Return the routes of keys and attestations."""
    return [
        web.get(HUB_KEYS, get_hub_keys),
        web.get(MEMBER_KEYS, get_member_keys),
        web.get("/trust/v1/attestations/{digest}", get_attestation),
    ]


async def get_hub_keys(request: web.Request) -> web.Response:
    """Answer the hub's own keys, each with its purpose."""
    hub = request.app[HUB]
    identity, keys = await list_keys(hub)
    now_us = hub.now_us()
    return _key_set(key.jwk(identity, now_us) for key in keys)


async def get_member_keys(request: web.Request) -> web.Response:
    """Answer the keys that a member has registered."""
    hub = request.app[HUB]
    return _key_set(published_keys(await hub.directory(), request.match_info["identity"], hub.now_us()))


async def get_attestation(request: web.Request) -> web.Response:
    """Answer what the hub says of who gave the version with this digest."""
    text = await attest(request.app[HUB], request[DIRECTORY], request[PRINCIPAL], request.match_info["digest"])
    return web.Response(text=text, content_type=_ATTESTATION)


def _key_set(keys: Iterable[Mapping[str, Any]]) -> web.Response:
    body = json.dumps({"keys": list(keys)}).encode()
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: _KEYS, hdrs.CACHE_CONTROL: _SHORTLY})
