"""What several members give alike and nobody owns is served once, for as long as any of them has not taken it back."""

import itertools
from collections.abc import Callable

import pytest

from tests.taxii.content import Object, domain_name, envelope, indicator, statement
from tests.taxii.site import LAST, Caller, Reply, Site, check_collection

AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
Make = Callable[[], Object]
KINDS: list[Make] = [domain_name, statement]
PAIRS = [("energy", "water"), ("energy", "agency"), ("agency", "energy")]  # of one kind, of two kinds

pytestmark = pytest.mark.parametrize("make", KINDS)


def one(collection: str, obj: Object) -> str:
    return f"{collection}objects/{obj['id']}/"


async def delete(caller: Caller, collection: str, obj: Object) -> int:
    return (await caller.send("DELETE", one(collection, obj))).status


async def record(site: Site, collection: str, obj: Object) -> dict[str, str]:
    """Return what the manifest says of an object that is served once."""
    (found,) = (await site.observer.get(f"{collection}manifest/", f"match[id]={obj['id']}&match[version]=all")).objects
    assert (await site.observer.get(one(collection, obj), "match[version]=all")).objects == [obj]
    return found


async def end_of(site: Site, collection: str) -> str:
    """Return the cursor of a client that has read everything."""
    return str((await site.observer.pages(f"{collection}objects/"))[-1].headers[LAST])


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_the_copy_of_the_second_outlives_the_deletion_by_the_first(
    either_site: Site, shared: str, make: Make, first: str, second: str
):
    site, obj = either_site, make()
    await site.caller(first).push(shared, indicator(), obj, indicator())
    before = await record(site, shared, obj)
    await site.caller(second).push(shared, obj)
    assert await record(site, shared, obj) == before, "what is held beside changes nothing"
    cursor = await end_of(site, shared)
    assert await delete(site.caller(first), shared, obj) == 200
    after = await record(site, shared, obj)
    assert after["date_added"] > cursor, "in front of every cursor"
    assert after == {**before, "date_added": after["date_added"]}, "and the version that both were told"
    assert await site.observer.ids(f"{shared}objects/", f"added_after={cursor}") == [obj["id"]]
    await check_collection(site.observer, shared)
    assert await delete(site.caller(first), shared, obj) == 403
    assert await delete(site.caller(second), shared, obj) == 200
    assert (await site.observer.get(one(shared, obj))).status == 404
    assert [await delete(site.caller(name), shared, obj) for name in (first, second)] == [404, 404]


@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_a_deletion_by_the_second_takes_back_its_copy_alone(either_site: Site, shared: str, make: Make, first: str, second: str):
    site, obj = either_site, make()
    await site.caller(first).push(shared, obj)
    await site.caller(second).push(shared, obj)
    before, cursor = await record(site, shared, obj), await end_of(site, shared)
    assert await delete(site.caller(second), shared, obj) == 200
    assert await record(site, shared, obj) == before
    assert (await site.observer.get(f"{shared}objects/", f"added_after={cursor}")).json == {}
    assert await delete(site.caller(second), shared, obj) == 403
    assert await delete(site.caller(first), shared, obj) == 200
    assert (await site.observer.get(one(shared, obj))).status == 404


async def test_what_three_gave_goes_with_the_last_of_them(either_site: Site, shared: str, make: Make):
    site, given = either_site, ("energy", "water", "agency")
    for gone in itertools.permutations(given):
        obj = make()
        for name in given:
            await site.caller(name).push(shared, obj)
        for n, name in enumerate(gone):
            await record(site, shared, obj)
            assert [await delete(site.caller(other), shared, obj) for other in ("observer", *gone[:n])] == [403] * (n + 1)
            assert await delete(site.caller(name), shared, obj) == 200
        assert (await site.observer.get(one(shared, obj))).status == 404


async def test_pushing_again_changes_nothing_and_brings_nothing_back_that_one_deleted(either_site: Site, shared: str, make: Make):
    site, obj = either_site, make()
    for caller in (site.energy, site.water, site.energy, site.water, site.agency, site.water):
        await caller.push(shared, obj)
    before = await record(site, shared, obj)
    assert await delete(site.water, shared, obj) == 200
    assert "deleted" in await site.water.failure(shared, obj)
    assert await record(site, shared, obj) == before
    assert await delete(site.energy, shared, obj) == 200
    assert "deleted" in await site.energy.failure(shared, obj), "its own copy stays deleted, whoever else holds one"
    after = await record(site, shared, obj)
    await site.agency.push(shared, obj)
    assert await record(site, shared, obj) == after
    assert await delete(site.agency, shared, obj) == 200
    for caller in (site.energy, site.water, site.agency):
        assert "deleted" in await caller.failure(shared, obj)


async def test_no_answer_tells_whether_somebody_else_gave_it_too(either_site: Site, shared: str, make: Make):
    site = either_site
    alone, first, second = make(), make(), make()
    await site.energy.push(shared, alone, first)
    await site.agency.push(shared, first, second)
    await site.energy.push(shared, second)
    assert "deleted" not in str((await site.energy.push(shared, alone, first, second)).json)

    async def answers(obj: Object) -> list[object]:
        gone = await site.energy.send("DELETE", one(shared, obj))
        again = await site.energy.push_raw(shared, envelope(obj))
        return [_said(gone), again.json["failures"][0]["message"].partition(" at ")[0]]

    assert await answers(first) == await answers(second) == await answers(alone)


async def test_deletions_that_ask_for_other_versions_take_nothing_back(either_site: Site, shared: str, make: Make):
    site, obj = either_site, make()
    await site.energy.push(shared, obj)
    await site.water.push(shared, obj)
    for query in ("match[version]=2020-01-01T00:00:00Z", "match[spec_version]=2.0"):
        assert (await site.water.send("DELETE", one(shared, obj), query=query)).status == 404
    version = (await record(site, shared, obj))["version"]
    assert (await site.water.send("DELETE", one(shared, obj), query=f"match[version]={version}")).status == 200
    assert await delete(site.energy, shared, obj) == 200
    assert (await site.observer.get(one(shared, obj))).status == 404


async def test_copies_under_other_markings_go_each_by_itself(either_site: Site, shared: str, make: Make):
    site, plain = either_site, make()
    marked = {**plain, "object_marking_refs": [AMBER]}
    await site.energy.push(shared, plain)
    await site.water.push(shared, marked)
    await site.agency.push(shared, marked)
    assert (await site.energy.get(one(shared, plain), "match[version]=all")).objects == [plain, marked]
    assert await delete(site.energy, shared, plain) == 200
    assert (await site.energy.get(one(shared, plain), "match[version]=all")).objects == [marked]
    assert await delete(site.water, shared, plain) == 200
    assert (await site.energy.get(one(shared, plain), "match[version]=all")).objects == [marked]
    assert await delete(site.agency, shared, plain) == 200
    assert (await site.energy.get(one(shared, plain))).status == 404


async def test_a_copy_is_held_in_each_collection_by_itself(either_site: Site, shared: str, second: str, make: Make):
    site, obj = either_site, make()
    await site.water.push(second, obj)
    await site.energy.push(shared, obj)
    await site.water.push(shared, obj)
    await site.agency.push(second, obj)
    assert await delete(site.water, second, obj) == 200
    assert await record(site, second, obj), "the agency's"
    assert await delete(site.energy, shared, obj) == 200
    assert await record(site, shared, obj), "that of water, which deleted it elsewhere only"
    assert await delete(site.agency, second, obj) == 200
    assert await record(site, shared, obj)
    assert await delete(site.water, shared, obj) == 200
    for collection in (shared, second):
        assert (await site.observer.get(one(collection, obj))).status == 404


async def test_who_holds_other_content_under_the_id_is_told_of_the_conflict(either_site: Site, shared: str, second: str, make: Make):
    site, obj = either_site, make()
    await site.water.push(second, {**obj, "x_seen": 2})
    await site.energy.push(shared, obj)
    assert "conflict" in await site.water.failure(shared, obj), "as if nobody else held it: the deletion of that one would lose it"


def _said(reply: Reply) -> tuple[int, bytes, list[str]]:
    return reply.status, reply.body, sorted(reply.headers)
