"""Processes of one hub on PostgreSQL tell one another of what they append: nobody has to wait until somebody looks."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from statistics import median

import pytest
from sqlalchemy import bindparam, column, func, select, table

from hub.cli.session import on_hub
from hub.config import Config
from hub.domain.member import Principal, Role
from hub.service.admit import push
from hub.service.context import Hub
from hub.store.database import prepare
from hub.work.notices import exchange_notices
from hub.work.webhooks import make_deliveries
from tests.standing.world import World, world_on
from tests.taxii.content import Object, envelope, indicator
from tests.web.administered import administered
from tests.web.hubs import running
from tests.webhooks.hooks import subscribe, until
from tests.webhooks.recorder import Recorder, dispatching
from tests.webhooks.test_stream import listening

URL = "https://receiver.example/hook"
SOON_S = 0.5  # who waits until somebody looks waits for a second

_ACTIVITY = table("pg_stat_activity", column("pid"), column("datname"), column("application_name"))
_LISTENERS = prepare(
    select(_ACTIVITY.c.pid).where(_ACTIVITY.c.application_name == "fusion-hub notices", _ACTIVITY.c.datname == func.current_database())
)
_END = prepare(select(func.pg_terminate_backend(bindparam("process"))))


@pytest.fixture
async def world(postgresql_url: str) -> AsyncIterator[World]:
    async with world_on(postgresql_url) as opened:
        yield opened


async def listeners(hub: Hub) -> set[int]:
    async with hub.db.read() as conn:
        return {process for (process,) in await conn.fetch(_LISTENERS)}


@contextlib.asynccontextmanager
async def waiting_to_be_told(world: World) -> AsyncIterator[None]:
    """A node that looks by itself only after a time that no test waits."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group, dispatching(world.hub):
        group.create_task(make_deliveries(world.hub, stop, look_s=600))
        group.create_task(exchange_notices(world.hub, stop))
        yield
        stop.set()


async def push_by_a_command(url: str, *objects: Object) -> None:
    async def work(hub: Hub) -> None:
        directory = await hub.directory()
        principal = Principal("test", Role.PUBLISHER, directory.find_member("energy"))
        await push(hub, directory, principal, "hub", "shared", envelope(*objects))

    await on_hub(Config(database_url=url), work)


async def test_a_node_hears_of_what_a_command_appends_and_again_after_its_connection_was_lost(
    world: World, recorder: Recorder, postgresql_url: str
):
    await subscribe(world.hub, URL, "water")

    async def has_sent(*objects: Object) -> bool:
        return [data["object_id"] for data in recorder.data] == [obj["id"] for obj in objects]

    async def is_heard(*, but_by: set[int]) -> bool:
        return bool(await listeners(world.hub) - but_by)

    objects = [indicator() for _ in range(4)]
    async with waiting_to_be_told(world):
        await until(lambda: is_heard(but_by=set()))
        for number in (1, 2):  # the first may be found by the look that begins all
            await push_by_a_command(postgresql_url, objects[number - 1])
            await until(lambda: has_sent(*objects[:number]))  # noqa: B023 - called before the number changes
        before = await listeners(world.hub)
        async with world.hub.db.read() as conn:
            for process in before:
                await conn.fetch(_END, process=process)
        await until(lambda: is_heard(but_by=before))
        for number in (3, 4):
            await push_by_a_command(postgresql_url, objects[number - 1])
            await until(lambda: has_sent(*objects[:number]))  # noqa: B023
    assert not await listeners(world.hub) & before, "it hears by another connection"
    assert [data["object_id"] for data in recorder.data] == [obj["id"] for obj in objects]


async def test_what_is_pushed_at_one_node_is_told_at_once_at_another(postgresql_url: str):
    async with administered(postgresql_url) as site, running(postgresql_url, token=site.running.token) as other:
        async with listening(site) as client:
            took_s = []
            for _ in range(6):  # each just after the node has looked
                directory = await other.hub.directory()
                principal = Principal("test", Role.PUBLISHER, directory.find_member("water"))
                await push(other.hub, directory, principal, "hub", "shared", envelope(obj := indicator()))
                acknowledged = time.monotonic()
                assert (await client.next()).event["subject"] == obj["id"]
                took_s.append(time.monotonic() - acknowledged)
        assert median(took_s) < SOON_S
