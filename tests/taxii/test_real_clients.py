"""Clients as people have them: taxii2-client, python-stix2's TAXII data stores and cytaxii2, each against the real application."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
import requests
import stix2
from cytaxii2.cytaxii2 import cytaxii2
from stix2 import Filter, TAXIICollectionSink, TAXIICollectionSource, TAXIICollectionStore
from taxii2client.common import TokenAuth
from taxii2client.exceptions import AccessError, ValidationError
from taxii2client.v21 import ApiRoot, Collection, Server, Status, as_pages

from hub.config import Config
from hub.serve import listen
from tests.taxii.community import SHARED
from tests.taxii.content import DAY_1, DAY_2, DAY_3, domain_name, indicator, malware, statement, version_of
from tests.taxii.site import Site, serve

T = TypeVar("T")


async def use(call: Callable[[], T]) -> T:
    """Run a blocking client beside the hub."""
    return await asyncio.wait_for(asyncio.to_thread(call), 60)


def collection(site: Site, path: str, who: str = "energy") -> Collection:
    user, password = site.credentials[who]
    return Collection(site.url + path, user=user, password=password)


# --- taxii2-client -------------------------------------------------------------------------------------------------------


async def test_taxii2_client_finds_its_way_from_discovery_to_a_collection(site: Site) -> None:
    user, password = site.credentials["energy"]

    def walk() -> tuple[str, list[str], list[str], int]:
        with Server(f"{site.url}/taxii2/", user=user, password=password) as server:
            root = server.default
            assert root is not None
            return server.title, [r.url for r in server.api_roots], [c.title for c in root.collections], root.max_content_length

    title, roots, titles, max_content_length = await use(walk)
    assert title == "Fusion Hub"
    assert roots == [f"{site.url}/taxii2/hub/", f"{site.url}/taxii2/annexe/"]
    assert titles == ["Dropbox", "Second", "Shared", "Advisories"]
    assert max_content_length == site.hub.config.body_bytes_max


async def test_taxii2_client_reads_a_collection_and_its_rights(site: Site, advisories: str) -> None:
    def read() -> tuple[Any, ...]:
        with collection(site, advisories) as c:
            return c.id, c.title, c.alias, c.description, c.can_read, c.can_write, c.media_types, c.custom_properties

    assert await use(read) == (
        "c0ffee00-0000-4000-8000-000000000005", "Advisories", "advisories", "About advisories", True, False,
        ["application/stix+json;version=2.1"], {},
    )  # fmt: skip


async def test_taxii2_client_makes_every_call(either_site: Site, shared: str) -> None:
    site = either_site
    first = indicator()
    last, other = version_of(first, DAY_3), malware()

    def call() -> None:
        with collection(site, shared) as c:
            status = c.add_objects({"objects": [first, last, other, {"type": "malware"}]}, wait_for_completion=True, timeout=10)
            assert bool(status)
            assert (status.success_count, status.failure_count, len(status.failures)) == (3, 1, 1)
            assert c.get_objects()["objects"] == [last, other]
            assert c.get_objects(type="malware")["objects"] == [other]
            assert c.get_objects(id=[first["id"], other["id"]], version="first")["objects"] == [first, other]
            assert c.get_objects(version=datetime(2026, 1, 3, tzinfo=UTC))["objects"] == [last]
            assert c.get_objects(spec_version="2.0") == {}
            assert c.get_objects(added_after=datetime(2999, 1, 1, tzinfo=UTC)) == {}
            assert c.get_object(first["id"])["objects"] == [last]
            assert c.get_object(first["id"], version="all")["objects"] == [first, last]
            assert c.object_versions(first["id"])["versions"] == [DAY_1, DAY_3]
            assert [r["id"] for r in c.get_manifest()["objects"]] == [last["id"], other["id"]]
            c.delete_object(first["id"])
            assert c.get_objects()["objects"] == [other]
            with pytest.raises(requests.HTTPError, match="404"):
                c.get_object(first["id"])
            with Status(f"{site.url}/taxii2/hub/status/{status.id}/", conn=c._conn) as again:
                assert again._raw == status._raw

    await use(call)


async def test_taxii2_client_pages_through_objects_and_manifest_at_every_page_size(either_site: Site, shared: str) -> None:
    site = either_site
    objects = [indicator() for _ in range(9)]
    await site.energy.push(shared, *objects)
    ids = [o["id"] for o in objects]

    def walk() -> None:
        with collection(site, shared) as c:
            for per_request in range(11):
                size = per_request or 9
                pages = [ids[start : start + size] for start in range(0, 9, size)]
                for read in (c.get_objects, c.get_manifest):
                    assert [[o["id"] for o in page["objects"]] for page in as_pages(read, per_request=per_request)] == pages

    await use(walk)


async def test_taxii2_client_changes_the_limit_between_pages_where_the_hub_caps_it(sqlite_url: str, shared: str) -> None:
    async with serve(sqlite_url, page_objects_max=4, page_objects_default=3) as site:
        objects = [indicator() for _ in range(10)]
        await site.energy.push(shared, *objects)

        def pages(per_request: int) -> list[int]:
            with collection(site, shared) as c:
                return [len(page["objects"]) for page in as_pages(c.get_objects, per_request=per_request)]

        assert await use(lambda: pages(0)) == [3, 3, 3, 1]
        assert await use(lambda: pages(100)) == [4, 4, 2]


async def test_taxii2_client_waits_for_a_push_that_is_finished_in_the_background(database_url: str, shared: str) -> None:
    async with serve(database_url, push_inline_objects_max=5) as site:
        objects = [indicator() for _ in range(20)]

        def push() -> Any:
            with collection(site, shared) as c:
                status = c.add_objects({"objects": objects}, wait_for_completion=False)
                status.wait_until_final(poll_interval=0.05, timeout=20)
                return status

        status = await use(push)
        assert (status.status, status.success_count, len(status.successes)) == ("complete", 20, 20)


async def test_taxii2_client_is_told_what_it_may_not_do(site: Site, advisories: str, dropbox: str, private: str) -> None:
    def tell() -> None:
        with collection(site, advisories) as c, pytest.raises(AccessError):
            c.add_objects({"objects": [indicator()]})
        with collection(site, dropbox) as c, pytest.raises(AccessError):
            c.get_objects()
        with collection(site, private) as c, pytest.raises(requests.HTTPError, match="404"):
            c.refresh()
        with ApiRoot(f"{site.url}/taxii2/hub/", user="nobody", password="wrong") as root, pytest.raises(requests.HTTPError, match="401"):
            root.refresh()

    await use(tell)


async def test_taxii2_client_takes_a_token(site: Site, shared: str) -> None:
    def read() -> bool:
        with Collection(site.url + shared, auth=TokenAuth(site.credentials["energy"][1])) as c:
            return bool(c.can_read)

    assert await use(read)


async def test_q_20_taxii2_client_refuses_an_alias_but_takes_the_id_beside_it(site: Site) -> None:
    def read() -> str:
        with collection(site, "/taxii2/hub/collections/shared/") as c, pytest.raises(ValidationError, match=SHARED.id):
            c.refresh()
        with collection(site, f"/taxii2/hub/collections/{SHARED.id}") as c:
            return str(c.alias)

    assert await use(read) == "shared"


# --- python-stix2 --------------------------------------------------------------------------------------------------------


async def test_stix2_sink_pushes_objects_bundles_and_lists(either_site: Site, shared: str) -> None:
    site = either_site
    observable = stix2.v21.DomainName(value="sink.example.com")
    one = stix2.v21.Malware(name="One", is_family=False)
    two = stix2.v21.Malware(name="Two", is_family=True)

    def push() -> None:
        with collection(site, shared) as c:
            sink = TAXIICollectionSink(c)
            sink.add(one)
            sink.add(stix2.v21.Bundle(two, observable))
            sink.add([indicator(id="indicator--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a11"), one.serialize()])

    await use(push)
    assert await site.water.ids(f"{shared}objects/") == [one.id, two.id, observable.id, "indicator--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a11"]


async def test_stix2_source_gets_queries_and_lists_versions(either_site: Site, shared: str) -> None:
    site = either_site
    first = indicator()
    last, other, marking, observable = version_of(first, DAY_2), malware(), statement(), domain_name()
    await site.energy.push(shared, first, last, other, marking, observable)

    def read() -> None:
        with collection(site, shared, "water") as c:
            source = TAXIICollectionSource(c, items_per_page=2)
            assert source.get(first["id"])["modified"] == datetime(2026, 1, 2, tzinfo=UTC)
            assert source.get("indicator--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99") is None
            assert sorted(v["modified"] for v in source.all_versions(first["id"])) == [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2)]
            assert {o["id"] for o in source.query()} == {o["id"] for o in (last, other, marking, observable)}
            assert [o["id"] for o in source.query([Filter("type", "=", "malware")])] == [other["id"]]
            assert [o["id"] for o in source.query([Filter("type", "=", "indicator,malware"), Filter("name", "=", other["name"])])] == [
                other["id"]
            ]
            assert source.query([Filter("added_after", "=", "2999-01-01T00:00:00Z")]) == []

    await use(read)


async def test_stix2_store_reads_back_what_it_wrote(either_site: Site, shared: str) -> None:
    site = either_site
    obj = stix2.v21.Indicator(pattern="[file:name = 'a.exe']", pattern_type="stix", name="Ä")

    def roundtrip() -> Any:
        with collection(site, shared) as c:
            store = TAXIICollectionStore(c)
            store.add(obj)
            newer = obj.new_version(name="B")
            store.add(newer)
            return store.get(obj.id), len(store.all_versions(obj.id))

    found, versions = await use(roundtrip)
    assert (found["name"], versions) == ("B", 2)


# --- cytaxii2 ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def public_port() -> int:
    """A free port: cytaxii2 needs absolute API Roots, so the hub must know its address before it starts."""
    with listen(Config(listen_port=0)) as sock:
        return int(sock.getsockname()[1])


async def test_cytaxii2_makes_every_call(sqlite_url: str, shared: str, public_port: int) -> None:
    url = f"http://127.0.0.1:{public_port}"
    async with serve(sqlite_url, listen_port=public_port, public_url=url) as site:
        objects = [indicator(), malware(), indicator()]

        def call() -> None:
            user, password = site.credentials["energy"]
            client = cytaxii2(f"{url}/taxii2/", user, password)
            assert client.discovery_request()["response"]["default"] == f"{url}/taxii2/hub/"
            assert client.root_discovery()["response"]["versions"] == ["application/taxii+json;version=2.1"]
            assert len(client.collection_request()["response"]["collections"]) == 4
            assert client.collection_data_request(SHARED.id)["response"]["alias"] == "shared"
            pushed = client.inbox_request(SHARED.id, stix2.v21.Bundle([stix2.parse(o) for o in objects]).serialize())
            assert (pushed["status_code"], pushed["response"]["success_count"]) == (202, 3)
            first = client.poll_request(SHARED.id, limit=2)["response"]
            rest = client.poll_request(SHARED.id, limit=2, next=first["next"])["response"]
            assert [o["id"] for o in first["objects"] + rest["objects"]] == [o["id"] for o in objects]
            assert len(client.poll_request(SHARED.id, object_type="malware")["response"]["objects"]) == 1
            assert len(client.poll_request(SHARED.id, object_id=objects[0]["id"])["response"]["objects"]) == 1
            assert client.poll_request(SHARED.id, added_after="2999-01-01T00:00:00Z")["response"] == {}
            missing = client.collection_data_request("none")
            assert (missing["status"], missing["status_code"], missing["response"]["title"]) == (False, 404, "Not Found")

        await use(call)


async def test_cytaxii2_for_taxii_20_is_refused_with_an_error_that_it_can_read(site: Site) -> None:
    user, password = site.credentials["energy"]
    answer = await use(lambda: cytaxii2(f"{site.url}/taxii2/", user, password, version=2.0).discovery_request())
    assert (answer["status_code"], answer["response"]["http_status"]) == (406, "406")
