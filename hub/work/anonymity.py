"""The loop that appends renditions of what was given anonymously."""

import asyncio
import logging

from hub.errors import Unavailable
from hub.service.context import Hub
from hub.service.renditions import publish_renditions
from hub.service.turns import wait_for_any
from hub.store.database import Duplicate

_LOOK_S = 1.0

log = logging.getLogger(__name__)


async def publish(hub: Hub, stop: asyncio.Event) -> None:
    """Append renditions as they fall due, until `stop` is set."""
    while not stop.is_set():
        try:
            if await publish_renditions(hub):
                continue
        except (Duplicate, Unavailable) as e:
            log.warning("anonymous content waits: %s", e.detail)
        await wait_for_any((stop,), _LOOK_S)
