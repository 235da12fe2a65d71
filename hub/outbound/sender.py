"""Sending one message to one endpoint, once, and asking an endpoint whether it wants any.

* Success is a 2xx status and nothing else. Of an answer no more than RESPONSE_BYTES_MAX are read, and only what is text is kept.
* Why there was no answer is told in words of the hub's own; they are the same for all that it will not reach.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import aiohttp
import orjson
from aiohttp import hdrs
from multidict import CIMultiDict

from hub.domain.ids import DeliveryId
from hub.domain.retry_after import read_retry_after
from hub.domain.webhooks.delivery import RESPONSE_CHARS_MAX, Attempt, Message
from hub.domain.webhooks.event import JSON_TYPE, Event, EventKind
from hub.domain.webhooks.formats import CHATS, render
from hub.domain.webhooks.signature import PrivateKey, SharedSecret, sign, signing_key
from hub.domain.webhooks.subscription import Endpoint, Format
from hub.errors import HubError, Unavailable
from hub.outbound.egress import Egress, tls_for
from hub.outbound.target import REFUSED, check_url, networks_of

RESPONSE_BYTES_MAX = 16_384
_AGENT = "Fusion-Hub-Webhooks"
_UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


class Sender:
    """Sends messages through the guarded way out."""

    def __init__(self, egress: Egress) -> None:
        """Send through `egress`, whoever closes it."""
        self._egress = egress

    async def check(self, endpoint: Endpoint) -> None:
        """Look at an endpoint before it is kept.

        Raises:
            Invalid: its address, certificate, authority or networks cannot be used.
        """
        check_url(endpoint.url, self._egress.rules, networks_of(endpoint.private_cidrs))
        await asyncio.to_thread(tls_for, endpoint)

    async def send(self, endpoint: Endpoint, message: Message, *, now_us: int) -> Attempt:
        """Send a message once, signed by each key of the endpoint, and return what became of it."""
        began = time.perf_counter()
        try:
            headers = _headers(endpoint, message, now_us // 1_000_000)
            answer = await self._exchange(hdrs.METH_POST, endpoint, headers, message.body)
        except HubError as e:
            return Attempt(_since_us(began), error=e.detail)
        retry_after_s = read_retry_after(answer.headers.get(hdrs.RETRY_AFTER), now_s=now_us / 1_000_000)
        return Attempt(_since_us(began), answer.status, response=answer.beginning, retry_after_s=retry_after_s)

    async def ask(self, endpoint: Endpoint, form: Format, *, message_id: DeliveryId, nonce: str, now_us: int, origin: str) -> str | None:
        """Ask an endpoint whether it wants messages of this hub; return why not, or None where it does.

        A program agrees by answering a signed challenge, `{"type": "challenge", "challenge": nonce}`, with the nonce, as text or in the
        same property; or else, to the OPTIONS request of CloudEvents' abuse protection, by a `WebHook-Allowed-Origin` that is `origin`
        or `*`. A chat agrees by taking a test card: it can do nothing else, and whoever has its address was given it.

        Args:
            message_id: of the challenge or card.
            nonce: what nobody could guess.
            origin: the name by which an endpoint can allow this hub, such as its host.
        """
        if form in CHATS:
            card = render(Event(message_id, EventKind.TEST, now_us), form, "")
            taken = await self.send(endpoint, card, now_us=now_us)
            return None if taken.is_success else taken.error or f"the chat answered the test card with status {taken.status}"
        challenge = Message(message_id, orjson.dumps({"type": "challenge", "challenge": nonce}), JSON_TYPE)
        answered = await self.send(endpoint, challenge, now_us=now_us)
        if answered.status is None or (answered.is_success and _repeated(answered.response) == nonce):
            return answered.error
        try:
            allowed = await self._exchange(hdrs.METH_OPTIONS, endpoint, {"WebHook-Request-Origin": origin}, b"")
        except HubError as e:
            return e.detail
        if 200 <= allowed.status < 300 and allowed.headers.get("WebHook-Allowed-Origin") in ("*", origin):
            return None
        return (
            f"the endpoint answered the challenge with status {answered.status} without repeating its nonce, "
            f"and OPTIONS with status {allowed.status} without a WebHook-Allowed-Origin for {origin}"
        )

    async def _exchange(self, method: str, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> "_Answer":
        """Make one request.

        Raises:
            Invalid: the endpoint's address or certificate cannot be used.
            Unavailable: there was no answer.
        """
        url = check_url(endpoint.url, self._egress.rules, networks_of(endpoint.private_cidrs))
        sent = CIMultiDict(headers)
        sent.update({hdrs.USER_AGENT: _AGENT, hdrs.ACCEPT_ENCODING: "identity"})
        try:
            async with (
                await self._egress.session(endpoint) as session,
                session.request(method, url, data=body, headers=sent, allow_redirects=False) as response,
            ):
                return _Answer(response.status, response.headers, await _beginning(response))
        except (aiohttp.ClientError, OSError, ValueError) as e:  # TimeoutError is an OSError
            raise Unavailable(_told(e)) from e


class _Answer(NamedTuple):
    """What an endpoint answered."""

    status: int
    headers: Mapping[str, str]  # in whatever case they are asked for
    beginning: str


def _headers(endpoint: Endpoint, message: Message, timestamp_s: int) -> CIMultiDict[str]:
    headers = CIMultiDict(endpoint.headers)
    headers.update({hdrs.CONTENT_TYPE: message.content_type})  # in place of one that the receiver may have asked for
    headers.update(sign([_key(text) for text in endpoint.keys], message.id, timestamp_s, message.body))
    return headers


@lru_cache(maxsize=4_096)  # reading an Ed25519 key costs as much as a signature by it
def _key(text: str) -> SharedSecret | PrivateKey:
    return signing_key(text)


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """Read so much of an answer as is looked at, and return what of it can be shown; of one that is slow or cut off, what came."""
    parts: list[bytes] = []
    wanted = RESPONSE_BYTES_MAX
    with contextlib.suppress(aiohttp.ClientError, OSError):  # TimeoutError is an OSError; the status has come, and counts
        while wanted > 0 and (part := await response.content.read(wanted)):
            parts.append(part)
            wanted -= len(part)
    if response.headers.get(hdrs.CONTENT_ENCODING, "identity") != "identity":
        return ""
    text = b"".join(parts)[: 4 * RESPONSE_CHARS_MAX].decode("utf-8", "replace")
    return _UNSHOWN.sub(" ", text).strip()[:RESPONSE_CHARS_MAX]


def _repeated(response: str) -> str | None:
    """Return the nonce that an answer to a challenge holds: the text itself, or a property of JSON."""
    try:
        answer = orjson.loads(response)
    except orjson.JSONDecodeError:
        return response
    return answer.get("challenge") if isinstance(answer, dict) else answer if isinstance(answer, str) else response


def _told(error: Exception) -> str:
    """Say why there was no answer. Of what the hub will not reach nothing else is told, be it a name or an address."""
    if isinstance(error, aiohttp.ClientConnectorDNSError) or (
        isinstance(error, aiohttp.ClientConnectorError) and REFUSED in str(error.os_error)
    ):
        return REFUSED
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not one that the hub trusts for this address"
    if isinstance(error, aiohttp.ClientSSLError):
        return "TLS could not be agreed"
    if isinstance(error, TimeoutError):
        return "it took too long to answer"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "no connection could be made"
    if isinstance(error, (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
        return "the connection ended before an answer"
    return "what came back is no answer that HTTP knows"


def _since_us(began: float) -> int:
    return int((time.perf_counter() - began) * 1_000_000)
