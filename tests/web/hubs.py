"""A hub that serves in this process, and one that serves from processes of its own."""

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from hub.app import build_app
from hub.config import Config
from hub.domain.member import MemberKind, Role
from hub.serve import address_of, listen, serving
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub, now_us, open_hub
from hub.service.credentials import issue_token
from hub.service.install import install
from hub.service.members import add_member
from hub.store.database import open_database
from hub.web.keys import HUB
from tests import processes

WITHIN_S = 60.0  # longer than anything here takes on a slow machine


@dataclass
class Running:
    """A hub that serves in this process, with one member, `energy`."""

    app: web.Application
    hub: Hub
    host: str
    port: int
    url: str
    token: str  # a publisher's, of energy
    session: aiohttp.ClientSession

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port)

    async def raw(self, sent: bytes) -> bytes:
        """Send bytes, and return all that comes back until the hub closes the connection."""
        reader, writer = await self.connect()
        writer.write(sent)
        async with asyncio.timeout(WITHIN_S):
            answer = await reader.read()
        writer.close()
        return answer


async def prepare(database_url: str) -> str:
    """Make a migrated database a hub with the member energy, and return a publisher's token."""
    db = await open_database(database_url)
    try:
        await install(db, now_us=now_us(), title="Main")
        hub = await open_hub(Config(database_url=database_url), db)
        await add_member(hub, COMMAND_LINE, slug="energy", name="Energy Grid", kind=MemberKind.OPERATOR, sectors=["energy"])
        _, token = await issue_token(hub, COMMAND_LINE, name="poller", role=Role.PUBLISHER, member="energy")
        return token
    finally:
        await db.close()


@contextlib.asynccontextmanager
async def running(
    database_url: str, *, change: Callable[[web.Application], None] = lambda _: None, token: str | None = None, **settings: Any
) -> AsyncIterator[Running]:
    """Serve a hub; `change` may add routes to the application before it starts. `token`: what `prepare` gave, where that is done."""
    token = token or await prepare(database_url)
    config = Config(**{"database_url": database_url, "listen_port": 0, **settings})
    app = build_app(config)
    change(app)
    with listen(config) as sock:
        async with serving(app, sock), aiohttp.ClientSession() as session:
            host, port = sock.getsockname()[:2]
            yield Running(app, app[HUB], host, port, address_of(config, sock), token, session)


@dataclass
class Process:
    """`hub serve` in a process of its own, with its workers where it has any."""

    process: processes.Process
    url: str
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def end(self) -> int:
        async with asyncio.timeout(WITHIN_S):
            return await self.process.wait()

    def logged(self) -> list[str]:
        return self.log.read_text().splitlines()

    def workers(self) -> list[int]:
        """Return the process ids of the workers, as the system knows them."""
        return [int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so in another process, which cannot tell us."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def is_running(pid: int) -> bool:
    """Whether a process runs, or has ended and nobody has asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def environment(database_url: str, **settings: Any) -> dict[str, str]:
    given = {"database_url": database_url, "listen_port": 0, **settings}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    return inherited | {f"HUB_{name.upper()}": str(value) for name, value in given.items()}


async def command(*words: str, database_url: str, **settings: Any) -> tuple[int, str, str]:
    """Run `hub …` to its end, and return its code, its output and what it says on stderr."""
    with tempfile.TemporaryFile() as said:
        process = await processes.start("hub", *words, env=environment(database_url, **settings), stdout=processes.PIPE, stderr=said)
        async with asyncio.timeout(WITHIN_S):
            output = await process.communicate()
        said.seek(0)
        return await process.wait(), output.decode(), said.read().decode()


@contextlib.asynccontextmanager
async def serve_process(database_url: str, folder: Path, **settings: Any) -> AsyncIterator[Process]:
    """Run `hub serve` until the context ends, or it ended by itself."""
    log = folder / "hub.log"
    with log.open("w") as stderr:
        process = await processes.start("hub", "serve", env=environment(database_url, **settings), stdout=processes.PIPE, stderr=stderr)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(WITHIN_S):
            said = await process.stdout.readline()
        assert said, log.read_text()
        yield Process(process, said.decode().split()[-1].removesuffix("/taxii2/"), log)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(WITHIN_S):
            await process.wait()
