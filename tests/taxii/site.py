"""The real application on a port, and callers that check of every answer what must hold of every answer."""

import asyncio
import base64
import contextlib
import io
import itertools
import json
import re
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from hub.app import build_app
from hub.config import Config
from hub.serve import address_of, listen, serving
from hub.service.context import Hub, now_us
from hub.service.install import install
from hub.store.database import open_database
from hub.store.state import read_state
from hub.web.keys import HUB
from hub.web.metrics import METRICS
from tests.taxii.community import Credential, seed
from tests.taxii.content import Object, envelope

MEDIA_TYPE = "application/taxii+json;version=2.1"
FIRST, LAST = "X-TAXII-Date-Added-First", "X-TAXII-Date-Added-Last"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_NEXT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Reply:
    """An answer, read whole."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def objects(self) -> list[Any]:
        return self.json.get("objects", [])

    @property
    def ids(self) -> list[str]:
        return [obj["id"] for obj in self.objects]

    @property
    def next(self) -> str | None:
        return self.json.get("next")

    @property
    def dates(self) -> tuple[str | None, str | None]:
        return self.headers.get(FIRST), self.headers.get(LAST)


@dataclass
class Caller:
    """A client with a credential, or none."""

    session: aiohttp.ClientSession
    url: str
    authorization: str | None

    async def send(
        self, method: str, path: str, *, body: Any = None, headers: Mapping[str, str | None] | None = None, query: str = ""
    ) -> Reply:
        """Send a request exactly as given: the path and query are not requoted, and a header that is None is left out."""
        sent = CIMultiDict({"Accept": MEDIA_TYPE, "Authorization": self.authorization, "User-Agent": "test", **(headers or {})})
        if body is not None and "Content-Type" not in sent:
            sent["Content-Type"] = MEDIA_TYPE
        given = {name: value for name, value in sent.items() if value is not None}
        url = URL(self.url + path + (f"?{query}" if query else ""), encoded=True)
        data = io.BytesIO(body) if isinstance(body, bytes) else body
        skipped = {"Accept", "User-Agent", "Content-Type", "Accept-Encoding"}
        async with self.session.request(
            method, url, data=data, headers=given, skip_auto_headers=skipped, allow_redirects=False
        ) as response:  # fmt: skip
            reply = Reply(response.status, response.headers, await response.read())
        check_reply(method, reply)
        return reply

    async def get(self, path: str, query: str = "", **headers: str | None) -> Reply:
        return await self.send("GET", path, query=query, headers=headers)

    async def push(self, collection: str, *objects: Object) -> Reply:
        """Push objects, all of which must be accepted."""
        reply = await self.send("POST", f"{collection}objects/", body=envelope(*objects))
        assert reply.status == 202, reply.body
        assert reply.json["success_count"] == reply.json["total_count"] == len(objects), reply.body
        return reply

    async def push_raw(self, collection: str, body: bytes, **headers: str | None) -> Reply:
        return await self.send("POST", f"{collection}objects/", body=body, headers=headers)

    async def failure(self, collection: str, *objects: Object | bytes) -> str:
        """Push objects of which exactly the first must be refused, and return why."""
        raw = b",".join(obj if isinstance(obj, bytes) else json.dumps(obj).encode() for obj in objects)
        reply = await self.push_raw(collection, b'{"objects":[%b]}' % raw)
        assert reply.status == 202, reply.body
        assert (reply.json["failure_count"], reply.json["success_count"]) == (1, len(objects) - 1), reply.body
        message = reply.json["failures"][0]["message"]
        assert isinstance(message, str)
        return message

    async def pages(self, path: str, query: str = "", *, by_date: bool = False, limit: int | None = None) -> list[Reply]:
        """Return all pages of a list, followed by `next` or by date."""
        constant = [query] if query else []
        constant += [f"limit={limit}"] if limit else []
        pages, position = [], ""
        for _ in range(1_000):
            pages.append(await self.get(path, "&".join([*constant, *filter(None, [position])])))
            assert pages[-1].status == 200, pages[-1].body
            if not pages[-1].json.get("more"):
                return pages
            position = f"added_after={pages[-1].dates[1]}" if by_date else f"next={pages[-1].next}"
        raise AssertionError("the pages have no end")

    async def ids(self, path: str, query: str = "", **options: Any) -> list[str]:
        """Return the ids on all pages, in order."""
        return [id for page in await self.pages(path, query, **options) for id in page.ids]


def check_reply(method: str, reply: Reply) -> None:
    """Check what holds of every answer on the TAXII surface."""
    assert reply.headers.getall("Content-Type") == [MEDIA_TYPE]
    for name in (FIRST, LAST):
        assert name not in reply.headers or TIMESTAMP.fullmatch(reply.headers[name])
    if not reply.body:
        assert method in ("HEAD", "OPTIONS", "DELETE")
        return
    assert len(reply.body) >= 4
    resource = reply.json
    if reply.status >= 400:
        assert resource["title"]
        assert resource["http_status"] == str(reply.status)
        assert all(isinstance(value, str) for value in resource.values())
    for name, value in resource.items():
        assert value not in ([], None, ""), f"{name} is present and empty"
    if "more" in resource or "next" in resource:
        assert resource["more"] is True
        assert _NEXT.fullmatch(resource["next"])
        assert resource.get("objects") or resource.get("versions")
    if "total_count" in resource:
        _check_status(resource)


def _check_status(status: Mapping[str, Any]) -> None:
    assert _UUID_4.fullmatch(status["id"])
    assert TIMESTAMP.fullmatch(status["request_timestamp"])
    assert status["status"] in ("complete", "pending")
    assert status["success_count"] + status["failure_count"] + status["pending_count"] == status["total_count"]
    assert (status["status"] == "complete") == (status["pending_count"] == 0)
    for count, details in (("success_count", "successes"), ("failure_count", "failures"), ("pending_count", "pendings")):
        assert details not in status or len(status[details]) == status[count]
        for detail in status.get(details, ()):
            assert detail["id"]
            assert detail["version"]
            assert "message" in detail or details != "failures"


async def check_collection(caller: Caller, collection: str) -> None:
    """Check what holds of every collection at every moment: manifest and objects agree, and dates rise."""
    pages = await caller.pages(f"{collection}objects/", "match[version]=all", limit=7)
    records = [record for page in await caller.pages(f"{collection}manifest/", "match[version]=all", limit=5) for record in page.objects]
    objects = [obj for page in pages for obj in page.objects]
    assert [record["id"] for record in records] == [obj["id"] for obj in objects]
    for record, obj in zip(records, objects, strict=True):
        assert record["version"] == obj.get("modified", obj.get("created", record["version"]))
    dates = [record["date_added"] for record in records]
    assert dates == sorted(set(dates)), "dates rise and are unique"
    ends = list(itertools.chain.from_iterable(page.dates for page in pages if page.objects))
    assert ends == sorted(ends)  # type: ignore[type-var]


@dataclass
class Site:
    """A hub that serves, and the community that uses it."""

    url: str
    hub: Hub
    credentials: Mapping[str, Credential]
    session: aiohttp.ClientSession

    def caller(self, name: str) -> Caller:
        """Return a client with the credential of that name in the community."""
        return Caller(self.session, self.url, basic(*self.credentials[name]))

    def stranger(self, authorization: str | None = None) -> Caller:
        """Return a client with any other `Authorization`."""
        return Caller(self.session, self.url, authorization)

    def __getattr__(self, name: str) -> Caller:
        if name in self.credentials:
            return self.caller(name)
        raise AttributeError(name)


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


@dataclass(frozen=True)
class Community:
    """A database with the community in it, and the community's credentials."""

    url: str
    credentials: Mapping[str, Credential]

    @classmethod
    def prepare(cls, url: str) -> "Community":
        """Make a migrated database one, beside the loops of tests."""
        with ThreadPoolExecutor(1) as pool:
            return cls(url, pool.submit(asyncio.run, prepare(url)).result())

    def serve(self, **settings: Any) -> contextlib.AbstractAsyncContextManager["Site"]:
        return serve_again(self.url, self.credentials, **settings)


@contextlib.asynccontextmanager
async def serve(database_url: str, **settings: Any) -> AsyncIterator[Site]:
    """Serve a fresh hub with the community in it."""
    credentials = await prepare(database_url)
    async with serve_again(database_url, credentials, **settings) as site:
        yield site


@contextlib.asynccontextmanager
async def serve_again(database_url: str, credentials: Mapping[str, Credential], **settings: Any) -> AsyncIterator[Site]:
    """Serve a hub that has its community already: another node, or the same one after a restart."""
    config = Config(**{"database_url": database_url, "listen_port": 0, "requests_per_min": 0, **settings})
    app = build_app(config)
    with listen(config) as sock:
        async with serving(app, sock), aiohttp.ClientSession(auto_decompress=False) as session:
            yield Site(address_of(config, sock), app[HUB], credentials, session)
    failures = [sample for metric in app[METRICS].loop_failures.collect() for sample in metric.samples if sample.name.endswith("_total")]
    assert failures == [], "loops failed: see the log"


async def prepare(database_url: str) -> dict[str, Credential]:
    """Make a migrated database a hub with the community in it, and return the community's credentials."""
    db = await open_database(database_url)
    try:
        await install(db, now_us=now_us(), title="Main")
        async with db.read() as conn:
            secret = bytes.fromhex(await read_state(conn, "secret"))
        return await db.write(seed, secret, now_us())
    finally:
        await db.close()
