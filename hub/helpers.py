"""Processes beside the hub that compute for it: what takes long and needs no database is done on other processors, while the hub serves.

* A helper knows nothing but the domain: it checks the objects of large pushes, and makes the leaves of the log from what they brought.
* It is started when there is much to do for the first time. One that fails is replaced, and whoever asked it does without.
* It ends when the hub does, however that came about: its input ends then.

`python -m hub.helpers` is a helper. Frames of MessagePack come by its standard input and go by its standard output, each behind its length.
"""

import asyncio
import contextlib
import logging
import os
import signal
import struct
import sys
from collections import deque
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import BinaryIO, TypeVar

import msgspec

from hub.domain.stix import Limits, StixObject, read_object
from hub.domain.tlog.leaf import Fact, Leaf, make_leaves
from hub.domain.tlog.tiles import Tile, extend
from hub.domain.tlog.tree import hash_leaf
from hub.errors import Invalid, NotUnderstood

T = TypeVar("T")

_PIECE_BYTES = 32 * 1024  # of objects that a helper is asked to read at once: it takes some 2 ms
_BUFFER_BYTES = 1024 * 1024
_LENGTH = struct.Struct(">I")
_ANSWER_S = 30.0  # a helper that takes longer hangs, whatever it was asked
_END_S = 5.0
_REST_S = 2.0  # between two starts

log = logging.getLogger(__name__)


class HelperGone(Exception):
    """A helper ended before it answered, took too long, or could not be started."""


class Growth(msgspec.Struct, array_like=True):
    """What the log gains."""

    leaves: list[Leaf]
    tiles: list[tuple[Tile, bytes]]  # new or changed


def read_or_refusal(raw: bytes, limits: Limits) -> StixObject | Invalid:
    """Return an object, or the error with which `hub.domain.stix.read_object` refuses it."""
    try:
        return read_object(raw, limits=limits)
    except Invalid as e:
        return e


def growth_by(leaves: list[Leaf], size: int, edge: Mapping[Tile, bytes]) -> Growth:
    """Return what the log gains by leaves that follow the first `size`."""
    return Growth(leaves, list(extend(size, edge, [hash_leaf(leaf.text) for leaf in leaves]).items()))


class _ReadObjects(msgspec.Struct, array_like=True, tag=True):
    raws: Sequence[bytes]
    limits: Limits

    def answer(self) -> "list[_Read]":
        return [_Read.of(read_or_refusal(raw, self.limits)) for raw in self.raws]


class _GrowLog(msgspec.Struct, array_like=True, tag=True):
    facts: Sequence[Fact]
    size: int
    edge: Sequence[tuple[Tile, bytes]]

    def answer(self) -> Growth:
        return growth_by(list(make_leaves(self.facts, self.size)), self.size, dict(self.edge))


class _Read(msgspec.Struct, array_like=True):
    object: StixObject | None
    refusal: str = ""
    is_understood: bool = True

    @classmethod
    def of(cls, read: StixObject | Invalid) -> "_Read":
        return cls(None, read.detail, not isinstance(read, NotUnderstood)) if isinstance(read, Invalid) else cls(read)

    def outcome(self) -> StixObject | Invalid:
        if self.object is not None:
            return self.object
        return Invalid(self.refusal) if self.is_understood else NotUnderstood(self.refusal)


_ASKED = msgspec.msgpack.Decoder(_ReadObjects | _GrowLog)
_READ = msgspec.msgpack.Decoder(list[_Read])
_GROWN = msgspec.msgpack.Decoder(Growth)


class Helpers:
    """The helpers of one process of the hub."""

    def __init__(self, count: int, *, answer_s: float = _ANSWER_S) -> None:
        """Start none yet; who takes longer than `answer_s` for an answer is taken to hang."""
        self._count, self._answer_s = count, answer_s
        self._running: list[_Helper] = []
        self._starting = asyncio.Lock()
        self._rests_until_s = 0.0

    async def read_objects(self, raws: Sequence[bytes], *, limits: Limits) -> list[StixObject | Invalid]:
        """Return each object, or the error with which `hub.domain.stix.read_object` refuses it.

        Raises:
            HelperGone: a helper failed; the next call starts another.
        """
        running = await self._start()
        answers = [min(running, key=_Helper.waiting).ask(_ReadObjects(piece, limits)) for piece in _pieces(raws)]
        return [read.outcome() for answer in await self._within(asyncio.gather(*answers)) for read in _READ.decode(answer)]

    async def grow_log(self, facts: Sequence[Fact], size: int, edge: Mapping[Tile, bytes]) -> Growth:
        """Return the leaves that follow the first `size`, in an order that tells nothing, and the tiles that change.

        Args:
            edge: the tiles at the edge of the tree that are not full (`hub.domain.tlog.tiles.edge`).
        Raises:
            HelperGone: as above.
        """
        running = await self._start()
        return _GROWN.decode(await self._within(min(running, key=_Helper.waiting).ask(_GrowLog(facts, size, list(edge.items())))))

    async def close(self) -> None:
        """End them."""
        async with self._starting:
            running, self._running = self._running, []
            await asyncio.gather(*(helper.close() for helper in running))

    async def _within(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._answer_s):
                return await answer
        except TimeoutError as e:
            log.error("helpers that hang are ended")  # noqa: TRY400 - there is no more to say
            for helper in self._running:
                helper.end()
            raise HelperGone from e

    async def _start(self) -> "Sequence[_Helper]":
        if len(self._running) < self._count or any(helper.is_gone for helper in self._running):
            async with self._starting:  # many find it so at once
                self._running = [helper for helper in self._running if not helper.is_gone]
                if len(self._running) < self._count:
                    if monotonic() < self._rests_until_s:
                        raise HelperGone  # those before ended a moment ago: so would these
                    self._rests_until_s = monotonic() + _REST_S
                while len(self._running) < self._count:
                    self._running.append(await _Helper.start())
        return self._running


class _Helper:
    """One of them, and what it was asked: it answers in that order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None, "it was started with pipes"
        assert process.stdout is not None, "it was started with pipes"
        self._process, self._input, self._output = process, process.stdin, process.stdout
        self._unanswered: deque[asyncio.Future[bytes]] = deque()
        self.is_gone = False
        self._listening = asyncio.create_task(self._listen(), name=f"helper {process.pid}")

    @classmethod
    async def start(cls) -> "_Helper":
        pipe = asyncio.subprocess.PIPE
        try:
            # -P: what lies in the directory from which the hub was started is no module of a helper's.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", "hub.helpers", stdin=pipe, stdout=pipe, env=_environment(), limit=_BUFFER_BYTES
            )
        except OSError as e:
            log.error("a helper could not be started: %s", e)  # noqa: TRY400 - the reason says it all
            raise HelperGone from e
        return cls(process)

    def waiting(self) -> int:
        return len(self._unanswered)

    def ask(self, question: _ReadObjects | _GrowLog) -> asyncio.Future[bytes]:
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if self.is_gone:
            answer.set_exception(HelperGone())
        else:
            self._unanswered.append(answer)
            self._input.write(_frame(question))
        return answer

    def end(self) -> None:
        """End it at once, whatever it is at."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        self._input.close()
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            self.end()
            await self._process.wait()
        await self._listening

    async def _listen(self) -> None:
        """Hand out the answers, until there are no more. Who asked may have gone away meanwhile: then nobody takes it."""
        try:
            while True:
                (size,) = _LENGTH.unpack(await self._output.readexactly(_LENGTH.size))
                content = await self._output.readexactly(size)
                answer = self._unanswered.popleft()
                if not answer.done():
                    answer.set_result(content)
        except (asyncio.IncompleteReadError, OSError):
            if self._unanswered:
                log.error("a helper (pid %d) ended with %d questions unanswered", self._process.pid, len(self._unanswered))  # noqa: TRY400
        finally:
            self.is_gone = True
            for answer in self._unanswered:
                if not answer.done():
                    answer.set_exception(HelperGone())


def python_path(environ: Mapping[str, str]) -> str:
    """Return where another Python finds this hub, which is not to look into the directory where it happens to be started (`-P`)."""
    return os.pathsep.join(filter(None, [str(Path(__file__).parents[1]), environ.get("PYTHONPATH")]))


def _environment() -> dict[str, str]:
    """Return what Python needs to find itself, and this hub: settings and passwords are none of a helper's business."""
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LD_LIBRARY_PATH"} or name.startswith("PYTHON")}
    return kept | {"PYTHONPATH": python_path(kept)}


def _pieces(raws: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    first = size = 0
    for end, raw in enumerate(raws, 1):
        size += len(raw)
        if size >= _PIECE_BYTES:
            yield raws[first:end]
            first, size = end, 0
    if first < len(raws):
        yield raws[first:]


def _frame(content: object) -> bytes:
    encoded = msgspec.msgpack.encode(content)
    return _LENGTH.pack(len(encoded)) + encoded


def _answer_all(source: BinaryIO, target: BinaryIO) -> None:
    """Answer until there are no more questions."""
    while head := source.read(_LENGTH.size):
        (size,) = _LENGTH.unpack(head)
        target.write(_frame(_ASKED.decode(source.read(size)).answer()))
        target.flush()


def main() -> None:
    """Be a helper. Signals are for the hub, which tells by the pipe when it ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(BrokenPipeError):
        _answer_all(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
