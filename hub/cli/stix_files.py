"""Files of STIX: read as bundles, envelopes, lists, single objects or objects line by line; written as a bundle or line by line."""

import gzip
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, filterfalse
from pathlib import Path
from typing import IO, cast

from hub.domain.document import objects_of, objects_of_lines
from hub.domain.ids import new_uuid
from hub.domain.json import read_members
from hub.errors import Invalid, NotUnderstood

LINE_SUFFIXES = (".ndjson", ".jsonl")
SUFFIXES = (".json", *LINE_SUFFIXES)


@dataclass(frozen=True, slots=True)
class StixFile:
    """The objects of one file as they were written, marking definitions first: what refers to them may travel in another chunk."""

    path: Path
    objects: Iterator[bytes]
    count: int | None  # None: read line by line, so not known before the end


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files that are named, and those of STIX in the folders that are named, each folder in order of name."""
    found: list[Path] = []
    for path in paths:
        found += sorted(file for file in path.rglob("*") if file.is_file() and _is_stix(file)) if path.is_dir() else [path]
    return found


def read_file(path: Path) -> StixFile:
    """Open a file. One that is written line by line is read as its objects are asked for, any other one at once.

    Raises:
        Invalid: it cannot be read, or holds no STIX; says why.
    """
    try:
        if _plain_name(path).endswith(LINE_SUFFIXES):
            return StixFile(path, chain(filter(_is_marking, _lines(path)), filterfalse(_is_marking, _lines(path))), None)
        with _open(path) as file:
            objects = objects_of(file.read())
    except OSError as e:  # gzip's own errors among them
        raise Invalid(f"cannot be read: {e.strerror or e}") from e
    except EOFError as e:
        raise NotUnderstood("the compressed file is cut off") from e
    return StixFile(path, chain(filter(_is_marking, objects), filterfalse(_is_marking, objects)), len(objects))


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with _open(path) as file:
            yield from objects_of_lines(file)
    except OSError as e:
        raise Invalid(f"cannot be read: {e.strerror or e}") from e
    except EOFError as e:
        raise NotUnderstood("the compressed file is cut off") from e


def _open(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if _is_packed(path) else path.open("rb")


def _is_packed(path: Path) -> bool:
    return path.name.endswith(".gz")


def _is_marking(raw: bytes) -> bool:
    if b'"marking-definition"' not in raw:
        return False
    try:
        return read_members(raw).get("type") == b'"marking-definition"'
    except Invalid:
        return False  # refused where it stands


def _is_stix(path: Path) -> bool:
    return _plain_name(path).endswith(SUFFIXES)


def _plain_name(path: Path) -> str:
    return path.name.lower().removesuffix(".gz")


class Format(StrEnum):
    """How objects are written to a file."""

    BUNDLE = "bundle"
    NDJSON = "ndjson"


class Writer:
    """Writes objects as they come; nothing is kept in memory."""

    def __init__(self, file: IO[bytes], format: Format) -> None:
        self._file, self._format = file, format
        self._count = 0

    def write(self, objects: Iterable[bytes]) -> None:
        """Write objects, each as the bytes that it is."""
        for body in objects:
            if self._format is Format.NDJSON:
                # A line break can stand between the tokens of an object only: inside a string it is escaped.
                self._file.write(body.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n")
            else:
                self._file.write(b",\n" if self._count else f'{{"type":"bundle","id":"bundle--{new_uuid()}","objects":[\n'.encode())
                self._file.write(body)
            self._count += 1

    def finish(self) -> None:
        """Write what ends the file."""
        if self._format is Format.BUNDLE:
            # STIX 2.1 §8: a bundle without objects has no property for them.
            self._file.write(b"\n]}\n" if self._count else f'{{"type":"bundle","id":"bundle--{new_uuid()}"}}\n'.encode())


@contextmanager
def writing(output: Path | None, format: Format) -> Iterator[Writer]:
    """Write to a file that is there once it is whole, to what else the path leads to as it comes, or to standard output.

    Raises:
        Invalid: it cannot be written.
    """
    with standard_output() if output is None else _output(output) as file:
        writer = Writer(file, format)
        yield writer
        writer.finish()


@contextmanager
def standard_output() -> Iterator[IO[bytes]]:
    """Lend standard output.

    Raises:
        Invalid: it cannot be written.
    """
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # who reads has enough, which is no fault
        raise
    except OSError as e:
        with suppress(OSError):  # what is left of it would be tried once more, and told, when the process ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Invalid(f"standard output cannot be written: {e.strerror or e}") from e


@contextmanager
def _output(output: Path) -> Iterator[IO[bytes]]:
    try:
        if output.exists() and not output.is_file():  # a device or a pipe: to replace it would be to remove it
            with _open_new(output, packed=_is_packed(output)) as file:
                yield file
            return
        target = Path(os.path.realpath(output))  # a link stays one
        part = target.with_name(f".{target.name}.part")
        try:
            with _open_new(part, packed=_is_packed(output)) as file:
                yield file
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as e:
        raise Invalid(f"{output} cannot be written: {e.strerror or e}") from e


def _open_new(path: Path, *, packed: bool) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "wb")) if packed else path.open("wb")
