"""The live stream of events, `/api/v1/stream`: Server-Sent Events, for those who cannot receive webhooks.

* Each event is the CloudEvent that a webhook would bring; its `id` is how far the stream has told. Who comes back with it as
  `Last-Event-ID` (browsers do by themselves) goes on from there, at any node.
* Whoever is told is asked again each time: a credential that ended, or a member that was suspended, ends the stream within a second.
* Nothing waits in memory but the page at hand. A client that takes nothing for `stall_s` is cut off; it misses nothing by that.
* Where the process stops, streams end at once, so that their clients go on elsewhere.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator

import orjson
import structlog
from aiohttp import hdrs, web
from pydantic import Field

from hub.config import Config
from hub.domain.directory import Directory
from hub.domain.ids import MemberId
from hub.domain.json import excerpt
from hub.domain.label import Severity, Tlp
from hub.domain.member import Principal
from hub.domain.webhooks.event import Event, EventKind, cloud_event
from hub.errors import HubError, Invalid, TooMany, Unauthenticated, Unavailable, Withheld
from hub.service.administer import require_active
from hub.service.authenticate import authenticate
from hub.service.context import Hub
from hub.service.stream import Condition, Stream, condition_of, open_stream
from hub.service.subscriptions import FilterWish, filter_of
from hub.service.turns import wait_for_any
from hub.web.addresses import ORIGINS
from hub.web.api.models import Given, Shown
from hub.web.api.operation import Streaming, read_query
from hub.web.keys import ADDRESS, DIRECTORY, HUB, PRINCIPAL

EVENT_STREAM_TYPE = "text/event-stream"
HEARTBEAT_S = 15.0  # proxies close what is silent for a minute
STALL_S = 10.0
_LOOK_S = 1.0  # for what other nodes did, and for what ended
_REST_S = 0.02  # between looks, however much happens
_REST_UNWANTED_S = 0.25  # while no stream is open: else each push would wake the loop for nothing
_RETRY_MS = 3_000  # after which clients come back
_LISTS_CHARS_MAX = 8_000

log = structlog.get_logger(__name__)


class StreamQuery(Given):
    """What a stream is about: lists are written with commas, and an empty one leaves nothing out."""

    events: str = Field("", max_length=_LISTS_CHARS_MAX, description="added, updated, revoked, deleted, advisory.imminent, …")
    collections: str = Field("", max_length=_LISTS_CHARS_MAX, description="ids or aliases")
    types: str = Field("", max_length=_LISTS_CHARS_MAX, description="STIX types")
    tlp_max: Tlp | None = Field(None, description="nothing stricter")
    sectors: str = Field("", max_length=_LISTS_CHARS_MAX, description="what concerns one of these, or all")
    topics: str = Field("", max_length=_LISTS_CHARS_MAX, description="threat, vulnerability, …")
    severity: Severity | None = None
    producers: str = Field("", max_length=_LISTS_CHARS_MAX, description="slugs or ids of members")
    values: str = Field("", max_length=_LISTS_CHARS_MAX, description="objects that name one of these addresses, domains or hashes")
    full: bool = Field(default=False, description="events hold the objects themselves")
    wait: bool = Field(default=True, description="false: end when all that has happened was told")
    last_event_id: str | None = Field(None, description="for who cannot send the header Last-Event-ID")


class StreamedEvent(Shown):
    """The `data` of an event: a CloudEvent (1.0, structured JSON)."""

    specversion: str
    id: str = Field(description="the same whenever the member is told of this")
    source: str
    type: str
    time: str
    subject: str | None = None
    datacontenttype: str
    data: dict[str, object]


class Streams:
    """The streams that are open in this process."""

    def __init__(
        self, config: Config, *, tell_number: Callable[[int], None], heartbeat_s: float = HEARTBEAT_S, stall_s: float = STALL_S
    ) -> None:
        """Make it without any; `tell_number` is told how many are open whenever that changes, `heartbeat_s` and `stall_s` are as above."""
        self.heartbeat_s, self.stall_s = heartbeat_s, stall_s
        self._tell_number = tell_number
        self.ending = asyncio.Event()
        self._each_max = config.streams_max
        self._of_member: Counter[MemberId] = Counter()
        self._open: set[asyncio.Event] = set()
        self._condition: Condition | None = None  # as of the last look

    @contextlib.contextmanager
    def opened(self, member: MemberId) -> Iterator[asyncio.Event]:
        """Count a stream as open, and lend what is set whenever it should look for news.

        Raises:
            TooMany: the member has as many as it may.
            Unavailable: the process is about to end.
        """
        if self.ending.is_set():
            raise Unavailable("this process is stopping; connect again", retry_after_s=1)
        if self._of_member[member] >= self._each_max:
            raise TooMany(f"more than {self._each_max} streams of your organisation at a time", retry_after_s=60)
        moved = asyncio.Event()
        self._of_member[member] += 1
        self._open.add(moved)
        self._tell_number(len(self._open))
        try:
            yield moved
        finally:
            self._open.discard(moved)
            self._tell_number(len(self._open))
            self._of_member[member] -= 1
            if not self._of_member[member]:
                del self._of_member[member]

    def end(self) -> None:
        """End all streams, and open no more."""
        self.ending.set()

    async def wake(self, hub: Hub, stop: asyncio.Event) -> None:
        """Wake streams when there may be news: at once for what this process did, within a second for anything else; until `stop`."""
        while not stop.is_set():
            await self._look(hub)
            await wait_for_any((stop,), _REST_S if self._open else _REST_UNWANTED_S)
            await self._look(hub)  # something may have happened during the rest
            await wait_for_any((stop, hub.feed_moved), _LOOK_S)

    async def _look(self, hub: Hub) -> None:
        if not self._open:
            return
        try:
            condition = await condition_of(hub)
        except Unavailable as e:
            log.warning("streams wait", reason=e.detail)
            return
        if condition != self._condition:
            self._condition = condition
            for moved in self._open:
                moved.set()


STREAMS = web.AppKey("streams", Streams)


async def end_streams(app: web.Application) -> None:
    """End all streams, as the application is about to end."""
    app[STREAMS].end()


async def stream_events(request: web.Request) -> web.StreamResponse:
    """Tell what happens at once, as Server-Sent Events: what webhooks would bring, for the caller's member."""
    hub, principal = request.app[HUB], request[PRINCIPAL]
    require_active(principal)
    if principal.member is None:
        raise Withheld("you act for no member, so there is nothing that you may be told")
    query = read_query(request, StreamQuery)
    directory = request.pop(DIRECTORY)  # else each stream would keep the one of its beginning in memory
    filter = await filter_of(hub, directory, principal.member, _wish(query))
    last_event_id = request.headers.get("Last-Event-ID") or query.last_event_id or None
    streams = request.app[STREAMS]
    with streams.opened(principal.member.id) as moved:
        stream = await open_stream(hub, directory, principal, filter, full=query.full, last_event_id=last_event_id)
        answer = web.StreamResponse(headers={hdrs.CONTENT_TYPE: EVENT_STREAM_TYPE, "X-Accel-Buffering": "no"})
        await answer.prepare(request)
        del directory
        await _Teller(request, answer, stream, streams, moved).run(goes_on=query.wait)
    return answer


OPERATIONS = (Streaming(hdrs.METH_GET, "/stream", stream_events, takes=StreamQuery, gives=StreamedEvent, media_type=EVENT_STREAM_TYPE),)


class _Teller:
    """Tells one client, until one of both has had enough."""

    def __init__(self, request: web.Request, answer: web.StreamResponse, stream: Stream, streams: Streams, moved: asyncio.Event) -> None:
        self._request, self._answer, self._stream, self._streams, self._moved = request, answer, stream, streams, moved
        self._base_url = (request.app[HUB].config.public_url or "").rstrip("/")
        self._told_id = ""  # how far the client knows that it has been told
        self._written = 0.0

    async def run(self, *, goes_on: bool) -> None:
        """Tell what happens; without `goes_on` only what has happened."""
        try:
            await self._write(b"retry: %d\n" % _RETRY_MS + self._heartbeat())
            await self._tell(goes_on=goes_on)
        except TimeoutError:
            log.info("a stream was cut off, as its client took nothing", credential=self._request[PRINCIPAL].credential)
            if self._request.transport is not None:
                self._request.transport.abort()
        except ConnectionError:
            pass  # the client went away
        except HubError as e:
            # The credential ended, the member was suspended, or the database is not there: the answer has begun, so this is said in it.
            await self._end(e.detail)

    async def _tell(self, *, goes_on: bool) -> None:
        hub, ending = self._request.app[HUB], self._streams.ending
        while True:
            self._moved.clear()
            directory = await hub.directory()
            require_active(await self._caller(directory))
            has_more = await self._stream.tell(directory, self._write_event)
            if ending.is_set():
                await self._end("this process is stopping")
                return
            if has_more:
                await asyncio.sleep(0)  # others get a turn between two pages
                continue
            if not goes_on:
                await self._write(self._heartbeat())
                return
            if not await self._wait():
                return

    async def _wait(self) -> bool:
        """Wait until there may be news, or it is time for a sign of life; return whether the client is still there."""
        transport = self._request.transport
        while not (self._moved.is_set() or self._streams.ending.is_set()):
            if transport is None or transport.is_closing():
                return False
            if time.monotonic() - self._written >= self._streams.heartbeat_s:
                await self._write(self._heartbeat())
                return True
            await wait_for_any((self._moved, self._streams.ending), min(_LOOK_S, self._streams.heartbeat_s))
        return True

    async def _caller(self, directory: Directory) -> Principal:
        """Return who is told, as of now.

        Raises:
            Unauthenticated: the credential is good no longer, or is another member's by now.
        """
        request = self._request
        found = await authenticate(
            request.app[HUB],
            directory,
            authorization=request.headers.get(hdrs.AUTHORIZATION),
            certificate=request.app[ORIGINS].certificate_of(request),
            address=request[ADDRESS],
        )
        before = request[PRINCIPAL].member
        if found is None or found.member is None or before is None or found.member.id != before.id:
            raise Unauthenticated("the credential is another's by now")
        return found

    async def _write(self, data: bytes) -> None:
        async with asyncio.timeout(self._streams.stall_s):
            await self._answer.write(data)
        self._written = time.monotonic()

    async def _end(self, reason: str) -> None:
        with contextlib.suppress(TimeoutError, ConnectionError):
            await self._write(b"event: end\ndata: %b\n\n" % orjson.dumps({"reason": reason}))

    def _heartbeat(self) -> bytes:
        """Return what keeps the connection open; and how far the stream has come, where that is further than the last event told."""
        at = self._stream.id
        if at == self._told_id:
            return b":\n\n"
        self._told_id = at
        return b"id: %b\n\n" % at.encode()

    async def _write_event(self, event: Event, id: str) -> None:
        # A line of JSON may have come with line breaks between its tokens: each part is a line of data, and they are joined again.
        lines = b"".join(b"data: %b\n" % line for line in cloud_event(event, self._base_url).splitlines())
        await self._write(b"event: %b\nid: %b\n%b\n" % (event.kind.encode(), id.encode(), lines))
        self._told_id = id


def _wish(query: StreamQuery) -> FilterWish:
    events = _listed(query.events)
    unknown = sorted(set(events) - set(EventKind))
    if unknown:
        raise Invalid(f"events: there is no {excerpt(unknown[0])}")
    return FilterWish(
        events=[EventKind(event) for event in events],
        collections=_listed(query.collections),
        types=_listed(query.types),
        tlp_max=query.tlp_max,
        sectors=_listed(query.sectors),
        topics=_listed(query.topics),
        severity=query.severity,
        producers=_listed(query.producers),
        values=_listed(query.values),
    )


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
