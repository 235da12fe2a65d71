"""The loop that takes the ledger into account, at a pace that leaves pushes and polls their time."""

import asyncio
import contextlib
import logging
from time import perf_counter

from hub.errors import Unavailable
from hub.service.assess import assess, is_behind
from hub.service.context import Hub
from hub.store.database import Duplicate
from hub.store.leases import take_lease

_LOOK_S = 1.0
_REST = 3  # times as long as a round took: so assessment takes a quarter of a processor at the most …
_REST_AMID_WRITES = 15  # … and a sixteenth while others write
_REST_MAX_S = 1.0
_LEASE_US = 30_000_000

log = logging.getLogger(__name__)


async def assess_ledger(hub: Hub, stop: asyncio.Event, holder: str) -> None:
    """Take the ledger into account as it grows, while this node holds the lease, until `stop` is set.

    Args:
        holder: a name of this node's own.
    """
    while not stop.is_set():
        began = perf_counter()
        try:
            worked = await is_behind(hub) and await _is_ours(hub, holder) and await assess(hub)
        except (Duplicate, Unavailable) as e:
            log.warning("the ledger waits: %s", e.detail)
            worked = False
        rest = _REST_AMID_WRITES if hub.db.writing else _REST
        rest_s = min(_REST_MAX_S, rest * (perf_counter() - began)) if worked else _LOOK_S
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), rest_s)


async def _is_ours(hub: Hub, holder: str) -> bool:
    now_us = hub.now_us()
    return await hub.db.write(take_lease, "assessment", holder, now_us=now_us, until_us=now_us + _LEASE_US)
