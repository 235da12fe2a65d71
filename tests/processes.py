"""Processes of Python modules that tests signal and kill, forked from one that has imported the hub already.

To import it takes longer than most that such a process is started for, and the tests start hundreds. Each is a process of its own all the
same: with its own arguments, environment, directory, standard files and end. What a start from nothing needs is tested where commands are
run by their name (`tests/cli/test_commands.py`, `tests/docs/test_docs.py`) and where the hub starts workers and helpers of its own.
"""

import asyncio
import contextlib
import multiprocessing
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import reduction
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any

PIPE, STDOUT, DEVNULL = subprocess.PIPE, subprocess.STDOUT, subprocess.DEVNULL

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["__main__", "tests.imported"])


class Process:
    """A process, as `asyncio.subprocess.Process` shows one.

    Attributes:
        stdin, stdout: where they are pipes.
    """

    def __init__(
        self, process: BaseProcess, to_it: asyncio.StreamWriter | None = None,
        from_it: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None,
    ) -> None:  # fmt: skip
        self._process = process
        self.stdin = to_it
        self.stdout = from_it[0] if from_it is not None else None
        self._open = [writer for writer in (to_it, from_it and from_it[1]) if writer is not None]

    @property
    def pid(self) -> int:
        assert self._process.pid is not None, "it was started"
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The code with which it ended, or the number of the signal that ended it, negative; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.returncode is not None:
            raise ProcessLookupError
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._process.sentinel, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._process.sentinel)
        for writer in self._open:
            writer.close()
        return self.wait_here()

    def wait_here(self, within_s: float | None = None) -> int:
        """Wait as a test does that has no event loop."""
        self._process.join(within_s)
        if self.returncode is None:
            raise TimeoutError(f"process {self.pid} did not end")
        return self.returncode

    async def communicate(self, sent: bytes = b"") -> bytes:
        """Send what there is to send, and return all that it writes until it ends."""
        if self.stdin is not None:
            with contextlib.suppress(ConnectionError):
                self.stdin.write(sent)
                await self.stdin.drain()
            self.stdin.close()
        written = await self.stdout.read() if self.stdout is not None else b""
        await self.wait()
        return written


async def start(module: str, *words: str, stdin: int = DEVNULL, stdout: int | IO[Any] | None = None, **options: Any) -> Process:
    """Run `python -m module …`, as `asyncio.create_subprocess_exec` would, with sockets for pipes; `options` are `start_here`'s."""
    to_it = from_it = None
    with contextlib.ExitStack() as theirs:
        ends: dict[str, Any] = {} if stdout in (None, PIPE) else {"stdout": stdout}
        if stdin == PIPE:
            ours, ends["stdin"] = socket.socketpair()
            theirs.enter_context(ends["stdin"])
            _, to_it = await asyncio.open_connection(sock=ours)
        if stdout == PIPE:
            ours, ends["stdout"] = socket.socketpair()
            theirs.enter_context(ends["stdout"])
            from_it = await asyncio.open_connection(sock=ours)
        return Process(_fork(module, words, **ends, **options), to_it, from_it)


def start_here(module: str, *words: str, **options: Any) -> Process:
    """Run `python -m module …`, from a test without an event loop.

    Args:
        options: `env`, `cwd`, and the standard files, of which those that are not given are the tests' own.
    """
    return Process(_fork(module, words, **options))


def _fork(
    module: str,
    words: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: IO[Any] | socket.socket | None = None,
    stdout: IO[Any] | socket.socket | int | None = None,
    stderr: IO[Any] | int | None = None,
) -> BaseProcess:
    with Path(os.devnull).open("r+b") as nothing:
        given = [stdin or nothing, sys.__stdout__ if stdout is None else stdout, sys.__stderr__ if stderr is None else stderr]
        given = [nothing if file == DEVNULL else given[1] if file == STDOUT else file for file in given]
        files = [_Passed(file.fileno()) for file in given]  # type: ignore[union-attr]
        arguments = (module, words, dict(os.environ if env is None else env), str(cwd or Path.cwd()), files)
        process = _FORKS.Process(target=_become, args=arguments, daemon=True)  # a daemon: ended with the tests, however they end
        process.start()
    return process


class _Passed:
    """An open file that the process gets, too."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __getstate__(self) -> Any:
        return reduction.DupFd(self.number)

    def __setstate__(self, passed: Any) -> None:
        self.number = passed.detach()


def _become(module: str, words: Sequence[str], environ: Mapping[str, str], directory: str, files: Sequence[_Passed]) -> None:
    for number, file in enumerate(files):
        os.dup2(file.number, number)
        os.close(file.number)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
