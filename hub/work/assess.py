"""The loop that takes the ledger into account, at a pace that leaves pushes and polls their time.

What comes within a second is taken together: a round for each push would cost as much as the push.
"""

import asyncio
import logging
from time import perf_counter

from hub.errors import Unavailable
from hub.service.assess import LINES_MAX, assess, is_behind
from hub.service.context import Hub
from hub.service.turns import wait_for_any
from hub.store.database import Duplicate
from hub.store.leases import take_lease

_GATHER_S = 1.0
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
    leased_until_us = 0
    while not stop.is_set():
        began = perf_counter()
        goes_on = False
        try:
            if await is_behind(hub):
                if leased_until_us - hub.now_us() < _LEASE_US // 2:  # a lease for each round would be one more commit
                    leased_until_us = await _lease(hub, holder)
                goes_on = leased_until_us > 0 and await assess(hub) and await is_behind(hub, LINES_MAX)
        except (Duplicate, Unavailable) as e:
            log.warning("the ledger waits: %s", e.detail)
        rest = _REST_AMID_WRITES if hub.db.writing else _REST
        rest_s = min(_REST_MAX_S, rest * (perf_counter() - began)) if goes_on else _GATHER_S
        await wait_for_any((stop,), rest_s)


async def _lease(hub: Hub, holder: str) -> int:
    """Take or keep the lease; return until when it is ours, or 0 where another node holds it."""
    now_us = hub.now_us()
    until_us = now_us + _LEASE_US
    return until_us if await hub.db.write(take_lease, "assessment", holder, now_us=now_us, until_us=until_us) else 0
