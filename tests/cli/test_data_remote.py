"""`hub push` and `hub pull`, on the hub itself and on servers with other manners."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import requests
from click.testing import Result
from typer.testing import CliRunner

from hub.__main__ import cli
from hub.app import build_app
from hub.cli.remote import DELAY_MAX_S, wait_s
from hub.config import Config
from hub.domain.member import Role
from hub.serve import address_of, listen, serving
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.service.credentials import issue_token
from hub.service.people import add_person
from hub.web.keys import HUB
from tests.connectors.mirror import COLLECTION, held, indicators, opened
from tests.processes import PIPE, start
from tests.sim.taxii_peer import Fault, Paging, TaxiiPeer

WITHIN_S = 60
PASSWORD = "correct: horse battery"


@dataclass
class Serving:
    """A hub that serves; `mirror` may write to its collection."""

    hub: Hub
    url: str  # of the collection
    token: str


async def run(*arguments: object, **environ: str) -> Result:
    """Run `hub …` on a thread of its own: it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, cli(), [str(argument) for argument in arguments], env=environ)


@contextlib.asynccontextmanager
async def serve(database_url: str) -> AsyncIterator[Serving]:
    config = Config(database_url=database_url, listen_port=0, push_inline_objects_max=50, page_objects_default=20)
    async with opened(config) as hub:
        _, token = await issue_token(hub, COMMAND_LINE, name="pull", role=Role.READER, member="mirror")
        await add_person(hub, COMMAND_LINE, username="mirror", password=PASSWORD, role=Role.PUBLISHER, member="mirror")
    app = build_app(config)
    with listen(config) as sock:
        async with serving(app, sock):
            found = (await app[HUB].directory()).find_collection("hub", COLLECTION)
            assert found is not None
            yield Serving(app[HUB], f"{address_of(config, sock)}/taxii2/hub/collections/{found.collection.id}/", token)


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Serving]:
    async with serve(database_url) as serving:
        yield serving


@pytest.fixture
async def peer() -> AsyncIterator[TaxiiPeer]:
    async with TaxiiPeer().serving() as serving:
        yield serving


def file_of(path: Path, objects: list[bytes]) -> Path:
    path.write_bytes(b"\n".join(objects) + b"\n")
    return path


async def test_what_is_pushed_can_be_pulled(site: Serving, tmp_path: Path):
    objects = indicators(120)  # more than the hub takes at once without answering `pending`
    pushed = await run("push", file_of(tmp_path / "in.ndjson", objects), "--url", site.url, "--user", f"mirror:{PASSWORD}")
    assert (pushed.exit_code, pushed.stderr) == (0, "accepted 120, refused 0\n")
    assert await held(site.hub) == objects

    pulled = await run("pull", site.url, "--user", "mirror", "--password", PASSWORD, "-o", tmp_path / "out.ndjson")
    assert (pulled.exit_code, pulled.stderr) == (0, "pulled 120 objects\n")
    assert (tmp_path / "out.ndjson").read_bytes().splitlines() == objects

    await run("pull", site.url, "-o", tmp_path / "by-token.ndjson", HUB_REMOTE_TOKEN=site.token)
    assert (tmp_path / "by-token.ndjson").read_bytes().splitlines() == objects


async def test_a_pull_with_a_state_adds_only_what_is_new(site: Serving, tmp_path: Path):
    first, second = indicators(30), indicators(5)
    for objects in (first, second, []):
        if objects:
            await run("push", file_of(tmp_path / "in.ndjson", objects), "--url", site.url, "--user", f"mirror:{PASSWORD}")
        pulled = await run("pull", site.url, "--token", site.token, "-o", tmp_path / "out.ndjson", "--state", tmp_path / "state.json")
        assert pulled.stderr == f"pulled {len(objects)} objects\n"
    assert (tmp_path / "out.ndjson").read_bytes().splitlines() == first + second


async def test_what_the_server_refuses_is_told_one_by_one(site: Serving, tmp_path: Path):
    good = indicators(2)
    bad = good[0].replace(b"2.1", b"2.0")
    done = await run("push", file_of(tmp_path / "in.ndjson", [*good, bad]), "--url", site.url, "--user", f"mirror:{PASSWORD}")
    assert done.exit_code == 1
    assert "spec_version 2.0; send 2.1" in done.stderr
    assert json.loads(good[0])["id"] in done.stderr
    assert done.stderr.endswith("accepted 2, refused 1\n")


async def test_a_push_waits_until_the_server_is_done(peer: TaxiiPeer, tmp_path: Path):
    objects = indicators(3)
    peer.pending = 2
    refused = json.loads(objects[1])["id"]
    peer.refused[refused] = "not today"
    done = await run("push", file_of(tmp_path / "in.ndjson", objects), "--url", peer.url, "--report", tmp_path / "refused.jsonl")
    assert (done.exit_code, done.stderr) == (1, "accepted 2, refused 1\n")
    (told,) = [json.loads(line) for line in (tmp_path / "refused.jsonl").read_text().splitlines()]
    assert (told["id"], told["reason"]) == (refused, "not today")
    assert [obj["id"] for obj in peer.pushed] == [json.loads(body)["id"] for body in (objects[0], objects[2])]


async def test_a_push_that_takes_too_long_says_where_to_look(peer: TaxiiPeer, tmp_path: Path):
    peer.pending = 1_000
    done = await run("push", file_of(tmp_path / "in.ndjson", indicators(1)), "--url", peer.url, "--wait", "1")
    assert done.exit_code == 1
    assert "still at it after 1 s" in done.stderr
    assert "/taxii2/root/status/" in done.stderr


async def test_a_push_is_cut_to_what_the_server_takes(peer: TaxiiPeer, tmp_path: Path):
    objects = indicators(40)
    large = json.dumps(json.loads(objects[0]) | {"description": "x" * 2_000}).encode()
    peer.content_length_max = 1_500
    done = await run("push", file_of(tmp_path / "in.ndjson", [*objects, large]), "--url", peer.url)
    assert done.exit_code == 1
    assert "the server takes 1500 at once" in done.stderr
    assert done.stderr.endswith("accepted 40, refused 1\n")
    assert len(peer.pushed) == 40
    assert max(peer.push_lengths) <= 1_500


async def test_a_busy_server_is_asked_again(peer: TaxiiPeer, tmp_path: Path):
    peer.faults.extend([Fault(429, {"Retry-After": "0"}), Fault(503, {"Retry-After": "0"})])
    done = await run("push", file_of(tmp_path / "in.ndjson", indicators(2)), "--url", peer.url)
    assert (done.exit_code, done.stderr) == (0, "accepted 2, refused 0\n")


@pytest.mark.parametrize(("header", "least_s", "most_s"), [("7", 7, 7), (100, 95, 100), (9_000, DELAY_MAX_S, DELAY_MAX_S), ("soon", 4, 4)])
def test_a_server_may_say_in_seconds_or_by_a_date_when_it_is_asked_again(header: str | int, least_s: float, most_s: float):
    answer = requests.Response()
    answer.headers["Retry-After"] = header if isinstance(header, str) else format_datetime(datetime.now(UTC) + timedelta(seconds=header))
    assert least_s <= wait_s(answer, 2) <= most_s


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(401), "401: check the credentials"),
        (Fault(500), "the server answered 500"),
        (Fault(202, body=b"{}"), "not TAXII 2.1"),
        (Fault(202, body=b"<html/>"), "not TAXII 2.1"),
    ],
    ids=["credentials", "server's fault", "no status", "a web page"],
)
async def test_a_push_that_fails_is_told_in_one_line(peer: TaxiiPeer, tmp_path: Path, fault: Fault, told: str):
    peer.faults.append(fault)
    done = await run("push", file_of(tmp_path / "in.ndjson", indicators(2)), "--url", peer.url)
    assert done.exit_code == 1
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("paging", Paging)
async def test_a_pull_bears_every_manner_of_paging(peer: TaxiiPeer, tmp_path: Path, paging: Paging):
    objects = indicators(35)
    peer.paging, peer.page_max = paging, 10
    peer.add(objects)
    done = await run("pull", peer.url, "-o", tmp_path / "out.ndjson")
    assert (done.exit_code, done.stderr) == (0, "pulled 35 objects\n")
    assert (tmp_path / "out.ndjson").read_bytes().splitlines() == objects


async def test_a_pull_that_fails_keeps_what_came_and_goes_on_there(peer: TaxiiPeer, tmp_path: Path):
    objects = indicators(25)
    peer.page_max = 10
    peer.add(objects)
    pull = ("pull", peer.url, "-o", tmp_path / "out.ndjson", "--state", tmp_path / "state.json")
    peer.fault_after = (2, Fault(403))
    failed = await run(*pull)
    assert failed.exit_code == 1
    assert "403: the credentials may not read this collection" in failed.stderr
    assert (tmp_path / "out.ndjson").read_bytes().splitlines() == objects[:20]
    assert (await run(*pull)).stderr == "pulled 5 objects\n"
    assert (tmp_path / "out.ndjson").read_bytes().splitlines() == objects


async def test_a_pull_that_follows_goes_on_asking(peer: TaxiiPeer, tmp_path: Path):
    first, second = indicators(3), indicators(4)
    peer.add(first)
    following = await start("hub", "pull", peer.url, "--follow", "--interval", "1", stdout=PIPE)
    assert following.stdout is not None
    try:
        async with asyncio.timeout(WITHIN_S):
            assert [(await following.stdout.readline()).strip() for _ in first] == first
            peer.add(second)
            assert [(await following.stdout.readline()).strip() for _ in second] == second
    finally:
        following.kill()
        await following.wait()


async def test_a_pull_into_a_pipe_goes_through_it(peer: TaxiiPeer, tmp_path: Path):
    objects = indicators(3)
    peer.add(objects)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = await asyncio.create_subprocess_exec("cat", str(pipe), stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(WITHIN_S):
            done, (read, _) = await asyncio.gather(run("pull", peer.url, "-o", pipe), reader.communicate())
    finally:
        with contextlib.suppress(ProcessLookupError):
            reader.kill()
    assert (done.exit_code, done.stderr) == (0, "pulled 3 objects\n")
    assert read.splitlines() == objects


async def test_a_pull_into_a_full_device_is_told_in_one_line(peer: TaxiiPeer, tmp_path: Path):
    peer.add(indicators(3))
    (tmp_path / "full").symlink_to("/dev/full")
    done = await run("pull", peer.url, "-o", tmp_path / "full")
    assert (done.exit_code, done.stderr) == (1, f"{tmp_path / 'full'} cannot be written: No space left on device\n")
    command = [sys.executable, "-m", "hub", "pull", peer.url]
    pulling = await asyncio.create_subprocess_exec("sh", "-c", 'exec "$@" >/dev/full', "sh", *command, stderr=asyncio.subprocess.PIPE)
    _, said = await pulling.communicate()
    assert (pulling.returncode, said) == (1, b"standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize(
    "options",
    [("--user", "us"), ("--password", "secret"), ("--user", "us:secret", "--token", "t")],
    ids=["no password", "no user", "both"],
)
async def test_half_a_credential_is_told(peer: TaxiiPeer, tmp_path: Path, options: tuple[str, ...]):
    for command in (["pull", peer.url], ["push", file_of(tmp_path / "in.ndjson", indicators(1)), "--url", peer.url]):
        done = await run(*command, *options)
        assert done.exit_code == 1
        assert "give" in done.stderr
        assert peer.requests == peer.pushed == []


async def test_a_server_that_is_not_there_is_told(tmp_path: Path):
    url = "http://127.0.0.1:1/taxii2/root/collections/0e3b6a2e-5d3f-4c55-9f0e-4a0d4d2d9b1c/"
    done = await run("push", file_of(tmp_path / "in.ndjson", indicators(1)), "--url", url)
    assert (done.exit_code, done.stderr) == (1, "the server cannot be reached: Connection refused\n")


@pytest.mark.parametrize("url", ["foo", "//h/x", "ftp://127.0.0.1/x/", "http://[::1/", "http://a..b/", "http://127.0.0.1:x/"])
async def test_an_address_that_is_none_is_told_in_words(tmp_path: Path, url: str):
    done = await run("push", file_of(tmp_path / "in.ndjson", indicators(1)), "--url", url, "--token", "x")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("--url: write the whole address of the collection, such as ")
