"""The live stream over HTTP: what it tells and to whom, where it goes on, and how it ends."""

import asyncio
import base64
import contextlib
import gc
import json
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from hub.domain.directory import Directory
from hub.domain.ids import MemberId
from hub.domain.label import Tlp
from hub.domain.member import Principal, Role
from hub.domain.stix_tlp import TLP2_IDS
from hub.domain.taxii import ALL_VERSIONS, Query, Right, VersionMatch
from hub.domain.webhooks.event import CONTENT_BYTES_MAX, Event, EventKind
from hub.domain.webhooks.position import COLLECTIONS_MAX, StreamPosition, seal, unseal
from hub.domain.webhooks.subscription import Filter
from hub.errors import NotUnderstood
from hub.service.administer import COMMAND_LINE
from hub.service.admit import push
from hub.service.collections import add_collection, grant_right, revoke_right
from hub.service.credentials import issue_token, revoke_token
from hub.service.groups import add_group
from hub.service.members import suspend_member
from hub.service.remove import delete_object
from hub.service.stream import open_stream
from hub.store.happened import StoredEvent, record_event
from hub.web.keys import CONFIG
from hub.web.metrics import METRICS
from hub.web.stream import STREAMS, Streams
from tests.taxii.content import DAY_2, domain_name, envelope, indicator, malware
from tests.web.administered import Administered, administered
from tests.web.hubs import WITHIN_S, prepare, serve_process, until


@dataclass
class Told:
    """What a client of the stream got."""

    name: str = "message"
    id: str | None = None
    data: list[str] = field(default_factory=list)

    @property
    def event(self) -> Any:
        return json.loads("\n".join(self.data))


class Client:
    """Reads Server-Sent Events as browsers do (WHATWG HTML, 9.2.6)."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.headers = {"Authorization": response.request_info.headers["Authorization"]}
        self.last_id = ""
        self.comments = 0

    async def next(self) -> Told:
        """Return the next event."""
        told = await self._read()
        assert told is not None, "the stream has ended"
        return told

    async def rest(self) -> list[Told]:
        """Return all events to the end of the stream."""
        found = []
        while (told := await self._read()) is not None:
            found.append(told)
        return found

    async def _read(self) -> Told | None:
        told = Told()
        async with asyncio.timeout(WITHIN_S):
            while line := (await self.response.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(":")
                value = value.removeprefix(" ")
                if not line.strip():
                    if told.data:
                        return told
                    told = Told()
                elif name == "data":
                    told.data.append(value)
                elif name == "event":
                    told.name = value
                elif name == "id":
                    told.id = self.last_id = value
                elif not name:
                    self.comments += 1
        return None


@contextlib.asynccontextmanager
async def listening(site: Administered, who: str = "reader", query: str = "", last_id: str | None = None) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {site.community.tokens[who]}"} | ({"Last-Event-ID": last_id} if last_id is not None else {})
    async with site.running.session.get(f"{site.running.url}/api/v1/stream{query}", headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == "text/event-stream"
        client = Client(response)
        yield client


async def share(site: Administered, *objects: dict[str, Any], by: str = "water", collection: str = "shared") -> list[str]:
    directory = await site.hub.directory()
    principal = Principal("test", Role.PUBLISHER, directory.find_member(by))
    status = await push(site.hub, directory, principal, "hub", collection, envelope(*objects))
    assert status.failures == ()
    return [obj["id"] for obj in objects]


def open_streams(site: Administered) -> float | None:
    """Return how many the hub counts, as its metrics have it."""
    return site.running.app[METRICS].registry.get_sample_value("hub_streams")


@pytest.fixture
async def site(sqlite_url: str) -> AsyncIterator[Administered]:
    async with administered(sqlite_url) as site:
        yield site


async def test_what_is_shared_is_told_at_once_and_what_is_hidden_never(database_url: str):
    async with administered(database_url) as site, listening(site) as client:
        await share(site, indicator(object_marking_refs=[TLP2_IDS[Tlp.RED]]))
        await share(site, indicator(), collection="hidden")
        [id] = await share(site, obj := indicator(object_marking_refs=[TLP2_IDS[Tlp.AMBER]]))
        told = await client.next()
        assert (told.name, told.event["type"], told.event["subject"]) == ("added", "fusion-hub.added", id)
        data = told.event["data"]
        assert (data["version"], data["tlp"], data["collection"]) == (obj["modified"], "amber", site.community.collection)
        assert "object" not in data
        await share(site, obj | {"modified": DAY_2})
        told = await client.next()
        assert (told.name, told.event["data"]["version"]) == ("updated", DAY_2)
        directory = await site.hub.directory()
        water = Principal("test", Role.PUBLISHER, directory.find_member("water"))
        await delete_object(site.hub, directory, water, "hub", "shared", id, Query(versions=VersionMatch()))
        again = await client.next()
        assert (again.name, again.event["data"]["version"]) == ("updated", obj["modified"]), "the older one is the latest again"
        assert (await client.next()).name == "deleted"
        await delete_object(site.hub, directory, water, "hub", "shared", id, Query(versions=ALL_VERSIONS))
        told = await client.next()
        assert (told.name, told.event["subject"]) == ("deleted", id)


async def test_the_address_in_an_event_leads_to_that_version(site: Administered):
    async with listening(site) as client:
        for obj in (indicator(), domain_name()):
            await share(site, obj)
            address = site.running.url + (await client.next()).event["data"]["url"]
            async with site.running.session.get(URL(address, encoded=True), headers=client.headers) as response:
                assert response.status == 200
                assert [held["id"] for held in json.loads(await response.read())["objects"]] == [obj["id"]]


async def test_who_comes_back_goes_on_without_a_gap_or_a_repetition(site: Administered):
    async with listening(site) as client:
        [first] = await share(site, indicator())
        told = await client.next()
        assert told.event["subject"] == first
    missed = await share(site, *(indicator() for _ in range(450)))  # more than two pages
    async with listening(site, last_id=client.last_id, query="?wait=false") as again:
        found = await again.rest()
    assert [one.event["subject"] for one in found] == missed
    assert len({one.event["id"] for one in found}) == len({one.id for one in found}) == len(missed)
    # From the middle, by the parameter, and from the end.
    async with listening(site, query=f"?wait=false&last_event_id={found[200].id}") as middle:
        assert [one.event["id"] for one in await middle.rest()] == [one.event["id"] for one in found[201:]]
    async with listening(site, last_id=again.last_id, query="?wait=false") as end:
        assert await end.rest() == []


async def test_what_a_client_was_told_before_it_went_away_is_updated_where_it_comes_again(site: Administered):
    group = await add_group(site.hub, COMMAND_LINE, slug="trio", name="Trio", members=["energy", "water"])
    await share(site, before := indicator())
    async with listening(site) as client:
        await share(site, told := indicator())
        assert (await client.next()).name == "added"
    await share(site, unseen := indicator())
    for obj in (before, told, unseen):  # the older version comes again, under both labels
        await share(site, obj | {"modified": DAY_2, "object_marking_refs": [group.id]})
    async with listening(site, last_id=client.last_id, query="?wait=false") as again:
        found = Counter((one.event["subject"], one.name) for one in await again.rest())
    assert found == {
        (before["id"], "updated"): 2, (told["id"], "updated"): 2, (unseen["id"], "updated"): 1, (unseen["id"], "added"): 1
    }  # fmt: skip


async def test_a_position_moves_past_what_the_filter_leaves_out(site: Administered):
    async with listening(site, query="?wait=false&types=malware") as client:
        assert await client.rest() == []
    before = client.last_id
    await share(site, indicator())
    async with listening(site, query="?wait=false&types=malware", last_id=before) as client:
        assert await client.rest() == []
    async with listening(site, query="?wait=false", last_id=client.last_id) as client:
        assert len(await client.rest()) == 0
    async with listening(site, query="?wait=false", last_id=before) as client:
        assert len(await client.rest()) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("types=malware,tool", [1]), ("types=indicator", [0, 2]), ("tlp_max=green", [0, 1]), ("events=added", [0, 1, 2]),
        ("events=revoked", [2]), ("values=198.51.100.77", [0]), ("producers=energy", [0]), ("collections=shared", [0, 1, 2]),
        ("sectors=energy", [0, 1, 2]),
    ],
)  # fmt: skip
async def test_a_stream_can_be_about_less(site: Administered, query: str, expected: list[int]):
    async with listening(site, query="?wait=false") as client:
        await client.rest()
    ids = [
        *await share(site, indicator(pattern="[ipv4-addr:value = '198.51.100.77']"), by="energy"),
        *await share(site, malware()),
        *await share(site, indicator(revoked=True, object_marking_refs=[TLP2_IDS[Tlp.AMBER]])),
    ]
    async with listening(site, query=f"?wait=false&{query}", last_id=client.last_id) as client:
        assert [told.event["subject"] for told in await client.rest()] == [ids[n] for n in expected]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("events=gone", 422), ("events=test", 422), ("collections=hidden", 404), ("collections=absent", 404), ("producers=nobody", 404),
        ("values=nothing", 422),
        ("types=Report", 422), ("topics=The+Threat", 422),
        ("tlp_max=white", 422), ("colour=red", 422), ("full=perhaps", 422), ("types=a&types=b", 400),
        ("last_event_id=AAAA", 400), ("last_event_id=%C3%A4", 400),
    ],
)  # fmt: skip
async def test_a_query_that_makes_no_sense_is_refused(site: Administered, query: str, status: int):
    answer = await site.get("reader", f"/stream?{query}")
    assert answer.status == status
    if query in ("types=Report", "topics=The+Threat"):
        assert answer.detail.startswith(query.partition("=")[0] + ": ")


async def test_objects_come_along_unchanged_where_they_are_asked_for_and_not_too_large(site: Administered):
    async with listening(site, query="?full=true") as client:
        directory = await site.hub.directory()
        principal = Principal("test", Role.PUBLISHER, directory.find_member("water"))
        small, large = indicator(name="line\u2028break"), indicator(description="x" * CONTENT_BYTES_MAX)
        body = b'{"objects": [%b, %b]}' % (json.dumps(small, indent=2).replace("\n", "\r\n").encode(), json.dumps(large).encode())
        await push(site.hub, directory, principal, "hub", "shared", body)
        first = await client.next()
        second = await client.next()
    assert first.event["data"]["object"] == small
    assert "object" not in second.event["data"]


@pytest.mark.parametrize("how", ["revoked", "suspended", "expired"])
async def test_a_stream_ends_with_the_right_to_it(site: Administered, how: str):
    hub, now_us = site.hub, site.hub.now_us
    _, token = await issue_token(hub, COMMAND_LINE, name="short", role=Role.READER, member="energy", expires_us=now_us() + 3_600_000_000)
    site.community.tokens["short"] = token
    async with listening(site, who="short") as client:
        if how == "revoked":
            await revoke_token(hub, COMMAND_LINE, token.split("_")[2])
        elif how == "suspended":
            await suspend_member(hub, COMMAND_LINE, "energy")
        else:
            hub.now_us = lambda: now_us() + 3_600_000_000
        await share(site, indicator())
        *_, end = await client.rest()  # what was asked about a moment before may still come
        assert end.name == "end"
        assert how in end.event["reason"]


async def test_who_loses_a_right_between_reading_and_telling_is_not_told(site: Administered):
    member = (await site.hub.directory()).find_member("energy")
    assert member is not None
    await grant_right(site.hub, COMMAND_LINE, site.community.hidden, Right.READ, "member:energy")
    reader = Principal("test", Role.READER, member)
    stream = await open_stream(site.hub, await site.hub.directory(), reader, Filter(), full=False, last_event_id=None)
    ids = await share(site, *(indicator() for _ in range(3)), collection="hidden")
    told: list[Event] = []
    now_us = site.hub.now_us

    async def write(event: Event, _: str) -> None:
        """Take so long that the member has lost the collection meanwhile."""
        told.append(event)
        await revoke_right(site.hub, COMMAND_LINE, site.community.hidden, Right.READ, "member:energy")
        site.hub.now_us = lambda: now_us() + 2_000_000

    assert await stream.tell(await site.hub.directory(), write)
    assert not await stream.tell(await site.hub.directory(), write)
    assert [event.item.object_id for event in told if event.item] == ids[:1]


async def test_what_is_for_one_member_alone_is_told_to_nobody_else(site: Administered):
    member = (await site.hub.directory()).find_member("energy")
    assert member is not None
    async with listening(site) as client, listening(site, who="water") as other:
        facts = {"from": "observer", "to": "contributor"}
        changed = StoredEvent(EventKind.STANDING_CHANGED, member.id, member=member.id, facts=facts)
        await site.hub.db.write(partial(record_event, now_us=site.hub.now_us()), changed)
        told = await client.next()
        assert (told.name, told.event["data"]) == ("standing.changed", {"event": "standing.changed", "subject": member.id, **facts})
        [id] = await share(site, indicator(object_marking_refs=[TLP2_IDS[Tlp.GREEN]]))
        assert (await other.next()).event["subject"] == id


@pytest.mark.parametrize("comes_back", [False, True])
async def test_a_collection_that_is_opened_later_is_told_from_its_beginning(site: Administered, *, comes_back: bool):
    [before] = await share(site, indicator(), collection="hidden")
    await share(site, indicator())
    async with listening(site, query="?types=indicator&events=added" + "&wait=false" * comes_back) as client:
        if comes_back:
            assert await client.rest() == []
        [during] = await share(site, indicator(), collection="hidden")
        answer = await site.ask("admin", "PUT", f"/collections/{site.community.hidden}/rights/read/member:energy")
        assert answer.status == 200
        [after] = await share(site, indicator(), collection="hidden")
        subjects: list[str] = []
        while not comes_back and after not in subjects:
            subjects.append((await client.next()).event["subject"])
    async with listening(site, query="?types=indicator&events=added&wait=false", last_id=client.last_id) as again:
        subjects += [told.event["subject"] for told in await again.rest()]
    assert subjects[-3:] == [before, during, after]
    assert len(set(subjects)) == len(subjects)


async def test_a_collection_that_is_made_while_a_stream_is_open_is_told_whole_whatever_clock_made_it(site: Administered):
    await share(site, indicator())
    async with listening(site, query="?types=indicator") as client:
        now_us = site.hub.now_us
        site.hub.now_us = lambda: now_us() - 3_600_000_000  # of a node that is late
        await add_collection(site.hub, COMMAND_LINE, title="New", alias="new", readers=["everyone"], writers=["everyone"])
        [id] = await share(site, indicator(), collection="new")
        assert (await client.next()).event["subject"] == id


async def test_who_opens_a_stream_is_told_nothing_of_the_past_of_what_it_reads_though_it_never_polled(site: Administered):
    await share(site, indicator())
    for _ in range(2):
        async with listening(site, query="?wait=false") as client:
            assert await client.rest() == []
    async with listening(site, query="?wait=false", last_id=client.last_id) as again:
        assert await again.rest() == []


def test_of_more_collections_than_a_position_can_name_none_is_told_anew_from_its_beginning():
    member, secret = MemberId("identity--1"), b"k" * 32
    told_us = {row: 1_000_000 + row * 7 % 4_099 for row in range(COLLECTIONS_MAX + 50)}
    text = seal(secret, member, StreamPosition(told_us, told_us))
    position = unseal(secret, member, text)
    assert len(text) <= 65_536
    assert len(position.told_us) == COLLECTIONS_MAX
    assert all(us == told_us[row] == position.caught_up_us[row] for row, us in position.told_us.items())
    assert position.others_us == min(us for row, us in told_us.items() if row not in position.told_us) >= max(position.told_us.values())
    later = StreamPosition({row: us + 10_000 for row, us in told_us.items()}, {}, position.others_us)
    assert unseal(secret, member, seal(secret, member, later)).others_us == position.others_us, "of some, nothing was told since"


async def test_a_member_has_so_many_streams_at_a_time_and_gets_back_what_it_closes(sqlite_url: str):
    async with administered(sqlite_url, streams_max=2) as site:
        async with listening(site), listening(site, who="publisher"):
            refused = await site.get("coordinator", "/stream")
            assert (refused.status, refused.headers["Retry-After"]) == (429, "60")
            async with listening(site, who="water"):
                pass
        await until(lambda: open_streams(site) == 0)
        async with listening(site), listening(site, who="coordinator"):
            assert open_streams(site) == 2


def directories() -> int:
    """Return how many are in memory."""
    gc.collect()
    return len([held for held in gc.get_objects() if type(held) is Directory])


async def test_streams_keep_no_directory_of_their_beginning(sqlite_url: str):
    async with administered(sqlite_url, streams_max=20) as site, contextlib.AsyncExitStack() as stack:
        clients, before = [], directories()
        for n in range(6):
            clients.append(await stack.enter_async_context(listening(site)))
            await issue_token(site.hub, COMMAND_LINE, name=f"moves the revision {n}", role=Role.READER, member="energy")
        await share(site, indicator())
        for client in clients:
            await client.next()
        assert directories() - before < len(clients)  # the hub's, and those at which somebody looks just now


async def test_an_administrator_without_a_member_is_told_nothing(site: Administered):
    answer = await site.get("admin", "/stream")
    assert (answer.status, "no member" in answer.detail) == (403, True)


async def test_an_id_of_another_member_or_another_make_is_refused(site: Administered):
    async with listening(site, who="water", query="?wait=false") as client:
        await client.rest()
    answer = await site.ask("reader", "GET", "/stream", None, **{"Last-Event-ID": client.last_id})
    assert answer.status == 400


def test_a_position_is_read_as_it_was_sealed_and_nothing_else_is():
    member, secret = MemberId("identity--1"), b"k" * 32
    for position in (StreamPosition({}), StreamPosition({0: 5, 7: 2**63, 2**32 - 1: 1}, {7: 2**63, 0: 4}, 1_795_253_400_000_000)):
        text = seal(secret, member, position)
        assert unseal(secret, member, text) == position
        raw = bytearray(base64.urlsafe_b64decode(text))
        for place in range(len(raw)):
            changed = bytes(raw[:place]) + bytes([raw[place] ^ 1]) + bytes(raw[place + 1 :])
            with pytest.raises(NotUnderstood):
                unseal(secret, member, base64.urlsafe_b64encode(changed).decode())
        for wrong in (text[:-4], text + "AAAA", text.rstrip("=") + "=", "", "\u00e4", text.replace("A", "!", 1)):
            with pytest.raises(NotUnderstood):
                unseal(secret, member, wrong + " ")


async def test_silence_is_broken_so_that_proxies_keep_the_connection(sqlite_url: str):
    def hurry(app: web.Application) -> None:
        app[STREAMS] = Streams(app[CONFIG], tell_number=app[METRICS].streams.set, heartbeat_s=0.02)

    async with administered(sqlite_url, change=hurry) as site, listening(site) as client:
        reading = asyncio.create_task(client.next())
        await until(lambda: client.comments >= 2)
        [id] = await share(site, indicator())
        told = await reading
        assert told.event["subject"] == id


async def test_a_client_that_takes_nothing_is_cut_off(sqlite_url: str):
    def hurry(app: web.Application) -> None:
        app[STREAMS] = Streams(app[CONFIG], tell_number=app[METRICS].streams.set, stall_s=0.1)

    async with administered(sqlite_url, change=hurry) as site:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.get_running_loop().sock_connect(_unblocked(sock), (site.running.host, site.running.port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
        token = site.community.tokens["reader"]
        writer.write(f"GET /api/v1/stream?full=true HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        await reader.readuntil(b"retry: ")
        assert open_streams(site) == 1
        for _ in range(3):
            await share(site, *(indicator(description="x" * 15_000) for _ in range(300)))
        await until(lambda: open_streams(site) == 0)
        writer.transport.abort()


def _unblocked(sock: socket.socket) -> socket.socket:
    sock.settimeout(0)
    return sock


async def test_an_application_that_ends_waits_for_no_stream(sqlite_url: str):
    async with aiohttp.ClientSession() as session:
        async with administered(sqlite_url, drain_s=30) as site:
            headers = {"Authorization": f"Bearer {site.community.tokens['reader']}"}
            response = await session.get(f"{site.running.url}/api/v1/stream", headers=headers)
            began = asyncio.get_running_loop().time()
        [end] = await Client(response).rest()
        assert end.name == "end"
        assert asyncio.get_running_loop().time() - began < 15


async def test_a_hub_that_stops_sends_its_clients_elsewhere(sqlite_url: str, tmp_path: Path):
    token = await prepare(sqlite_url)
    async with serve_process(sqlite_url, tmp_path) as process, aiohttp.ClientSession() as session:
        headers = {"Authorization": f"Bearer {token}"}
        async with session.get(f"{process.url}/api/v1/stream", headers=headers) as response:
            client = Client(response)
            assert response.status == 200
            process.tell(signal.SIGTERM)
            [end] = await client.rest()
            assert end.event == {"reason": "this process is stopping"}
            assert client.last_id
        assert await process.end() == 0
