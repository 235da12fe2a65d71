"""The loops of webhooks: one makes deliveries of what came into views, one sends them, one forgets old ones."""

import asyncio
import logging
from time import perf_counter

from hub.errors import Unavailable
from hub.service.context import Hub
from hub.service.deliver import Dispatcher
from hub.service.fan_out import FanOut
from hub.service.turns import wait_for_any
from hub.store.deliveries import forget_deliveries

_LOOK_S = 1.0
_REST_MIN_S = 0.01  # between two rounds, and as long as a round takes: so pushes and polls have half of the processor at least
_REST_UNWANTED_S = 0.25  # while nobody subscribes: else each push would wake the loop for nothing
_FORGET_S = 600.0
_FORGET_AT_A_TIME = 1_000
_DAY_US = 86_400_000_000

log = logging.getLogger(__name__)


async def make_deliveries(hub: Hub, stop: asyncio.Event, *, look_s: float = _LOOK_S) -> None:
    """Make deliveries as soon as something happens, until `stop` is set.

    Args:
        look_s: how often to look for what another process did without a word.
    """
    fan_out = FanOut(hub)
    while not stop.is_set():
        hub.feed_moved.clear()
        hub.deliveries_done.clear()
        began = perf_counter()
        try:
            more = await fan_out.round()
        except Unavailable as e:
            log.warning("subscribers wait: %s", e.detail)
            more = False
        took_s = perf_counter() - began
        await wait_for_any((stop,), max(_REST_MIN_S if fan_out.is_wanted else _REST_UNWANTED_S, took_s))
        if not more:
            wakes = (stop, hub.feed_moved, hub.deliveries_done) if fan_out.is_held_up else (stop, hub.feed_moved)
            await wait_for_any(wakes, look_s)


async def send_deliveries(hub: Hub, stop: asyncio.Event, holder: str) -> None:
    """Send deliveries as they fall due, until `stop` is set; then finish those that are under way.

    Args:
        holder: a name of this process's own.
    """
    await Dispatcher(hub, hub.sends, holder=holder).run(stop)


async def forget_old_deliveries(hub: Hub, stop: asyncio.Event) -> None:
    """Delete deliveries that are done, and their log, when their time is over."""
    while not stop.is_set():
        try:
            before_us = hub.now_us() - hub.config.deliveries_keep_d * _DAY_US
            while await hub.db.write(forget_deliveries, before_us=before_us, limit=_FORGET_AT_A_TIME) and not stop.is_set():
                continue
        except Unavailable as e:
            log.warning("old deliveries stay for now: %s", e.detail)
        await wait_for_any((stop,), _FORGET_S)
