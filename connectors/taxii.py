"""Another TAXII 2.1 server's collection, every version of its objects. Standard: TAXII 2.1 §5.4; client: taxii2-client 2.3.

- It walks from `added_after` over `next`, or over the dates of the pages where a server gives no `next`. Each page is a batch.
- The cursor holds where to go on: in the middle of a walk the server's `next`, and beside it a date up to which everything is in. A
  server that forgets its `next` (medallion keeps them in memory) answers 4xx, and the walk goes on from that date: some objects come
  twice, none is missed. A page may end inside a group of equal dates, so that date is the first one of the page before, never its last.
- Bodies are passed on byte for byte; nothing is parsed but the envelope.
- Not mapped: deletions. TAXII has no notice of them.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, cast

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from taxii2client.common import _HTTPConnection
from taxii2client.exceptions import TAXIIServiceException
from taxii2client.v21 import Collection

from connectors.signed_answers import SignedAnswers, load_keys
from hub.domain.connector import Batch, Connector, Feed, Setting
from hub.domain.json import read_items, read_members
from hub.domain.retry_after import read_retry_after
from hub.domain.unreached import tell_unreached
from hub.errors import HubError, Invalid, Unavailable

T = TypeVar("T")

MIB = 1024 * 1024
EMPTY_PAGES_MAX = 100  # pages without objects that say that there is more, one after another
DELAY_MAX_S = 300.0  # between two tries, whatever the server asks for
REDIRECTS_MAX = 3

_DATE_FIRST, _DATE_LAST = "X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_NEXT_FORGOTTEN = frozenset({400, 404, 410, 422})  # what servers say to a `next` that they no longer know

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a walk through a collection stands. Dates are as the server wrote them."""

    after: str | None = None  # added_after of this walk
    next: str | None = None  # the server's word for the next page; None: the walk begins, or goes by date
    safe: str | None = None  # everything up to this date is in, whatever becomes of `next`
    last: str | None = None  # date of the last entry that came

    def moved(self, page: "Page") -> "Place":
        """Return the place after a page."""
        last = page.last or self.last
        # Entries are in order of date: where a page spans two dates, all entries of the first one have come.
        safe = page.first if page.first and page.first != page.last else self.safe
        if page.more and page.next is not None:
            return Place(self.after, page.next, safe or self.after, last)
        if page.more and last is None:
            raise Unavailable("the server says that there is more, and gives neither next nor the date of the last entry")
        return Place(after=last or self.after)

    def without_next(self) -> "Place":
        """Return the place from which to go on where the server has forgotten its `next`."""
        return Place(after=self.safe or self.after)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of the server."""

    objects: tuple[bytes, ...]
    more: bool
    next: str | None
    first: str | None
    last: str | None


async def pull(feed: Feed) -> AsyncGenerator[Batch, None]:
    """Yield what the server added since the cursor, page by page."""
    place = Place(**(feed.cursor or {}))
    peer = await asyncio.to_thread(Peer, feed.settings)
    forgotten_at: Place | None = None
    empty = 0
    try:
        while True:
            try:
                page = await _persist(feed.settings["tries_max"], peer, place)
            except _NextForgotten as e:
                restart = place.without_next()
                if restart == forgotten_at:  # it forgets faster than we can read
                    raise Unavailable(f"the server does not take back its own next: {e.detail}") from e
                forgotten_at = place = restart
                log.info("the server has forgotten its next; going on from the date %s", restart.after)
                continue
            empty = 0 if page.objects else empty + 1
            if empty > EMPTY_PAGES_MAX or (page.more and place == place.moved(page)):
                raise Unavailable("the server says again and again that there is more, and gives nothing")
            place = place.moved(page)
            yield Batch(page.objects, asdict(place))
            if not page.more:
                return
    finally:
        await asyncio.to_thread(peer.close)


class Peer:
    """The other server's collection. Used by one thread at a time."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._limit: int = settings["page_objects"]
        self._answer: requests.Response | None = None
        connection = _HTTPConnection(
            settings["username"], settings["password"], version="2.1", auth=_auth(settings), verify=settings["ca_file"] or True
        )
        connection.session.max_redirects = REDIRECTS_MAX
        connection.session.hooks["response"].append(self._keep)
        if settings["answer_keys"]:
            SignedAnswers(connection.session, load_keys(settings["answer_keys"], ca_file=settings["ca_file"]))
        for scheme in ("http://", "https://"):
            connection.session.mount(scheme, LimitedAdapter(settings["timeout_s"], settings["page_bytes_max"]))
        self._collection = Collection(settings["url"], conn=connection)

    def fetch(self, place: Place) -> Page:
        """Return the page after a place."""
        while True:
            try:
                return self._fetch(place)
            except PageTooLarge:
                if self._limit == 1:
                    raise
                self._limit = max(1, self._limit // 4)  # a page of fewer objects may fit

    def close(self) -> None:
        """Close the connections."""
        self._collection.close()

    def _fetch(self, place: Place) -> Page:
        query = {"added_after": place.after, "next": place.next, "limit": self._limit, "version": "all"}
        envelope = self._collection.get_objects(**query)
        answer = self._answer
        assert answer is not None, "the hook keeps the answer from which the client read the envelope"
        objects = tuple(read_items(read_members(answer.content)["objects"])) if envelope.get("objects") else ()
        token = envelope.get("next")
        return Page(
            objects, bool(envelope.get("more")), str(token) if token else None,
            answer.headers.get(_DATE_FIRST), answer.headers.get(_DATE_LAST),
        )  # fmt: skip

    def _keep(self, answer: requests.Response, *_: Any, **__: Any) -> None:
        self._answer = answer


class LimitedAdapter(HTTPAdapter):
    """Sends requests with limits on the time and on the size of the answer, counted after decompression."""

    def __init__(self, timeout_s: float, bytes_max: int) -> None:
        super().__init__()
        self._timeout_s, self._bytes_max = timeout_s, bytes_max

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request whose answer can be read within the limits only."""
        answer = super().send(request, *args, **{**kwargs, "stream": True, "timeout": self._timeout_s})
        answer.raw = _LimitedBody(answer.raw, self._bytes_max, time.monotonic() + self._timeout_s)
        return answer


class PageTooLarge(Unavailable):
    """A page has more bytes than the settings allow."""


class _NextForgotten(HubError):
    """The server no longer knows the `next` that it gave."""


class _LimitedBody:
    """A response's body that stops at a number of bytes and at a moment."""

    def __init__(self, raw: Any, bytes_max: int, until_s: float) -> None:
        self._raw, self._bytes_max, self._until_s = raw, bytes_max, until_s

    def stream(self, amount: int, decode_content: bool | None = None) -> Iterator[bytes]:  # noqa: FBT001 - urllib3's signature
        taken = 0
        for chunk in self._raw.stream(amount, decode_content=decode_content):
            taken += len(chunk)
            if taken > self._bytes_max:
                raise PageTooLarge(f"the server's page has more than {self._bytes_max} bytes: raise page_bytes_max")
            if time.monotonic() > self._until_s:
                raise requests.Timeout("the body did not arrive in time")
            yield chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


class _BearerAuth(AuthBase):
    def __init__(self, token: str, scheme: str) -> None:
        self._header = f"{scheme} {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def _auth(settings: Mapping[str, Any]) -> AuthBase | None:
    return _BearerAuth(settings["token"], settings["token_scheme"]) if settings["token"] else None


async def _persist(tries_max: int, peer: Peer, place: Place) -> Page:
    """Return the page after a place, trying again for as long as it makes sense."""
    for number in range(1, tries_max + 1):
        try:
            return await asyncio.to_thread(_explained, peer.fetch, place)
        except _Busy as e:
            if number == tries_max:
                raise Unavailable(e.detail) from e
            delay_s = _delay(number, e.retry_after_s)
            log.warning("%s; trying again in %.0f s", e.detail, delay_s)
            await asyncio.sleep(delay_s)
    raise AssertionError("the last try returns or raises")


class _Busy(HubError):
    """The server may do it if asked again later."""

    def __init__(self, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


def _explained(fetch: Callable[[Place], T], place: Place) -> T:
    """Fetch a page; every fault becomes one of ours that says what to do."""
    try:
        return fetch(place)
    except requests.HTTPError as e:
        answer = cast("requests.Response", e.response)  # raise_for_status names it
        status = answer.status_code
        if status in _TRY_AGAIN:
            raise _Busy(f"the server answered {status}", read_retry_after(answer.headers.get("Retry-After"), now_s=time.time())) from e
        if status in _NEXT_FORGOTTEN and place.next is not None:
            raise _NextForgotten(f"it answered {status}") from e
        hint = {401: ": check the credentials", 403: ": the credentials may not read this collection", 404: ": check url"}.get(status, "")
        raise Unavailable(f"the server answered {status}{hint}") from e
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as e:
        raise _Busy(f"the server cannot be reached: {tell_unreached(e)}") from e
    except requests.RequestException as e:
        raise Unavailable(f"the request cannot be made: {tell_unreached(e)}; check url") from e
    except (TAXIIServiceException, Invalid, AttributeError, TypeError, KeyError, RecursionError) as e:
        # The client takes the shape of an answer for granted: what it trips over is not TAXII 2.1.
        raise Unavailable(f"the server's answer is not TAXII 2.1: {str(e)[:200]}") from e


def _delay(number: int, retry_after_s: float | None) -> float:
    if retry_after_s is not None:
        return min(retry_after_s, DELAY_MAX_S)
    return min(2.0**number, DELAY_MAX_S) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads clients, guards nothing


CONNECTOR = Connector(
    name="taxii",
    doc="Pulls a collection of another TAXII 2.1 server.",
    settings=(
        Setting("url", "address of the collection, .../collections/<id>/", required=True),
        Setting("username", "for HTTP Basic"),
        Setting("password", "for HTTP Basic", secret=True),
        Setting("token", "instead of username and password", secret=True),
        Setting("token_scheme", "scheme that the token is sent with", default="Bearer"),
        Setting("ca_file", "authorities to trust instead of the system's"),
        Setting("answer_keys", "keys of which one must sign each answer: a file with a JWK Set, or its https address"),
        Setting("page_objects", "objects to ask for at once", default=1000, kind=int),
        Setting("page_bytes_max", "bytes of one page; where a page is larger, fewer objects are asked for", default=32 * MIB, kind=int),
        Setting("timeout_s", "time for one page", default=60, kind=int),
        Setting("tries_max", "tries for one page before the run ends; the next run begins there", default=5, kind=int),
    ),
    pull=pull,
)
