"""Twenty pains that users of TAXII servers report (P-1 to P-20), each as a test that it does not hurt here, naming the thread."""

import asyncio
import itertools
import json
from datetime import datetime
from typing import Any

import pytest
from taxii2client.v21 import Collection, as_pages

from hub.app import build_app
from hub.config import Config
from tests.data import read_documents
from tests.taxii.community import CIRCLE
from tests.taxii.content import DAY_2, domain_name, envelope, indicator, malware, statement, version_of
from tests.taxii.site import MEDIA_TYPE, TIMESTAMP, Site, basic, check_collection, serve

UNDER_TAXII = "/taxii2"


async def test_p_1_added_after_with_an_offset_beside_next_skips_nothing(either_site: Site, shared: str) -> None:
    # OpenCTI-Platform/opencti#5681
    site = either_site
    objects = [indicator() for _ in range(25)]
    await site.energy.push(shared, *objects)
    seen, position = [], ""
    while True:
        page = await site.water.get(f"{shared}objects/", f"added_after=2020-01-01T00:00:00.000+00:00&limit=4{position}")
        seen += page.objects
        if page.next is None:
            break
        position = f"&next={page.next}"
    assert seen == objects
    assert all(date.endswith("Z") for date in page.dates if date)


@pytest.mark.parametrize("limit", [1, 7, 999, 1_000])
async def test_p_2_a_bulk_load_is_found_whole_by_date_and_by_next(either_site: Site, shared: str, limit: int) -> None:
    # OpenCTI-Platform/opencti#4537, oasis-tcs/cti-taxii2#50: a thousand objects with one date added
    site = either_site
    count = 1_000 if limit > 100 else 40
    objects = [malware(name=f"{n}") for n in range(count)]
    await site.energy.push(shared, *objects)
    wanted = [o["id"] for o in objects]
    for suffix in ("objects/", "manifest/"):
        assert await site.water.ids(shared + suffix, limit=limit) == wanted
        assert await site.water.ids(shared + suffix, limit=limit, by_date=True) == wanted


async def test_p_3_pagers_come_to_an_end_on_objects_and_manifest(either_site: Site, shared: str) -> None:
    # OpenCTI-Platform/connectors#1683, oasis-tcs/cti-taxii2#110
    site = either_site
    objects = [indicator() for _ in range(12)]
    await site.energy.push(shared, *objects)
    user, password = site.credentials["water"]

    def walk() -> None:
        with Collection(site.url + shared, user=user, password=password) as c:
            for per_request, read in itertools.product(range(1, 14), (c.get_objects, c.get_manifest)):
                pages = itertools.islice(as_pages(read, per_request=per_request), 20)
                assert [o["id"] for page in pages for o in page["objects"]] == [o["id"] for o in objects]

    await asyncio.wait_for(asyncio.to_thread(walk), 60)


async def test_p_4_the_last_batch_does_not_come_again_and_again(either_site: Site, shared: str) -> None:
    # OpenCTI-Platform/connectors#7604: added_after was taken as inclusive
    site = either_site
    await site.energy.push(shared, indicator(), indicator())
    last = (await site.water.get(f"{shared}objects/")).dates[1]
    assert (await site.water.get(f"{shared}objects/", f"added_after={last}")).json == {}
    await site.energy.push(shared, late := indicator())
    assert (await site.water.get(f"{shared}objects/", f"added_after={last}")).objects == [late]


async def test_p_5_more_is_true_where_the_hubs_own_cap_cuts_the_page(database_url: str, shared: str) -> None:
    # OpenCTI-Platform/opencti#7793: the asked limit is above an inner cap
    async with serve(database_url, page_objects_max=5, page_objects_default=5) as site:
        await site.energy.push(shared, *[indicator() for _ in range(6)])
        for suffix in ("objects/", "manifest/"):
            page = await site.water.get(shared + suffix, "limit=500")
            assert (len(page.objects), page.json["more"]) == (5, True)


async def test_p_6_next_is_a_string(site: Site, shared: str) -> None:
    # OpenCTI-Platform/opencti#4767
    await site.energy.push(shared, indicator(), indicator())
    body = (await site.energy.get(f"{shared}objects/", "limit=1")).body
    assert b'"next":"' in body


async def test_p_7_date_headers_are_timestamps_or_absent(site: Site, shared: str) -> None:
    # OpenCTI-Platform/opencti#6973, mitre-attack/attack-workbench-taxii-server#32: "undefined", or a date in words
    assert (await site.energy.get(f"{shared}objects/")).dates == (None, None)
    await site.energy.push(shared, indicator())
    for date in (await site.energy.get(f"{shared}objects/")).dates:
        assert date is not None
        assert TIMESTAMP.fullmatch(date)
        assert datetime.fromisoformat(date).tzinfo is not None


@pytest.mark.parametrize(
    "added_after", ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.5Z", "2020-01-01T00:00:00.123456Z", "2020-01-01T02:00:00%2B02:00"]
)
async def test_p_8_correct_moments_are_not_refused(site: Site, shared: str, added_after: str) -> None:
    # demisto/content#21349, oasis-open/cti-taxii-server#35
    await site.energy.push(shared, indicator())
    assert len((await site.energy.get(f"{shared}objects/", f"added_after={added_after}")).objects) == 1


async def test_p_9_every_route_answers_every_method_with_the_media_type(site: Site, shared: str) -> None:
    # mitre-attack/attack-workbench-taxii-server#17 and #36, OpenCTI-Platform/opencti#5621
    obj = indicator()
    status = (await site.energy.push(shared, obj)).json["id"]
    app = build_app(Config())
    templates = {resource.canonical for resource in app.router.resources() if resource.canonical.startswith(UNDER_TAXII)}
    assert len(templates) >= 18
    values = {"root": "hub", "collection": "shared", "object": obj["id"], "status": status}
    paths = {template.format(**values) for template in templates}
    paths |= {template.format(**dict.fromkeys(values, "none")) for template in templates}
    for path, method in itertools.product(sorted(paths), ("GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "DELETE")):
        for accept, caller in ((MEDIA_TYPE, site.water), ("text/html", site.water), (MEDIA_TYPE, site.stranger())):
            reply = await caller.send(method, path, headers={"Accept": accept})  # the caller checks the header
            assert reply.status < 500


async def test_p_10_browsers_lists_of_types_are_served_and_taxii_20_is_told_what_to_send(site: Site) -> None:
    # OpenCTI-Platform/opencti#4246, mitre/cti#104
    assert (await site.energy.get("/taxii2/", Accept="application/json, text/plain, */*")).status == 200
    reply = await site.energy.get("/taxii2/", Accept="application/vnd.oasis.taxii+json; version=2.0")
    assert reply.status == 406
    assert "application/taxii+json;version=2.1" in reply.json["description"]
    assert "TAXII 2.0" in reply.json["description"]


@pytest.mark.parametrize("content_type", ["application/stix+json;version=2.1", "application/taxii+json; version=2.1"])
async def test_p_11_pushes_with_the_stix_type_or_a_space_are_taken(site: Site, shared: str, content_type: str) -> None:
    # OpenCTI-Platform/connectors#7499
    assert (await site.energy.push_raw(shared, envelope(indicator()), **{"Content-Type": content_type})).status == 202


async def test_p_12_discovery_root_and_collections_are_these_bytes(site: Site) -> None:
    # OpenCTI-Platform/opencti#12983: `versions: ["2.1"]` stopped all Sentinel customers
    assert (await site.water.get("/taxii2/")).body == (
        b'{"title":"Fusion Hub","default":"/taxii2/hub/","api_roots":["/taxii2/hub/","/taxii2/annexe/"]}'
    )
    assert (await site.water.get("/taxii2/annexe/")).body == (
        b'{"title":"Annexe","description":"A second API Root",'
        b'"versions":["application/taxii+json;version=2.1"],"max_content_length":10485760}'
    )
    assert (await site.water.get("/taxii2/annexe/collections/")).body == (
        b'{"collections":[{"id":"c0ffee00-0000-4000-8000-000000000006","title":"Shared","description":"About shared","alias":"shared",'
        b'"can_read":true,"can_write":true,"media_types":["application/stix+json;version=2.1"]}]}'
    )


async def test_p_13_bad_credentials_are_401_in_json_and_never_a_redirect(site: Site, shared: str) -> None:
    # OpenCTI-Platform/opencti#8946: 200 and a login page
    for path in ("/taxii2/", "/taxii2", "/taxii2/hub/", f"{shared}objects/", "/taxii2/none/"):
        for method in ("GET", "POST", "DELETE", "HEAD"):
            reply = await site.stranger(basic("energy", "wrong")).send(method, path, headers={"Accept": "text/html"})
            assert reply.status in (401, 429)
            assert "Location" not in reply.headers


@pytest.mark.parametrize(
    ("settings", "root"), [({}, "/taxii2/hub/"), ({"public_url": "https://hub.example.org"}, "https://hub.example.org/taxii2/hub/")]
)
async def test_p_14_what_a_proxy_or_a_client_says_of_the_host_ends_up_in_no_answer(
    sqlite_url: str, settings: dict[str, Any], root: str
) -> None:
    # OpenCTI-Platform/opencti#2044 and #11589: discovery says http://localhost:8080/
    forged = {"Host": "localhost:8080", "X-Forwarded-Host": "evil.example.net", "Forwarded": "host=evil.example.net"}
    async with serve(sqlite_url, **settings) as site:
        for path in ("/taxii2/", "/taxii2", "/taxii2/none/"):
            reply = await site.energy.get(path, **forged)
            everything = reply.body + repr(reply.headers).encode()
            assert b"localhost" not in everything
            assert b"evil" not in everything
        assert (await site.energy.get("/taxii2/", **forged)).json["default"] == root


@pytest.mark.parametrize(
    "path",
    [
        "/taxii2",
        "/taxii2/hub",
        "/taxii2/hub/collections",
        "/taxii2/hub/collections/shared/objects",
        "//taxii2//hub//",
        "/taxii2//hub/",
        "/taxii2//",
    ],
)
async def test_p_15_no_slash_or_two_make_no_difference_and_no_redirect(site: Site, path: str) -> None:
    # OpenCTI-Platform/opencti#7755 and #10989, oasis-open/cti-taxii-client#50 and #109
    reply = await site.energy.get(path)
    assert reply.status == 200
    canonical = "/" + path.strip("/").replace("//", "/") + "/"
    assert reply.body == (await site.energy.get(canonical)).body
    assert all(root.endswith("/") for root in (await site.energy.get("/taxii2/")).json["api_roots"])


async def test_p_16_observables_and_marking_definitions_are_no_trouble(either_site: Site, shared: str) -> None:
    # MISP/MISP#8832, eclecticiq/OpenTAXII#247: KeyError 'modified'
    site = either_site
    marking = statement()
    objects = [marking, domain_name(object_marking_refs=[marking["id"]]), domain_name()]
    await site.energy.push(shared, *objects)
    assert (await site.water.get(f"{shared}objects/")).objects == objects
    await check_collection(site.water, shared)


async def test_p_16_what_misp_converts_its_events_to_is_answered_object_by_object(site: Site, shared: str) -> None:
    bundles = [json.loads(body) for _, body in read_documents("conformance/misp-stix-outputs")]
    for objects in (bundle["objects"] for bundle in bundles):
        status = (await site.energy.push_raw(shared, envelope(*objects))).json
        assert status["total_count"] == len(objects)
        refused = {failure["id"] for failure in status.get("failures", ())}
        of_21 = {o["id"] for o in objects if o.get("spec_version") == "2.1"}
        assert of_21 - refused <= set(await site.water.ids(f"{shared}objects/", "match[version]=all"))
    await check_collection(site.water, shared)


async def test_p_17_content_is_not_altered_and_equal_ids_do_not_mix(either_site: Site, shared: str, second: str) -> None:
    # eclecticiq/OpenTAXII#237, mitre/cti#128, mitre-attack/attack-workbench-taxii-server#27
    site = either_site
    obj = malware(x_custom={"b": [1.50, "é"], "a": "z"})
    await site.energy.push(shared, obj)
    await site.energy.push(second, version_of(obj, DAY_2))
    await site.energy.push(shared, version_of(obj, "2026-01-03T00:00:00.000Z"))
    assert await site.water.ids(f"{shared}objects/") == [obj["id"]], "an id comes once by default"
    assert (await site.water.get(f"{shared}objects/", "match[version]=first")).objects == [obj]
    assert (await site.water.get(f"{second}objects/", "match[version]=all")).objects == [version_of(obj, DAY_2)]
    raw = json.dumps(obj, ensure_ascii=False).encode()
    assert raw in (await site.water.get(f"{shared}objects/", "match[version]=first")).body


async def test_p_18_a_few_objects_out_of_many_are_read_without_walking_the_rest(either_site: Site, shared: str) -> None:
    # oasis-open/cti-taxii-server#159, OpenCTI-Platform/opencti#14786, eclecticiq/OpenTAXII#278. How fast: tests/bench.
    site = either_site
    await site.energy.push(shared, *[indicator() for _ in range(1_500)], needle := malware())
    for query in ("match[type]=malware", f"match[id]={needle['id']}"):
        page = await site.water.get(f"{shared}objects/", query)
        assert page.objects == [needle]
        assert page.dates[0] == page.dates[1]


async def test_p_19_a_status_counts_and_names_every_object_and_says_why(either_site: Site, shared: str) -> None:
    # OpenCTI-Platform/opencti#11433 and #11435: `null` counts
    site = either_site
    bad = [indicator(pattern="["), malware(is_family="yes"), {"type": "malware"}]
    status = (await site.energy.push_raw(shared, envelope(indicator(), *bad))).json
    assert [status[f"{name}_count"] for name in ("total", "success", "failure", "pending")] == [4, 1, 3, 0]
    messages = [failure["message"] for failure in status["failures"]]
    for message, told in zip(messages, ("pattern", "is_family", "id"), strict=True):
        assert told in message


async def test_p_20_every_scheme_of_credentials_and_rights_by_collection_and_by_object(site: Site, shared: str, private: str) -> None:
    # MISP/MISP#9858, OpenCTI-Platform/opencti#1198, eclecticiq/OpenTAXII#255, oasis-tcs/cti-taxii2#119
    id, token = site.credentials["energy"]
    for authorization in (basic(id, token), f"Bearer {token}", f"Token {token}"):
        assert (await site.stranger(authorization).get(f"{shared}objects/")).status == 200
        assert (await site.stranger(authorization).get(f"{private}objects/")).status == 404
    for_circle, for_all = indicator(object_marking_refs=[CIRCLE.id]), indicator()
    await site.energy.push(shared, for_circle, for_all)
    assert await site.agency.ids(f"{shared}objects/") == [for_circle["id"], for_all["id"]]
    assert await site.water.ids(f"{shared}objects/") == [for_all["id"]]
