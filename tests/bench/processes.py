"""Processes under measurement: started on a free port, waited for, looked at through /proc, and ended."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hub.config import Config

START_S_MAX = 30.0
STOP_S_MAX = 20.0

_LOOK_S = 0.5
_QUIET_LOOKS = 3  # background loops rest for a second at most
_QUIET_SHARE = 0.06  # of a processor

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Server:
    """A process that serves on a port of the loopback interface, together with its children."""

    pid: int
    port: int

    def cpu_s(self) -> float:
        """Return the processor time that it has used so far."""
        return sum(_cpu_s(pid) for pid in _family(self.pid))

    async def settle(self, *, within_s: float = 60.0) -> None:
        """Wait until it has worked off what follows in the background from what it was asked (or `within_s` have passed)."""
        quiet = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while quiet < _QUIET_LOOKS:
                    before_s = self.cpu_s()
                    await asyncio.sleep(_LOOK_S)
                    quiet = quiet + 1 if self.cpu_s() - before_s <= _QUIET_SHARE * _LOOK_S else 0

    def memory_kib(self) -> dict[str, int]:
        """Return its proportional set size in KiB: whole ("Pss"), and without what it maps from files ("Pss_Anon")."""
        totals = {"Pss": 0, "Pss_Anon": 0}
        for pid in _family(self.pid):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
                name, _, rest = line.partition(":")
                if name in totals:
                    totals[name] += int(rest.split()[0])
        return totals


@contextlib.asynccontextmanager
async def hub_server(database_url: str, **settings: int | str) -> AsyncIterator[Server]:
    """Run `hub serve` on a database that is ready, with every setting at its default but the rate limit."""
    values = {"database_url": database_url, "requests_per_min": 0, **settings}
    given = {f"HUB_{name.upper()}": str(value) for name, value in values.items()}
    unknown = values.keys() - Config.__dataclass_fields__.keys()
    assert not unknown, f"the hub has no such setting: {unknown}"
    async with _serving([sys.executable, "-m", "hub", "serve"], given, "HUB_LISTEN_PORT") as server:
        yield server


@contextlib.asynccontextmanager
async def floor_server(database_url: str, collection_row: int) -> AsyncIterator[Server]:
    """Run the floor over a database that is ready."""
    command = [sys.executable, "-m", "tests.bench.floor", database_url, str(collection_row)]
    async with _serving(command, {}, "FLOOR_PORT") as server:
        yield server


@contextlib.asynccontextmanager
async def peer_server(command: Sequence[str], environment: Mapping[str, str], port: int) -> AsyncIterator[Server]:
    """Run somebody else's server, whose command names `port`."""
    async with _run(command, environment, port) as server:
        yield server


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextlib.asynccontextmanager
async def _serving(command: Sequence[str], environment: Mapping[str, str], port_variable: str) -> AsyncIterator[Server]:
    port = free_port()
    async with _run(command, {**environment, port_variable: str(port)}, port) as server:
        yield server


@contextlib.asynccontextmanager
async def _run(command: Sequence[str], environment: Mapping[str, str], port: int) -> AsyncIterator[Server]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    with tempfile.TemporaryFile() as said, tempfile.TemporaryDirectory() as state:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=_ROOT,
            env=inherited | {"XDG_STATE_HOME": state} | dict(environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            if not await _answers(process, port):
                said.seek(0)
                raise RuntimeError(f"{' '.join(command)} does not serve:\n{said.read().decode(errors='replace')[-4000:]}")
            yield Server(process.pid, port)
        finally:
            await _end(process)


async def _answers(process: asyncio.subprocess.Process, port: int) -> bool:
    """Wait until a request is answered, whatever with, or the process has ended."""
    ended = asyncio.create_task(process.wait())
    try:
        async with asyncio.timeout(START_S_MAX):
            while not ended.done():
                if await _asked(port):
                    return True
                await asyncio.wait([ended], timeout=0.02)
    except TimeoutError:
        pass
    finally:
        ended.cancel()
    return False


async def _asked(port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return bool(await reader.read(1))
        finally:
            writer.close()
    except OSError:
        return False


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_S_MAX):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _family(pid: int) -> list[int]:
    found = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += _family(int(child))
    return found


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
