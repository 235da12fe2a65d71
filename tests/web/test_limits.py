"""What one client may take: the size and time of a request, the number of connections, requests and objects a minute."""

import asyncio
import gzip
import io
import json
import tracemalloc
import uuid
import zlib

import pytest
from aiohttp import web

from hub.domain.member import Principal, Role, Standing
from hub.domain.taxii import Query
from hub.errors import TooMany
from hub.service.administer import COMMAND_LINE
from hub.service.admit import push
from hub.service.collections import add_collection
from hub.service.members import change_member
from hub.service.retrieve import list_objects
from hub.web.keys import CONFIG
from hub.web.limits import Allowance, read_body
from tests.web.hubs import WITHIN_S, Running, running

MAX = 4096  # body_bytes_max of these tests
GZIP = gzip.compress(bytes(900))
BIG = 32 * 1024 * 1024


def reading(app: web.Application) -> None:
    """Add a route that answers how long a body it was sent, and one that sends a great deal."""

    async def tell_length(request: web.Request) -> web.Response:
        return web.Response(text=str(len(await read_body(request, request.app[CONFIG]))))

    async def send_much(_: web.Request) -> web.Response:
        return web.Response(body=bytes(BIG))

    app.router.add_post("/taxii2/test/length", tell_length)
    app.router.add_get("/taxii2/test/much", send_much)


@pytest.fixture
async def site(sqlite_url: str):
    timeouts = {"headers_timeout_s": 1, "body_timeout_s": 1, "keepalive_s": 2}
    async with running(sqlite_url, change=reading, body_bytes_max=MAX, request_line_bytes_max=8192, **timeouts) as site:
        yield site


async def post(site: Running, body: bytes, **headers: str) -> tuple[int, str]:
    # A stream is sent in chunks, so the hub is not told its length.
    async with site.session.post(
        f"{site.url}/taxii2/test/length", data=io.BytesIO(body), headers={**site.bearer, **headers}, skip_auto_headers=["Content-Type"]
    ) as answer:
        return answer.status, await answer.text()


def head(site: Running, *headers: str, method: str = "POST", path: str = "/taxii2/test/length") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: hub", f"Authorization: Bearer {site.token}", *headers, "", ""]).encode()


# --- bodies


async def test_a_body_as_large_as_the_limit_is_taken(site: Running):
    assert await post(site, bytes(MAX)) == (200, str(MAX))


async def test_a_body_larger_by_a_byte_is_not(site: Running):
    status, text = await post(site, bytes(MAX + 1))
    assert status == 413
    assert f"larger than {MAX} bytes" in text


async def test_a_gzip_body_counts_as_decompressed(site: Running):
    encoded = {"Content-Encoding": "gzip"}
    assert await post(site, gzip.compress(bytes(MAX)), **encoded) == (200, str(MAX))
    assert (await post(site, gzip.compress(bytes(MAX + 1)), **encoded))[0] == 413


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(site: Running):
    reader, writer = await site.connect()
    writer.write(head(site, f"Content-Length: {MAX + 1}"))
    async with asyncio.timeout(WITHIN_S):
        assert (await reader.readline()).split()[1] == b"413"
    writer.close()


async def test_a_decompression_bomb_is_refused_without_being_unpacked(site: Running):
    pack = zlib.compressobj(9, wbits=31)
    bomb = b"".join(pack.compress(bytes(1024 * 1024)) for _ in range(256)) + pack.flush()
    tracemalloc.start()
    try:
        assert (await post(site, bomb, **{"Content-Encoding": "gzip"}))[0] == 413
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "compress", "gzip, gzip", "gzip,identity", "x"])
async def test_any_other_content_encoding_is_unsupported(site: Running, encoding: str):
    status, text = await post(site, b"{}", **{"Content-Encoding": encoding})
    assert status == 415, text


@pytest.mark.parametrize("encoding", ["identity", "GZIP", " gzip"])
async def test_a_content_encoding_is_known_in_any_case(site: Running, encoding: str):
    body = b"{}" if encoding == "identity" else gzip.compress(b"{}")
    assert await post(site, body, **{"Content-Encoding": encoding}) == (200, "2")


async def test_a_gzip_body_may_have_several_members(site: Running):
    assert await post(site, GZIP + GZIP, **{"Content-Encoding": "gzip"}) == (200, "1800")


@pytest.mark.parametrize(
    "broken", [b"no gzip at all", GZIP[:5] + b"\xff" * 20, GZIP[:-1], GZIP + b"x"], ids=["plain", "corrupt", "short", "more"]
)
async def test_a_body_that_is_not_what_its_encoding_says_is_not_understood(site: Running, broken: bytes):
    status, text = await post(site, broken, **{"Content-Encoding": "gzip"})
    assert (status, "cannot be read as gzip" in text) == (400, True), text


async def test_a_body_that_comes_too_slowly_is_given_up(site: Running):
    answer = await site.raw(head(site, "Content-Length: 10") + b"12345")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"did not arrive in time" in answer


# --- connections


async def sending(site: Running, begun: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await site.connect()
    writer.write(begun)
    return reader, writer


async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """Return what comes until the hub closes the connection, in whichever manner."""
    try:
        async with asyncio.timeout(WITHIN_S):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "begun", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: hub\r\nX-Slow: "], ids=["nothing", "line", "headers"]
)
async def test_a_request_whose_headers_do_not_come_in_time_is_cut_off(site: Running, begun: bytes):
    began = asyncio.get_running_loop().time()
    assert await until_closed(*(await sending(site, begun))) == b""
    assert 1 <= asyncio.get_running_loop().time() - began < 1.9  # by the limit for headers, before that for idleness


async def test_a_later_request_on_a_connection_must_come_in_time_too(site: Running):
    reader, writer = await site.connect()
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n")
    async with asyncio.timeout(WITHIN_S):
        await reader.readuntil(b"}")
        began = asyncio.get_running_loop().time()
        writer.write(b"GET /hea")
        assert await until_closed(reader, writer) == b""
    assert asyncio.get_running_loop().time() - began < 1.9


async def test_a_request_that_takes_longer_to_answer_than_to_send_is_not_cut_off(sqlite_url: str):
    # The body takes longer than the headers may, and the connection serves on.
    async with running(sqlite_url, change=reading, headers_timeout_s=2, body_timeout_s=2) as site:
        reader, writer = await site.connect()
        request = head(site, "Content-Length: 4")
        async with asyncio.timeout(WITHIN_S):
            for part in (request[:20], request[20:], b"1", b"234", request, b"1234"):
                writer.write(part)
                await asyncio.sleep(0.55)
            for _ in range(2):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                assert await reader.readexactly(1) == b"4"
        writer.close()


async def test_an_idle_connection_is_closed(site: Running):
    began = asyncio.get_running_loop().time()
    answer = await site.raw(b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n")
    assert answer.endswith(b"}")
    assert asyncio.get_running_loop().time() - began >= 2


async def test_a_client_that_takes_nothing_of_its_answer_is_cut_off(site: Running):
    reader, writer = await site.connect()
    writer.transport.pause_reading()
    writer.write(head(site, method="GET", path="/taxii2/test/much"))
    async with asyncio.timeout(WITHIN_S):
        while await number_of_connections(site) > 1:  # the one that asks is the other
            pass
    writer.transport.resume_reading()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(BIG)
    writer.close()


async def test_a_header_as_long_as_the_limit_is_taken_and_a_longer_one_is_not(site: Running):
    async with site.session.get(f"{site.url}/healthz", headers={"X-Long": "x" * 8000}) as answer:
        assert answer.status == 200
    assert (await site.raw(head(site, "X-Long: " + "x" * 9000, method="GET"))).startswith(b"HTTP/1.0 400 ")


async def test_more_connections_than_the_limit_wait_to_be_accepted(sqlite_url: str):
    async with running(sqlite_url, connections_max=2) as site:
        first, second, third = [await site.connect() for _ in range(3)]
        for reader, writer in (first, second):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n")
            await reader.readuntil(b"}")
        third[1].write(b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(third[0].readexactly(1), 0.3)
        first[1].close()
        async with asyncio.timeout(WITHIN_S):
            assert (await third[0].readline()).startswith(b"HTTP/1.1 200 ")
        second[1].close()
        third[1].close()


async def number_of_connections(site: Running) -> int:
    answer = (await site.raw(b"GET /metrics HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n")).decode()
    return int(float(next(line for line in answer.splitlines() if line.startswith("hub_connections ")).split()[1]))


# --- requests and objects a minute


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def take(allowance: Allowance, credential: str, count: int = 1) -> None:
    allowance.require(credential)
    allowance.charge(credential, count)


def test_an_allowance_is_a_quarter_at_once_and_then_what_a_minute_gives():
    clock = Clock()
    allowance = Allowance(60, "requests", clock=clock)
    for _ in range(15):
        take(allowance, "one")
    with pytest.raises(TooMany) as refused:
        take(allowance, "one")
    assert (refused.value.detail, refused.value.retry_after_s) == ("more than 60 requests a minute", 1)
    take(allowance, "another")
    clock.now += 0.999
    with pytest.raises(TooMany):
        take(allowance, "one")
    clock.now += 0.001
    take(allowance, "one")
    clock.now += 3600
    for _ in range(15):
        take(allowance, "one")
    with pytest.raises(TooMany):
        take(allowance, "one")


def test_what_was_taken_beyond_the_allowance_is_waited_for():
    clock = Clock()
    allowance = Allowance(600, "objects", clock=clock)
    take(allowance, "one", 1150)  # 150 were there
    with pytest.raises(TooMany) as refused:
        take(allowance, "one")
    assert refused.value.retry_after_s == 101
    clock.now += 100.2
    take(allowance, "one")


def test_an_allowance_of_nothing_is_no_limit():
    allowance = Allowance(0, "requests")
    for _ in range(10_000):
        take(allowance, "one", 1000)
    assert allowance._buckets == {}


def test_an_allowance_forgets_who_has_all_of_theirs_again():
    clock = Clock()
    allowance = Allowance(60, "requests", clock=clock)
    for n in range(10_000):
        take(allowance, f"credential {n}")
    clock.now += 60
    take(allowance, "one more")
    assert len(allowance._buckets) == 1


def test_who_has_less_may_use_a_minute_of_it_at_once_and_waits_longer():
    clock = Clock()
    allowance = Allowance(1_200, "requests", clock=clock)
    for _ in range(30):
        allowance.require("slow", per_min=30)
        allowance.charge("slow", per_min=30)
    with pytest.raises(TooMany, match="more than 30 requests a minute") as refused:
        allowance.require("slow", per_min=30)
    assert refused.value.retry_after_s == 2
    clock.now += 2
    allowance.require("slow", per_min=30)
    allowance.require("slow", per_min=2_000)  # whoever rises has no less than what was left
    for _ in range(300):
        allowance.charge("fast", per_min=2_000)  # no more than everybody has
    with pytest.raises(TooMany, match="more than 1200 requests"):
        allowance.require("fast", per_min=2_000)


async def test_a_standing_opens_so_many_requests_a_minute_and_objects_a_page(sqlite_url: str):
    async with running(sqlite_url) as site:
        await change_member(site.hub, COMMAND_LINE, "energy", standing=Standing.OBSERVER)
        collection = await add_collection(site.hub, COMMAND_LINE, title="Shared", alias="s", readers=["everyone"], writers=["everyone"])
        directory = await site.hub.directory()
        energy = Principal("test", Role.PUBLISHER, directory.find_member("energy"))
        address = {"type": "ipv4-addr", "spec_version": "2.1"}
        objects = [
            {**address, "id": f"ipv4-addr--{uuid.uuid5(uuid.NAMESPACE_URL, str(n))}", "value": f"192.0.{n // 250}.{n % 250}"}
            for n in range(510)
        ]
        await push(site.hub, directory, energy, "hub", "s", json.dumps({"objects": objects}).encode())
        page = await list_objects(site.hub, directory, energy, "hub", collection.id, Query(limit=1_000))
        assert (len(page.bodies), page.next is not None) == (500, True)
        statuses = []
        for _ in range(31):
            async with site.session.get(f"{site.url}/taxii2/", headers=site.bearer) as answer:
                statuses.append(answer.status)
        assert statuses == [200] * 30 + [429]


async def test_too_many_requests_are_refused_for_that_credential_alone(sqlite_url: str):
    async with running(sqlite_url, requests_per_min=16) as site:
        statuses = []
        for _ in range(6):
            async with site.session.get(f"{site.url}/taxii2/", headers=site.bearer) as answer:
                statuses.append(answer.status)
                wait = answer.headers.get("Retry-After")
        assert statuses == [200] * 4 + [429] * 2
        assert wait is not None
        assert 1 <= int(wait) <= 4
        async with site.session.get(f"{site.url}/taxii2/") as answer:
            assert answer.status == 401
        async with site.session.get(f"{site.url}/readyz") as answer:
            assert answer.status == 200


async def test_too_many_objects_are_refused_with_the_time_to_wait(sqlite_url: str):
    async with running(sqlite_url, objects_per_min=60) as site:
        await add_collection(
            site.hub, COMMAND_LINE, root="hub", title="Shared", alias="shared",
            writers=["everyone"],
        )  # fmt: skip
        address = {"type": "ipv4-addr", "spec_version": "2.1"}
        objects = [{**address, "id": f"ipv4-addr--{uuid.uuid5(uuid.NAMESPACE_URL, str(n))}", "value": f"192.0.2.{n}"} for n in range(75)]

        async def push(*pushed: dict[str, str]) -> tuple[int, str | None]:
            async with site.session.post(
                f"{site.url}/taxii2/hub/collections/shared/objects/",
                json={"objects": pushed},
                headers={**site.bearer, "Content-Type": "application/taxii+json;version=2.1"},
            ) as answer:
                return answer.status, answer.headers.get("Retry-After")

        assert await push(*objects) == (202, None)
        status, wait = await push(objects[0])
        assert (status, wait) == (429, "61")
        async with site.session.get(f"{site.url}/metrics") as answer:
            counters = (await answer.text()).splitlines()
        assert "hub_pushes_total 1.0" in counters
        assert 'hub_objects_pushed_total{outcome="accepted"} 75.0' in counters
        assert 'hub_errors_total{code="too_many"} 1.0' in counters
