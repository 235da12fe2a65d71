"""The loop that runs one configured source, as often as its settings say, on whichever node gets there first."""

import asyncio
import contextlib

from hub.domain.connector import Source
from hub.errors import ConfigError, Conflict, Unavailable
from hub.service.connecting import run_source
from hub.service.context import Hub
from hub.service.turns import wait_for_any


async def poll(hub: Hub, source: Source, stop: asyncio.Event) -> None:
    """Run a source again and again until `stop` is set; a run that is under way then is cut off, and begins again where it was."""
    while not stop.is_set():
        await _run_once(hub, source, stop)
        await wait_for_any((stop,), source.poll_interval_s)


async def _run_once(hub: Hub, source: Source, stop: asyncio.Event) -> None:
    run = asyncio.ensure_future(run_source(hub, source))
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((run, stopped), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        run.cancel()
        # A fault was logged and written down where it was found; a Conflict says that another node is at it.
        with contextlib.suppress(asyncio.CancelledError, Conflict, ConfigError, Unavailable):
            await run
