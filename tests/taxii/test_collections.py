"""TAXII 2.1 requirements C-1 to C-5: what a collection says of itself."""

import pytest

from tests.taxii.community import ANNEXE, SHARED
from tests.taxii.content import envelope, indicator, malware
from tests.taxii.site import Site, check_collection


async def test_c_1_collections_are_sorted_by_id_on_every_request(site: Site) -> None:
    first = await site.agency.get("/taxii2/hub/collections/")
    ids = [collection["id"] for collection in first.json["collections"]]
    assert ids == sorted(ids)
    assert len(ids) == 5
    for _ in range(3):
        assert (await site.agency.get("/taxii2/hub/collections/")).body == first.body


async def test_c_1_without_collections_the_answer_is_an_empty_object(site: Site) -> None:
    reply = await site.admin.get("/taxii2/hub/collections/")
    assert (reply.status, reply.json) == (200, {})


async def test_c_1_the_collections_of_another_root_are_not_listed(site: Site) -> None:
    assert [c["id"] for c in (await site.energy.get("/taxii2/annexe/collections/")).json["collections"]] == [ANNEXE.id]
    assert (await site.energy.get("/taxii2/none/collections/")).status == 404
    assert (await site.energy.get(f"/taxii2/annexe/collections/{SHARED.id}/")).status == 404


async def test_c_2_a_collection_says_what_it_is(site: Site, advisories: str) -> None:
    assert (await site.energy.get(advisories)).json == {
        "id": "c0ffee00-0000-4000-8000-000000000005",
        "title": "Advisories",
        "description": "About advisories",
        "alias": "advisories",
        "can_read": True,
        "can_write": False,
        "media_types": ["application/stix+json;version=2.1"],
    }


async def test_c_3_an_alias_stands_for_the_id_in_every_path(site: Site, shared: str) -> None:
    alias = "/taxii2/hub/collections/shared/"
    obj, late = indicator(), malware()
    await site.energy.push(shared, obj)
    await site.energy.push(alias, late)
    one = f"objects/{obj['id']}/"
    for suffix in ("", "manifest/", "objects/", one, f"{one}versions/"):
        by_alias, by_id = await site.energy.get(alias + suffix), await site.energy.get(shared + suffix)
        assert (by_alias.status, by_alias.body) == (200, by_id.body)
    assert (await site.energy.get(alias)).json["id"] == SHARED.id
    assert (await site.energy.send("DELETE", alias + one)).status == 200
    assert await site.energy.ids(f"{shared}objects/") == [late["id"]]


async def test_c_3_the_same_alias_in_another_root_is_another_collection(site: Site) -> None:
    obj = indicator()
    await site.energy.push("/taxii2/annexe/collections/shared/", obj)
    assert await site.energy.ids("/taxii2/annexe/collections/shared/objects/") == [obj["id"]]
    assert await site.energy.ids("/taxii2/hub/collections/shared/objects/") == []


@pytest.mark.parametrize("name", ["SHARED", "Shared", SHARED.id.upper(), " shared", "shared%00", "%C3%BC", "x" * 5_000])
async def test_c_3_nothing_but_id_and_alias_names_a_collection(site: Site, name: str) -> None:
    assert (await site.energy.get(f"/taxii2/hub/collections/{name.replace(' ', '%20')}/")).status == 404


async def test_c_4_media_types_say_stix_21(site: Site) -> None:
    for collection in (await site.agency.get("/taxii2/hub/collections/")).json["collections"]:
        assert collection["media_types"] == ["application/stix+json;version=2.1"]


async def test_c_5_a_manifest_record_has_a_media_type_of_its_collection(site: Site, shared: str) -> None:
    await site.energy.push_raw(shared, envelope(indicator(), malware()))
    for record in (await site.energy.get(f"{shared}manifest/")).objects:
        assert record["media_type"] in (await site.energy.get(shared)).json["media_types"]
    await check_collection(site.energy, shared)
