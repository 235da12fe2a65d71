"""TAXII 2.1 requirements R-1 to R-28: order, filters and pages."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.taxii.content import DAY_1, DAY_2, DAY_3, Object, domain_name, envelope, indicator, malware, statement, version_of
from tests.taxii.site import FIRST, LAST, TIMESTAMP, Caller, Site, check_collection, serve, serve_again

GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
LISTS = ("manifest/", "objects/")


async def with_versions(caller: Caller, collection: str) -> tuple[Object, Object, Object, Object]:
    """Push three versions of one object, out of order, and another object in between; return them by version, the other last."""
    first = indicator()
    middle, last, other = version_of(first, DAY_2), version_of(first, DAY_3), malware()
    await caller.push(collection, middle)
    await caller.push(collection, other)
    await caller.push(collection, last)
    await caller.push(collection, first)
    return first, middle, last, other


async def dates_of(caller: Caller, collection: str) -> dict[tuple[str, str], str]:
    """Return the date added of every version in a collection."""
    records = [r for page in await caller.pages(f"{collection}manifest/", "match[version]=all") for r in page.objects]
    return {(record["id"], record["version"]): record["date_added"] for record in records}


def moment(timestamp: str) -> datetime:
    return datetime.strptime(timestamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def written(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def test_r_1_everything_comes_in_the_order_in_which_it_was_added(either_site: Site, shared: str) -> None:
    site = either_site
    first, middle, last, other = await with_versions(site.energy, shared)
    pages = await site.water.get(f"{shared}objects/", "match[version]=all")
    assert pages.objects == [middle, other, last, first]
    assert [r["version"] for r in (await site.water.get(f"{shared}manifest/", "match[version]=all")).objects] == [
        DAY_2,
        DAY_1,
        DAY_3,
        DAY_1,
    ]
    assert (await site.water.get(f"{shared}objects/{first['id']}/", "match[version]=all")).objects == [middle, last, first]
    assert (await site.water.get(f"{shared}objects/{first['id']}/versions/")).json["versions"] == [DAY_2, DAY_3, DAY_1]
    await check_collection(site.water, shared)


async def test_r_2_every_page_carries_the_dates_of_its_first_and_last_entry(either_site: Site, shared: str) -> None:
    site = either_site
    first, *_ = await with_versions(site.energy, shared)
    dates = await dates_of(site.water, shared)
    of_one = sorted(date for (id, _), date in dates.items() if id == first["id"])
    for suffix in LISTS:
        pages = await site.water.pages(shared + suffix, "match[version]=all", limit=3)
        ordered = sorted(dates.values())
        assert [page.dates for page in pages] == [(ordered[0], ordered[2]), (ordered[3], ordered[3])]
    for suffix, query in ((f"objects/{first['id']}/", "match[version]=all"), (f"objects/{first['id']}/versions/", "")):
        assert (await site.water.get(shared + suffix, query)).dates == (of_one[0], of_one[-1])
        assert (await site.water.get(shared + suffix, f"{query}&limit=2")).dates == (of_one[0], of_one[1])


async def test_r_3_an_empty_page_carries_no_dates(site: Site, shared: str) -> None:
    obj = indicator()
    await site.energy.push(shared, obj)
    for suffix in (*LISTS, f"objects/{obj['id']}/", f"objects/{obj['id']}/versions/"):
        reply = await site.energy.get(shared + suffix, "added_after=2999-01-01T00:00:00Z")
        assert (reply.status, reply.json) == (200, {})
        assert not {FIRST, LAST} & reply.headers.keys()


async def test_r_4_added_after_leaves_out_its_own_moment(either_site: Site, shared: str) -> None:
    site = either_site
    objects = [indicator() for _ in range(4)]
    await site.energy.push(shared, *objects)
    dates = list((await dates_of(site.energy, shared)).values())
    for position, date in enumerate(dates):
        just_before = written(moment(date) - timedelta(microseconds=1))
        for suffix in LISTS:
            assert (await site.energy.get(shared + suffix, f"added_after={date}")).ids == [o["id"] for o in objects[position + 1 :]]
            assert (await site.energy.get(shared + suffix, f"added_after={just_before}")).ids == [o["id"] for o in objects[position:]]


async def test_r_4_added_after_has_nothing_to_do_with_the_objects_own_times(site: Site, shared: str) -> None:
    old = indicator(created="1999-01-01T00:00:00.000Z", modified="1999-01-01T00:00:00.000Z", valid_from="1999-01-01T00:00:00Z")
    await site.energy.push(shared, old)
    assert await site.energy.ids(f"{shared}objects/", "added_after=2020-01-01T00:00:00Z") == [old["id"]]


@pytest.mark.parametrize(
    "query",
    ["added_after=", "added_after=yesterday", "added_after=2026-13-01T00:00:00Z", "added_after=2026-01-01", "added_after=1&added_after=2"],
)
async def test_r_4_a_malformed_or_repeated_added_after_is_refused(site: Site, shared: str, query: str) -> None:
    obj = indicator()
    await site.energy.push(shared, obj)
    for suffix in (*LISTS, f"objects/{obj['id']}/", f"objects/{obj['id']}/versions/"):
        assert (await site.energy.get(shared + suffix, query)).status == 400


async def test_r_5_a_page_never_holds_more_than_its_limit(site: Site, shared: str) -> None:
    await site.energy.push(shared, *[indicator() for _ in range(5)])
    for suffix in LISTS:
        for limit in (1, 2, 4, 5, 6, 10**9, 10**30):
            assert len((await site.energy.get(shared + suffix, f"limit={limit}")).objects) == min(limit, 5)


async def test_r_5_a_limit_above_the_hubs_own_is_no_error(sqlite_url: str, shared: str) -> None:
    async with serve(sqlite_url, page_objects_max=3, page_objects_default=2) as site:
        await site.energy.push(shared, *[indicator() for _ in range(5)])
        for suffix in LISTS:
            assert len((await site.energy.get(shared + suffix, "limit=4")).objects) == 3
            assert len((await site.energy.get(shared + suffix)).objects) == 2


@pytest.mark.parametrize("limit", ["0", "-1", "abc", "", "1.5", "1&limit=1", "%2B1", "+1", "%00"])
async def test_r_5_what_is_no_limit_is_refused(site: Site, shared: str, limit: str) -> None:
    obj = indicator()
    await site.energy.push(shared, obj)
    for suffix in (*LISTS, f"objects/{obj['id']}/", f"objects/{obj['id']}/versions/"):
        assert (await site.energy.get(shared + suffix, f"limit={limit}")).status == 400


async def test_r_6_filters_make_no_short_pages(either_site: Site, shared: str) -> None:
    site = either_site
    objects = [(indicator if n % 7 == 0 else malware)(object_marking_refs=[RED if n % 3 == 0 else GREEN]) for n in range(60)]
    await site.energy.push(shared, *objects)
    wanted = [o["id"] for n, o in enumerate(objects) if n % 7 == 0 and n % 3]
    for suffix in LISTS:
        for query in ("match[type]=indicator", f"match[type]=indicator&match[id]={','.join(o['id'] for o in objects)}"):
            whole = await site.water.get(shared + suffix, f"{query}&limit={len(wanted)}")
            assert whole.ids == wanted
            assert "more" not in whole.json
            assert [len(page.ids) for page in await site.water.pages(shared + suffix, query, limit=2)] == [2, 2, 2]


async def test_r_7_more_is_said_exactly_where_there_is_more(either_site: Site, shared: str) -> None:
    site = either_site
    first, *_ = await with_versions(site.energy, shared)
    one = f"objects/{first['id']}/"
    for suffix, query, count in (
        ("objects/", "match[version]=all", 4),
        ("manifest/", "match[version]=all", 4),
        (one, "match[version]=all", 3),
        (f"{one}versions/", "", 3),
    ):
        assert (await site.water.get(shared + suffix, f"{query}&limit={count - 1}")).json["more"] is True
        assert "more" not in (await site.water.get(shared + suffix, f"{query}&limit={count}")).json


async def test_r_8_next_goes_on_with_the_original_query(either_site: Site, shared: str) -> None:
    site = either_site
    objects = [indicator() if n % 2 else malware() for n in range(9)]
    await site.energy.push(shared, *objects)
    wanted = [o["id"] for o in objects if o["type"] == "indicator"]
    for suffix in LISTS:
        assert await site.energy.ids(shared + suffix, "match[type]=indicator&added_after=2020-01-01T00:00:00Z", limit=1) == wanted


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 40])
async def test_r_9_paging_by_date_and_by_next_gives_the_same(either_site: Site, shared: str, limit: int) -> None:
    site = either_site
    for batch in (11, 1, 28):
        await site.energy.push(shared, *[indicator(object_marking_refs=[RED if n % 4 == 1 else GREEN]) for n in range(batch)])
    for caller in (site.energy, site.water):
        for suffix in LISTS:
            by_next = await caller.ids(shared + suffix, limit=limit)
            assert by_next == await caller.ids(shared + suffix, limit=limit, by_date=True)
            assert len(by_next) == len(set(by_next)) == (40 if caller.authorization == site.energy.authorization else 30)


async def test_r_10_next_brings_in_nothing_beyond_the_callers_rights(either_site: Site, shared: str, private: str) -> None:
    site = either_site
    await site.energy.push(shared, *[indicator(object_marking_refs=[RED]) for _ in range(3)], *[indicator() for _ in range(2)])
    cursor = (await site.energy.get(f"{shared}objects/", "limit=1")).next
    assert len((await site.energy.get(f"{shared}objects/", f"next={cursor}")).ids) == 4
    assert len((await site.water.get(f"{shared}objects/", f"next={cursor}")).ids) == 2, "a cursor that was passed on grants nothing"
    await site.agency.push(private, indicator(), indicator())
    private_cursor = (await site.agency.get(f"{private}objects/", "limit=1")).next
    assert (await site.water.get(f"{private}objects/", f"next={private_cursor}")).status == 404


async def test_r_10_a_next_that_the_hub_did_not_make_is_refused(site: Site, shared: str) -> None:
    await site.energy.push(shared, *[indicator() for _ in range(3)])
    cursor = (await site.energy.get(f"{shared}objects/", "limit=1")).next
    assert cursor is not None
    raw = bytearray(base64.urlsafe_b64decode(cursor))
    forged = []
    for place in range(len(raw)):
        raw[place] ^= 1
        forged.append(base64.urlsafe_b64encode(bytes(raw)).decode())
        raw[place] ^= 1
    for text in (*forged, cursor[:-1], f"{cursor}A", cursor.swapcase(), "1", "0" * 24, "x" * 10_000, "%F0%9F%90%8D", "'--", "null"):
        for suffix in LISTS:
            reply = await site.energy.get(shared + suffix, f"next={text}")
            assert reply.status == 400, text
            assert "next" in reply.json["description"]


async def test_r_11_what_is_deleted_meanwhile_ends_the_pages_early(either_site: Site, shared: str) -> None:
    site = either_site
    first, second = indicator(), indicator()
    await site.energy.push(shared, first, second)
    page = await site.energy.get(f"{shared}objects/", "limit=1")
    await site.energy.send("DELETE", f"{shared}objects/{second['id']}/")
    rest = await site.energy.get(f"{shared}objects/", f"limit=1&next={page.next}")
    assert (rest.status, rest.json) == (200, {})


async def test_r_12_manifest_and_versions_send_next_too(either_site: Site, shared: str) -> None:
    site = either_site
    first, *_ = await with_versions(site.energy, shared)
    pages = await site.water.pages(f"{shared}manifest/", "match[version]=all", limit=1)
    assert len(pages) == 4
    pages = await site.water.pages(f"{shared}objects/{first['id']}/versions/", limit=2)
    assert [page.json["versions"] for page in pages] == [[DAY_2, DAY_3], [DAY_1]]


@pytest.mark.parametrize(
    "query",
    [
        "match[id]=",
        "match[type]=a,,b",
        "match[version]=newest",
        "match[version]=2026-02-30T00:00:00Z",
        "match[spec_version]=",
        "limit=%ff",
        "next=%00",
    ],
)
async def test_r_13_any_malformed_parameter_is_refused_and_named(site: Site, shared: str, query: str) -> None:
    for suffix in LISTS:
        reply = await site.energy.get(shared + suffix, query)
        assert reply.status == 400
        assert reply.json["description"].startswith(query.partition("=")[0])


async def test_r_14_fields_are_anded_and_values_are_ored(either_site: Site, shared: str) -> None:
    site = either_site
    a, b, c = indicator(), indicator(), malware()
    await site.energy.push(shared, a, b, c)
    for suffix in LISTS:
        for query, wanted in (
            (f"match[id]={a['id']},{c['id']}", [a, c]),
            ("match[type]=indicator,malware", [a, b, c]),
            (f"match[id]={a['id']},{c['id']}&match[type]=indicator", [a]),
            (f"match[id]={a['id']},{c['id']}&match[type]=malware,tool", [c]),
            (f"match[id]={a['id']}&match[type]=malware", []),
            (f"match[type]=indicator&match[version]={DAY_1}&match[spec_version]=2.0,2.1&match[id]={b['id']},{b['id']}", [b]),
        ):
            assert await site.energy.ids(shared + suffix, query) == [o["id"] for o in wanted]


@pytest.mark.parametrize("field", ["id", "type", "version", "spec_version"])
async def test_r_14_a_repeated_field_is_refused(site: Site, shared: str, field: str) -> None:
    for suffix in LISTS:
        assert (await site.energy.get(shared + suffix, f"match[{field}]=last&match[{field}]=last")).status == 400


async def test_r_15_parameters_that_are_not_defined_are_ignored(site: Site, shared: str) -> None:
    obj = indicator()
    await site.energy.push(shared, obj)
    for suffix in LISTS:
        assert await site.energy.ids(shared + suffix, "match[confidence]=90&match[confidence]=80&order=desc&x=%ff") == [obj["id"]]
    one = f"{shared}objects/{obj['id']}/"
    for path in (one, f"{one}versions/"):
        assert (await site.energy.get(path, "match[id]=other&match[type]=malware&match[id]=again")).json != {}
    assert (await site.energy.get(f"{one}versions/", "match[version]=nonsense")).json["versions"] == [DAY_1]


async def test_r_16_ids_that_do_not_exist_just_do_not_match(either_site: Site, shared: str) -> None:
    site = either_site
    obj = indicator()
    await site.energy.push(shared, obj)
    for suffix in LISTS:
        for id in ("indicator--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99", "nonsense", "'%20OR%201=1%20--", "%F0%9F%90%8D"):
            assert (await site.energy.get(shared + suffix, f"match[id]={id}")).json == {}
            assert await site.energy.ids(shared + suffix, f"match[id]={id},{obj['id']}") == [obj["id"]]


async def test_r_17_an_unknown_type_yields_nothing(either_site: Site, shared: str) -> None:
    site = either_site
    await site.energy.push(shared, indicator())
    for suffix in LISTS:
        for type in ("relationship", "x-custom", "no such", "INDICATOR"):
            assert (await site.energy.get(shared + suffix, f"match[type]={type.replace(' ', '%20')}")).json == {}


async def test_r_18_versions_can_be_asked_for_by_name_and_by_moment(either_site: Site, shared: str) -> None:
    site = either_site
    first, middle, last, other = await with_versions(site.energy, shared)
    added = [middle, other, last, first]
    for query, wanted in (
        ("", {DAY_3}),
        ("match[version]=last", {DAY_3}),
        ("match[version]=first", {DAY_1}),
        ("match[version]=first,last", {DAY_1, DAY_3}),
        ("match[version]=all", {DAY_1, DAY_2, DAY_3}),
        (f"match[version]={DAY_2}", {DAY_2}),
        (f"match[version]=last,{DAY_2}", {DAY_2, DAY_3}),
        (f"match[version]={DAY_1},{DAY_2}", {DAY_1, DAY_2}),
        ("match[version]=2020-01-01T00:00:00Z", set()),
    ):
        of_object = [o for o in added if o["id"] == first["id"] and o["modified"] in wanted]
        of_other = [] if query in (f"match[version]={DAY_2}", "match[version]=2020-01-01T00:00:00Z") else [other]
        expected = [o for o in added if o in of_object + of_other]
        assert (await site.water.get(f"{shared}objects/", query)).objects == expected, query
        assert (await site.water.get(f"{shared}objects/", f"{query}&match[id]={first['id']}")).objects == of_object, query
        assert (await site.water.get(f"{shared}objects/{first['id']}/", query)).objects == of_object, query
        records = (await site.water.get(f"{shared}manifest/", query)).objects
        assert [(r["id"], r["version"]) for r in records] == [(o["id"], o["modified"]) for o in expected], query


@pytest.mark.parametrize("version", ["all,last", f"all,{DAY_1}", "last,last", f"{DAY_1},{DAY_1}", "last,,first"])
async def test_r_18_all_with_anything_else_or_a_value_twice_is_refused(site: Site, shared: str, version: str) -> None:
    for suffix in (*LISTS, "objects/indicator--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99/"):
        assert (await site.energy.get(shared + suffix, f"match[version]={version}")).status == 400


async def test_r_19_an_exact_version_is_a_moment(either_site: Site, shared: str) -> None:
    site = either_site
    obj = indicator(modified="2026-01-01T00:00:01.000Z")
    await site.energy.push(shared, obj)
    for text in ("2026-01-01T00:00:01Z", "2026-01-01T00:00:01.0Z", "2026-01-01T00:00:01.000000Z", "2026-01-01T01:00:01%2B01:00"):
        for suffix in (*LISTS, f"objects/{obj['id']}/"):
            assert await site.energy.ids(shared + suffix, f"match[version]={text}") == [obj["id"]]
    assert await site.energy.ids(f"{shared}objects/", "match[version]=2026-01-01T00:00:01.000001Z") == []


async def test_r_20_version_is_modified_else_created_else_the_date_first_added(either_site: Site, shared: str) -> None:
    site = either_site
    modified, created, neither = version_of(indicator(), DAY_2), statement(created=DAY_3), domain_name()
    await site.energy.push(shared, modified, created, neither)
    records = {r["id"]: r for r in (await site.energy.get(f"{shared}manifest/")).objects}
    assert records[modified["id"]]["version"] == DAY_2
    assert records[created["id"]]["version"] == DAY_3
    version = records[neither["id"]]["version"]
    assert TIMESTAMP.fullmatch(version)
    await site.energy.push(shared, neither)
    again = (await site.energy.get(f"{shared}manifest/", f"match[version]={version}")).objects
    assert [(r["id"], r["version"]) for r in again] == [(neither["id"], version)], "pushed again it keeps its version"


async def test_r_21_spec_version_lets_nothing_else_in(either_site: Site, shared: str) -> None:
    site = either_site
    obj, observable = indicator(), domain_name()
    without = {name: value for name, value in domain_name().items() if name != "spec_version"}
    await site.energy.push(shared, obj, observable, without)
    one = f"objects/{obj['id']}/"
    for spec_version, found in (("2.1", True), ("2.0,2.1", True), ("2.0", False), ("3.0", False)):
        for suffix in LISTS:
            wanted = [obj["id"], observable["id"], without["id"]] if found else []
            assert await site.energy.ids(shared + suffix, f"match[spec_version]={spec_version}") == wanted
        for suffix in (one, f"{one}versions/"):
            assert ((await site.energy.get(shared + suffix, f"match[spec_version]={spec_version}")).json != {}) is found


async def test_r_22_latest_is_by_version_not_by_arrival(either_site: Site, shared: str) -> None:
    site = either_site
    last, lone = version_of(indicator(), DAY_3), malware()
    await site.energy.push(shared, last, lone)
    await site.energy.push(shared, version_of(last, DAY_1))
    assert (await site.energy.get(f"{shared}objects/")).objects == [last, lone]
    assert (await site.energy.get(f"{shared}objects/", f"match[version]=first,last&match[id]={lone['id']}")).objects == [lone]


async def test_r_23_last_is_judged_before_dates_cut_the_page(either_site: Site, shared: str) -> None:
    site = either_site
    last = version_of(indicator(), DAY_3)
    await site.energy.push(shared, last)
    after = (await site.energy.get(f"{shared}objects/")).dates[1]
    late, other = version_of(last, DAY_1), malware()
    await site.energy.push(shared, late, other)
    for suffix in LISTS:
        assert await site.energy.ids(shared + suffix, f"added_after={after}") == [other["id"]], (
            "an old version that came late is not the last"
        )
        assert await site.energy.ids(shared + suffix, f"added_after={after}&match[id]={last['id']}") == []
        assert await site.energy.ids(shared + suffix, f"added_after={after}&match[version]=first") == [late["id"], other["id"]]
    assert (await site.energy.get(f"{shared}objects/{last['id']}/", f"added_after={after}")).json == {}


async def test_r_23_last_is_judged_over_what_the_caller_may_see(either_site: Site, shared: str) -> None:
    site = either_site
    open_version = indicator(object_marking_refs=[GREEN])
    await site.energy.push(shared, open_version)
    await site.energy.push(shared, version_of(open_version, DAY_2, object_marking_refs=[RED]))
    await site.energy.push(shared, other := malware())
    for suffix in LISTS:
        assert await site.water.ids(shared + suffix) == [other["id"]], "a narrowed object is withdrawn whole"
        assert await site.water.ids(shared + suffix, "match[version]=all") == [other["id"]]
    assert (await site.water.get(f"{shared}objects/{open_version['id']}/")).status == 404


async def test_r_24_manifest_filters_look_at_the_objects(either_site: Site, shared: str) -> None:
    site = either_site
    await with_versions(site.energy, shared)
    await site.energy.push(shared, domain_name(), statement())
    for query in ("", "match[type]=malware", "match[version]=first", "match[version]=all&match[type]=indicator", f"match[version]={DAY_1}"):
        objects = await site.water.pages(f"{shared}objects/", query, limit=2)
        records = await site.water.pages(f"{shared}manifest/", query, limit=2)
        assert [page.ids for page in objects] == [page.ids for page in records]
        assert [page.dates for page in objects] == [page.dates for page in records]


async def test_r_25_objects_come_in_an_envelope(site: Site, shared: str) -> None:
    obj = indicator()
    await site.energy.push_raw(shared, envelope(obj, type="bundle", id="bundle--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99"))
    for suffix in ("objects/", f"objects/{obj['id']}/"):
        assert (await site.energy.get(shared + suffix)).json == {"objects": [obj]}


async def test_r_26_an_unknown_object_is_404_and_a_known_one_without_match_is_empty(either_site: Site, shared: str, second: str) -> None:
    site = either_site
    obj, elsewhere = indicator(), indicator()
    await site.energy.push(shared, obj)
    await site.energy.push(second, elsewhere)
    for unknown in (
        "indicator--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99",
        elsewhere["id"],
        "x",
        "%00",
        "%F0%9F%90%8D",
        "..%2f",
        "'%20OR%201=1",
    ):
        for suffix in ("", "versions/"):
            assert (await site.energy.get(f"{shared}objects/{unknown}/{suffix}")).status == 404
    for suffix, query in (
        ("", "match[version]=2020-01-01T00:00:00Z"),
        ("", "match[spec_version]=2.0"),
        ("versions/", "match[spec_version]=2.0"),
    ):
        reply = await site.energy.get(f"{shared}objects/{obj['id']}/{suffix}", query)
        assert (reply.status, reply.json) == (200, {})


async def test_r_27_versions_are_all_versions(either_site: Site, shared: str) -> None:
    site = either_site
    first, *_ = await with_versions(site.energy, shared)
    created = statement()
    await site.energy.push(shared, created)
    assert sorted((await site.water.get(f"{shared}objects/{first['id']}/versions/")).json["versions"]) == [DAY_1, DAY_2, DAY_3]
    assert (await site.water.get(f"{shared}objects/{created['id']}/versions/")).json == {"versions": [created["created"]]}


@pytest.mark.parametrize(
    "accept",
    ["application/stix+json;version=2.1", "application/taxii+json;version=2.1, application/stix+json;version=2.1", "application/stix+json"],
)
async def test_r_28_both_types_are_borne_everywhere(site: Site, shared: str, accept: str) -> None:
    obj = indicator()
    await site.energy.push(shared, obj)
    for suffix in ("", *LISTS, f"objects/{obj['id']}/", f"objects/{obj['id']}/versions/"):
        assert (await site.energy.get(shared + suffix, Accept=accept)).status == 200


async def test_a_page_ends_before_its_bytes_are_too_many_but_holds_one_object(sqlite_url: str, shared: str) -> None:
    async with serve(sqlite_url, page_bytes_max=3_000) as site:
        objects = [malware(description="x" * size) for size in (100, 1_000, 1_500, 5_000, 100)]
        await site.energy.push(shared, *objects)
        pages = await site.energy.pages(f"{shared}objects/")
        assert [obj for page in pages for obj in page.objects] == objects
        sizes = [sum(len(json.dumps(obj)) for obj in page.objects) for page in pages]
        assert all(size <= 3_000 or len(page.objects) == 1 for size, page in zip(sizes, pages, strict=True))
        assert len(pages) < len(objects)


async def test_a_cursor_goes_on_after_a_restart(database_url: str, shared: str) -> None:
    objects = [indicator() for _ in range(5)]
    async with serve(database_url) as site:
        await site.energy.push(shared, *objects)
        cursor = (await site.energy.get(f"{shared}objects/", "limit=2")).next
        credentials = site.credentials
    async with serve_again(database_url, credentials) as site:
        assert await site.energy.ids(f"{shared}objects/", f"next={cursor}") == [o["id"] for o in objects[2:]]
