"""TAXII 2.1 requirements A-1 to A-10: who gets in, and what each may do."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from hub.domain.taxii import Right
from hub.service import credentials as service
from hub.service.administer import COMMAND_LINE
from hub.service.collections import revoke_right
from hub.service.members import resume_member, suspend_member
from hub.store.credentials import revoke_token
from hub.store.database import Connection
from hub.store.directory import bump_revision
from tests.taxii.community import SHARED
from tests.taxii.content import envelope, indicator
from tests.taxii.site import MEDIA_TYPE, Caller, Community, Site, basic, serve, serve_again

UNUSABLE = [
    None,
    "",
    "Basic",
    "Basic !!!",
    basic("nobody", "wrong"),
    basic("", ""),
    "Basic " + base64.b64encode(b"no-colon").decode(),
    "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
    "Bearer hub_test_aaaaaaaaaaaa_wrong",
    "Token ",
    "Digest username=x",
    "Bearer " + "a" * 5_000,
]


def everything(collection: str) -> list[tuple[str, str]]:
    """Return every endpoint of a collection as (method, path)."""
    one = f"{collection}objects/indicator--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99/"
    return [
        ("GET", collection),
        ("GET", f"{collection}manifest/"),
        ("GET", f"{collection}objects/"),
        ("POST", f"{collection}objects/"),
        ("GET", one),
        ("DELETE", one),
        ("GET", f"{one}versions/"),
    ]


async def statuses(caller: Caller, collection: str) -> list[int]:
    return [
        (await caller.send(method, path, body=envelope(indicator()) if method == "POST" else None)).status
        for method, path in everything(collection)
    ]


async def test_a_1_an_unusable_credential_is_challenged(sqlite_url: str, shared: str) -> None:
    async with serve(sqlite_url, login_failures_max=1_000) as site:
        for authorization in UNUSABLE:
            for path in ("/taxii2/", "/taxii2/hub/", "/taxii2/hub/collections/", f"{shared}objects/", "/taxii2/none/", "//taxii2//"):
                reply = await site.stranger(authorization).get(path)
                assert reply.status == 401, authorization
                challenges = reply.headers.getall("WWW-Authenticate")
                assert any(challenge.startswith("Basic realm=") for challenge in challenges)


async def test_a_1_a_revoked_credential_is_challenged_at_once(site: Site) -> None:
    assert (await site.energy.get("/taxii2/")).status == 200

    async def revoke(conn: Connection) -> None:
        await revoke_token(conn, site.credentials["energy"][0], now_us=1)  # type: ignore[arg-type]
        await bump_revision(conn)

    await site.hub.db.write(revoke)
    assert (await site.energy.get("/taxii2/")).status == 401


ENDS: dict[str, Callable[[Site], Awaitable[Any]]] = {
    "token": lambda site: service.revoke_token(site.hub, COMMAND_LINE, site.credentials["energy"][0]),
    "member": lambda site: suspend_member(site.hub, COMMAND_LINE, "energy"),
    "right": lambda site: revoke_right(site.hub, COMMAND_LINE, SHARED.id, Right.WRITE, "everyone"),
}


@pytest.mark.parametrize("inline_max", [0, 2_000])
@pytest.mark.parametrize("end", ENDS)
async def test_a_1_a_push_that_has_begun_is_judged_by_what_is_in_force_when_it_ends(
    community: Community, shared: str, end: str, inline_max: int
) -> None:
    whole, begun, may_end = envelope(indicator(), indicator()), asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield whole[:100]
        begun.set()
        await may_end.wait()
        yield whole[100:]

    async with community.serve(push_inline_objects_max=inline_max) as site:
        headers = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE, "Authorization": str(site.energy.authorization)}
        pushing = asyncio.create_task(site.session.post(f"{site.url}{shared}objects/", data=slowly(), headers=headers))
        await begun.wait()
        assert await site.water.ids(f"{shared}objects/") == []  # asked after it, and answered: by now it is being read
        await ENDS[end](site)
        may_end.set()
        status = (await pushing).status
        assert status == (await site.energy.push_raw(shared, whole)).status
        assert status in (401, 403, 404)
        assert await site.water.ids(f"{shared}objects/") == []


async def test_a_1_a_push_that_has_begun_is_taken_once_where_something_else_changes(either_site: Site, shared: str) -> None:
    objects = [indicator() for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for obj in objects:
            group.create_task(either_site.energy.push(shared, obj))
            group.create_task(suspend_member(either_site.hub, COMMAND_LINE, "observer"))
            group.create_task(resume_member(either_site.hub, COMMAND_LINE, "observer"))
    assert sorted(await either_site.water.ids(f"{shared}objects/")) == sorted(obj["id"] for obj in objects)


async def test_a_2_basic_is_taken_and_so_are_bearer_and_token(site: Site) -> None:
    id, token = site.credentials["energy"]
    for authorization in (basic(id, token), f"Bearer {token}", f"Token {token}"):
        assert (await site.stranger(authorization).get("/taxii2/")).status == 200


async def test_a_3_without_authentication_every_collection_endpoint_says_401(sqlite_url: str, shared: str) -> None:
    async with serve(sqlite_url, login_failures_max=1_000) as site:
        for authorization in UNUSABLE:
            stranger = site.stranger(authorization)
            assert set(await statuses(stranger, shared)) == {401}, authorization
            assert set(await statuses(stranger, "/taxii2/hub/collections/none/")) == {401}, authorization
            for path, query in ((f"{shared}objects/", "limit=0"), (f"{shared}manifest/", "added_after=x")):
                assert (await stranger.get(path, query)).status == 401, "not 400: nothing is read before it is known who asks"


async def test_a_4_who_may_not_read_is_refused_on_every_way_of_reading(site: Site, dropbox: str) -> None:
    obj = indicator()
    await site.energy.push(dropbox, obj)
    one = f"{dropbox}objects/{obj['id']}/"
    for path in (f"{dropbox}manifest/", f"{dropbox}objects/", one, f"{one}versions/"):
        assert (await site.energy.get(path)).status == 403
    assert (await site.agency.get(one)).objects == [obj], "its reader finds it"


async def test_a_5_who_may_not_write_is_refused(site: Site, advisories: str, shared: str) -> None:
    assert (await site.energy.push_raw(advisories, envelope(indicator()))).status == 403
    assert (await site.reader.push_raw(shared, envelope(indicator()))).status == 403, "a role that only reads does not write either"
    assert (await site.energy.get(f"{advisories}objects/")).json == (await site.energy.get(f"{shared}objects/")).json == {}


async def test_a_6_delete_tells_by_the_callers_rights(site: Site, private: str, advisories: str, dropbox: str, shared: str) -> None:
    obj, other = indicator(), indicator()
    for collection in (private, advisories, shared):
        await site.agency.push(collection, obj)
    await site.energy.push(dropbox, other)
    assert (await site.energy.send("DELETE", f"{private}objects/{obj['id']}/")).status == 404, "neither right"
    assert (await site.energy.send("DELETE", f"{advisories}objects/{obj['id']}/")).status == 403, "reads only"
    assert (await site.energy.send("DELETE", f"{dropbox}objects/{other['id']}/")).status == 403, "writes only"
    assert (await site.energy.send("DELETE", f"{shared}objects/{obj['id']}/")).status == 403, "both, but it is another's"
    assert (await site.agency.send("DELETE", f"{shared}objects/{obj['id']}/")).status == 200


async def test_a_7_rights_in_a_collection_are_this_callers(site: Site, private: str) -> None:
    listed = {c["alias"]: (c["can_read"], c["can_write"]) for c in (await site.energy.get("/taxii2/hub/collections/")).json["collections"]}
    assert listed == {"advisories": (True, False), "dropbox": (False, True), "second": (True, True), "shared": (True, True)}
    listed = {c["alias"]: (c["can_read"], c["can_write"]) for c in (await site.agency.get("/taxii2/hub/collections/")).json["collections"]}
    assert listed == dict.fromkeys(["advisories", "dropbox", "private", "second", "shared"], (True, True))
    listed = {c["alias"]: (c["can_read"], c["can_write"]) for c in (await site.reader.get("/taxii2/hub/collections/")).json["collections"]}
    assert listed == {"advisories": (True, False), "second": (True, False), "shared": (True, False)}
    assert await statuses(site.energy, private) == [404] * 7
    assert (await site.energy.get("/taxii2/hub/collections/private/")).status == 404, "nor is it found by its alias"


async def test_a_8_what_a_caller_may_not_see_is_left_out_everywhere(site: Site, shared: str) -> None:
    red = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
    seen, hidden = indicator(), indicator(object_marking_refs=[red])
    await site.energy.push(shared, hidden, seen)
    assert await site.energy.ids(f"{shared}objects/") == [hidden["id"], seen["id"]]
    assert await site.water.ids(f"{shared}objects/") == [seen["id"]]
    assert await site.water.ids(f"{shared}manifest/") == [seen["id"]]
    assert await site.water.ids(f"{shared}objects/", f"match[id]={hidden['id']}") == []
    for suffix in ("", "versions/"):
        assert (await site.water.get(f"{shared}objects/{hidden['id']}/{suffix}")).status == 404
    assert (await site.water.send("DELETE", f"{shared}objects/{hidden['id']}/")).status == 404


async def test_a_9_where_no_client_certificate_is_asked_for_none_is_needed(site: Site) -> None:
    # With certificates: tests/web/test_tls.py.
    assert (await site.energy.get("/taxii2/")).status == 200
    forged = {"X-Client-Certificate": "-----BEGIN%20CERTIFICATE-----", "Authorization": None}
    assert (await site.energy.get("/taxii2/", **forged)).status == 401, "nobody but a known proxy may speak for a certificate"


@pytest.mark.parametrize("scheme", ["basic", "BASIC", "Basic", "bAsIc"])
async def test_a_10_discovery_takes_a_credential_in_any_spelling_of_the_scheme(site: Site, scheme: str) -> None:
    assert (await site.stranger().get("/taxii2/")).status == 401
    value = basic(*site.credentials["energy"]).removeprefix("Basic ")
    assert (await site.stranger(f"{scheme} {value}").get("/taxii2/")).status == 200


async def test_a_1_what_changed_on_one_node_counts_for_the_next_poll_on_another(postgresql_url: str, shared: str) -> None:
    """A poll is judged by the directory that its node knows, and judged again where its revision has moved meanwhile."""
    async with serve(postgresql_url) as site, serve_again(postgresql_url, site.credentials) as other:
        await site.energy.push(shared, indicator())
        assert (await other.water.get(f"{shared}objects/")).status == 200
        await suspend_member(site.hub, COMMAND_LINE, "water")
        assert (await other.water.get(f"{shared}objects/")).status == 404
        await resume_member(site.hub, COMMAND_LINE, "water")
        assert len((await other.water.get(f"{shared}objects/")).objects) == 1
        await service.revoke_token(site.hub, COMMAND_LINE, site.credentials["water"][0])
        assert (await other.water.get(f"{shared}objects/")).status == 401
        assert (await other.energy.get(f"{shared}objects/")).status == 200
