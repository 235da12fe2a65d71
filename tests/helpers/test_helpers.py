"""Helpers compute what the hub would have computed itself, and nothing depends on their being there."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.domain.stix import Limits, StixObject, read_object
from hub.domain.tlog.leaf import Fact, LeafKind, read_leaf
from hub.domain.tlog.tiles import edge, extend
from hub.domain.tlog.tree import hash_leaf
from hub.errors import Invalid
from hub.helpers import HelperGone, Helpers
from tests.data import read_documents
from tests.taxii.community import SHARED
from tests.taxii.content import indicator, statement
from tests.taxii.site import prepare
from tests.web.hubs import WITHIN_S, Process, is_running, serve_process, until

LIMITS = Limits()
MANY = 200  # objects, some 60 kB: enough for helpers to be asked


@pytest.fixture
async def helpers() -> AsyncIterator[Helpers]:
    made = Helpers(2)
    yield made
    await made.close()


def outcome(read: StixObject | Invalid) -> Any:
    return (type(read), read.detail) if isinstance(read, Invalid) else read


def read_here(raw: bytes) -> StixObject | Invalid:
    try:
        return read_object(raw, limits=LIMITS)
    except Invalid as e:
        return e


# --- what they answer


async def test_real_objects_and_broken_ones_are_read_as_the_hub_reads_them(helpers: Helpers):
    bundles = [json.loads(raw) for name, raw in read_documents("stix21/idioms/elevator-2.1.tar.gz") if name.endswith(".json")]
    raws = [json.dumps(obj).encode() for bundle in bundles if isinstance(bundle, dict) for obj in bundle.get("objects", [bundle])]
    assert len(raws) > 50
    await assert_read_alike(helpers, raws + [raw[:-1] for raw in raws] + [raw.replace(b"2.1", b"2.0") for raw in raws])


async def test_what_is_good_unreadable_or_refused_is_read_as_the_hub_reads_it(helpers: Helpers):
    good = [
        indicator(),
        statement(),
        indicator(x_number=2**53 - 1, x_half=0.5, x_whole=1.0, x_text="é\u2028\U0001f600", x_deep=[[{"a": None}]]),
    ]
    wrong = [indicator(pattern="[nothing"), indicator(spec_version="2.0"), {"type": "indicator"}, indicator(x_number=2**60)]
    raws = [json.dumps(obj).encode() for obj in good + wrong]
    await assert_read_alike(helpers, [*raws, b"{", b'{"a":1,"a":2}', b"[]", b"null", b"\xff", b'"\\ud800"', raws[0] + b" "])


async def assert_read_alike(helpers: Helpers, raws: list[bytes]) -> None:
    read = await helpers.read_objects(raws, limits=LIMITS)
    assert [outcome(one) for one in read] == [outcome(read_here(raw)) for raw in raws]
    for one, raw in zip(read, raws, strict=True):  # 1 and 1.0 are equal, but not alike
        if isinstance(one, StixObject):
            assert json.dumps(one.properties) == json.dumps(json.loads(raw))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 700])
async def test_the_log_grows_by_a_leaf_for_each_fact_and_by_the_tiles_above_them(helpers: Helpers, size: int):
    held = extend(0, {}, [hash_leaf(b"%d" % n) for n in range(size)])
    at_edge = {tile: held[tile] for tile in edge(size)}
    facts = [Fact(LeafKind.ADD, b"%032d" % n, (n % 3) * 1_000_000, b"%032d" % n, "c") for n in range(300)] + [Fact(LeafKind.KEY, b"k", 5)]
    grown = await helpers.grow_log(facts, size, at_edge)
    assert sorted(leaf.place for leaf in grown.leaves) == list(range(len(facts)))
    for index, leaf in enumerate(grown.leaves, size):
        assert leaf.text == facts[leaf.place].leaf(index, leaf.salt)
    seconds = [read_leaf(leaf.text).at for leaf in grown.leaves]
    assert seconds == sorted(seconds)
    assert len({leaf.salt for leaf in grown.leaves}) == len(facts)
    assert dict(grown.tiles) == extend(size, at_edge, [hash_leaf(leaf.text) for leaf in grown.leaves])


async def test_objects_of_any_size_come_back_in_their_order(helpers: Helpers):
    sizes = [1, 70_000, 1, 1, 65_000, 300_000, *range(1, 40_000, 999)]
    raws = [b'"%d%s"' % (n, b"x" * size) for n, size in enumerate(sizes)]
    read = await helpers.read_objects(raws, limits=Limits(object_bytes_max=100))
    assert [outcome(one) for one in read] == [
        (Invalid, f"the object has {len(raw)} bytes; the hub takes 100") if len(raw) > 100 else outcome(read_here(raw)) for raw in raws
    ]
    assert await helpers.read_objects([], limits=LIMITS) == []


# --- whether they are there


async def test_who_does_not_wait_for_an_answer_leaves_the_next_one_to_whom_it_belongs(helpers: Helpers):
    first, second = ([json.dumps(indicator()).encode() for _ in range(MANY)] for _ in range(2))
    impatient = asyncio.create_task(helpers.read_objects(first, limits=LIMITS))
    await helpers.read_objects(second[:1], limits=LIMITS)  # they run, and the first was asked for
    impatient.cancel()
    assert [outcome(one) for one in await helpers.read_objects(second, limits=LIMITS)] == [read_here(raw) for raw in second]


async def test_one_that_ends_is_said_to_be_gone_once_and_replaced(helpers: Helpers):
    raws = [json.dumps(indicator()).encode()]
    await helpers.read_objects(raws, limits=LIMITS)
    for pid in children(os.getpid()):
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(HelperGone):
        await helpers.read_objects(raws * MANY, limits=LIMITS)
    read = await until_read(helpers, raws)
    assert [outcome(one) for one in read] == [read_here(raw) for raw in raws]


async def until_read(helpers: Helpers, raws: list[bytes]) -> list[StixObject | Invalid]:
    """Ask until helpers answer: others are started after a rest, and their start may take long."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                return await helpers.read_objects(raws, limits=LIMITS)
            except HelperGone:
                await asyncio.sleep(0.05)


async def test_one_that_hangs_is_ended_and_closing_waits_for_none():
    raws = [json.dumps(indicator()).encode()] * MANY
    helpers = Helpers(2, answer_s=1.0)
    await until_read(helpers, raws)
    running = children(os.getpid())
    for pid in running:
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(HelperGone):
        await helpers.read_objects(raws, limits=LIMITS)
    with pytest.raises(HelperGone):  # and no other is started at once
        await helpers.read_objects(raws, limits=LIMITS)
    await helpers.close()
    assert not any(map(is_running, running))


async def test_no_module_is_taken_from_where_the_hub_happens_to_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "orjson.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    helpers = Helpers(1)
    try:
        assert len(await helpers.read_objects([json.dumps(indicator()).encode()], limits=LIMITS)) == 1
    finally:
        await helpers.close()


def children(pid: int) -> list[int]:
    """Return the helpers of a process, as the system knows them."""
    pids = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in pids if b"hub.helpers" in Path(f"/proc/{child}/cmdline").read_bytes()]


def holds_settings(pid: int) -> bool:
    return b"HUB_" in Path(f"/proc/{pid}/environ").read_bytes()


async def push(hub: Process, token: str) -> int:
    """Push many objects, and return how many were accepted."""
    media_type = "application/taxii+json;version=2.1"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type, "Accept": media_type}
    body = json.dumps({"objects": [indicator() for _ in range(MANY)]})
    url = f"{hub.url}/taxii2/hub/collections/{SHARED.id}/objects/"
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        status = await answer.json(content_type=None)
    assert (status["status"], status["total_count"]) == ("complete", MANY), status
    return int(status["success_count"])


async def test_a_push_is_taken_whatever_becomes_of_the_helpers(database_url: str, tmp_path: Path):
    _, energy = (await prepare(database_url))["energy"]
    async with serve_process(database_url, tmp_path) as hub:
        (pid,) = [hub.process.pid] if database_url.startswith("sqlite") else hub.workers()
        assert children(pid) == [], "none is started before there is much to do"
        assert await push(hub, energy) == MANY
        first = children(pid)
        assert len(first) == 2
        assert not any(holds_settings(helper) for helper in first)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGSTOP):
            for helper in first:
                os.kill(helper, number)
        pushing = asyncio.create_task(push(hub, energy))
        await asyncio.sleep(0.2)
        assert not pushing.done(), "the helpers, which signals do not end, were asked"
        for helper in first:
            os.kill(helper, signal.SIGKILL)
        assert await pushing == MANY
        assert any("questions unanswered" in line for line in hub.logged())
        async with asyncio.timeout(WITHIN_S):
            while not (second := [child for child in children(pid) if child not in first]):  # others are started after a rest
                assert await push(hub, energy) == MANY
                await asyncio.sleep(0.2)  # there is a limit on requests
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not any(map(is_running, second)))


async def test_helpers_end_with_the_hub_and_there_are_none_where_the_settings_say_so(sqlite_url: str, tmp_path: Path):
    _, energy = (await prepare(sqlite_url))["energy"]
    async with serve_process(sqlite_url, tmp_path) as hub:
        assert await push(hub, energy) == MANY
        running = children(hub.process.pid)
        assert running
        hub.tell(signal.SIGTERM)
        assert await hub.end() == 0
        assert not any(map(is_running, running))
    async with serve_process(sqlite_url, tmp_path, helpers=0) as hub:
        assert await push(hub, energy) == MANY
        assert children(hub.process.pid) == []
