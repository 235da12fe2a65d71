"""Opening the hub's way out for webhooks."""

import contextlib
from collections.abc import AsyncIterator

from hub.outbound.egress import Egress
from hub.outbound.sender import Sender
from hub.outbound.target import Rules
from hub.service.context import Hub


@contextlib.asynccontextmanager
async def sending(hub: Hub) -> AsyncIterator[None]:
    """Let the hub send webhooks by what the settings allow, and close all connections at the end."""
    egress = Egress(Rules.of(hub.config))
    hub.hold_sends(Sender(egress))
    try:
        yield
    finally:
        await egress.close()
