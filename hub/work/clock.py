"""The loop that lets time pass in collections in which something is delayed for somebody."""

import asyncio
import logging

from hub.errors import Unavailable
from hub.service.context import Hub
from hub.service.turns import wait_for_any
from hub.store.database import Duplicate
from hub.store.leases import take_lease
from hub.store.views import tick_clocks

_TICK_S = 1.0
_LEASE_US = 5_000_000

log = logging.getLogger(__name__)


async def tick(hub: Hub, stop: asyncio.Event, holder: str) -> None:
    """Tick the clocks while this node holds the scheduler's lease, until `stop` is set.

    Args:
        holder: a name of this node's own.
    """
    while not stop.is_set():
        try:
            now_us = hub.now_us()
            is_ours = await hub.db.write(take_lease, "clock", holder, now_us=now_us, until_us=now_us + _LEASE_US)
            if is_ours and await hub.db.write(tick_clocks, now_us) > 0:
                hub.feed_moved.set()  # what was delayed may be in view by now
        except (Duplicate, Unavailable) as e:
            log.warning("clocks stand: %s", e.detail)
        await wait_for_any((stop,), _TICK_S)
