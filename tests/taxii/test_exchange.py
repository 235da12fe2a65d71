"""TAXII 2.1 requirements X-1 to X-19: what holds of every exchange, whatever it is about."""

import asyncio
import json
import re
import socket
from urllib.parse import urlsplit

import pytest

from tests.taxii.content import DAY_2, domain_name, envelope, indicator, malware, version_of
from tests.taxii.site import MEDIA_TYPE, TIMESTAMP, Reply, Site

ERRORS = [
    ("GET", "/taxii2/none/", 404),
    ("GET", "/taxii2/hub/none/", 404),
    ("GET", "/taxii2/hub/collections/none/", 404),
    ("GET", "/taxii2/hub/collections/shared/none/", 404),
    ("GET", "/taxii2/hub/status/none/", 404),
    ("GET", "/taxii2/hub/collections/shared/objects/indicator--none/", 404),
    ("GET", "/taxii2/hub/collections/shared/objects/?limit=0", 400),
    ("GET", "/taxii2/hub/collections/dropbox/objects/", 403),
    ("POST", "/taxii2/hub/collections/advisories/objects/", 403),
    ("DELETE", "/taxii2/hub/collections/advisories/objects/indicator--none/", 403),
    ("POST", "/taxii2/", 405),
    ("PUT", "/taxii2/hub/collections/shared/objects/", 405),
    ("DELETE", "/taxii2/hub/collections/shared/", 405),
    ("PATCH", "/taxii2/hub/", 405),
]


async def test_x_1_serves_a_path_without_its_slash(site: Site, shared: str) -> None:
    obj = indicator()
    pushed = await site.energy.send("POST", f"{shared}objects", body=envelope(obj))
    assert pushed.status == 202
    one = f"{shared}objects/{obj['id']}"
    for path in (
        "/taxii2",
        "/taxii2/hub",
        "/taxii2/hub/collections",
        shared[:-1],
        f"{shared}manifest",
        f"{shared}objects",
        one,
        f"{one}/versions",
    ):
        bare, slashed = await site.energy.get(path), await site.energy.get(f"{path}/")
        assert (bare.status, bare.body) == (200, slashed.body)
    status = f"/taxii2/hub/status/{pushed.json['id']}"
    assert (await site.energy.get(status)).body == pushed.body
    assert (await site.energy.send("DELETE", one)).status == 200
    assert (await site.energy.get(one)).status == 404


@pytest.mark.parametrize(("method", "path", "status"), ERRORS)
async def test_x_2_errors_carry_the_media_type_and_nothing_else_does_instead(site: Site, method: str, path: str, status: int) -> None:
    path, _, query = path.partition("?")
    reply = await site.energy.send(method, path, query=query, body=envelope(indicator()) if method == "POST" else None)
    assert reply.status == status
    assert reply.headers["Content-Type"] == MEDIA_TYPE


async def test_x_2_successes_carry_the_media_type_exactly(site: Site, shared: str) -> None:
    obj = indicator()
    replies = [await site.energy.push(shared, obj)]
    paths = ("/taxii2/", "/taxii2/hub/", "/taxii2/hub/collections/", shared, f"{shared}manifest/", f"{shared}objects/")
    replies += [await site.energy.get(path) for path in (*paths, f"{shared}objects/{obj['id']}/", f"{shared}objects/{obj['id']}/versions/")]
    replies.append(await site.energy.send("DELETE", f"{shared}objects/{obj['id']}/"))
    assert replies[-1].body == b""
    assert {reply.headers["Content-Type"] for reply in replies} == {"application/taxii+json;version=2.1"}


async def test_x_2_too_large_a_body_and_a_missing_credential_carry_the_media_type(site: Site, shared: str) -> None:
    large = await site.energy.push_raw(shared, b" " * (site.hub.config.body_bytes_max + 1))
    assert (large.status, large.headers["Content-Type"]) == (413, MEDIA_TYPE)
    stranger = await site.stranger().get("/taxii2/")
    assert (stranger.status, stranger.headers["Content-Type"]) == (401, MEDIA_TYPE)


@pytest.mark.parametrize(
    "accept",
    [
        "application/taxii+json",
        "application/taxii+json;version=2.1",
        "application/taxii+json; version=2.1",
        'Application/Taxii+JSON ; Version="2.1"',
        "application/taxii+json;version=2.1;q=0.5, text/html",
        "text/html, application/xhtml+xml, application/taxii+json",
        "application/taxii+json;version=2.0, application/taxii+json;version=2.1",
    ],
)
async def test_x_3_an_accept_that_holds_the_type_is_served(site: Site, shared: str, accept: str) -> None:
    for path in ("/taxii2/", "/taxii2/hub/", shared, f"{shared}objects/", f"{shared}manifest/"):
        assert (await site.energy.get(path, Accept=accept)).status == 200
    assert (await site.energy.push_raw(shared, envelope(indicator()), Accept=accept)).status == 202


@pytest.mark.parametrize(
    "accept",
    ["application/taxii+json;version=2.0", "application/vnd.oasis.taxii+json; version=2.0", "text/html", "application/taxii+json;q=0"],
)
async def test_x_4_an_accept_with_nothing_that_the_hub_makes_is_refused(site: Site, shared: str, accept: str) -> None:
    obj = indicator()
    assert (await site.energy.get("/taxii2/", Accept=accept)).status == 406
    assert (await site.energy.get(f"{shared}objects/", Accept=accept)).status == 406
    assert (await site.energy.push_raw(shared, envelope(obj), Accept=accept)).status == 406
    assert (await site.energy.send("DELETE", f"{shared}objects/{obj['id']}/", headers={"Accept": accept})).status == 406
    assert await site.energy.ids(f"{shared}objects/") == [], "what was refused was not done"


@pytest.mark.parametrize("accept", ["*/*", "application/*", "application/json, text/plain, */*"])
async def test_x_4_wild_cards_are_served(site: Site, accept: str) -> None:
    assert (await site.energy.get("/taxii2/", Accept=accept)).status == 200


async def test_x_5_a_missing_accept_is_served(site: Site, shared: str) -> None:
    for path in ("/taxii2/", "/taxii2/hub/", "/taxii2/hub/collections/", shared, f"{shared}objects/", f"{shared}manifest/"):
        assert (await site.energy.get(path, Accept=None)).status == 200


async def test_x_5_several_accept_headers_are_one_list(site: Site) -> None:
    request = (
        f"GET /taxii2/ HTTP/1.1\r\nHost: hub\r\nAuthorization: {site.energy.authorization}\r\nConnection: close\r\n"
        "Accept: text/html\r\nAccept: application/taxii+json;version=2.1\r\n\r\n"
    )
    assert (await _raw(site, request.encode())).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "content_type",
    [
        "application/taxii+json",
        "application/taxii+json;version=2.1",
        "application/taxii+json; version=2.1",
        "application/stix+json;version=2.1",
    ],
)
async def test_x_6_taxii_and_stix_bodies_are_taken(site: Site, shared: str, content_type: str) -> None:
    assert (await site.energy.push_raw(shared, envelope(indicator()), **{"Content-Type": content_type})).status == 202


@pytest.mark.parametrize(
    "content_type",
    ["application/taxii+json;version=2.0", "application/vnd.oasis.stix+json; version=2.0", "application/json", "text/plain", None],
)
async def test_x_6_other_bodies_are_not(site: Site, shared: str, content_type: str | None) -> None:
    reply = await site.energy.push_raw(shared, envelope(indicator()), **{"Content-Type": content_type})
    assert reply.status == 415
    assert MEDIA_TYPE in reply.json["description"], "it says which type to send"


async def test_x_7_without_a_version_the_answer_is_of_the_highest(site: Site) -> None:
    assert (await site.energy.get("/taxii2/", Accept="application/taxii+json")).headers["Content-Type"] == MEDIA_TYPE


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"objects":[],"objects":[{}]}', 400),
        (b'{"objects":[{"type":"x"}],"more":NaN}', 400),
        ('{"objects":[{"type":"indicator"}]}'.encode("utf-16"), 400),
        (b'\xef\xbb\xbf{"objects":[{"type":"indicator"}]}', 400),
        (b'{"objects":[{"type":"\xff"}]}', 400),
        (rb'{"objects":[{"type":"\ud800"}]}', 400),
    ],
)
async def test_x_8_a_body_that_is_no_i_json_is_not_understood(site: Site, shared: str, body: bytes, status: int) -> None:
    assert (await site.energy.push_raw(shared, body)).status == status


async def test_x_8_a_push_with_a_name_twice_in_an_object_is_not_understood_as_a_whole(site: Site, shared: str) -> None:
    twice = json.dumps(indicator()).encode()[:-1] + b', "x_a": 1, "x_a": 2}'
    reply = await site.energy.push_raw(shared, b'{"objects":[%b,%b]}' % (json.dumps(indicator()).encode(), twice))
    assert reply.status == 400
    assert "x_a" in reply.json["description"]
    assert (await site.energy.get(f"{shared}objects/")).json == {}, "nothing of it was taken"


@pytest.mark.parametrize("integer", [b"9007199254740992", b"-9007199254740992"])
async def test_x_8_an_object_with_an_integer_beyond_i_json_is_refused_alone(site: Site, shared: str, integer: bytes) -> None:
    good, bad = indicator(), indicator()
    await site.energy.failure(shared, json.dumps(bad).encode()[:-1] + b', "x_number": %b}' % integer, good)
    assert await site.energy.ids(f"{shared}objects/") == [good["id"]]


async def test_x_8_the_largest_i_json_integer_is_taken(site: Site, shared: str) -> None:
    await site.energy.push(shared, pushed := malware(x_fusion_number=9_007_199_254_740_991))
    assert (await site.water.get(f"{shared}objects/")).objects == [pushed]


async def test_x_8_what_is_not_ascii_comes_back_as_utf_8(site: Site, shared: str) -> None:
    await site.energy.push(shared, malware(name="Überträger 蛇 🐍"))
    assert "Überträger 蛇 🐍".encode() in (await site.water.get(f"{shared}objects/")).body


async def test_x_9_names_are_the_standards_and_required_properties_are_there(site: Site, shared: str) -> None:
    pushed = await site.energy.push(shared, indicator())
    resources = {
        "/taxii2/": ({"title"}, {"description", "contact", "default", "api_roots"}),
        "/taxii2/hub/": ({"title", "versions", "max_content_length"}, {"description"}),
        "/taxii2/hub/collections/": (set(), {"collections"}),
        shared: ({"id", "title", "can_read", "can_write"}, {"description", "alias", "media_types"}),
        f"{shared}manifest/": (set(), {"objects", "more", "next"}),
        f"{shared}objects/": (set(), {"objects", "more", "next"}),
        f"{shared}objects/{pushed.json['successes'][0]['id']}/versions/": (set(), {"versions", "more", "next"}),
        f"/taxii2/hub/status/{pushed.json['id']}/": (
            {"id", "status", "total_count", "success_count", "failure_count", "pending_count"},
            {"request_timestamp", "successes", "failures", "pendings"},
        ),
    }
    for path, (required, optional) in resources.items():
        names = (await site.energy.get(path)).json.keys()
        assert required <= names <= required | optional, path
    record = (await site.energy.get(f"{shared}manifest/")).objects[0]
    assert record.keys() == {"id", "date_added", "version", "media_type"}


async def test_x_10_there_are_no_empty_lists(site: Site, shared: str) -> None:
    for path in (f"{shared}objects/", f"{shared}manifest/"):
        assert (await site.energy.get(path)).json == {}
    obj = indicator()
    status = await site.energy.push(shared, obj)
    assert {"failures", "pendings"}.isdisjoint(status.json)
    assert (await site.energy.get(f"{shared}objects/{obj['id']}/versions/", "added_after=9999-01-01T00:00:00Z")).json == {}
    assert (await site.admin.get("/taxii2/hub/collections/")).json == {}, "an administrator without a member has no collections"


async def test_x_11_timestamps_have_six_digits_and_versions_are_as_written(site: Site, shared: str) -> None:
    obj = indicator(created="2026-01-01T00:00:00.100Z", modified="2026-01-01T00:00:00.120500Z")
    pushed = await site.energy.push(shared, obj)
    assert TIMESTAMP.fullmatch(pushed.json["request_timestamp"])
    assert pushed.json["successes"][0]["version"] == "2026-01-01T00:00:00.120500Z"
    manifest = await site.energy.get(f"{shared}manifest/")
    assert TIMESTAMP.fullmatch(manifest.objects[0]["date_added"])
    assert manifest.dates == (manifest.objects[0]["date_added"], manifest.objects[0]["date_added"])
    assert manifest.objects[0]["version"] == "2026-01-01T00:00:00.120500Z"
    assert (await site.energy.get(f"{shared}objects/{obj['id']}/versions/")).json["versions"] == ["2026-01-01T00:00:00.120500Z"]


async def test_x_12_identifiers_are_random_uuids(site: Site, shared: str) -> None:
    ids = {(await site.energy.push(shared, indicator())).json["id"] for _ in range(5)}
    assert len(ids) == 5
    for id in ids:
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", id)


@pytest.mark.parametrize(("method", "path", "status"), ERRORS)
async def test_x_13_an_error_is_a_resource_whose_status_is_that_of_the_answer(site: Site, method: str, path: str, status: int) -> None:
    path, _, query = path.partition("?")
    error = (await site.energy.send(method, path, query=query, body=envelope(indicator()) if method == "POST" else None)).json
    assert error.keys() <= {"title", "description", "error_id", "error_code", "http_status", "external_details", "details"}
    assert error["title"]
    assert error["http_status"] == str(status)


async def test_x_14_errors_do_not_tell_hidden_from_absent(site: Site, shared: str, private: str) -> None:
    hidden = indicator()
    await site.agency.push(private, hidden)
    absent = "/taxii2/hub/collections/c0ffee00-0000-4000-8000-00000000dead/"
    for suffix in ("", "objects/", "manifest/", f"objects/{hidden['id']}/", f"objects/{hidden['id']}/versions/"):
        assert _said(await site.energy.get(private + suffix)) == _said(await site.energy.get(absent + suffix))
    for method, body in (("POST", envelope(indicator())), ("DELETE", None)):
        suffix = "objects/" if body else f"objects/{hidden['id']}/"
        assert _said(await site.energy.send(method, private + suffix, body=body)) == _said(
            await site.energy.send(method, absent + suffix, body=body)
        )


async def test_x_15_a_request_without_a_user_agent_is_served(site: Site, shared: str) -> None:
    assert (await site.energy.get(f"{shared}objects/", **{"User-Agent": None})).status == 200


async def test_x_16_unknown_properties_of_an_envelope_are_ignored(site: Site, shared: str) -> None:
    obj = indicator()
    body = envelope(obj, more=False, type="bundle", id="bundle--x", x_somebodys={"a": [1]}, next=None)
    assert (await site.energy.push_raw(shared, body)).json["success_count"] == 1
    assert (await site.energy.get(f"{shared}objects/")).objects == [obj]


async def test_x_18_discovery_is_where_a_service_record_leads(site: Site) -> None:
    # A `_taxii2._tcp` record names a host and a port, never a path: the client asks for /taxii2/ there, under any name.
    port = urlsplit(site.url).port
    reply = await site.energy.get("/taxii2/", Host=f"taxii.example.org:{port}")
    assert reply.status == 200
    assert b"example.org" not in reply.body


async def test_x_19_head_is_get_without_a_body(site: Site, shared: str) -> None:
    await site.energy.push(shared, indicator(), indicator())
    for path in ("/taxii2/", "/taxii2/hub/", shared, f"{shared}objects/", f"{shared}manifest"):
        get, head = await site.energy.get(path, "limit=1"), await site.energy.send("HEAD", path, query="limit=1")
        assert (head.status, head.body) == (get.status, b"")
        assert (head.headers["Content-Length"], head.dates) == (str(len(get.body)), get.dates)
    assert (await site.energy.send("HEAD", "/taxii2/none/")).status == 404


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/taxii2/", {"GET", "HEAD", "OPTIONS"}),
        ("/taxii2/hub/collections/shared", {"GET", "HEAD", "OPTIONS"}),
        ("/taxii2/hub/collections/shared/objects/", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("/taxii2/hub/collections/shared/objects/x", {"GET", "HEAD", "OPTIONS", "DELETE"}),
        ("//taxii2/hub/collections/shared//objects/x", {"GET", "HEAD", "OPTIONS", "DELETE"}),
    ],
)
async def test_x_19_methods_that_are_not_there_are_told(site: Site, path: str, allowed: set[str]) -> None:
    options = await site.energy.send("OPTIONS", path)
    assert (options.status, options.body) == (204, b"")
    assert set(options.headers["Allow"].split(",")) == allowed
    for method in {"POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - allowed:
        reply = await site.energy.send(method, path)
        assert reply.status == 405
        assert set(reply.headers["Allow"].replace(" ", "").split(",")) == allowed


async def test_two_requests_on_one_connection_do_not_disturb_each_other(site: Site, shared: str) -> None:
    await site.energy.push(shared, version_of(indicator(), DAY_2), domain_name())
    first = f"GET {shared}objects/?limit=1 HTTP/1.1\r\nHost: hub\r\nAuthorization: {site.energy.authorization}\r\n\r\n"
    last = first.replace("limit=1 ", "limit=0 ").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
    answers = await _raw(site, (first + last).encode())
    assert re.findall(rb"HTTP/1\.1 (\d+)", answers) == [b"200", b"400"]


def _said(reply: Reply) -> tuple[int, object, object]:
    """Return what an error tells its reader, without what is new in every answer."""
    error = {name: value for name, value in reply.json.items() if name != "error_id"}
    headers = {
        name: value for name, value in reply.headers.items() if name not in ("Date", "X-Request-Id", "X-Request-ID", "Content-Length")
    }
    return reply.status, error, headers


async def _raw(site: Site, request: bytes) -> bytes:
    """Send bytes as they are, and return all that comes back until the hub closes the connection."""
    url = urlsplit(site.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port, family=socket.AF_INET)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()
        await writer.wait_closed()
