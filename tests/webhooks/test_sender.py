"""Sending one message: what receivers get, what is made of their answers, and that their manners cost the hub nothing."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.domain.ids import DeliveryId
from hub.domain.retry_after import MOST_S
from hub.domain.webhooks.delivery import RESPONSE_CHARS_MAX, Message
from hub.domain.webhooks.signature import PrivateKey, SharedSecret, verify
from hub.domain.webhooks.subscription import Endpoint, Format
from hub.errors import Invalid
from hub.outbound.egress import Egress
from hub.outbound.sender import RESPONSE_BYTES_MAX, Sender
from hub.outbound.target import Rules
from hub.service.context import now_us
from tests.sim.webhook_receiver import WITHIN_S, Answer, Receiver

NOW_US = 1_795_253_400_000_000  # 2026-11-21T09:30:00Z
OLD, NEW = SharedSecret(b"o" * 32), SharedSecret(b"n" * 32)
SIGNED = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"p" * 32))
ID = DeliveryId("0a4ae6e4-2f0b-5b8e-9d3c-6a1f7c7a0c11")
MESSAGE = Message(ID, b'{"a": 1}', "application/cloudevents+json")
ASKED = {"message_id": ID, "nonce": "a nonce", "now_us": NOW_US, "origin": "hub.example.org"}


@contextlib.asynccontextmanager
async def sender(*, total_s: float = 10.0) -> AsyncIterator[Sender]:
    egress = Egress(Rules(allow_http=True, ports=frozenset()), total_s=total_s)
    try:
        yield Sender(egress)
    finally:
        await egress.close()


@contextlib.asynccontextmanager
async def both(*answers: Answer, total_s: float = 10.0) -> AsyncIterator[tuple[Sender, Receiver, Endpoint]]:
    async with Receiver().serving() as receiver, sender(total_s=total_s) as ours:
        receiver.answers.extend(answers)
        yield ours, receiver, Endpoint(receiver.url, (NEW.text(),), private_cidrs=("127.0.0.0/8",))


@contextlib.asynccontextmanager
async def answering(raw: bytes, *, stays: bool = False) -> AsyncIterator[Endpoint]:
    """Answer whatever is asked with these bytes, and hang up, or say nothing more."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        if stays:
            await reader.read()  # until the other side hangs up
        writer.close()
        left.set()

    left = asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield Endpoint(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", (NEW.text(),), private_cidrs=("127.0.0.0/8",))
        async with asyncio.timeout(WITHIN_S):
            await left.wait()


async def test_while_keys_rotate_a_receiver_with_either_takes_the_message():
    for held in (OLD, NEW):
        async with both() as (ours, receiver, endpoint):
            receiver.secrets = [held.text()]
            keys = (NEW.text(), OLD.text(), SIGNED.text())
            at_us = now_us()  # the library reads the clock itself
            attempt = await ours.send(replace(endpoint, keys=keys), MESSAGE, now_us=at_us)
            assert (attempt.status, attempt.is_success, attempt.error) == (200, True, None)
            assert attempt.latency_us > 0
            [got] = receiver.received
            assert (got.id, got.body, got.headers["Content-Type"]) == (ID, MESSAGE.body, MESSAGE.content_type)
            assert verify([SIGNED.public], got.headers, got.body, now_s=at_us // 1_000_000) == ID


async def test_the_receivers_own_headers_come_along_and_replace_none_of_ours():
    async with both() as (ours, receiver, endpoint):
        wanted = (("Authorization", "Bearer abc"), ("Webhook-Id", "other"), ("user-agent", "x"), ("content-type", "text/plain"))
        await ours.send(replace(endpoint, headers=wanted), MESSAGE, now_us=NOW_US)
        headers = receiver.received[0].headers
        assert headers["Authorization"] == "Bearer abc"
        assert (headers["webhook-id"], headers["User-Agent"], headers["Content-Type"]) == (ID, "Fusion-Hub-Webhooks", MESSAGE.content_type)
        assert len([name for name in headers if name.lower() in ("webhook-id", "user-agent", "content-type")]) == 3


@pytest.mark.parametrize("status", [301, 307, 308])
async def test_a_redirect_is_a_failure_and_leads_nowhere(status: int):
    async with both() as (ours, receiver, endpoint):
        receiver.answers.append(Answer(status, {"Location": receiver.url + "/elsewhere"}))
        attempt = await ours.send(endpoint, MESSAGE, now_us=NOW_US)
        assert (attempt.status, attempt.is_success) == (status, False)
        assert len(receiver.received) == receiver.connections == 1


async def test_cookies_are_not_kept():
    async with both(Answer(headers={"Set-Cookie": "a=b; Path=/"})) as (ours, receiver, endpoint):
        await ours.send(endpoint, MESSAGE, now_us=NOW_US)
        await ours.send(endpoint, MESSAGE, now_us=NOW_US)
        assert receiver.connections == 1
        assert "Cookie" not in receiver.received[1].headers


async def test_an_answer_without_end_is_cut_off_and_its_status_counts():
    async with both(Answer(status=500, body=b"x" * 4_096, endless=True)) as (ours, receiver, endpoint):
        attempt = await ours.send(endpoint, MESSAGE, now_us=NOW_US)
        assert (attempt.status, attempt.response) == (500, "x" * RESPONSE_CHARS_MAX)
        async with asyncio.timeout(WITHIN_S):
            await receiver.given_up.wait()


async def test_a_packed_answer_is_not_unpacked():
    bomb = gzip.compress(b"\0" * 10_000_000)
    async with both(Answer(status=500, headers={"Content-Encoding": "gzip"}, body=bomb)) as (ours, receiver, endpoint):
        attempt = await ours.send(endpoint, MESSAGE, now_us=NOW_US)
        assert (attempt.status, attempt.response) == (500, "")
        assert receiver.received[0].headers["Accept-Encoding"] == "identity"
        assert len(bomb) < RESPONSE_BYTES_MAX


async def test_of_an_answer_only_text_is_kept():
    body = "no\r\nsuch\x1b[31m\0thing\u202e\u2028!".encode() + b"\xff"
    async with both(Answer(404, body=body)) as (ours, _, endpoint):
        assert (await ours.send(endpoint, MESSAGE, now_us=NOW_US)).response == "no such [31m thing !\ufffd"


async def test_an_endpoint_that_hangs_is_left_after_its_time():
    async with both(total_s=0.2) as (ours, receiver, endpoint):
        go_on = receiver.hold()
        attempt = await ours.send(endpoint, MESSAGE, now_us=NOW_US)
        go_on.set()
        assert (attempt.status, attempt.error) == (None, "it took too long to answer")
        assert attempt.latency_us >= 200_000


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "the connection ended before an answer"),
        (b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n", "what came back is no answer that HTTP knows"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", "what came back is no answer that HTTP knows"),
    ],
    ids=["nothing", "another protocol", "a header without end"],
)
async def test_what_is_no_answer_is_told_without_repeating_it(raw: bytes, told: str):
    async with answering(raw) as endpoint, sender() as ours:
        attempt = await ours.send(endpoint, MESSAGE, now_us=NOW_US)
        assert (attempt.status, attempt.error, attempt.response) == (None, told, "")


@pytest.mark.parametrize("status", [200, 503])
async def test_a_status_counts_though_the_rest_of_the_answer_is_cut_short(status: int):
    head = b"HTTP/1.1 %d Said\r\nTransfer-Encoding: chunked\r\n\r\n" % status
    async with answering(head + b"a\r\nsix") as endpoint, sender() as ours:
        attempt = await ours.send(endpoint, MESSAGE, now_us=NOW_US)
        assert (attempt.status, attempt.error) == (status, None)


async def test_a_status_counts_though_the_rest_of_the_answer_is_slow():
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nsix"
    async with answering(raw, stays=True) as endpoint, sender(total_s=0.5) as ours:
        attempt = await ours.send(endpoint, MESSAGE, now_us=NOW_US)
        assert (attempt.is_success, attempt.status, attempt.error, attempt.response) == (True, 200, None, "six")


async def test_an_address_at_which_nobody_listens_is_told():
    async with both() as (ours, _, endpoint):
        pass
    async with sender() as ours:
        assert (await ours.send(endpoint, MESSAGE, now_us=NOW_US)).error == "no connection could be made"


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("120", 120), ("0", 0), ("86400", 86_400), ("86401", MOST_S), ("9" * 400, MOST_S), ("-1", None),
        ("soon", None),
        ("Sat, 21 Nov 2026 09:32:00 GMT", 120), ("Sat, 21 Nov 2026 09:00:00 GMT", 0), ("Sat, 21 Nov 2099 09:00:00 GMT", MOST_S),
        ("Sat, 21 Nov 2026 09:32:00 -0000", 120), ("Sat, 99 Nov 2026 09:00:00 GMT", None),
    ],
)  # fmt: skip
async def test_a_retry_after_is_understood_in_both_its_forms(text: str, wait_s: int | None):
    async with both(Answer(429, {"Retry-After": text})) as (ours, _, endpoint):
        attempt = await ours.send(endpoint, MESSAGE, now_us=NOW_US)
        assert (attempt.status, attempt.retry_after_s) == (429, wait_s)


async def test_an_endpoint_agrees_by_repeating_the_nonce_of_a_signed_challenge():
    async with both() as (ours, receiver, endpoint):
        receiver.secrets = [NEW.text()]
        assert await ours.ask(endpoint, Format.CLOUDEVENTS, **ASKED | {"now_us": now_us()}) is None
        assert receiver.received == []


@pytest.mark.parametrize("origins", ["hub.example.org", "*"])
async def test_an_endpoint_agrees_by_the_options_of_cloudevents(origins: str):
    async with both() as (ours, receiver, endpoint):
        receiver.agrees, receiver.origins = False, origins
        assert await ours.ask(endpoint, Format.PLAIN, **ASKED) is None
        assert receiver.options == ["hub.example.org"]


@pytest.mark.parametrize("origins", [None, "other.example.org", "https://hub.example.org"])
@pytest.mark.parametrize("body", [b"", b"another nonce", b'{"challenge":"another"}', b"[]", b'"a nonc"'])
async def test_who_does_neither_has_not_agreed(origins: str | None, body: bytes):
    async with both(Answer(body=body)) as (ours, receiver, endpoint):
        receiver.agrees, receiver.origins = False, origins
        reason = await ours.ask(endpoint, Format.PLAIN, **ASKED)
        assert reason is not None
        assert "without repeating its nonce" in reason


async def test_who_repeats_the_nonce_with_a_failure_has_not_agreed():
    async with both(Answer(403, body=b"a nonce")) as (ours, receiver, endpoint):
        receiver.agrees = False
        assert "status 403" in str(await ours.ask(endpoint, Format.PLAIN, **ASKED))


@pytest.mark.parametrize("form", [Format.SLACK, Format.TEAMS, Format.MATTERMOST])
async def test_a_chat_agrees_by_taking_a_test_card(form: Format):
    async with both() as (ours, receiver, endpoint):
        assert await ours.ask(endpoint, form, **ASKED) is None
        assert b"Test: this works" in receiver.received[0].body
        receiver.answers.append(Answer(404))
        assert await ours.ask(endpoint, form, **ASKED) == "the chat answered the test card with status 404"


async def test_who_cannot_be_asked_has_not_agreed():
    async with sender() as ours:
        for form in (Format.PLAIN, Format.SLACK):
            assert "cannot be found" in str(await ours.ask(Endpoint("http://127.0.0.1:1/", (NEW.text(),)), form, **ASKED))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"url": "http://10.0.0.1/"}, "url: "), ({"private_cidrs": ("0.0.0.0/0",)}, "private_cidrs: "), ({"ca": "no PEM"}, "ca: "),
        ({"ca": ""}, "ca: "),
        ({"client_certificate": "no PEM"}, "client_certificate: "),
    ],
    ids=str,
)  # fmt: skip
async def test_an_endpoint_that_cannot_be_used_is_refused_before_it_is_kept(change: dict[str, Any], named: str):
    async with sender() as ours:
        good = Endpoint("http://hooks.example.org/", (NEW.text(),))
        await ours.check(good)
        with pytest.raises(Invalid, match=named):
            await ours.check(replace(good, **change))
