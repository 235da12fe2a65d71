"""TAXII 2.1 requirements Q-1 to Q-26: what follows from the ways of real clients."""

import asyncio
import time
from urllib.parse import quote, urljoin

import pytest
import requests

from hub.config import Config
from tests.taxii.community import COLLECTIONS, SHARED
from tests.taxii.content import domain_name, envelope, indicator, malware, version_of
from tests.taxii.site import MEDIA_TYPE, TIMESTAMP, Site, basic, serve, serve_again

RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"


async def test_q_1_next_is_there_exactly_where_more_is_true(either_site: Site, shared: str) -> None:
    site = either_site
    objects = [indicator() for _ in range(6)]
    await site.energy.push(shared, *objects)
    one = f"objects/{objects[0]['id']}/"
    for suffix in ("objects/", "manifest/", one, f"{one}versions/"):
        for limit in range(1, 8):
            for page in await site.energy.pages(shared + suffix, limit=limit):
                assert ("next" in page.json) == ("more" in page.json) == (page.json.get("more") is True)


async def test_q_2_a_page_with_more_is_never_empty(either_site: Site, shared: str) -> None:
    site = either_site
    await site.energy.push(shared, *[indicator(object_marking_refs=[RED]) for _ in range(50)], indicator())
    await site.energy.push(shared, *[indicator(object_marking_refs=[RED]) for _ in range(50)])
    for suffix in ("objects/", "manifest/"):
        pages = await site.water.pages(shared + suffix, limit=1)
        assert [len(page.ids) for page in pages] == [1]


async def test_q_3_next_alone_goes_on_and_is_bound_to_neither_limit_nor_filters(either_site: Site, shared: str) -> None:
    site = either_site
    objects = [indicator() if n % 2 else malware() for n in range(10)]
    await site.energy.push(shared, *objects)
    page = await site.energy.get(f"{shared}objects/", "limit=4&match[type]=indicator,malware&added_after=2020-01-01T00:00:00Z")
    assert (await site.energy.get(f"{shared}objects/", f"next={page.next}")).objects == objects[4:]
    assert (await site.energy.get(f"{shared}objects/", f"next={page.next}&limit=1")).objects == objects[4:5]
    assert (await site.energy.get(f"{shared}objects/", f"next={page.next}&match[type]=malware")).objects == objects[4::2]
    assert (await site.energy.get(f"{shared}manifest/", f"next={page.next}")).ids == [o["id"] for o in objects[4:]]


async def test_q_4_next_with_added_after_means_after_both(either_site: Site, shared: str) -> None:
    site = either_site
    objects = [indicator() for _ in range(6)]
    await site.energy.push(shared, *objects)
    dates = [record["date_added"] for record in (await site.energy.get(f"{shared}manifest/")).objects]
    cursor = (await site.energy.get(f"{shared}objects/", "limit=3")).next
    for added_after, rest in ((dates[0], objects[3:]), (dates[2], objects[3:]), (dates[4], objects[5:])):
        assert (await site.energy.get(f"{shared}objects/", f"next={cursor}&added_after={added_after}")).objects == rest


async def test_q_5_next_works_on_another_node_and_belongs_to_its_collection(postgresql_url: str, shared: str, second: str) -> None:
    async with serve(postgresql_url) as site, serve_again(postgresql_url, site.credentials) as other:
        objects = [indicator() for _ in range(4)]
        await site.energy.push(shared, *objects)
        await site.energy.push(second, *objects)
        cursor = (await site.energy.get(f"{shared}objects/", "limit=1")).next
        assert (await other.energy.get(f"{shared}objects/", f"next={cursor}")).objects == objects[1:]
        for path in (f"{second}objects/", "/taxii2/annexe/collections/shared/objects/", f"{second}manifest/"):
            assert (await site.energy.get(path, f"next={cursor}")).status == 400


async def test_q_6_next_is_a_short_string_that_needs_no_escaping(site: Site, shared: str) -> None:
    await site.energy.push(shared, *[indicator() for _ in range(20)])
    for page in (await site.energy.pages(f"{shared}objects/", limit=1))[:-1]:
        assert isinstance(page.next, str)
        assert quote(page.next, safe="") == page.next
        assert len(page.next) <= 40


async def test_q_7_an_empty_next_counts_as_absent(site: Site, shared: str) -> None:
    await site.energy.push(shared, indicator(), indicator())
    for suffix in ("objects/", "manifest/"):
        assert (await site.energy.get(shared + suffix, "next=&limit=1")).body == (await site.energy.get(shared + suffix, "limit=1")).body


@pytest.mark.parametrize(
    "text",
    [
        "{0}Z",
        "{0}z",
        "{0}.0Z",
        "{0}.000Z",
        "{0}.000000Z",
        "{0}.000000999Z",
        "{0}+00:00",
        "{0} 00:00",
        "{0}%2B00:00",
        "{0}.000-00:00",
        "{0}%20%30%30:00",
    ],
)
async def test_q_8_moments_are_borne_as_clients_write_them(site: Site, shared: str, text: str) -> None:
    await site.energy.push(shared, indicator())
    for moment, found in (("2020-01-01T00:00:00", True), ("2999-01-01T00:00:00", False)):
        query = f"added_after={text.format(moment).replace(' ', '+')}"
        reply = await site.energy.get(f"{shared}objects/", query)
        assert reply.status == 200
        assert bool(reply.objects) is found


async def test_q_8_what_is_below_the_microsecond_is_cut(site: Site, shared: str) -> None:
    await site.energy.push(shared, indicator(), indicator())
    dates = [record["date_added"] for record in (await site.energy.get(f"{shared}manifest/")).objects]
    after = dates[0].replace("Z", "999Z")
    assert len((await site.energy.get(f"{shared}objects/", f"added_after={after}")).objects) == 1


async def test_q_9_every_page_with_entries_has_both_dates_spelt_as_in_the_standard(site: Site, shared: str) -> None:
    await site.energy.push(shared, *[indicator() for _ in range(5)])
    for suffix in ("objects/", "manifest/"):
        for page in await site.energy.pages(shared + suffix, limit=2):
            names = [name for name in page.headers if name.lower().startswith("x-taxii")]
            assert sorted(names) == ["X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"]
            assert all(TIMESTAMP.fullmatch(page.headers[name]) for name in names)


async def test_q_10_dates_are_unique_and_a_cursor_cut_to_milliseconds_brings_the_tail_again(either_site: Site, shared: str) -> None:
    site = either_site
    await asyncio.gather(*[site.caller(name).push(shared, *[indicator() for _ in range(20)]) for name in ("energy", "water", "agency")])
    dates = [record["date_added"] for record in (await site.energy.get(f"{shared}manifest/")).objects]
    assert len(set(dates)) == 60
    assert dates == sorted(dates)
    last = next(date for date in reversed(dates) if not date.endswith("000Z"))  # of which something is cut
    again = await site.energy.get(f"{shared}objects/", f"added_after={last[:-4]}Z")
    assert again.status == 200
    assert again.dates[1] == dates[-1]


@pytest.mark.parametrize(
    "media_type", ["application/taxii+json; version=2.1", 'application/taxii+json ;VERSION = "2.1"', "APPLICATION/TAXII+JSON"]
)
async def test_q_11_media_types_are_borne_in_any_spelling_and_a_get_may_carry_one(site: Site, shared: str, media_type: str) -> None:
    assert (await site.energy.push_raw(shared, envelope(indicator()), **{"Content-Type": media_type, "Accept": media_type})).status == 202
    reply = await site.energy.get(
        f"{shared}objects/", **{"Content-Type": "application/vnd.oasis.stix+json; version=2.0", "Accept": media_type}
    )
    assert reply.status == 200
    reply = await site.energy.send("GET", f"{shared}objects/", body=b"null", headers={"Content-Type": media_type})
    assert reply.status == 200


async def test_q_12_a_client_that_asks_for_taxii_20_is_told_to_ask_for_21(site: Site) -> None:
    reply = await site.energy.get("/taxii2/", Accept="application/vnd.oasis.taxii+json; version=2.0")
    assert reply.status == 406
    assert MEDIA_TYPE in reply.json["description"]
    assert "2.0" in reply.json["description"]
    both = "application/vnd.oasis.taxii+json; version=2.0, application/taxii+json;version=2.1"
    assert (await site.energy.get("/taxii2/", Accept=both)).status == 200


async def test_q_13_the_type_of_the_answer_splits_into_the_expected_tokens(site: Site, shared: str) -> None:
    for path in ("/taxii2/", "/taxii2/hub/", "/taxii2/hub/collections/", shared, f"{shared}objects/"):
        tokens = (await site.energy.get(path)).headers["Content-Type"].replace(" ", "").split(";")
        assert tokens == ["application/taxii+json", "version=2.1"]


async def test_q_14_no_body_is_so_short_that_its_encoding_is_guessed_wrong(site: Site, shared: str) -> None:
    for path in (f"{shared}objects/", f"{shared}manifest/"):
        reply = await site.energy.get(path)
        assert reply.body.rstrip() == b"{}"
        assert len(reply.body) >= 4
        answer = requests.Response()
        answer._content = reply.body
        assert answer.json() == {}


async def test_q_15_a_bundle_is_taken_where_an_envelope_is_due(either_site: Site, shared: str) -> None:
    site = either_site
    obj, observable = indicator(), domain_name()
    bundle = envelope(obj, observable, type="bundle", id="bundle--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99", spec_version="2.1")
    for content_type in ("application/stix+json;version=2.1", MEDIA_TYPE):
        reply = await site.energy.push_raw(shared, bundle, **{"Content-Type": content_type})
        assert (reply.status, reply.json["success_count"]) == (202, 2)
    assert (await site.energy.get(f"{shared}objects/")).objects == [obj, observable]


async def test_q_16_the_status_is_complete_at_once_and_lies_two_levels_above_the_collection(site: Site, shared: str) -> None:
    status = (await site.energy.push_raw(shared, envelope(indicator(), {}))).json
    assert status["status"] == "complete"
    assert (len(status["successes"]), len(status["failures"])) == (status["success_count"], status["failure_count"]) == (1, 1)
    path = urljoin(f"{site.url}{shared}", f"../../status/{status['id']}/").removeprefix(site.url)
    assert (await site.energy.get(path)).json == status


async def test_q_17_discovery_names_a_default_and_absolute_roots_end_in_a_slash(sqlite_url: str) -> None:
    async with serve(sqlite_url, public_url="https://hub.example.org/") as site:
        found = (await site.energy.get("/taxii2/", Host="evil.example.net", **{"X-Forwarded-Host": "evil.example.net"})).json
    assert found["default"] in found["api_roots"]
    assert all(root.startswith("https://hub.example.org/taxii2/") and root.endswith("/") for root in found["api_roots"])


async def test_q_18_roots_and_titles_can_be_glued_together_and_taken_apart(site: Site) -> None:
    roots = (await site.agency.get("/taxii2/")).json["api_roots"]
    names = [root.split("/")[-2] for root in roots]
    assert names == ["hub", "annexe"]
    for name in names:
        titles = [c["title"] for c in (await site.agency.get(f"/taxii2/{name}/collections/")).json["collections"]]
        assert len(set(titles)) == len(titles) > 0
        assert not any("." in title or "," in title for title in titles)
    assert len(COLLECTIONS) == 6


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "Token", "TOKEN", "token"])
async def test_q_19_credentials_are_taken_in_every_scheme_that_clients_use(site: Site, scheme: str) -> None:
    id, token = site.credentials["energy"]
    assert (await site.stranger(f"{scheme} {token}").get("/taxii2/")).status == 200
    assert (await site.stranger(basic(id, token).replace("Basic", "basic")).get("/taxii2/")).status == 200


async def test_q_21_an_unknown_object_is_404_not_an_empty_envelope(site: Site, shared: str) -> None:
    assert (await site.energy.get(f"{shared}objects/indicator--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99/")).status == 404


async def test_q_22_pages_have_a_default_and_a_cap(sqlite_url: str, shared: str) -> None:
    assert (Config().page_objects_default, Config().page_objects_max) == (1_000, 5_000)
    async with serve(sqlite_url, push_inline_objects_max=10_000) as site:
        await site.energy.push(shared, *[indicator() for _ in range(5_050)])
        began = time.monotonic()
        assert len((await site.water.get(f"{shared}objects/", "limit=99999")).objects) == 5_000
        assert time.monotonic() - began < 30
        assert len((await site.water.get(f"{shared}objects/")).objects) == 1_000
        assert len((await site.water.get(f"{shared}manifest/", "limit=5001")).objects) == 5_000


async def test_q_23_a_request_line_of_64_kib_is_read(site: Site, shared: str) -> None:
    obj = indicator()
    await site.energy.push(shared, obj)
    ids = [f"indicator--3a1f4f3c-6b0e-4a43-8b39-{n:012d}" for n in range(499)]
    assert await site.energy.ids(f"{shared}objects/", f"match[id]={','.join([*ids, obj['id']])}") == [obj["id"]]
    assert (await site.energy.get(f"{shared}objects/", f"x={'a' * 60_000}")).status == 200


async def test_q_24_answers_are_bytes_with_the_type_set_and_faults_are_error_resources(site: Site, shared: str) -> None:
    for method, path, status in (("GET", "/taxii2/hub/x/y/z/", 404), ("PUT", f"{shared}objects/", 405), ("GET", "/taxii2/%2e%2e/", 404)):
        reply = await site.energy.send(method, path)
        assert reply.status == status
        assert reply.json["http_status"] == str(status)
    root = (await site.energy.get("/taxii2/hub/")).json
    reply = await site.energy.push_raw(shared, b" " * (root["max_content_length"] + 1))
    assert (reply.status, reply.json["http_status"]) == (413, "413")


async def test_q_25_the_same_version_pushed_again_and_again_writes_nothing(either_site: Site, shared: str) -> None:
    site = either_site
    obj = version_of(indicator(), "2026-01-05T00:00:00.000Z")
    statuses = [await site.energy.push(shared, obj) for _ in range(30)]
    assert len({status.json["id"] for status in statuses}) == 30
    assert len((await site.energy.get(f"{shared}manifest/", "match[version]=all")).objects) == 1


async def test_q_26_a_client_that_pages_by_modified_is_borne(site: Site, shared: str) -> None:
    await site.energy.push(shared, *[indicator(modified=f"2026-01-0{n}T00:00:00.000Z") for n in range(1, 6)])
    position = "2020-01-01T00:00:00.000Z"
    for _ in range(3):
        reply = await site.energy.get(f"{shared}objects/", f"added_after={position}")
        assert reply.status == 200
        position = max(obj["modified"] for obj in reply.objects)
    assert SHARED.alias == "shared"
