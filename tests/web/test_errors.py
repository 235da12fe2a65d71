"""One table from errors to statuses, one shape for each surface, and nothing about the inside in any answer."""

import json
from collections.abc import Iterator

import pytest
from aiohttp import web

from hub import errors
from hub.web.errors import STATUS
from tests.web.hubs import Running, running

KINDS = [
    (errors.NotUnderstood("no"), 400),
    (errors.Unauthenticated("no"), 401),
    (errors.Withheld("no"), 403),
    (errors.NotFound("no"), 404),
    (errors.NotAcceptable("no"), 406),
    (errors.Conflict("no"), 409),
    (errors.TooLarge("no"), 413),
    (errors.Unsupported("no"), 415),
    (errors.Invalid("no"), 422),
    (errors.TooMany("no", retry_after_s=7), 429),
    (errors.Unavailable("no", retry_after_s=3), 503),
]
SECRET = "the-inside-of-the-hub"


def all_kinds(kind: type[errors.HubError] = errors.HubError) -> Iterator[type[errors.HubError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from all_kinds(below)


def raising(app: web.Application) -> None:
    """Add routes that raise, on both surfaces."""

    async def raise_kind(request: web.Request) -> web.Response:
        raise next(error for error, _ in KINDS if error.code == request.match_info["code"])

    async def break_down(_: web.Request) -> web.Response:
        raise KeyError(SECRET)

    async def redirect(_: web.Request) -> web.Response:
        raise web.HTTPSeeOther("/api/v1/me")

    for surface in ("/taxii2/hub/test", "/api/v1/test"):
        app.router.add_get(surface + "/raise/{code}", raise_kind)
        app.router.add_get(surface + "/break", break_down)
        app.router.add_get(surface + "/redirect", redirect)


@pytest.fixture
async def site(sqlite_url: str):
    async with running(sqlite_url, change=raising) as site:
        yield site


def test_each_kind_of_error_has_a_status():
    assert {kind.code for kind in all_kinds()} <= STATUS.keys()


@pytest.mark.parametrize(("error", "status"), KINDS, ids=lambda value: getattr(value, "code", None))
async def test_a_kind_of_error_has_its_status_and_shape_on_each_surface(site: Running, error: errors.HubError, status: int):
    async with site.session.get(f"{site.url}/taxii2/hub/test/raise/{error.code}", headers=site.bearer) as answer:
        said = await answer.json(content_type=None)
        assert answer.status == status
        assert answer.headers["Content-Type"] == "application/taxii+json;version=2.1"
        assert said.keys() == {"title", "description", "error_id", "error_code", "http_status"}
        assert (said["description"], said["error_code"], said["http_status"]) == ("no", error.code, str(status))
        assert said["error_id"] == answer.headers["X-Request-Id"]
    async with site.session.get(f"{site.url}/api/v1/test/raise/{error.code}", headers=site.bearer) as answer:
        said = await answer.json(content_type=None)
        assert answer.status == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert said.keys() == {"type", "title", "status", "detail", "error_id"}
        assert (said["type"], said["status"], said["detail"]) == (f"urn:fusion-hub:problem:{error.code}", status, "no")


@pytest.mark.parametrize(("code", "seconds"), [("too_many", "7"), ("unavailable", "3")])
async def test_who_should_come_back_is_told_when(site: Running, code: str, seconds: str):
    async with site.session.get(f"{site.url}/taxii2/hub/test/raise/{code}", headers=site.bearer) as answer:
        assert answer.headers["Retry-After"] == seconds


@pytest.mark.parametrize("path", ["/taxii2/", "/api/v1/me", "/", "/nothing/here", "//taxii2//"])
async def test_without_a_credential_every_path_asks_for_one_in_both_schemes(site: Running, path: str):
    answer = (await site.raw(f"GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n".encode())).decode()
    assert answer.startswith("HTTP/1.1 401 ")
    assert 'WWW-Authenticate: Basic realm="hub", charset="UTF-8"\r\nWWW-Authenticate: Bearer realm="hub"\r\n' in answer


@pytest.mark.parametrize("line", ["GET /healthz", "POST /api/v1/members", "POST /taxii2/hub/collections/x/objects/"])
async def test_a_client_that_names_no_host_is_answered_as_any_other(site: Running, line: str):
    fields = ["Host:", 'Accept-Signature: sig=("@status" "@authority";req)', f"Authorization: Bearer {site.token}", "Content-Length: 2"]
    answer = (await site.raw("\r\n".join([f"{line} HTTP/1.1", *fields, "Connection: close", "", "{}"]).encode())).decode()
    assert answer.split(" ")[1] in {"200", "404", "415"}, answer


@pytest.mark.parametrize("surface", ["/taxii2/hub/test", "/api/v1/test"])
async def test_an_error_that_nobody_foresaw_says_its_id_and_no_more(site: Running, surface: str):
    async with site.session.get(f"{site.url}{surface}/break", headers=site.bearer) as answer:
        text = await answer.text()
        assert answer.status == 500
        assert SECRET not in text
        assert "KeyError" not in text
        assert f"unexpected error; the hub's log holds it under {json.loads(text)['error_id']}" in text


async def test_a_method_that_a_path_does_not_take_is_answered_with_those_it_takes(site: Running):
    async with site.session.patch(f"{site.url}/api/v1/test/break", headers=site.bearer) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET,HEAD"
        assert (await answer.json(content_type=None))["title"] == "Method Not Allowed"


async def test_a_redirect_is_no_error(site: Running):
    async with site.session.get(f"{site.url}/api/v1/test/redirect", headers=site.bearer, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/api/v1/me")


async def test_no_answer_tells_the_software_or_may_be_kept(site: Running):
    for path, headers in (("/healthz", {}), ("/taxii2/", {}), ("/taxii2/", site.bearer), ("/nothing", site.bearer)):
        async with site.session.get(site.url + path, headers=headers) as answer:
            assert "Server" not in answer.headers
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            assert "Strict-Transport-Security" not in answer.headers  # plain HTTP


@pytest.mark.parametrize("given", ["8-to-64.characters_of_these", "a" * 64, "12345678"])
async def test_a_sane_request_id_is_kept(site: Running, given: str):
    async with site.session.get(f"{site.url}/healthz", headers={"X-Request-Id": given}) as answer:
        assert answer.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["short", "a" * 65, "with space in it", "quote\"and'quote", "é" * 10, ""])
async def test_any_other_request_id_is_replaced(site: Running, given: str):
    async with site.session.get(f"{site.url}/healthz", headers={"X-Request-Id": given}) as answer:
        assert answer.headers["X-Request-Id"] != given
        assert len(answer.headers["X-Request-Id"]) == 24


async def test_a_detail_that_repeats_a_lone_surrogate_is_still_json(site: Running):
    async with site.session.get(f"{site.url}/taxii2/hub/collections/%ED%A0%80/objects/", headers=site.bearer) as answer:
        assert answer.status in (400, 404)
        await answer.json(content_type=None)
