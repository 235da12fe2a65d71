"""Signed messages over plain ones, on the same hub: pushes that are verified, and pages whose answers are signed."""

import itertools
import secrets
import time
from collections.abc import AsyncIterator, Iterator

from hub.domain.http_signature.answer import ACCEPT, wanted
from hub.domain.http_signature.digest import content_digest
from hub.domain.http_signature.message import Request
from hub.domain.http_signature.push import sign_push
from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.registered import MemberKey
from hub.store.database import Connection, open_database
from hub.store.directory import bump_revision
from hub.store.trust import add_member_key
from tests.bench import load
from tests.bench.community import OBJECTS_PATH
from tests.bench.content import envelope, indicator
from tests.bench.databases import databases
from tests.bench.load import Load
from tests.bench.processes import Server, hub_server
from tests.bench.report import Finding, Target
from tests.bench.rounds import Side, Turn, in_turns, median_of
from tests.bench.seed import Seeded, seed
from tests.bench.settings import Settings

ENTRIES = 1_000
PUSH = Target(0.4)
CLIENTS = 4
_REQUESTS = {1_000: 4, 1: 200}  # in a turn, by the objects of each
_FIRST_NEW = 1 << 33  # indicators from this number on are pushed here, and nowhere else


async def measure(settings: Settings) -> AsyncIterator[Finding]:
    key = PrivateKey.generate()
    numbers = itertools.count(_FIRST_NEW)
    for engine in settings.engines:
        with databases(engine) as made:
            seeded = await seed(made.create("hub"), settings.entries or ENTRIES)
            await register(seeded, key)
            async with hub_server(seeded.url) as hub:
                for size in _REQUESTS:
                    yield await _pushes(settings, engine, seeded, hub, key, size, numbers)
                yield await _pages(settings, engine, seeded, hub)


async def _pushes(
    settings: Settings, engine: str, seeded: Seeded, hub: Server, key: PrivateKey, size: int, numbers: Iterator[int]
) -> Finding:
    async def push(signer: PrivateKey | None) -> Load:
        bodies = [envelope(indicator(next(numbers)) for _ in range(size)) for _ in range(_REQUESTS[size])]
        requests = [load.post(OBJECTS_PATH, body, seeded.community.tokens["pusher"], _signature(signer, body)) for body in bodies]
        return await load.run(hub.port, iter(requests), connections=CLIENTS)

    rounds = await in_turns(Side(hub, lambda: push(key)), Side(hub, lambda: push(None)), settings.rounds)
    return finding(f"signed push of {size:,}, {CLIENTS} clients", engine, rounds, PUSH)


async def _pages(settings: Settings, engine: str, seeded: Seeded, hub: Server) -> Finding:
    path, token = f"{OBJECTS_PATH}?limit=100", seeded.community.tokens["whole"]

    async def poll(headers: dict[str, str]) -> Load:
        return await load.run(hub.port, itertools.repeat(load.get(path, token, headers)), connections=CLIENTS, seconds=settings.seconds)

    signed = Side(hub, lambda: poll({ACCEPT: wanted(secrets.token_urlsafe(16))}))
    rounds = await in_turns(signed, Side(hub, lambda: poll({})), settings.rounds)
    return finding(f"page of 100, answer signed, {CLIENTS} clients", engine, rounds, None)


def _signature(key: PrivateKey | None, body: bytes) -> dict[str, str]:
    """Return the fields that a signed push has beside the others."""
    if key is None:
        return {}
    fields = {"content-type": load.MEDIA_TYPE, "content-digest": content_digest(body)}
    request = Request("POST", f"http://{load.HOST}{OBJECTS_PATH}", lambda name: [fields[name]] if name in fields else [])
    signed = sign_push(request, key, has_body=True, nonce=secrets.token_urlsafe(16), now_s=int(time.time()))
    return {"Content-Digest": fields["content-digest"], **signed}


async def register(seeded: Seeded, key: PrivateKey) -> None:
    """Register a key for the member that pushes."""

    async def work(conn: Connection) -> None:
        await bump_revision(conn)
        await add_member_key(conn, MemberKey(key.public, seeded.community.members["pusher"].id, "bench", 0, 0))

    db = await open_database(seeded.url)
    try:
        await db.write(work)
    finally:
        await db.close()


def finding(name: str, engine: str, rounds: list[tuple[Turn, Turn]], target: Target | None) -> Finding:
    """Return how requests that are signed compare with plain ones."""
    ratios = [signed.load.per_s / plain.load.per_s for signed, plain in rounds]
    signed, plain = (_figures([side[n] for side in rounds]) for n in (0, 1))
    return Finding(name, engine, ratios, target, signed, f"plain {plain}")


def _figures(turns: list[Turn]) -> str:
    return f"{median_of([turn.load.per_s for turn in turns])}/s, {median_of([turn.cpu_us for turn in turns])} µs CPU each"
