"""What sends to nobody and keeps what it was given, and rounds of making and sending, for tests that need no endpoint."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import func, select

from hub.domain.webhooks.delivery import Attempt, Message
from hub.domain.webhooks.subscription import Endpoint
from hub.service.context import Hub
from hub.service.deliver import Dispatcher
from hub.service.fan_out import FanOut
from hub.store.database import prepare
from hub.store.tables import table
from tests.webhooks.hooks import until

_DELIVERY = table("delivery")
_UNTRIED = prepare(
    select(func.count())
    .select_from(_DELIVERY)
    .where(_DELIVERY.c.done_us.is_(None), _DELIVERY.c.row.not_in(select(table("attempt").c.delivery_row)))
)


@dataclass
class Recorder:
    """Takes all that is sent at once, or after `answer` says how."""

    sent: list[tuple[Endpoint, Message]] = field(default_factory=list)
    answer: Callable[[Endpoint, Message], Awaitable[int]] | None = None

    async def check(self, endpoint: Endpoint) -> None:
        """Take any endpoint."""

    async def ask(self, endpoint: Endpoint, form: Any, **more: Any) -> str | None:  # noqa: ARG002 - as `Sends` has it
        """Agree."""
        return None

    async def send(self, endpoint: Endpoint, message: Message, *, now_us: int) -> Attempt:  # noqa: ARG002 - as `Sends` has it
        self.sent.append((endpoint, message))
        return Attempt(1, 204 if self.answer is None else await self.answer(endpoint, message))

    def hold(self, part: str = "") -> asyncio.Event:
        """Have endpoints whose address holds `part` answer only when the event that this returns is set."""
        go_on = asyncio.Event()

        async def answer(endpoint: Endpoint, _: Message) -> int:
            if part in endpoint.url:
                await go_on.wait()
            return 204

        self.answer = answer
        return go_on

    async def until(self, count: int) -> None:
        """Wait until so many messages were sent in all."""

        async def has_sent() -> bool:
            return len(self.sent) == count

        await until(has_sent)

    @property
    def data(self) -> list[Any]:
        """What receivers were told, from CloudEvents."""
        return [data for _, data in self.told]

    @property
    def told(self) -> list[tuple[Endpoint, Any]]:
        """The same, with who was told."""
        return [(endpoint, orjson.loads(message.body)["data"]) for endpoint, message in self.sent]


async def make_all(hub: Hub) -> None:
    """Make all deliveries that there are to make."""
    fan_out = FanOut(hub)
    while await fan_out.round():
        pass


@contextlib.asynccontextmanager
async def dispatching(hub: Hub, **options: Any) -> AsyncIterator[None]:
    """Send what is due meanwhile, and finish what was begun."""
    stop = asyncio.Event()
    task = asyncio.create_task(Dispatcher(hub, hub.sends, holder="test", **options).run(stop))
    try:
        yield
    finally:
        stop.set()
        hub.deliveries_waiting.set()
        await task


async def send_all(hub: Hub) -> None:
    """Make all deliveries that there are to make, try each once, and write down what became of it."""
    await make_all(hub)

    async def is_tried() -> bool:
        async with hub.db.read() as conn:
            return not await conn.fetch_value(_UNTRIED)

    async with dispatching(hub):
        await until(is_tried)
