"""Running the loops: each in a task of its own, restarted where it fails, stopped together.

* A loop runs until `stop` is set; then it finishes what it has begun and returns.
* A loop that fails is logged, shown as failing (the process is not ready meanwhile), and begun again after a pause.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from hub.service.turns import wait_for_any

_PAUSE_FIRST_S = 1.0
_PAUSE_MAX_S = 60.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Loop:
    """Work that goes on for as long as the process serves."""

    name: str
    run: Callable[[asyncio.Event], Awaitable[None]]  # returns once the event is set


class Loops:
    """The loops of one process."""

    def __init__(
        self, loops: Sequence[Loop], *, pause_first_s: float = _PAUSE_FIRST_S, tell_failure: Callable[[str], None] = lambda _: None
    ) -> None:
        """Run nothing yet.

        Args:
            tell_failure: is called with the name of a loop each time that one fails.
        """
        self._loops = loops
        self._pause_first_s = pause_first_s
        self._tell_failure = tell_failure
        self.failing: dict[str, str] = {}  # those that are down just now, by name, and why

    async def run(self, stop: asyncio.Event) -> None:
        """Run all loops until `stop` is set and each has returned."""
        async with asyncio.TaskGroup() as group:
            for loop in self._loops:
                group.create_task(self._keep(loop, stop), name=loop.name)

    async def _keep(self, loop: Loop, stop: asyncio.Event) -> None:
        pause_s = self._pause_first_s
        clock = asyncio.get_running_loop()
        while not stop.is_set():
            began = clock.time()
            try:
                await loop.run(stop)
            except Exception as e:
                log.exception("a loop failed and will begin again", loop=loop.name, pause_s=pause_s)
                self.failing[loop.name] = str(e)
                self._tell_failure(loop.name)
            else:
                return
            if clock.time() - began > _PAUSE_MAX_S:
                pause_s = self._pause_first_s
            await wait_for_any((stop,), pause_s)
            pause_s = min(pause_s * 2, _PAUSE_MAX_S)
            del self.failing[loop.name]
