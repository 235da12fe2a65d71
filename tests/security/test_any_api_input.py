"""Whatever is sent in a header of any request, or as the body of any operation of the API, no answer is a 5xx.

The description-driven tests of the API send what it describes; here comes what it does not.
"""

import asyncio
import copy
import http.client
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.web.administered import Administered, administered
from tests.web.test_api_roles import bodies, own

SETTINGS: dict[str, Any] = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
WORDS = [
    "",
    "energy",
    "water",
    "circle",
    "everyone",
    "kind:operator",
    "group:circle",
    "\x00",
    "\ud800",
    "9999-12-31T23:59:59.999Z",
    "admin",
    "é" * 300,
]
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(WORDS)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3), max_leaves=8)
HEADERS = """Accept Accept-Encoding Authorization Content-Encoding Content-Language Content-Type Cookie Expect If-Match Origin Range
    X-Client-Certificate X-HTTP-Method-Override X-Request-Id""".split()
header_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60) | st.sampled_from(
    [
        "application/taxii+json;version=2.1",
        "*/*;q=0",
        "gzip",
        "identity, gzip",
        "100-continue",
        "bytes=0-",
        "Basic Og==",
        "Bearer ",
        ",,,;=",
        "a/b;q=" + "9" * 50,
    ]
)
PATHS = [
    "/taxii2/",
    "/taxii2/hub/collections/",
    "/taxii2/hub/collections/shared/objects/",
    "/api/v1/me",
    "/api/v1/members",
    "/healthz",
    "/readyz",
    "/metrics",
    "/",
]


@pytest.fixture
async def api(sqlite_url: str) -> AsyncIterator[Administered]:
    async with administered(sqlite_url, login_failures_max=1_000_000) as site:
        yield site


class Client:
    """A blocking client that sends anything and checks every answer."""

    def __init__(self, site: Administered) -> None:
        self._conn = http.client.HTTPConnection(urlsplit(site.running.url).netloc, timeout=20)
        self._token = site.community.tokens["admin"]

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> int:
        sent = {"Authorization": f"Bearer {self._token}", **headers}
        self._conn.putrequest(method, path, skip_accept_encoding=True)
        for name, value in sent.items():
            self._conn.putheader(name, value.encode("latin-1"))
        if body is not None:
            self._conn.putheader("Content-Length", str(len(body)))
        self._conn.endheaders(body)
        response = self._conn.getresponse()
        answer = response.read()
        assert response.status < 500, answer
        return response.status

    def close(self) -> None:
        self._conn.close()


async def fuzz(site: Administered, run: Callable[[Client], None]) -> None:
    client = Client(site)
    try:
        await asyncio.to_thread(run, client)
    finally:
        client.close()
    assert (await site.get("reader", "/me")).status == 200


def changed(draw: Callable[[st.SearchStrategy[Any]], Any], body: Any) -> Any:
    """Return a body that is in order but for a few members, or none at all."""
    if not draw(st.integers(0, 4)):
        return draw(values)
    body = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from([*body, "id", "x"]) if body else st.text())
        if draw(st.booleans()):
            body[name] = draw(values)
        else:
            body.pop(name, None)
    return body


async def test_any_body_of_any_operation(api: Administered) -> None:
    good = {(method, path.format_map(own(api.community))): body for (method, path), body in bodies(api.community).items()}

    @settings(max_examples=400, **SETTINGS)
    @given(data=st.data())
    def run_on(client: Client, data: st.DataObject) -> None:
        (method, path), body = data.draw(st.sampled_from(sorted(good.items(), key=str)))
        raw = json.dumps(changed(data.draw, body)).encode()
        status = client.send(method, f"/api/v1{path}", {"Content-Type": "application/json"}, raw)
        assert status in (200, 201, 400, 403, 404, 409, 422)  # 403: it acts for no member

    await fuzz(api, run_on)


def is_empty_object(raw: bytes) -> bool:
    """Tell whether these bytes happen to ask for no change at all, which a PATCH may."""
    try:
        return json.loads(raw.decode()) == {}
    except ValueError:
        return False


async def test_any_bytes_as_a_body_of_the_api(api: Administered) -> None:
    targets = sorted({(method, path.format_map(own(api.community))) for method, path in bodies(api.community)})

    @settings(max_examples=150, **SETTINGS)
    @given(
        target=st.sampled_from(targets),
        raw=st.binary(max_size=100) | st.sampled_from([b"{}", b"[]", b"null", b" {} ", b'""', b"\xef\xbb\xbf{}"]),
    )
    def run_on(client: Client, target: tuple[str, str], raw: bytes) -> None:
        status = client.send(target[0], f"/api/v1{target[1]}", {"Content-Type": "application/json"}, raw)
        assert status in (200, 422) if is_empty_object(raw) else status in (400, 422)

    await fuzz(api, run_on)


async def test_any_header_of_any_request(api: Administered) -> None:
    @settings(max_examples=400, **SETTINGS)
    @given(
        path=st.sampled_from(PATHS),
        method=st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH", "TRACE", "PROPFIND", "get"]),
        headers=st.dictionaries(st.sampled_from(HEADERS), header_values, max_size=4),
        body=st.none() | st.binary(max_size=20),
    )
    def run_on(client: Client, path: str, method: str, headers: dict[str, str], body: bytes | None) -> None:
        assert 200 <= client.send(method, path, headers, body) < 500

    await fuzz(api, run_on)


@pytest.mark.parametrize("path", PATHS)
async def test_methods_that_nothing_takes_are_refused_everywhere(api: Administered, path: str) -> None:
    def ask(client: Client) -> None:
        for method, body in itertools.product(("TRACE", "PROPFIND", "LOCK"), (None, b"x")):
            assert client.send(method, path, {}, body) in (404, 405)

    await fuzz(api, ask)


@pytest.mark.parametrize("expected", ["x", "\x80", "", "200-ok", "100-continue, x"])
@pytest.mark.parametrize("path", ["/taxii2/", "/taxii2/nothing/", "/api/v1/me", "/nothing"])
async def test_an_expectation_that_http_does_not_know_changes_no_answer(api: Administered, path: str, expected: str) -> None:
    def ask(client: Client) -> None:
        assert client.send("GET", path, {"Expect": expected}) == client.send("GET", path, {})

    await fuzz(api, ask)
