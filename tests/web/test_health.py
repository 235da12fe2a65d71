"""/healthz says that the process lives; /readyz whether it should be sent requests, and what is wrong where it should not."""

import asyncio

from hub.web.health import HEALTH
from hub.work.loops import Loop, Loops
from tests.web.hubs import WITHIN_S, Running, running


async def ask(site: Running, path: str) -> tuple[int, dict[str, object]]:
    async with site.session.get(site.url + path) as answer:
        return answer.status, await answer.json()


async def test_a_hub_that_serves_is_alive_and_ready(database_url: str):
    async with running(database_url) as site:
        assert await ask(site, "/healthz") == (200, {"status": "ok"})
        assert await ask(site, "/readyz") == (200, {"status": "ok", "faults": []})


async def test_without_its_database_a_hub_is_alive_but_not_ready(postgresql_url: str):
    async with running(postgresql_url) as site:
        await site.hub.db.close()
        assert await ask(site, "/readyz") == (503, {"status": "not ready", "faults": ["the database does not answer"]})
        assert await ask(site, "/healthz") == (200, {"status": "ok"})
        async with site.session.get(f"{site.url}/taxii2/", headers=site.bearer) as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "5"


async def test_a_hub_whose_loop_is_down_is_not_ready(sqlite_url: str):
    async with running(sqlite_url) as site:
        site.app[HEALTH].failing = {"pushes": "what is in the log and nowhere else"}
        assert await ask(site, "/readyz") == (503, {"status": "not ready", "faults": ["loop pushes is down"]})


async def test_a_hub_that_is_about_to_stop_is_not_ready_and_lets_clients_go(sqlite_url: str):
    async with running(sqlite_url) as site:
        site.app[HEALTH].draining = True
        async with site.session.get(f"{site.url}/readyz") as answer:
            assert (answer.status, answer.headers["Connection"]) == (503, "close")
            assert (await answer.json())["faults"] == ["the process is stopping"]
        async with site.session.get(f"{site.url}/taxii2/", headers=site.bearer) as answer:
            assert (answer.status, answer.headers["Connection"]) == (200, "close")


async def test_a_loop_that_fails_is_shown_and_begun_again_while_the_others_go_on():
    began, goes_on = asyncio.Semaphore(0), asyncio.Event()
    shown: list[dict[str, str]] = []

    async def fail(stop: asyncio.Event) -> None:
        shown.append(dict(loops.failing))
        began.release()
        if len(shown) < 3:
            raise RuntimeError("no luck")
        await stop.wait()

    async def go_on(stop: asyncio.Event) -> None:
        goes_on.set()
        await stop.wait()
        goes_on.clear()

    loops, stop = Loops([Loop("unlucky", fail), Loop("steady", go_on)], pause_first_s=0.05), asyncio.Event()
    async with asyncio.timeout(WITHIN_S):
        running_loops = asyncio.create_task(loops.run(stop))
        await began.acquire()
        assert loops.failing == {"unlucky": "no luck"}  # until the pause is over
        for _ in range(2):
            await began.acquire()
        assert (loops.failing, shown) == ({}, [{}, {}, {}])
        assert goes_on.is_set()
        stop.set()
        await running_loops
    assert not goes_on.is_set()


async def test_loops_that_are_paused_end_at_once_when_they_are_stopped():
    stop = asyncio.Event()

    async def fail(_: asyncio.Event) -> None:
        stop.set()
        raise RuntimeError("no luck")

    loops = Loops([Loop("unlucky", fail)], pause_first_s=3600)
    async with asyncio.timeout(WITHIN_S):
        await loops.run(stop)
    assert loops.failing == {}
