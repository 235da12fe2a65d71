"""The loop that enters what was accepted into the transparency log and signs it, within a second, on one node at a time."""

import asyncio
import logging
from time import monotonic

from hub.errors import Unavailable
from hub.service.context import Hub
from hub.service.log_keeping import is_behind, is_sound, sign
from hub.service.sequence import enter
from hub.service.turns import wait_for_any
from hub.service.witnessing import hear_witnesses
from hub.store.database import Duplicate
from hub.store.leases import take_lease

_LOOK_S = 0.25
_UNAVAILABLE_LOOK_S = 1.0
_FAULTY_LOOK_S = 10.0
_SIGN_EVERY_S = 0.5  # while more waits to be entered
_LEASE_S = 5.0

log = logging.getLogger(__name__)


async def keep_log(hub: Hub, stop: asyncio.Event, holder: str) -> None:
    """Keep the log up with what is accepted, while this node holds the lease, until `stop` is set.

    Args:
        holder: a name of this node's own.
    """
    if hub.config.memory_directory is None and not hub.config.log_witnesses:
        log.warning("a backup older than what the transparency log published would be signed on unnoticed: set state_dir, or log_witnesses")
    held_until_s = 0.0
    hub.log.is_kept_here = hub.config.is_sqlite
    while not stop.is_set():
        rest_s = _LOOK_S
        try:
            if (hub.log.is_recomputed or await is_sound(hub)) and await is_behind(hub):
                await hear_witnesses(hub)
                if monotonic() > held_until_s - _LEASE_S / 2 and await _is_ours(hub, holder):
                    held_until_s = monotonic() + _LEASE_S
                hub.log.is_kept_here = monotonic() < held_until_s
                if hub.log.is_kept_here and await is_sound(hub):
                    await catch_up(hub)
            hub.log.hindrance = None
        except Duplicate:
            log.info("another node entered or signed at the same time")
        except Unavailable as e:
            if hub.log.hindrance != e.detail:
                log.error("the transparency log waits: %s", e.detail)  # noqa: TRY400 - the detail says it all
            hub.log.hindrance = e.detail
            rest_s = _UNAVAILABLE_LOOK_S
        await wait_for_any((stop,), rest_s if hub.log.fault is None else _FAULTY_LOOK_S)


async def catch_up(hub: Hub) -> None:
    """Enter what waits, a round at a time, and sign now and then and at the end. The log is sound.

    Raises:
        Duplicate: another node is at it.
    """
    signed_s = monotonic()
    while await enter(hub):
        if monotonic() - signed_s > _SIGN_EVERY_S:
            await sign(hub)
            signed_s = monotonic()
    await sign(hub)


async def _is_ours(hub: Hub, holder: str) -> bool:
    if hub.config.is_sqlite:  # the only process there is
        return True
    now_us = hub.now_us()
    return await hub.db.write(take_lease, "log", holder, now_us=now_us, until_us=now_us + int(_LEASE_S * 1_000_000))
