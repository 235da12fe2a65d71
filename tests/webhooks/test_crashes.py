"""Nothing is lost and nothing comes twice but under the same id: kill -9 at named points, two nodes at once, a database that goes away."""

import asyncio
import signal
from collections import Counter
from functools import partial

from aiohttp import web
from sqlalchemy import select

from hub.config import load_config
from hub.domain.member import Principal, Role
from hub.service.admit import push
from hub.service.context import open_hub
from hub.service.subscriptions import Added
from hub.store.database import open_database, prepare
from hub.store.lanes import LANE
from tests.postgres import PostgresServer
from tests.processes import PIPE, start
from tests.sim.webhook_receiver import Received, Receiver
from tests.taxii.content import envelope, indicator
from tests.taxii.site import Site, serve, serve_again
from tests.webhooks.hooks import log_of, pass_time, subscribe, until
from tests.webhooks.node import POINTS

_HELD = prepare(select(LANE.c.subscription_row).where(LANE.c.held_until_us > 0).limit(1))
OBJECTS = 24  # pushed before each kill


async def test_nodes_that_are_killed_lose_nothing_and_repeat_only_under_the_same_id(database_url: str, receiver: Receiver):
    settings = {"webhooks_allow_http": True, "webhooks_ports": ()}
    async with serve(database_url, **settings) as site:
        for name in ("one", "two", "three"):
            await subscribe(site.hub, receiver.url, "water", name=name)
        credentials = site.credentials
    nodes = await start("tests.webhooks.node", database_url, stdin=PIPE, stdout=PIPE)
    assert nodes.stdin is not None
    assert nodes.stdout is not None
    objects: set[str] = set()
    for point in POINTS:
        # No loops in this process meanwhile: whoever is killed makes and sends all that is made and sent.
        objects |= await _push(database_url)
        nodes.stdin.write(f"{point}\n".encode())
        assert int(await asyncio.wait_for(nodes.stdout.readline(), 60)) == -signal.SIGKILL, point
    nodes.stdin.close()
    await nodes.wait()
    async with serve_again(database_url, credentials, **settings):
        await until(lambda: _has_all(receiver, objects, 3), within_s=60)
    about: dict[str, set[str]] = {}
    for message in receiver.received:
        about.setdefault(message.id, set()).add(message.data["object_id"])
    assert all(len(ids) == 1 for ids in about.values())
    assert len(receiver.received) > len(about), "something came twice, as nobody could know that it had arrived"


async def _push(url: str) -> set[str]:
    """Push one by one, from a process that makes no deliveries itself."""
    db = await open_database(url)
    try:
        hub = await open_hub(load_config(environ={}, database_url=url), db)
        directory = await hub.directory()
        principal = Principal("test", Role.PUBLISHER, directory.find_member("agency"))
        objects = [indicator() for _ in range(OBJECTS)]
        await push(hub, directory, principal, "hub", "shared", envelope(*objects))
        return {one["id"] for one in objects}
    finally:
        await db.close()


async def _has_all(receiver: Receiver, objects: set[str], times: int) -> bool:
    ids = {(message.id, message.data["object_id"]) for message in receiver.received}
    return Counter(id for _, id in ids) == dict.fromkeys(objects, times)


async def test_two_nodes_never_make_the_same_attempt(postgresql_url: str, receiver: Receiver, shared: str):
    tried: Counter[str] = Counter()

    async def refuse_some_once(message: Received) -> web.Response:
        tried[message.id] += 1
        return web.Response(status=500 if message.data["sequence"] == 7 and tried[message.id] == 1 else 204)

    receiver.answer = refuse_some_once
    settings = {"webhooks_allow_http": True, "webhooks_ports": ()}
    async with serve(postgresql_url, **settings) as one, serve_again(postgresql_url, one.credentials, **settings) as other:
        subscriptions = [await subscribe(one.hub, receiver.url, "water", name=str(n)) for n in range(6)]
        for n in range(10):
            await (one, other)[n % 2].agency.push(shared, indicator(), indicator())
        await until(lambda: _have_come(tried, 120))
        await until(lambda: _are_lanes_free(one))  # else time would take them from who has yet to write down what it sent
        for site in (one, other):
            pass_time(site.hub, 8)  # what was refused is due
        for added in subscriptions:
            await until(partial(_is_written, one, added))
        logged = [delivery for added in subscriptions for delivery in await log_of(one.hub, added)]
    assert Counter(tried.values()) == {1: 114, 2: 6}
    assert Counter(tuple(attempt.number for attempt in one.attempts) for one in logged) == {(1,): 114, (1, 2): 6}


async def _have_come(tried: Counter[str], count: int) -> bool:
    return len(tried) == count


async def _are_lanes_free(site: Site) -> bool:
    async with site.hub.db.read() as conn:
        return await conn.fetch_one(_HELD) is None


async def _is_written(site: Site, added: Added) -> bool:
    return all(delivery.state == "delivered" for delivery in await log_of(site.hub, added))


async def test_deliveries_go_on_after_the_database_was_away(
    postgres_server: PostgresServer, postgresql_url: str, receiver: Receiver, shared: str
):  # fmt: skip
    go_on = receiver.hold()
    async with serve(postgresql_url, webhooks_allow_http=True, webhooks_ports=()) as site:
        added = await subscribe(site.hub, receiver.url, "water")
        objects = [indicator() for _ in range(10)]
        await site.agency.push(shared, *objects)
        await receiver.until(1)
        postgres_server.halt()
        go_on.set()  # answered while nothing can be written down
        postgres_server.launch()
        await until(lambda: _has_all(receiver, {one["id"] for one in objects}, 1), within_s=60)
        await until(partial(_is_written, site, added), within_s=60)
        assert max(Counter(message.id for message in receiver.received).values()) <= 2
