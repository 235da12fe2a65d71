"""`hub subscription`, run beside a hub that serves, with a receiver that listens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_admin import Shell
from tests.sim.webhook_receiver import Receiver
from tests.taxii.community import SHARED
from tests.taxii.content import indicator
from tests.taxii.site import Site, serve
from tests.webhooks.hooks import until

HUB = {"webhooks_allow_http": True, "webhooks_ports": ()}
COLLECTION = f"/taxii2/hub/collections/{SHARED.id}/"

Run = Callable[..., Any]


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Site]:
    async with serve(database_url, **HUB) as site:
        yield site


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver().serving() as opened:
        yield opened


@pytest.fixture
def run(database_url: str) -> Run:
    """Run `hub subscription …` while the event loop goes on; what it prints is returned, read as JSON if it ends with 0."""
    shell = Shell({"HUB_DATABASE_URL": database_url, "HUB_WEBHOOKS_ALLOW_HTTP": "true", "HUB_WEBHOOKS_PORTS": ""})

    async def run(*words: str, code: int = 0) -> Any:
        if code:
            return await asyncio.to_thread(shell.run, "subscription", *words, code=code)
        return await asyncio.to_thread(shell.json, "subscription", *words)

    return run


async def test_an_endpoint_is_subscribed_agrees_and_is_tested(receiver: Receiver, site: Site, run: Run):
    receiver.agrees = False
    options = ("--member", "energy", "--private-cidr", "127.0.0.0/8", "--type", "indicator", "--tlp-max", "amber", "--event", "added")
    added = await run("add", "soc", receiver.url, *options, "--header", "X-Team: soc")
    assert "status 404" in added["problem"]
    shown = {name: value for name, value in added.items() if name not in ("key", "problem")}
    assert (shown["verified_at"], shown["headers"], shown["filter"]["types"]) == (None, ["X-Team"], ["indicator"])
    assert await run("list") == [shown]
    assert "has not agreed" in await run("test", added["id"], code=1)
    assert receiver.received == []
    receiver.agrees = True
    tested = await run("test", added["id"])
    assert (tested["status"], tested["error"]) == (200, None)
    assert receiver.kinds == ["test"]
    assert receiver.verified(added["key"])[0]["data"]["subject"] == "soc"
    assert receiver.received[0].headers["x-team"] == "soc"
    assert (await run("show", added["id"]))["verified_at"] is not None
    assert "there is no such subscription" in await run("show", "nothing", code=1)
    for event in ("test", "endpoint.disabled"):
        assert "key.compromised" in await run("add", "soc", receiver.url, *options, "--event", event, code=2), (
            "what there is to choose from"
        )
    assert "write NAME:VALUE" in await run("add", "soc", receiver.url, *options, "--header", "nothing", code=1)


async def test_what_is_sent_is_paused_logged_and_sent_again(receiver: Receiver, site: Site, run: Run):
    added = await run("add", "soc", receiver.url, "--member", "energy", "--private-cidr", "127.0.0.0/8")
    id, first, second = added["id"], indicator(), indicator()
    await site.agency.push(COLLECTION, first)
    await receiver.until(1)
    assert (await run("pause", id))["state"] == "paused"
    await site.agency.push(COLLECTION, second)
    assert (await run("resume", id))["state"] == "active"
    await receiver.until(2)
    assert receiver.objects == [first["id"], second["id"]]
    rotated = await run("rotate", id)
    assert rotated["secrets"] == 2
    assert (await run("rotate", id, "--finish"))["secrets"] == 1

    async def are_delivered() -> bool:
        return len(await run("log", id, "--state", "delivered")) == 2

    await until(are_delivered)
    logged, _ = sorted(await run("log", id, "--limit", "1000"), key=lambda delivery: delivery["sequence"])
    assert (logged["event"], logged["attempts"][0]["status"], logged["id"]) == ("added", 200, receiver.received[0].id)
    assert await run("replay", id, "--delivery", logged["id"]) == {"deliveries": 1, "next": None}
    assert await run("replay", id, "--since", "2026-01-01T00:00:00Z", "--state", "dead") == {"deliveries": 0, "next": None}
    again = (await receiver.until(3))[2]
    assert again.id == logged["id"]
    assert receiver.verified(rotated["key"], [again]) == [again.json], "signed by the new secret"
    assert "there is no such" in await run("replay", id, "--delivery", id, code=1)
    assert (await run("remove", id))["state"] == "removed"
    assert await run("list") == []
    assert logged["id"] in [delivery["id"] for delivery in await run("log", id)], "the log stays for a while"


async def test_a_name_and_an_endpoint_are_changed(receiver: Receiver, site: Site, run: Run, tmp_path: Path):
    added = await run("add", "soc", receiver.url, "--member", "energy", "--private-cidr", "127.0.0.0/8", "--header", "X-Team: soc")
    changed = await run("change", added["id"], "--name", "ops", "--header", "X-Team: ops", "--header", "X-Floor: 2")
    assert (changed["name"], changed["headers"], changed["problem"]) == ("ops", ["X-Team", "X-Floor"], None)
    assert changed["verified_at"] == added["verified_at"] is not None
    assert (await run("change", added["id"], "--header", ""))["headers"] == []
    async with Receiver().serving() as elsewhere:
        moved = await run("change", added["id"], "--url", elsewhere.url)
        assert moved["url"] == elsewhere.url
        await site.agency.push(COLLECTION, indicator())
        await elsewhere.until(1)
    assert "nothing was changed" in await run("change", added["id"], "--url", "http://127.0.0.1:9/", code=1)
    assert "say what to change" in await run("change", added["id"], code=1)
    assert "it cannot be read" in await run("change", added["id"], "--ca", str(tmp_path / "nothing.pem"), code=1)
    (binary := tmp_path / "binary.pem").write_bytes(b"\xff\xfe")
    again = ("add", "again", receiver.url, "--member", "energy", "--private-cidr", "127.0.0.0/8")
    assert "it cannot be read" in await run(*again, "--ca", str(binary), code=1)
    assert receiver.received == []
