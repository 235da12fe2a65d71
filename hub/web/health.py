"""Whether the process lives (/healthz), and whether requests should be sent to it (/readyz).

Open to anybody, so they say what is wrong in a word and no more; the log says the rest.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from hub.errors import HubError
from hub.service.context import Hub
from hub.web.keys import HUB

_ANSWER_WITHIN_S = 5.0


@dataclass(slots=True)
class Health:
    """What this process knows about its own condition."""

    draining: bool = False  # the process is about to end: every answer asks its client to close the connection
    handed_over: bool = False  # others accept connections in its place
    failing: Mapping[str, str] = field(default_factory=dict)  # loops that are down just now, by name


HEALTH = web.AppKey("health", Health)


def routes() -> list[web.RouteDef]:
    """Return the routes of health checks."""
    return [web.get("/healthz", get_liveness), web.get("/readyz", get_readiness)]


async def get_liveness(_: web.Request) -> web.Response:
    """Answer, which is all that is asked."""
    return web.json_response({"status": "ok"})


async def get_readiness(request: web.Request) -> web.Response:
    """Answer 200 where the process takes requests and everything that it needs is there, else 503 and what is wrong.

    That the schema is at least the one needed was checked at the start, and migrations only go forward.
    """
    health = request.app[HEALTH]
    faults = [f"loop {name} is down" for name in sorted(health.failing)]
    if health.draining:
        faults.append("the process is stopping")
    try:
        async with asyncio.timeout(_ANSWER_WITHIN_S):
            await request.app[HUB].directory()
    except (HubError, TimeoutError):
        faults.append("the database does not answer")
    said = {"status": "not ready" if faults else "ok", "faults": faults}
    if not faults and (warnings := _warnings(request.app[HUB])):
        said["warnings"] = warnings
    return web.json_response(said, status=503 if faults else 200)


def _warnings(hub: Hub) -> list[str]:
    """Return what is wrong though requests are answered: no other node could do better, or it is not so urgent."""
    warnings = [] if hub.log.is_signed else ["the transparency log is not signed"]
    return warnings if hub.key_fault is None else [*warnings, "a new key of the hub's is not here"]
