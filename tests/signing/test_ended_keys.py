"""Nothing comes in with a key that ended, however little before that it was verified."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from hub.domain.appending import Batch
from hub.domain.signing.object_signature import sign_object
from hub.service.administer import COMMAND_LINE
from hub.service.append import again as append_again
from hub.service.context import Hub
from hub.service.member_keys import revoke_key, tell_compromised
from hub.store.append import load_batch, lock_collection
from hub.store.database import Connection
from hub.store.trust import find_member_keys
from hub.web.limits import read_body
from tests.signing.community import ENERGYS, Signing, settle
from tests.signing.test_signed_pushes import KID, left, send, sent, suspects
from tests.signing.tricks import plain, signed
from tests.taxii.content import envelope, indicator
from tests.taxii.site import Reply, serve, serve_again
from tests.taxii.test_writing import finished

ENDS: dict[str, Callable[[Hub], Any]] = {
    "revoked": lambda hub: revoke_key(hub, COMMAND_LINE, KID),
    "compromised": lambda hub: tell_compromised(hub, COMMAND_LINE, KID, since_us=0),
}


class Held:
    """Requests that were verified, and whose bodies are not read before they may be."""

    def __init__(self) -> None:
        self.arrived, self.may_go = asyncio.Semaphore(0), asyncio.Event()

    async def read_body(self, *asked: Any) -> bytes:
        self.arrived.release()
        await self.may_go.wait()
        return await read_body(*asked)


@contextlib.asynccontextmanager
async def held(monkeypatch: pytest.MonkeyPatch, *requests: Any) -> AsyncIterator[list[asyncio.Task[Reply]]]:
    """Send requests that wait once they were verified, and let them go on after what is done with them."""
    holding = Held()
    with monkeypatch.context() as patched:
        patched.setattr("hub.web.taxii.read_body", holding.read_body)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(request) for request in requests]
            for _ in tasks:
                await holding.arrived.acquire()
            yield tasks
            holding.may_go.set()


@pytest.mark.parametrize("end", ENDS)
async def test_what_was_verified_before_a_key_ended_is_not_taken_after_it(
    either_signing: Signing, shared: str, monkeypatch: pytest.MonkeyPatch, end: str
):
    site, by_object, others = either_signing.site, signed(), indicator()
    pushes = (
        send(site, shared, plain()),
        site.energy.push_raw(shared, envelope(by_object)),
        site.water.push_raw(shared, envelope(others)),
    )
    async with held(monkeypatch, *pushes) as replies:
        await ENDS[end](site.hub)
    by_message, judged_anew, unsigned = (task.result() for task in replies)
    assert (by_message.status, by_message.headers["Retry-After"]) == (503, "1")  # to verify it once more would be to take a replay
    assert "ended while it was taken" in by_message.json["description"]
    (failure,) = judged_anew.json["failures"]
    assert (judged_anew.status, failure["id"]) == (202, by_object["id"])
    assert f"is {end} since" in failure["message"]
    assert (unsigned.status, unsigned.json["success_count"]) == (202, 1)
    assert await site.water.ids(f"{shared}objects/") == [others["id"]]
    assert (await send(site, shared, plain())).status == 401
    assert f"is {end} since" in await site.energy.failure(shared, by_object)


async def test_a_key_that_ends_while_an_append_waits_for_its_turn_vouches_for_nothing(
    postgresql_url: str, shared: str, monkeypatch: pytest.MonkeyPatch
):
    async with serve(postgresql_url) as site:
        await settle(site)

        async def begin_late(*args: Any) -> Batch:
            monkeypatch.undo()
            await revoke_key(site.hub, COMMAND_LINE, KID)
            return await load_batch(*args)

        monkeypatch.setattr("hub.service.append.load_batch", begin_late)
        assert (await send(site, shared, plain())).status == 503
        assert await site.water.ids(f"{shared}objects/") == []


async def test_what_nobody_signed_costs_no_look_at_keys(either_signing: Signing, shared: str, monkeypatch: pytest.MonkeyPatch):
    site, looks = either_signing.site, []

    async def find(conn: Connection, kids: set[str]) -> Any:
        looks.append(kids)
        return await find_member_keys(conn, kids)

    monkeypatch.setattr("hub.service.append.find_member_keys", find)
    await site.energy.push(shared, plain(), plain())
    assert looks == []
    await sent(site, shared, plain(), sign_object(plain(), ENERGYS))
    await site.energy.push(shared, signed())
    assert looks == [{KID}, {KID}]


async def test_who_ends_a_key_waits_for_what_is_being_appended(postgresql_url: str):
    async with serve(postgresql_url) as site:
        await settle(site)
        begun, may_commit = asyncio.Event(), asyncio.Event()
        row = next(one.row for one in (await site.hub.directory()).collections.values())

        async def append(conn: Connection) -> None:
            await lock_collection(conn, row)
            begun.set()
            await may_commit.wait()

        async with asyncio.TaskGroup() as group:
            appending = group.create_task(site.hub.db.write(append))
            await begun.wait()
            ending = group.create_task(revoke_key(site.hub, COMMAND_LINE, KID))
            assert await asyncio.wait([ending], timeout=0.5) == (set(), {ending})
            assert not appending.done()
            may_commit.set()
        assert ending.result().revoked_us is not None


REFUSED = "the key that signed this push was good no longer when it came: sign what is yours anew, with another"


@pytest.mark.parametrize("end", ["revoked", "stolen before", "stolen after"])
async def test_a_push_that_waits_is_finished_unless_its_key_was_in_other_hands_when_it_came(
    database_url: str, shared: str, monkeypatch: pytest.MonkeyPatch, end: str
):
    objects = [plain() for _ in range(3)]
    ids = {obj["id"] for obj in objects}
    async with left(database_url, shared, monkeypatch, *objects) as (site, status):
        if end == "revoked":
            await revoke_key(site.hub, COMMAND_LINE, KID)
        else:
            await tell_compromised(site.hub, COMMAND_LINE, KID, since_us=0 if end == "stolen before" else site.hub.now_us())
    async with serve_again(database_url, site.credentials) as again:
        done = await finished(again.energy, status)
        if end == "stolen before":
            assert {failure["id"]: failure["message"] for failure in done["failures"]} == dict.fromkeys(ids, REFUSED)
            assert await again.water.ids(f"{shared}objects/") == []
        else:
            assert {success["id"] for success in done["successes"]} == ids
        if end == "stolen after":
            assert await suspects(again.water) == dict.fromkeys(ids, "message")


async def test_a_stretch_whose_key_ends_before_it_is_appended_is_checked_again(
    database_url: str, shared: str, monkeypatch: pytest.MonkeyPatch
):
    async with serve(database_url, push_inline_objects_max=1, push_chunk_objects=2) as site:
        await settle(site)

        async def steal(hub: Hub, *args: Any) -> Any:
            monkeypatch.undo()
            await tell_compromised(hub, COMMAND_LINE, KID, since_us=0)
            return await append_again(hub, *args)

        monkeypatch.setattr("hub.service.admit.again", steal)
        status = await finished(site.energy, (await send(site, shared, *(plain() for _ in range(4)), signed())).json)
        assert (status["success_count"], status["failure_count"]) == (0, 5)
        assert await site.water.ids(f"{shared}objects/") == []
