"""TAXII 2.1 requirements W-1 to W-11: pushing and deleting."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.service.admit import push
from tests.taxii.content import DAY_1, DAY_2, DAY_3, Object, domain_name, envelope, indicator, malware, statement, version_of
from tests.taxii.site import MEDIA_TYPE, Caller, Community, Site, check_collection, serve
from tests.tlog.place import member, opened

KINDS = [indicator, malware, domain_name, statement]


async def chunks(body: bytes, size: int = 1_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def finished(caller: Caller, status: Any) -> Any:
    """Return a status resource once its push is complete."""
    async with asyncio.timeout(20):
        while status["status"] != "complete":
            status = (await caller.get(f"/taxii2/hub/status/{status['id']}/")).json
    return status


async def test_w_1_a_push_is_answered_with_its_status(either_site: Site, shared: str) -> None:
    site = either_site
    objects = [make() for make in KINDS]
    reply = await site.energy.send("POST", f"{shared}objects/", body=envelope(*objects))
    assert reply.status == 202
    assert (reply.json["status"], reply.json["total_count"], reply.json["success_count"]) == ("complete", 4, 4)
    assert [detail["id"] for detail in reply.json["successes"]] == [o["id"] for o in objects]
    assert (await site.water.get(f"{shared}objects/")).objects == objects


async def test_w_1_a_big_push_is_finished_also_where_the_limit_is_lower_by_then(community: Community, shared: str) -> None:
    objects = [indicator() for _ in range(3)]
    async with opened(community.url, push_inline_objects_max=0) as hub:  # without its loops, as it stops before they come to it
        status = await push(hub, await hub.directory(), await member(hub, "energy"), "hub", "shared", envelope(*objects))
    async with community.serve(envelope_objects_max=2) as site:
        done = await finished(site.energy, {"id": status.id, "status": "pending"})
        assert (done["success_count"], done["total_count"]) == (3, 3)
        assert (await site.energy.push_raw(shared, envelope(*objects))).status == 413


async def test_w_1_a_big_push_is_finished_in_the_background(database_url: str, shared: str) -> None:
    objects = [indicator() for _ in range(30)]
    async with serve(database_url, push_inline_objects_max=10, push_chunk_objects=7) as site:
        reply = await site.energy.push_raw(shared, envelope(*objects, indicator(pattern="[")))
        assert (reply.status, reply.json["total_count"]) == (202, 31)
        status = await finished(site.energy, reply.json)
        assert (status["success_count"], status["failure_count"]) == (30, 1)
        assert await site.water.ids(f"{shared}objects/") == [o["id"] for o in objects]
        await check_collection(site.water, shared)


@pytest.mark.parametrize("make", KINDS)
async def test_w_2_an_exact_duplicate_is_a_success_that_changes_nothing(either_site: Site, shared: str, make: Any) -> None:
    site = either_site
    obj, other = make(), indicator()
    await site.energy.push(shared, obj)
    before = (await site.energy.get(f"{shared}manifest/")).objects
    for body in (envelope(obj), envelope(obj, obj), json.dumps({"objects": [dict(sorted(obj.items()))]}, indent=1).encode()):
        reply = await site.energy.push_raw(shared, body)
        assert reply.json["success_count"] == reply.json["total_count"]
        assert (await site.energy.get(f"{shared}manifest/")).objects == before
    await site.energy.push(shared, obj, other)
    assert await site.energy.ids(f"{shared}objects/") == [obj["id"], other["id"]]


async def test_w_2_the_same_version_with_other_content_is_a_failure_that_loses_nothing(either_site: Site, shared: str) -> None:
    site = either_site
    obj = indicator()
    await site.energy.push(shared, obj)
    message = await site.energy.failure(shared, {**obj, "name": "changed in silence"})
    assert "conflict" in message
    assert (await site.energy.get(f"{shared}objects/")).objects == [obj]


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b"{'objects':[]}", b'{"objects":[{}]', b'{"objects":[{}]}{}', b"\x00"])
async def test_w_3_what_is_not_json_is_400(site: Site, shared: str, body: bytes) -> None:
    assert (await site.energy.push_raw(shared, body)).status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"[]", b'""', b"1", b"null", b"{}", b'{"objects":[]}', b'{"objects":null}', b'{"objects":{}}', b'{"objects":"x"}',
        b'{"objects":[1]}', b'{"objects":[{},[]]}', b'{"objects":[null]}', b'{"more":false}',
    ],
)  # fmt: skip
async def test_w_3_json_that_is_no_envelope_is_422(site: Site, shared: str, body: bytes) -> None:
    reply = await site.energy.push_raw(shared, body)
    assert reply.status == 422
    assert reply.json["description"]


async def test_w_4_a_bad_object_never_sinks_the_others(either_site: Site, shared: str) -> None:
    site = either_site
    good = [indicator(), malware(), domain_name()]
    bad: list[Object] = [
        {},
        {"id": 7, "type": "indicator"},
        {"type": "indicator", "spec_version": "2.1"},
        indicator(id="indicator--not-a-uuid"),
        indicator(id="malware--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99"),
        indicator(modified="2020-01-01T00:00:00.000Z"),
        indicator(created="2026-02-30T00:00:00.000Z"),
        indicator(pattern="[file:name ="),
        {name: value for name, value in indicator().items() if name != "spec_version"},
        indicator(spec_version="2.0"),
        {"type": "bundle", "id": "bundle--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99", "objects": [indicator()]},
    ]
    mixed = [obj for pair in zip(bad, [*good, *good, *good, *good], strict=False) for obj in pair]
    status = (await site.energy.push_raw(shared, envelope(*mixed))).json
    assert (status["total_count"], status["failure_count"]) == (22, 11)
    assert all(len(failure["message"]) > 15 for failure in status["failures"])
    assert sorted(await site.energy.ids(f"{shared}objects/")) == sorted(o["id"] for o in good)
    await check_collection(site.energy, shared)


async def test_w_4_an_object_without_an_id_is_counted_under_one_of_ours(site: Site, shared: str) -> None:
    status = (await site.energy.push_raw(shared, envelope({"type": "indicator"}, {"type": "malware"}, indicator()))).json
    assert status["failure_count"] == 2
    assert len({failure["id"] for failure in status["failures"]}) == 2


async def test_w_5_too_much_is_413_however_it_comes(sqlite_url: str, shared: str) -> None:
    async with serve(sqlite_url, body_bytes_max=10_000) as site:
        body = envelope(malware(description="x" * 8_000))
        large = envelope(malware(description="x" * 10_000))
        packed = gzip.compress(envelope(malware(description="x" * 1_000_000)))
        assert len(packed) < 10_000
        assert (await site.energy.push_raw(shared, body)).status == 202
        assert (await site.energy.push_raw(shared, large)).status == 413
        assert (await site.energy.send("POST", f"{shared}objects/", body=chunks(large))).status == 413
        assert (await site.energy.push_raw(shared, packed, **{"Content-Encoding": "gzip"})).status == 413
        assert (await site.energy.push_raw(shared, b"{" * 20_000)).status == 413, "decided before it is parsed"
        assert len(await site.energy.ids(f"{shared}objects/")) == 1


async def test_w_6_a_body_without_a_length_is_taken(site: Site, shared: str) -> None:
    obj = indicator()
    reply = await site.energy.send("POST", f"{shared}objects/", body=chunks(envelope(obj), 17))
    assert (reply.status, reply.json["success_count"]) == (202, 1)
    assert (await site.energy.get(f"{shared}objects/")).objects == [obj]


async def test_w_7_a_deleted_object_is_gone_from_its_collection_only(either_site: Site, shared: str, second: str) -> None:
    site = either_site
    obj, other = indicator(), malware()
    await site.energy.push(shared, obj, other)
    await site.energy.push(second, obj)
    one = f"objects/{obj['id']}/"
    reply = await site.energy.send("DELETE", shared + one)
    assert (reply.status, reply.body, reply.headers["Content-Type"]) == (200, b"", MEDIA_TYPE)
    for caller in (site.energy, site.water):
        assert (await caller.get(shared + one)).status == 404
        assert (await caller.get(f"{shared}{one}versions/")).status == 404
        for suffix in ("objects/", "manifest/"):
            for query in ("", "match[version]=all", f"match[id]={obj['id']},{other['id']}"):
                assert await caller.ids(shared + suffix, query) == [other["id"]]
        assert (await caller.get(second + one)).objects == [obj]
    await check_collection(site.energy, shared)


async def test_w_8_without_a_filter_all_versions_are_deleted(either_site: Site, shared: str) -> None:
    site = either_site
    obj = indicator()
    await site.energy.push(shared, obj, version_of(obj, DAY_2), version_of(obj, DAY_3))
    assert (await site.energy.send("DELETE", f"{shared}objects/{obj['id']}/")).status == 200
    assert await site.energy.ids(f"{shared}objects/", "match[version]=all") == []


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("match[version]=last", [DAY_1, DAY_2]),
        ("match[version]=first", [DAY_2, DAY_3]),
        (f"match[version]={DAY_2}", [DAY_1, DAY_3]),
        ("match[version]=first,last&match[spec_version]=2.1", [DAY_2]),
        ("match[version]=all", []),
    ],
)
async def test_w_8_filters_narrow_a_deletion(either_site: Site, shared: str, query: str, left: list[str]) -> None:
    site = either_site
    obj = indicator()
    await site.energy.push(shared, obj, version_of(obj, DAY_2), version_of(obj, DAY_3))
    assert (await site.energy.send("DELETE", f"{shared}objects/{obj['id']}/", query=query)).status == 200
    versions = await site.water.get(f"{shared}objects/{obj['id']}/versions/")
    assert versions.json.get("versions", []) == left
    if left:
        assert [o["modified"] for o in (await site.water.get(f"{shared}objects/")).objects] == left[-1:], (
            "the latest that is left is the last"
        )
    await check_collection(site.water, shared)


async def test_w_8_a_deletion_that_asks_for_nothing_deletes_nothing(site: Site, shared: str) -> None:
    obj = indicator()
    await site.energy.push(shared, obj)
    for query, status in (("match[version]=2020-01-01T00:00:00Z", 404), ("match[spec_version]=2.0", 404), ("match[version]=all,last", 400)):
        assert (await site.energy.send("DELETE", f"{shared}objects/{obj['id']}/", query=query)).status == status
    assert (await site.energy.get(f"{shared}objects/")).objects == [obj]


async def test_w_9_deleting_twice_is_404_the_second_time(either_site: Site, shared: str) -> None:
    site = either_site
    obj = indicator()
    await site.energy.push(shared, obj)
    one = f"{shared}objects/{obj['id']}/"
    assert [(await site.energy.send("DELETE", one)).status for _ in range(3)] == [200, 404, 404]


async def test_w_9_a_deleted_version_does_not_come_back_but_a_newer_one_is_welcome(either_site: Site, shared: str) -> None:
    site = either_site
    obj = indicator()
    await site.energy.push(shared, obj)
    await site.energy.send("DELETE", f"{shared}objects/{obj['id']}/")
    assert "deleted" in await site.energy.failure(shared, obj)
    assert (await site.energy.get(f"{shared}objects/")).json == {}
    newer = version_of(obj, DAY_2)
    await site.energy.push(shared, newer)
    assert (await site.water.get(f"{shared}objects/", "match[version]=all")).objects == [newer]


async def test_w_10_content_may_go_without_breaking_a_walk(either_site: Site, shared: str) -> None:
    site = either_site
    objects = [indicator() for _ in range(6)]
    await site.energy.push(shared, *objects)
    first = await site.water.get(f"{shared}objects/", "limit=2")
    for obj in objects[1:4]:
        await site.energy.send("DELETE", f"{shared}objects/{obj['id']}/")
    for position in (f"next={first.next}", f"added_after={first.dates[1]}"):
        assert await site.water.ids(f"{shared}objects/", position) == [o["id"] for o in objects[4:]]


@pytest.mark.parametrize("path", ["/taxii2/hub/channels/", "/taxii2/hub/channels/x/", "/taxii2/hub/channels/x/messages/"])
async def test_w_11_channels_are_reserved(site: Site, path: str) -> None:
    assert (await site.energy.get(path)).status == 404
    assert (await site.energy.push_raw(path, envelope(indicator()))).status == 404


async def test_what_is_accepted_is_served_as_the_bytes_that_came(site: Site, shared: str) -> None:
    raw = (
        json.dumps(malware(x_num=1, description="</script>\u2028 tab\t"))
        .encode()
        .replace(b'"x_num": 1', b'"x_num" :\t1.50E+2 ,"x_u":"\\u00e9"')
    )
    assert (await site.energy.push_raw(shared, b'{ "objects" : [ %b ] }' % raw)).json["success_count"] == 1
    assert (await site.water.get(f"{shared}objects/")).body == b'{"objects":[%b]}' % raw


async def test_versions_of_one_object_in_one_push_are_all_kept(either_site: Site, shared: str) -> None:
    site = either_site
    obj = indicator()
    await site.energy.push(shared, version_of(obj, DAY_3), obj, version_of(obj, DAY_2), obj)
    assert (await site.energy.get(f"{shared}objects/{obj['id']}/versions/")).json["versions"] == [DAY_3, DAY_1, DAY_2]
    assert [o["modified"] for o in (await site.energy.get(f"{shared}objects/")).objects] == [DAY_3]
