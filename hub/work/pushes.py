"""The loop that finishes big pushes, and the one that forgets what is kept of pushes for a while only."""

import asyncio
import logging

from hub.errors import Unavailable
from hub.service.admit import finish_push
from hub.service.append import LEASE_US
from hub.service.context import Hub
from hub.service.turns import wait_for_any
from hub.store.nonces import forget_nonces
from hub.store.pushes import forget_pushes, lease_push, release_pushes

_LOOK_S = 1.0  # how often to look for what another node left
_FORGET_S = 600.0
_HOUR_US = 3_600_000_000

log = logging.getLogger(__name__)


async def finish_pushes(hub: Hub, stop: asyncio.Event) -> None:
    """Finish pushes that were left for the background, the oldest first, until `stop` is set."""
    if hub.config.is_sqlite:
        # The only process there is: what a killed one held is free.
        await hub.db.write(release_pushes)
    while not stop.is_set():
        try:
            now_us = hub.now_us()
            push = await hub.db.write(lease_push, now_us=now_us, until_us=now_us + LEASE_US)
            if push is not None:
                await finish_push(hub, push, stop)
                continue
        except Unavailable as e:
            log.warning("pushes wait: %s", e.detail)
        await wait_for_any((stop, hub.pushes_waiting), _LOOK_S)
        hub.pushes_waiting.clear()


async def forget_old_pushes(hub: Hub, stop: asyncio.Event) -> None:
    """Delete status resources when their time is over (TAXII 2.1 §4.3: a day at the least), and nonces of pushes that were signed."""
    while not stop.is_set():
        try:
            await hub.db.write(forget_pushes, before_us=hub.now_us() - hub.config.status_keep_h * _HOUR_US)
            await hub.db.write(forget_nonces, now_us=hub.now_us())
        except Unavailable as e:
            log.warning("old status resources and nonces stay for now: %s", e.detail)
        await wait_for_any((stop,), _FORGET_S)
