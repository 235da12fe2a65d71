"""Long work on the event loop, in turns with whatever else waits for it; and waiting."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from time import perf_counter
from typing import TypeVar

T = TypeVar("T")

_TURN_S = 0.002


async def in_turns(things: Iterable[T]) -> AsyncIterator[T]:
    """Yield things to work on, and give up the event loop whenever that has taken long: few hostile ones cost as much as many others."""
    until = perf_counter() + _TURN_S
    for thing in things:
        yield thing
        if perf_counter() > until:
            await asyncio.sleep(0)
            until = perf_counter() + _TURN_S


async def collect(things: Iterable[T]) -> list[T]:
    """Return a list of things that are made one after another, and give up the event loop whenever that has taken long."""
    until = perf_counter() + _TURN_S
    collected = []
    for thing in things:
        collected.append(thing)
        if perf_counter() > until:
            await asyncio.sleep(0)
            until = perf_counter() + _TURN_S
    return collected


async def wait_for_any(events: Iterable[asyncio.Event], seconds: float) -> None:
    """Wait until one of the events is set, or for some seconds."""
    first, *others = events
    if not others:  # the usual rest of a loop, which takes no task
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await first.wait()
        return
    waiting = [asyncio.ensure_future(event.wait()) for event in (first, *others)]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
