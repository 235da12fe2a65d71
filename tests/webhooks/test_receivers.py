"""What receivers are given: the example of the documents, run with both published libraries, and `hub listen`."""

import asyncio
import contextlib
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.domain.ids import CollectionId, DeliveryId, StixId
from hub.domain.label import Tlp
from hub.domain.webhooks.delivery import Attempt
from hub.domain.webhooks.event import Event, EventKind, Item
from hub.domain.webhooks.formats import render
from hub.domain.webhooks.signature import PrivateKey, SharedSecret
from hub.domain.webhooks.subscription import Endpoint, Format
from hub.outbound.egress import Egress
from hub.outbound.sender import Sender
from hub.outbound.target import Rules
from hub.service.context import now_us
from tests.web.hubs import WITHIN_S

DOCUMENT = (Path(__file__).resolve().parents[2] / "connectors" / "WEBHOOKS.md").read_text()
COLLECTION = CollectionId("e0b5ae0b-4c61-4d3b-8ed4-3ee6f0b4b7b4")
INDICATOR = StixId("indicator--26ffb872-1dd9-446e-b6f5-d58527e5b5d2")
KEY, OTHER = SharedSecret(b"k" * 32), SharedSecret(b"o" * 32)
ITEM = Item("hub", COLLECTION, "Shared", INDICATOR, "2026-11-21T09:30:00.000Z", Tlp.AMBER)


@dataclass
class Started:
    """A receiver in a process of its own."""

    process: asyncio.subprocess.Process
    port: int
    sender: Sender

    def endpoint(self, *keys: SharedSecret | PrivateKey) -> Endpoint:
        texts = tuple(key.text() for key in keys)
        return Endpoint(f"http://127.0.0.1:{self.port}/", texts, private_cidrs=("127.0.0.0/8",))

    async def ask(self, endpoint: Endpoint) -> str | None:
        asked = {"message_id": DeliveryId("challenge"), "nonce": "a nonce", "origin": "hub.example.org"}
        return await self.sender.ask(endpoint, Format.CLOUDEVENTS, now_us=now_us(), **asked)  # type: ignore[arg-type]

    async def send(self, endpoint: Endpoint, n: int, form: Format = Format.CLOUDEVENTS) -> Attempt:
        message = render(Event(f"event-{n}", EventKind.ADDED, now_us(), ITEM, sequence=n), form, "https://hub.example.org")
        return await self.sender.send(endpoint, message, now_us=now_us())

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            return (await self.process.stdout.readline()).decode().rstrip()

    async def answers(self) -> None:
        """Wait until somebody listens."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def started(*words: str, port: int = 0, **environment: str) -> AsyncIterator[Started]:
    egress = Egress(Rules(allow_http=True, ports=frozenset()))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, env=os.environ | environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield Started(process, port, Sender(egress))
    finally:
        await egress.close()
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(WITHIN_S):
            await process.communicate()


@pytest.mark.parametrize("library", ["standardwebhooks", "svix"])
async def test_the_receiver_of_the_documents_agrees_takes_and_refuses(library: str):
    (script,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert len([line for line in script.splitlines() if line.strip()]) <= 22
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    script = script.replace("from standardwebhooks.webhooks", f"from {library}.webhooks")
    async with started("-c", script, port=port, PORT=str(port), WEBHOOK_SECRET=KEY.text()) as receiver:
        await receiver.answers()
        good = receiver.endpoint(OTHER, KEY)  # as while keys rotate
        assert await receiver.ask(good) is None
        assert "status 401" in str(await receiver.ask(receiver.endpoint(OTHER)))
        assert (await receiver.send(receiver.endpoint(OTHER), 1)).status == 401
        assert [(await receiver.send(good, n)).status for n in (2, 2, 3)] == [200, 200, 200]
        for n in (2, 3):
            line = await receiver.line()
            assert line.startswith("fusion-hub.added ")
            assert f"'sequence': {n}" in line


async def test_hub_listen_verifies_prints_and_answers_as_it_is_told():
    words = ("-m", "hub", "listen", "--port", "0", "--answer", "503", "--answer", "202")
    private = PrivateKey(Ed25519PrivateKey.from_private_bytes(b"p" * 32))
    async with started(*words, "--key", KEY.text(), "--key", private.receiver_text()) as receiver:
        announced = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)/", await receiver.line())
        assert announced is not None
        receiver.port = int(announced[1])
        good = receiver.endpoint(private)
        assert await receiver.ask(good) is None
        assert await receiver.line() == "a hub asked whether it may send here: yes"
        assert (await receiver.send(receiver.endpoint(OTHER), 1)).status == 401
        assert [(await receiver.send(good, n)).status for n in (1, 1, 4)] == [503, 202, 202]
        told = f"fusion-hub.added object_id={INDICATOR} tlp=amber version=2026-11-21T09:30:00.000Z"
        assert [await receiver.line() for _ in range(3)] == [
            f"503 {told} sequence=1 id=event-1 signature good",
            f"202 {told} sequence=1 id=event-1 again, 2 times by now signature good",
            f"202 {told} sequence=4 with 2 to come before it id=event-4 signature good",
        ]
        assert (await receiver.send(receiver.endpoint(KEY), 5, Format.SLACK)).status == 202
        assert await receiver.line() == "202 a card for a chat id=event-5 signature good"


async def test_hub_listen_says_what_is_no_key():
    async with started("-m", "hub", "listen", "--port", "0", "--key", "whsec_short") as receiver:
        async with asyncio.timeout(WITHIN_S):
            assert await receiver.process.wait() == 1
