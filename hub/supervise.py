"""Several processes that serve from one socket, and a supervisor that starts, replaces and ends them.

* The supervisor opens the socket; each worker inherits it, so a connection that waits in its queue belongs to none of them and is
  lost with none of them.
* SIGHUP: replace worker after worker. The new one serves before the old one is told to hand over; it is a fresh interpreter, so
  settings, certificates and code are read anew.
* SIGTERM (or SIGINT): end all workers, each in its orderly manner, and then itself.
* A worker that ends by itself is replaced, after a pause that grows while that goes on.
* A worker whose supervisor is no more ends.
"""

import asyncio
import contextlib
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from prometheus_client.multiprocess import mark_process_dead

from hub.config import Config
from hub.errors import ConfigError
from hub.helpers import python_path
from hub.web.metrics import MULTIPROCESS_VARIABLE

READY = b"r"  # what a worker says to its supervisor when it serves
_READY_WITHIN_S = 60.0
_PAUSE_FIRST_S = 0.5
_PAUSE_MAX_S = 30.0
_YOUNG_S = 60.0  # a worker that ends sooner makes the pause grow
_END_MARGIN_S = 10.0  # beyond `drain_s`, before a worker that does not end is killed

log = structlog.get_logger(__name__)


class _Failed(Exception):
    """A worker ended before it served."""


@dataclass(slots=True, eq=False)
class _Worker:
    process: asyncio.subprocess.Process
    line: socket.socket  # held open for as long as the supervisor lives
    started_s: float  # on the loop's clock
    leaving: bool = False  # its end was asked for


class Supervisor:
    """Keeps `workers` processes serving."""

    def __init__(self, config: Config, environ: Mapping[str, str], sock: socket.socket) -> None:
        """Take a listening socket, and the environment from which workers read their settings."""
        self._config = config
        self._environ = environ
        self._sock = sock
        self._workers: list[_Worker] = []  # all that run, those that start and that leave included
        self._stopping = asyncio.Event()
        self._roll_asked = False
        self._watchers: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()  # something happened that `_keep` must look at

    async def run(self, *, on_ready: Callable[[], None]) -> None:
        """Serve until a signal says to end; `on_ready` is called when all workers serve.

        Raises:
            ConfigError: the first workers could not start; they said why.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        loop.add_signal_handler(signal.SIGHUP, self._ask_roll)
        with tempfile.TemporaryDirectory(prefix="fusion-hub-", ignore_cleanup_errors=True) as directory:
            self._environ = {**self._environ, MULTIPROCESS_VARIABLE: directory, "PYTHONPATH": python_path(self._environ)}
            try:
                await self._start_all()
                if not self._stopping.is_set():
                    on_ready()
                await self._keep()
            finally:
                self._stop()
                await asyncio.gather(*(self._gone(worker) for worker in list(self._workers)))

    def _stop(self) -> None:
        """End: refuse new connections, as soon as the workers have let go of the socket too, and tell them to end."""
        self._stopping.set()
        self._woken.set()
        self._sock.close()
        for worker in self._workers:
            self._tell(worker, signal.SIGTERM)

    def _ask_roll(self) -> None:
        self._roll_asked = True
        self._woken.set()

    async def _start_all(self) -> None:
        """Start the first worker alone, so that what keeps it from starting is said once."""
        try:
            await self._start()
            await asyncio.gather(*(self._start() for _ in range(self._config.workers - 1)))
        except _Failed as e:
            if not self._stopping.is_set():
                raise ConfigError("the hub could not start; its first worker said why") from e

    async def _keep(self) -> None:
        """Replace workers that end, and all of them when asked, until the hub stops."""
        crashes = 0  # of young workers, in a row
        while not self._stopping.is_set():
            await self._woken.wait()
            self._woken.clear()
            for worker in [worker for worker in self._workers if worker.process.returncode is not None]:
                lived_s = asyncio.get_running_loop().time() - worker.started_s
                crashes = crashes + 1 if lived_s < _YOUNG_S else 1
                log.error("a worker ended by itself", pid=worker.process.pid, code=worker.process.returncode, crashes=crashes)
                self._forget(worker)
                await self._replace(crashes)
            if self._roll_asked and not self._stopping.is_set():
                self._roll_asked = False
                await self._roll()

    async def _replace(self, crashes: int) -> None:
        """Start a worker in the place of one that was lost, and try until it serves."""
        while not self._stopping.is_set():
            pause_s = min(_PAUSE_FIRST_S * 2 ** (crashes - 1), _PAUSE_MAX_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
                return
            try:
                await self._start()
            except _Failed as e:
                crashes += 1
                log.error("a worker could not start and will be started again", reason=str(e))  # noqa: TRY400 - it said why
            else:
                return

    async def _roll(self) -> None:
        """Replace worker after worker; if a new one cannot start, the old ones stay."""
        log.info("replacing the workers", pids=[worker.process.pid for worker in self._workers])
        for old in list(self._workers):
            try:
                await self._start()
            except _Failed as e:
                log.error("the old workers stay, because a new one could not start", reason=str(e))  # noqa: TRY400 - it said why
                return
            if self._stopping.is_set():
                return
            self._tell(old, signal.SIGUSR1)
            await self._gone(old)
        log.info("replaced the workers", pids=[worker.process.pid for worker in self._workers])

    async def _start(self) -> None:
        """Start a worker and wait until it serves.

        Raises:
            _Failed: it ended before that, or took too long.
        """
        if self._stopping.is_set():
            raise _Failed("the hub is stopping")
        loop = asyncio.get_running_loop()
        line, theirs = socket.socketpair()
        line.settimeout(0)
        inherited = (self._sock.fileno(), theirs.fileno())
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "hub.serve", *map(str, inherited), env=self._environ, pass_fds=inherited
        )
        theirs.close()
        worker = _Worker(process, line, loop.time())
        self._workers.append(worker)
        if self._stopping.is_set():  # while the process was being made
            self._tell(worker, signal.SIGTERM)
        try:
            said = await asyncio.wait_for(loop.sock_recv(line, len(READY)), _READY_WITHIN_S)
        except (TimeoutError, ConnectionError) as e:
            said = b""
            log.warning("a worker did not get ready", pid=process.pid, reason=type(e).__name__)
        if said != READY:
            self._tell(worker, signal.SIGKILL)
            await self._gone(worker)
            raise _Failed(f"it ended with code {process.returncode}")
        self._watchers.add(watcher := asyncio.create_task(self._watch(worker), name=f"worker {process.pid}"))
        watcher.add_done_callback(self._watchers.discard)

    async def _watch(self, worker: _Worker) -> None:
        await worker.process.wait()
        if worker in self._workers and not worker.leaving:
            self._woken.set()

    async def _gone(self, worker: _Worker) -> None:
        """Wait until a worker that was told to end has ended, and kill it where it does not."""
        try:
            await asyncio.wait_for(worker.process.wait(), self._config.drain_s + _END_MARGIN_S)
        except TimeoutError:
            log.error("a worker did not end and is killed", pid=worker.process.pid)  # noqa: TRY400 - nothing more to say
            self._tell(worker, signal.SIGKILL)
            await worker.process.wait()
        self._forget(worker)

    def _tell(self, worker: _Worker, number: signal.Signals) -> None:
        worker.leaving = True
        with contextlib.suppress(ProcessLookupError):
            worker.process.send_signal(number)

    def _forget(self, worker: _Worker) -> None:
        worker.line.close()
        if worker in self._workers:
            self._workers.remove(worker)
        mark_process_dead(worker.process.pid, self._environ[MULTIPROCESS_VARIABLE])  # type: ignore[no-untyped-call]
