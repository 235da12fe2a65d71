"""The loop by which the processes of a hub on PostgreSQL tell one another that there is something to tell subscribers."""

import asyncio
import logging

from hub.errors import Unavailable
from hub.service.context import Hub
from hub.service.turns import wait_for_any
from hub.store.notices import Notices, listening

_REST_S = 0.01  # between two words, however much is appended
_AGAIN_S = 1.0  # after which the connection is sought again
_WHILE_S = 60.0

log = logging.getLogger(__name__)


async def exchange_notices(hub: Hub, stop: asyncio.Event) -> None:
    """Wake those who tell subscribers when another process appended something, and tell others of what this one did, until `stop` is set.

    While the connection is lost all look for themselves, each second.
    """
    is_heard = True
    while not stop.is_set():
        try:
            async with listening(hub.config.database_url, hub.feed_moved.set) as notices:
                if not is_heard:
                    log.info("other processes are heard again")
                is_heard = True
                hub.feed_moved.set()  # what was said before was not heard
                await _exchange(hub, notices, stop)
        except Unavailable as e:
            if is_heard:
                log.warning("other processes are not heard for now, and looked after each second: %s", e.context["reason"])
            is_heard = False
        await wait_for_any((stop,), _AGAIN_S)


async def _exchange(hub: Hub, notices: Notices, stop: asyncio.Event) -> None:
    while not stop.is_set() and not notices.lost.is_set():
        if hub.appended.is_set():
            hub.appended.clear()
            await notices.tell()
            await wait_for_any((stop,), _REST_S)
        else:
            await wait_for_any((stop, notices.lost, hub.appended), _WHILE_S)
