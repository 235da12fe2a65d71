"""Short ways to subscribe and to wait, for tests of what is sent."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.service.delivery_log import list_deliveries
from hub.service.subscriptions import Added, FilterWish, Wish, add_subscription
from hub.store.deliveries import LoggedDelivery

LOOPBACK = ("127.0.0.0/8",)


async def subscribe(hub: Hub, url: str, member: str = "energy", *, filter: FilterWish | None = None, **wish: Any) -> Added:
    """Subscribe a member to everything at a receiver on this machine, which agrees."""
    wanted = replace(Wish("test", url, filter or FilterWish(), private_cidrs=LOOPBACK), **wish)
    added = await add_subscription(hub, await hub.directory(), COMMAND_LINE, wanted, member=member)
    assert added.problem is None
    return added


async def log_of(hub: Hub, added: Added) -> list[LoggedDelivery]:
    """Return all deliveries of a subscription, the oldest first."""
    return (await list_deliveries(hub, COMMAND_LINE, added.subscription.id, before=None, limit=1_000))[::-1]


async def until(is_so: Callable[[], Awaitable[bool]], *, within_s: float = 20.0) -> None:
    """Ask again and again until something is so."""
    async with asyncio.timeout(within_s):
        while not await is_so():  # noqa: ASYNC110 - what is waited for is in a database
            await asyncio.sleep(0.005)


async def until_logged(hub: Hub, added: Added, states: list[str], *, attempts: int = 1) -> list[LoggedDelivery]:
    """Wait until the deliveries of a subscription have come to these states, each after so many attempts at least, and return them."""

    async def is_so() -> bool:
        log = await log_of(hub, added)
        return [one.state for one in log] == states and all(len(one.attempts) >= attempts for one in log)

    await until(is_so)
    return await log_of(hub, added)


def pass_time(hub: Hub, seconds: float) -> None:
    """Let time pass for the hub, at once."""
    before = hub.now_us
    hub.now_us = lambda: before() + round(seconds * 1_000_000)
    hub.deliveries_waiting.set()
