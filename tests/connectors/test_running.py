"""Sources run by the hub: under whose identity, how they go on, and what stands in their way."""

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from hub.__main__ import cli
from hub.app import build_app
from hub.config import Config, load_config
from hub.domain.connector import Feed
from hub.errors import ConfigError, Conflict, Unavailable
from hub.serve import listen, serving
from hub.service.administer import COMMAND_LINE
from hub.service.connecting import list_connector_states, run_source
from hub.service.connectors import configured_sources, load_connector
from hub.service.members import suspend_member
from tests.connectors.mirror import COLLECTION, held, indicators, mirroring, opened, source_of
from tests.processes import start
from tests.sim.taxii_peer import Fault, TaxiiPeer

WITHIN_S = 60


@pytest.fixture
async def peer() -> AsyncIterator[TaxiiPeer]:
    async with TaxiiPeer().serving() as serving:
        yield serving


async def test_a_source_is_taken_in_as_the_member_of_its_settings(peer: TaxiiPeer, database_url: str):
    objects = indicators(35)
    peer.add(objects)
    config = mirroring(database_url, peer.url)
    async with opened(config) as hub:
        run = await run_source(hub, source_of(config))
        assert (run.accepted, run.refused) == (35, 0)
        assert await held(hub) == objects
        assert (await run_source(hub, source_of(config))).accepted == 0
        state = (await list_connector_states(hub))["peer"]
        assert (state.accepted, state.refused, state.error) == (35, 0, None)
        assert state.success_us is not None


async def test_what_is_refused_is_named_in_the_log_and_passed_over(peer: TaxiiPeer, database_url: str, caplog: pytest.LogCaptureFixture):
    good = indicators(12)
    peer.add([good[0], b'{"type":"indicator","id":"indicator--broken"}', b'{"id": ' + b"[" * 80 + b"]" * 80 + b"}", *good[1:]])
    config = mirroring(database_url, peer.url)
    async with opened(config) as hub:
        run = await run_source(hub, source_of(config))
        assert (run.accepted, run.refused) == (12, 2)
        assert await held(hub) == good
    assert "indicator--broken" in caplog.text


async def test_a_fault_keeps_what_came_before_and_is_told_once(peer: TaxiiPeer, database_url: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    objects = indicators(25)
    peer.add(objects)
    config = mirroring(database_url, peer.url)
    async with opened(config) as hub:
        for _ in range(2):
            peer.faults.append(Fault(503))
            with pytest.raises(Unavailable, match="503"):
                await run_source(hub, source_of(config))
        assert (await list_connector_states(hub))["peer"].error == "the server answered 503"
        assert (await run_source(hub, source_of(config))).accepted == 25
        assert (await list_connector_states(hub))["peer"].error is None
    assert caplog.text.count("the source peer fails") == 1
    assert caplog.text.count("the source peer is well again") == 1


async def test_a_source_is_run_by_one_process_at_a_time(peer: TaxiiPeer, database_url: str):
    peer.add(indicators(5))
    peer.stall = asyncio.Event()
    config = mirroring(database_url, peer.url)
    async with opened(config) as hub, opened(config) as other:
        running = asyncio.create_task(run_source(hub, source_of(config)))
        await asyncio.wait_for(peer.stalled.wait(), WITHIN_S)
        with pytest.raises(Conflict):
            await run_source(other, source_of(config))
        peer.stall.set()
        assert (await running).accepted == 5
        assert (await run_source(other, source_of(config))).accepted == 0


async def test_a_member_that_is_suspended_meanwhile_takes_in_nothing_more(peer: TaxiiPeer, database_url: str):
    objects = indicators(25)
    peer.add(objects)
    config = mirroring(database_url, peer.url)
    async with opened(config) as hub:
        peer.stall = asyncio.Event()
        running = asyncio.create_task(run_source(hub, source_of(config)))
        await asyncio.wait_for(peer.stalled.wait(), WITHIN_S)
        await suspend_member(hub, COMMAND_LINE, "mirror")
        peer.stall.set()
        with pytest.raises(ConfigError, match="knows no collection"):
            await running
        assert (await list_connector_states(hub))["peer"].accepted == 0


@pytest.mark.parametrize(
    ("changed", "told"),
    [({"member": "nobody"}, "no member nobody"), ({"collection": "nowhere"}, "knows no collection nowhere")],
    ids=["member", "collection"],
)
async def test_settings_that_name_nothing_are_told(peer: TaxiiPeer, sqlite_url: str, changed: dict[str, str], told: str):
    config = mirroring(sqlite_url, peer.url, **changed)
    async with opened(config) as hub:
        with pytest.raises(ConfigError, match=told):
            await run_source(hub, source_of(config))


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"kind": "gopher", "collection": "c", "member": "m"}, 'add it to the setting: connectors = \\["gopher"\\]'),
        ({"kind": "taxii"}, "set collection"),
        ({"kind": "taxii", "collection": "c", "member": "m"}, "set url"),
        ({"kind": "taxii", "collection": "c", "member": "m", "url": "u", "colour": "red"}, "no setting colour"),
        ({"kind": "taxii", "collection": "c", "member": "m", "url": "u", "timeout_s": 0}, "timeout_s is at least 1"),
        ({"kind": "taxii", "collection": "c", "member": "m", "url": "u", "timeout_s": True}, "timeout_s is a whole number"),
        ({"kind": "taxii", "collection": "c", "member": "m", "url": 7}, "url is a text"),
        ({"kind": "taxii", "collection": "c", "member": "m", "url": "u", "poll_interval_s": "often"}, "poll_interval_s is a whole number"),
    ],
    ids=["unknown kind", "no collection", "no url", "unknown setting", "too small", "a truth", "a number", "no number"],
)
def test_settings_that_cannot_be_used_are_told(table: Mapping[str, Any], told: str):
    config = replace(mirroring("sqlite:///unused", "unused"), connector_settings={"peer": table})
    with pytest.raises(ConfigError, match=told) as error:
        configured_sources(config)
    assert error.value.detail.startswith("[connector.peer]")


def test_a_connector_that_is_not_installed_is_told_with_those_that_are():
    with pytest.raises(ConfigError, match=r"gopher is not installed.*taxii"):
        load_connector("gopher")


def test_a_secret_comes_from_the_environment_and_is_shown_nowhere(tmp_path: Path):
    settings = tmp_path / "hub.toml"
    settings.write_text(
        """
        connectors = ["taxii"]
        [connector.peer]
        kind = "taxii"
        member = "mirror"
        collection = "mirrored"
        url = "http://127.0.0.1:1/"
        username = "us"
        [connector.peer-two]
        kind = "taxii"
        member = "mirror"
        collection = "mirrored"
        url = "http://127.0.0.1:1/"
        """
    )
    environ = {
        "HUB_CONNECTOR_PEER_PASSWORD": "s3cret-one",
        "HUB_CONNECTOR_PEER_TIMEOUT_S": "7",
        "HUB_CONNECTOR_PEER_TWO_TOKEN": "s3cret-two",
    }
    config = load_config(settings, environ)
    one, two = configured_sources(config)
    assert (one.settings["password"], one.settings["timeout_s"], one.settings["token"]) == ("s3cret-one", 7, None)
    assert (two.settings["password"], two.settings["token"]) == (None, "s3cret-two")
    assert "s3cret" not in repr(config.described())
    assert "s3cret" not in repr((config, one, two, Feed(one.settings, None)))


async def test_the_status_says_where_each_source_stands(peer: TaxiiPeer, sqlite_url: str, tmp_path: Path):
    peer.add(indicators(3))
    config = mirroring(sqlite_url, peer.url)
    async with opened(config) as hub:
        await run_source(hub, source_of(config))
    environ = {"HUB_DATABASE_URL": sqlite_url, "HUB_CONFIG": str(write_settings(config, tmp_path))}

    async def command(*arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli(), ["connector", *arguments], env=environ)

    shown = await command("status", "--json")
    (row,) = json.loads(shown.stdout)
    assert {name: row[name] for name in ("name", "kind", "member", "collection", "accepted", "refused", "error")} == {
        "name": "peer", "kind": "taxii", "member": "mirror", "collection": COLLECTION, "accepted": 3, "refused": 0, "error": None,
    }  # fmt: skip
    assert row["last_success"] >= row["last_run"]
    assert "peer" in (await command("status")).stdout
    missing = await command("run", "other", "--once")
    assert (missing.exit_code, missing.stderr) == (1, "no source other in the settings; there is peer\n")


async def test_a_hub_that_serves_pulls_by_itself(peer: TaxiiPeer, database_url: str):
    objects = indicators(15)
    config = replace(mirroring(database_url, peer.url, poll_interval_s=1), listen_port=0)
    async with opened(config):
        pass
    with listen(config) as sock:
        async with serving(build_app(config), sock), asyncio.timeout(WITHIN_S):
            peer.add(objects)
            async with opened(config) as hub:
                while await held(hub) != objects:
                    peer.stalled.clear()
                    peer.stall = asyncio.Event()
                    await peer.stalled.wait()  # until it asks again
                    peer.stall.set()
                assert await held(hub) == objects


async def test_a_killed_run_goes_on_where_it_was(peer: TaxiiPeer, database_url: str, tmp_path: Path):
    objects = indicators(45)
    peer.add(objects[:20])
    config = mirroring(database_url, peer.url)
    async with opened(config) as hub:
        environ = {**os.environ, "HUB_DATABASE_URL": database_url, "HUB_CONFIG": str(write_settings(config, tmp_path))}
        command = ["connector", "run", "peer", "--once"]

        killed = await start("hub", *command, env=environ)
        async with asyncio.timeout(WITHIN_S):
            peer.add(objects[20:])
            await _asked(peer, 3)
            killed.kill()
            await killed.wait()
            peer.stall.set()
        before = len(await held(hub))
        assert 0 < before < 45

        asked = len(peer.requests)
        peer.stall = None
        async with asyncio.timeout(WITHIN_S):
            again = await asyncio.to_thread(CliRunner().invoke, cli(), command, env=environ)
        assert again.exit_code == 0, again.output
        assert await held(hub) == objects
        assert peer.requests[asked]["next"] == str(before), "it goes on after the last page that is in"


async def _asked(peer: TaxiiPeer, requests: int) -> None:
    """Wait until the peer has been asked so often, and let it answer no more."""
    while len(peer.requests) < requests:
        peer.stall = asyncio.Event()
        peer.stalled.clear()
        await peer.stalled.wait()
        if len(peer.requests) < requests:
            peer.stall.set()


def write_settings(config: Config, folder: Path) -> Path:
    """Write the sources of the settings to a file."""
    table = "\n".join(f"{name} = {value!r}" for name, value in config.connector_settings["peer"].items())
    settings = folder / "hub.toml"
    settings.write_text(f"connectors = ['taxii']\n[connector.peer]\n{table}\n")
    return settings
