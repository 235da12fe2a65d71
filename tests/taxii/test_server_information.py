"""TAXII 2.1 requirements S-1 to S-9: discovery, API Roots and statuses."""

import json
import uuid

import pytest

from tests.taxii.content import DAY_1, DAY_2, domain_name, envelope, indicator, statement, version_of
from tests.taxii.site import Site, serve


async def test_s_1_discovery_is_at_the_root_of_the_host(site: Site) -> None:
    reply = await site.energy.get("/taxii2/")
    assert reply.status == 200
    assert len(reply.json["api_roots"]) == 2


async def test_s_2_discovery_names_title_and_a_default_that_is_one_of_the_roots(site: Site) -> None:
    assert (await site.energy.get("/taxii2/")).json == {
        "title": "Fusion Hub",
        "default": "/taxii2/hub/",
        "api_roots": ["/taxii2/hub/", "/taxii2/annexe/"],
    }


async def test_s_2_title_description_and_contact_come_from_the_settings(sqlite_url: str) -> None:
    async with serve(sqlite_url, title="Ünser Hub", description="For us", contact="hub@example.org") as site:
        found = (await site.energy.get("/taxii2/")).json
    assert (found["title"], found["description"], found["contact"]) == ("Ünser Hub", "For us", "hub@example.org")


@pytest.mark.parametrize("public_url", ["https://hub.example.org", "https://hub.example.org/"])
async def test_s_3_roots_are_absolute_where_the_public_address_is_set(sqlite_url: str, public_url: str) -> None:
    async with serve(sqlite_url, public_url=public_url) as site:
        found = (await site.energy.get("/taxii2/")).json
    assert found["default"] == "https://hub.example.org/taxii2/hub/"
    assert found["api_roots"] == ["https://hub.example.org/taxii2/hub/", "https://hub.example.org/taxii2/annexe/"]


async def test_s_3_roots_are_paths_otherwise(site: Site) -> None:
    for root in (await site.energy.get("/taxii2/")).json["api_roots"]:
        assert root.startswith("/taxii2/")
        assert "//" not in root
        assert "?" not in root
        assert (await site.energy.get(root)).status == 200


async def test_s_4_an_api_root_names_its_version_exactly(site: Site) -> None:
    assert (await site.energy.get("/taxii2/hub/")).json == {
        "title": "Main",
        "versions": ["application/taxii+json;version=2.1"],
        "max_content_length": site.hub.config.body_bytes_max,
    }
    assert (await site.energy.get("/taxii2/annexe/")).json["description"] == "A second API Root"
    assert (await site.energy.get("/taxii2/none/")).status == 404


async def test_s_5_a_body_of_the_named_length_is_taken_and_one_byte_more_is_not(sqlite_url: str) -> None:
    async with serve(sqlite_url, body_bytes_max=4_096) as site:
        length = (await site.energy.get("/taxii2/hub/")).json["max_content_length"]
        body = envelope(indicator())
        for size, status in ((length - 1, 202), (length, 202), (length + 1, 413)):
            reply = await site.energy.push_raw("/taxii2/hub/collections/shared/", body + b" " * (size - len(body)))
            assert reply.status == status


async def test_s_6_a_status_can_be_read_again_by_whom_it_concerns(either_site: Site, shared: str) -> None:
    site = either_site
    pushed = await site.energy.push(shared, indicator())
    path = f"/taxii2/hub/status/{pushed.json['id']}/"
    assert (await site.energy.get(path)).json == pushed.json
    assert (await site.reader.get(path)).json == pushed.json, "another credential of the same member"
    for caller in (site.water, site.agency, site.admin):
        assert (await caller.get(path)).status == 404
    assert (await site.energy.get(f"/taxii2/annexe/status/{pushed.json['id']}/")).status == 404
    assert (await site.energy.get(f"/taxii2/hub/status/{uuid.uuid4()}/")).status == 404
    assert (await site.energy.get("/taxii2/hub/status/%00/")).status == 404


async def test_s_7_counts_are_there_and_lists_only_where_they_hold_something(site: Site, shared: str) -> None:
    good, bad = indicator(), indicator(pattern="[not a pattern")
    status = (await site.energy.push_raw(shared, envelope(good, bad))).json
    assert status["status"] == "complete"
    assert [status[f"{name}_count"] for name in ("total", "success", "failure", "pending")] == [2, 1, 1, 0]
    assert [detail["id"] for detail in status["successes"]] == [good["id"]]
    assert [detail["id"] for detail in status["failures"]] == [bad["id"]]
    assert "pendings" not in status


async def test_s_8_each_detail_has_an_id_and_a_version(site: Site, shared: str) -> None:
    versioned, created, unversioned = version_of(indicator(), DAY_2), statement(), domain_name()
    nameless = {"type": "indicator"}
    status = (await site.energy.push_raw(shared, envelope(versioned, created, unversioned, nameless, {}))).json
    versions = {detail["id"]: detail["version"] for detail in status["successes"]}
    assert versions.keys() == {versioned["id"], created["id"], unversioned["id"]}
    assert (versions[versioned["id"]], versions[created["id"]]) == (DAY_2, DAY_1)
    record = (await site.energy.get(f"{shared}manifest/", f"match[id]={unversioned['id']}")).objects[0]
    assert versions[unversioned["id"]] == record["version"], "without created or modified it is the date first added"
    assert len({detail["id"] for detail in status["failures"]}) == 2


async def test_s_9_a_pending_push_counts_all_its_objects_at_once(sqlite_url: str) -> None:
    async with serve(sqlite_url, push_inline_objects_max=2) as site:
        reply = await site.energy.push_raw("/taxii2/hub/collections/shared/", envelope(*[indicator() for _ in range(3)]))
        assert reply.status == 202
        assert reply.json["total_count"] == 3
        assert json.dumps(reply.json).count("indicator--") <= 3
