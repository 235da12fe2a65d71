"""What the benchmarks rest on: a seeded feed is one that the hub could have written, and the table says what was found."""

import json

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from hub.config import Config
from hub.domain.member import Principal, Role
from hub.domain.stix import Limits, read_object
from hub.domain.taxii import Query
from hub.service.context import open_hub
from hub.service.retrieve import list_objects
from hub.store.database import open_database
from tests.bench.community import COLLECTION
from tests.bench.content import OBJECT_BYTES, as_read, indicator
from tests.bench.floor import build_floor
from tests.bench.invariants import check_feed
from tests.bench.report import Finding, Target, table
from tests.bench.seed import seed


async def test_a_seeded_feed_is_one_that_the_hub_could_have_written(database_url: str):
    assert await check_feed(await seed(database_url, 12_001)) == 12_001  # more than two batches


@pytest.mark.parametrize(("member", "sees"), [("whole", 3_000), ("most", 2_250), ("rare", 3), ("pusher", 0)])
async def test_members_see_the_share_of_a_seeded_feed_that_the_benchmarks_name(sqlite_url: str, member: str, sees: int):
    seeded = await seed(sqlite_url, 3_000)
    db = await open_database(sqlite_url)
    try:
        hub = await open_hub(Config(database_url=sqlite_url), db)
        principal = Principal("bench", Role.READER, (await hub.directory()).find_member(member))
        page = await list_objects(hub, await hub.directory(), principal, "hub", COLLECTION.id, Query(limit=5_000))
    finally:
        await db.close()
    assert len(page.bodies) == pytest.approx(sees, rel=0.01)
    assert seeded.entries == 3_000


def test_an_indicator_is_what_the_hub_reads_from_its_bytes():
    body = indicator(7, ("marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",))
    read = read_object(body, limits=Limits())
    made = as_read(7, body, read.marking_refs)
    assert len(body) == OBJECT_BYTES
    assert {name: getattr(made, name) for name in made.__slots__ if name != "properties"} == {
        name: getattr(read, name) for name in read.__slots__ if name != "properties"
    }


async def test_the_floor_serves_pages_of_the_feed_and_takes_pushes(database_url: str, aiohttp_client: AiohttpClient):
    seeded = await seed(database_url, 50)
    client = await aiohttp_client(build_floor(database_url, seeded.collection_row))
    page = json.loads(await (await client.get("/objects", params={"limit": "20", "after": str(seeded.first_us)})).read())
    assert [obj["name"] for obj in page["objects"]] == [f"Controller {n}" for n in range(1, 21)]
    status = await client.post("/objects", data=b'{"objects":[%b]}' % indicator(60))
    assert (status.status, (await status.json(content_type=None))["success_count"]) == (202, 1)


def test_a_finding_is_judged_by_the_median_of_its_rounds():
    found = Finding("page", "sqlite", [0.2, 0.6, 0.7], Target(0.5), "5/s", "floor 9/s")
    assert found.verdict == "PASS"
    assert Finding("page", "sqlite", [1.4], Target(1.3, at_most=True), "", "").verdict == "MISS"
    assert "| 0.60 (0.20-0.70) | ≥ 0.5" in table([found])
