"""The loop that has the log's checkpoints cosigned, in the process that keeps the log."""

import asyncio
import logging
from collections.abc import Sequence

from hub.errors import NotFound, Unavailable
from hub.outbound.witness import WitnessClient
from hub.service.context import Hub
from hub.service.turns import wait_for_any
from hub.service.witnessing import Witness, have_cosigned

_LOOK_S = 1.0
_REST_S = 30.0  # after a witness that did not cosign

log = logging.getLogger(__name__)


async def ask_witnesses(hub: Hub, witnesses: Sequence[Witness], stop: asyncio.Event) -> None:
    """Have each new checkpoint cosigned by all witnesses, until `stop` is set."""
    async with WitnessClient() as client, asyncio.TaskGroup() as group:
        for witness in witnesses:
            group.create_task(_ask(hub, client, witness, stop), name=f"witness {witness.key.name}")


async def _ask(hub: Hub, client: WitnessClient, witness: Witness, stop: asyncio.Event) -> None:
    while not stop.is_set():
        rest_s = _LOOK_S
        if hub.log.is_kept_here:
            try:
                await have_cosigned(hub, client, witness)
            except NotFound:
                pass  # nothing was signed yet
            except Unavailable as e:
                log.warning("a checkpoint is not cosigned: %s", e.detail)
                rest_s = _REST_S
        await wait_for_any((stop,), rest_s)
