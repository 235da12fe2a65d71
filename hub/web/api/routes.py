"""The routes under /api/v1/, and the description of them."""

import json

from aiohttp import hdrs, web

from hub.web import stream
from hub.web.api import (
    agreements,
    anonymity,
    collections,
    credentials,
    items,
    keys,
    members,
    policies,
    policy_diff,
    policy_shadow,
    preview,
    releases,
    report_backs,
    standing,
    subscriptions,
)
from hub.web.api.openapi import PATH, describe
from hub.web.api.operation import JSON_TYPE, PREFIX
from hub.web.keys import CONFIG

OPERATIONS = (
    *members.OPERATIONS,
    *credentials.OPERATIONS,
    *keys.OPERATIONS,
    *collections.OPERATIONS,
    *agreements.OPERATIONS,
    *releases.OPERATIONS,
    *anonymity.OPERATIONS,
    *policies.OPERATIONS,
    *policy_diff.OPERATIONS,
    *policy_shadow.OPERATIONS,
    *preview.OPERATIONS,
    *standing.OPERATIONS,
    *items.OPERATIONS,
    *report_backs.OPERATIONS,
    *subscriptions.OPERATIONS,
    *stream.OPERATIONS,
)


def routes() -> list[web.RouteDef]:
    """Return all routes under /api/v1/."""
    return [*(operation.route() for operation in OPERATIONS), web.get(PREFIX + PATH, get_description)]


async def get_description(request: web.Request) -> web.Response:
    """Return the description of the API (OpenAPI 3.1)."""
    body = json.dumps(describe(request.app[CONFIG], OPERATIONS)).encode()
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: JSON_TYPE})
