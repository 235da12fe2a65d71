"""The log: JSON lines that nobody can break, and in which no secret stands."""

import base64
import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web

from hub.logs import configure_logs
from tests.web.hubs import Running, prepare, running, serve_process, until

HOSTILE = 'a\r\n{"event":"forged"}\x1b[31mred\u2028line\u2029\x85\x00\u202e\ud800'


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged while the test runs, as `hub serve` would write it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("info", stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    text = stream.getvalue()
    assert text.isascii()
    assert all(character == "\n" or character.isprintable() for character in text)
    return [json.loads(line) for line in text.splitlines()]


def test_a_hostile_value_stays_within_its_line(written: io.StringIO):
    # Once more, without the handler that pytest has added for the call: what it keeps cannot be sent between pytest's processes.
    configure_logs("info", written)
    structlog.get_logger().info(HOSTILE, value=HOSTILE, **{"key\n": HOSTILE})
    logging.getLogger("library").warning("said %s", HOSTILE)
    try:
        int(HOSTILE)
    except ValueError:
        logging.getLogger("library").exception("failed")
        structlog.get_logger().exception("failed")
    ours, theirs, theirs_failed, ours_failed = lines(written)
    assert (ours["event"], ours["value"], ours["key\n"]) == (HOSTILE, HOSTILE, HOSTILE)
    assert (theirs["event"], theirs["logger"], theirs["level"]) == (f"said {HOSTILE}", "library", "warning")
    assert repr(HOSTILE) in theirs_failed["exception"]
    assert repr(HOSTILE) in ours_failed["exception"]
    assert ours["time"].endswith("Z")


def test_what_is_below_the_level_is_not_written(written: io.StringIO):
    structlog.get_logger().debug("ours")
    logging.getLogger("library").debug("theirs")
    assert lines(written) == []


def breaking(app: web.Application) -> None:
    async def break_down(_: web.Request) -> web.Response:
        logging.getLogger("library").warning("on the way")
        raise KeyError("the inside")

    app.router.add_get("/api/v1/break/{name}", break_down)


async def test_a_request_is_one_line_with_who_asked_what_and_how_it_went(written: io.StringIO, sqlite_url: str):
    async with (
        running(sqlite_url) as site,
        site.session.get(
            f"{site.url}/taxii2/hub/collections/?match[id]=hidden", headers={**site.bearer, "X-Request-Id": "asked-by-the-test"}
        ) as answer,
    ):
        body = await answer.read()
    # The line was written by the orderly end at the latest.
    line = next(line for line in lines(written) if line["event"] == "request")
    assert (
        line.items()
        >= {
            "request_id": "asked-by-the-test",
            "method": "GET",
            "route": "/taxii2/{root}/collections/",
            "status": 200,
            "address": "127.0.0.1",
            "credential": f"token:{site.token.split('_')[2]}",
            "member": "energy",
            "error": None,
            "level": "info",
        }.items()
    )
    assert line["time"].endswith("Z")
    assert 0 < line["ms"] < 10_000
    assert line["bytes"] >= len(body)


async def test_a_line_about_a_request_waits_for_no_other_request(written: io.StringIO, sqlite_url: str):
    async with running(sqlite_url) as site:
        async with site.session.get(f"{site.url}/taxii2/", headers=site.bearer) as answer:
            assert answer.status == 200
        await until(lambda: "request" in [line["event"] for line in lines(written)])


async def test_lines_stand_in_the_order_of_what_happened(written: io.StringIO, sqlite_url: str):
    async with running(sqlite_url, requests_per_min=0) as site:
        for number in range(300):  # more than are written together
            async with site.session.get(f"{site.url}/taxii2/", headers={**site.bearer, "X-Request-Id": f"request-{number}"}) as answer:
                assert answer.status == 200
        structlog.get_logger().info("afterwards")
        logged = lines(written)
        assert [line["request_id"] for line in logged[:-1]] == [f"request-{number}" for number in range(300)]
        assert logged[-1]["event"] == "afterwards"


async def test_a_request_that_failed_is_logged_at_once(written: io.StringIO, sqlite_url: str):
    async with running(sqlite_url) as site:
        async with site.session.get(f"{site.url}/taxii2/", headers={"Authorization": "Bearer wrong"}) as answer:
            assert answer.status == 401
        assert [line["error"] for line in lines(written)] == ["unauthenticated"]


async def test_every_line_of_a_request_has_its_id_and_a_failure_its_traceback(written: io.StringIO, sqlite_url: str):
    async with running(sqlite_url, change=breaking) as site:
        async with site.session.get(f"{site.url}/api/v1/break/x", headers={**site.bearer, "X-Request-Id": "asked-by-the-test"}) as answer:
            assert answer.status == 500
        of_request = [line for line in lines(written) if line.get("request_id") == "asked-by-the-test"]
        assert [line["event"] for line in of_request] == ["on the way", "unexpected error", "request"]
        assert "KeyError: 'the inside'" in of_request[1]["exception"]
        assert of_request[1]["error_id"] == "asked-by-the-test"


async def test_health_checks_do_not_fill_the_log(written: io.StringIO, sqlite_url: str):
    async with running(sqlite_url) as site:
        for path in ("/healthz", "/readyz", "/metrics"):
            async with site.session.get(site.url + path) as answer:
                assert answer.status == 200
        assert [line for line in lines(written) if line["event"] == "request"] == []


async def test_a_malformed_request_costs_no_traceback(written: io.StringIO, sqlite_url: str):
    async with running(sqlite_url) as site:
        assert (await site.raw(b"GET / HTTP/1.1\r\nbad\x1b[31m header\r\n\r\n")).startswith(b"HTTP/1.0 400 ")
        malformed = [line for line in lines(written) if line.get("logger") == "aiohttp.server"]
        assert [(line["level"], "exception" in line) for line in malformed] == [("info", False)]


async def test_no_secret_of_a_request_is_logged(sqlite_url: str, written: io.StringIO):
    secrets = {name: f"secret-{name}-71f0" for name in ("query", "body", "password", "bearer", "cookie", "path", "header", "username")}
    async with running(sqlite_url, log_level="debug") as site:
        basic = base64.b64encode(f"{secrets['username']}:{secrets['password']}".encode()).decode()
        for authorization in (f"Basic {basic}", f"Bearer {secrets['bearer']}", f"Bearer {site.token}", f"Basic {basic[:-5]}"):
            for path in ("/taxii2/hub/collections/", f"/api/v1/{secrets['path']}", "/api/v1/members", f"/{secrets['path']}"):
                headers = {"Authorization": authorization, "Cookie": secrets["cookie"], "X-Other": secrets["header"]}
                for method in ("GET", "POST"):
                    async with site.session.request(
                        method, f"{site.url}{path}?key={secrets['query']}", headers=headers, data=secrets["body"]
                    ) as answer:
                        assert 200 <= answer.status < 500
        assert [secret for secret in (*secrets.values(), site.token, site.hub.secret.hex(), basic) if secret in written.getvalue()] == []
        assert len(lines(written)) >= 32


async def send_hostile_requests(site: Running, value: bytes) -> None:
    """Put `value` into every header that the hub looks at, and what could break a line into every part of the path."""
    nasty = "%0d%0a%1b%5b31m%e2%80%a8"
    for path in (f"/{nasty}", f"/taxii2/{nasty}/", f"/taxii2/hub/collections/{nasty}/objects/?{nasty}={nasty}", f"/api/v1/members/{nasty}"):
        for name in (b"X-Request-Id", b"User-Agent", b"Accept", b"Content-Type", b"X-Forwarded-For", b"Authorization", b"Host"):
            host = b"" if name == b"Host" else b"Host: hub\r\n"
            login = b"" if name == b"Authorization" else b"Authorization: Bearer %s\r\n" % site.token.encode()
            for method in (b"GET", b"POST"):
                head = b"%s %s HTTP/1.1\r\n%s%s%s: %s\r\n" % (method, path.encode(), host, login, name, value)
                answer = await site.raw(head + b"Content-Length: 0\r\nConnection: close\r\n\r\n")
                assert answer[9:10] in (b"2", b"4"), answer


async def test_nothing_that_a_client_controls_breaks_a_line(sqlite_url: str, written: io.StringIO):
    async with running(sqlite_url, proxy_addresses=("127.0.0.1",)) as site:
        await send_hostile_requests(site, "x\x85\u2028\u2029\u202e".encode() + b"\xff")
        assert len([line for line in lines(written) if line["event"] == "request"]) == 4 * 7 * 2
        await send_hostile_requests(site, b"x\x1b[31m")  # refused before any part of the hub sees it
        assert len([line for line in lines(written) if line["event"] == "request"]) == 4 * 7 * 2


async def test_a_process_writes_its_whole_log_as_json_lines(sqlite_url: str, tmp_path: Path):
    await prepare(sqlite_url)
    async with serve_process(sqlite_url, tmp_path) as hub:
        pass
    logged = [json.loads(line) for line in hub.logged()]
    assert [line["event"] for line in logged] == ["the hub serves"]
    assert logged[0]["address"] == hub.url


async def test_a_log_that_cannot_be_written_fails_no_request(sqlite_url: str):
    gone = io.StringIO()
    configure_logs("info", gone)
    gone.close()
    async with running(sqlite_url) as site, site.session.get(f"{site.url}/api/v1/me", headers=site.bearer) as answer:
        assert answer.status == 200
