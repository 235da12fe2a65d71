"""The loop that has a node sign with the hub's keys that are in use: a new one takes the place of another while it serves."""

import asyncio
import logging

from hub.errors import ConfigError, Unavailable
from hub.service.context import Hub
from hub.service.hub_keys import follow_keys
from hub.service.turns import wait_for_any

_LOOK_S = 1.0
_FAULTY_LOOK_S = 3.0

log = logging.getLogger(__name__)


async def follow(hub: Hub, stop: asyncio.Event) -> None:
    """Look for new keys where the directory's revision has moved, as a rotation moves it, until `stop` is set."""
    seen = -1
    while not stop.is_set():
        rest_s = _LOOK_S
        try:
            revision = (await hub.directory()).revision
            if revision != seen:
                if await follow_keys(hub):
                    log.info("the hub signs with a new key")
                seen, hub.key_fault = revision, None
        except ConfigError as e:
            if hub.key_fault != e.detail:
                log.error("this node signs with a key that another took the place of: %s", e.detail)  # noqa: TRY400 - the detail says it all
            hub.key_fault = e.detail
            rest_s = _FAULTY_LOOK_S
        except Unavailable as e:
            log.warning("the hub's keys are looked at later: %s", e.detail)
        await wait_for_any((stop,), rest_s)
