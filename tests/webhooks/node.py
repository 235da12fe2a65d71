"""Nodes in processes of their own that make and send deliveries, and are killed at a named point. Run by test_crashes.

    python -m tests.webhooks.node URL

For each POINT, a line of standard input, a node is started; how it ended is a line of standard output.
"""

import asyncio
import os
import sys
from typing import Any

from hub.config import load_config
from hub.domain.webhooks.delivery import Attempt, Message
from hub.domain.webhooks.sending import Sends
from hub.domain.webhooks.subscription import Endpoint
from hub.service.context import open_hub
from hub.service.deliver import Dispatcher
from hub.service.sending import sending
from hub.store.database import Connection, open_database
from hub.work.webhooks import make_deliveries
from tests.killing import Killing

POINTS = {  # and at which time of passing it
    "while deliveries are made": 1,
    "after deliveries were made": 1,
    "after lanes were taken": 2,
    "after something was sent": 20,
    "while it is written down": 2,
}
HOLD_US = 1_000_000


class KillingNode(Killing):
    """A database that is killed with its process around what a node writes of deliveries."""

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        is_making = work.__name__ == "advance"
        settled = args[0] if work.__name__ == "_write" else None

        async def watched(conn: Connection) -> Any:
            result = await work(conn, *args, **kwargs)
            if is_making:
                self.die_at("while deliveries are made")
            if settled:
                self.die_at("while it is written down")
            return result

        result = await self.inner.write(watched)
        if is_making:
            self.die_at("after deliveries were made")
        if settled is not None and result[1]:
            self.die_at("after lanes were taken")
        return result


class KillingSender:
    """Sends, and dies after it."""

    def __init__(self, inner: Sends, db: KillingNode) -> None:
        self.inner, self._db = inner, db

    async def check(self, endpoint: Endpoint) -> None:
        await self.inner.check(endpoint)

    async def send(self, endpoint: Endpoint, message: Message, *, now_us: int) -> Attempt:
        attempt = await self.inner.send(endpoint, message, now_us=now_us)
        self._db.die_at("after something was sent")
        return attempt

    async def ask(self, endpoint: Endpoint, form: Any, **more: Any) -> str | None:
        return await self.inner.ask(endpoint, form, **more)


async def main(url: str, point: str) -> None:
    db = KillingNode(await open_database(url), point, times=POINTS[point])
    hub = await open_hub(load_config(environ={}, database_url=url, webhooks_allow_http=True, webhooks_ports=()), db)
    stop = asyncio.Event()
    async with sending(hub), asyncio.TaskGroup() as group:
        group.create_task(make_deliveries(hub, stop))
        dispatcher = Dispatcher(hub, KillingSender(hub.sends, db), holder="node", hold_us=HOLD_US)
        group.create_task(dispatcher.run(stop))


def serve_points(url: str) -> None:
    for line in sys.stdin:
        child = os.fork()  # so that all nodes import everything once
        if not child:
            asyncio.run(main(url, line.strip()))
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve_points(sys.argv[1])
