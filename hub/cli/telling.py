"""What commands tell on standard error: an error in one line, and of many objects how far they are, what was refused, and the counts."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hub.errors import HubError, Invalid

SHOWN_MAX = 20


def fail(message: str) -> NoReturn:
    """End the command with a line on standard error and code 1."""
    typer.echo(message, err=True)
    raise typer.Exit(1)


@contextmanager
def errors_told() -> Iterator[None]:
    """End the command with one line where one of the hub's errors comes up."""
    try:
        yield
    except HubError as e:
        fail(e.detail)


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show a bar on standard error, and lend a function that moves it on; nothing is shown where nobody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(escape(what), total=total)
        yield lambda count: progress.advance(task, count)


class Refusals:
    """Counts what became of objects, and tells the refusals as they come."""

    def __init__(self, report: IO[str] | None) -> None:
        self.accepted = 0
        self.refused = 0
        self._report = report

    def accept(self, count: int) -> None:
        self.accepted += count

    def refuse(self, source: str, reason: str, *, id: str | None = None, version: str | None = None) -> None:
        """Tell that an object was refused, or a whole file where there is no id."""
        self.refused += 1
        if self._report is not None:
            self._report.write(json.dumps({"source": source, "id": id, "version": version, "reason": reason}) + "\n")
        elif self.refused <= SHOWN_MAX:
            typer.echo(f"refused: {id or source}{f' {version}' if version else ''}: {reason}", err=True)
        elif self.refused == SHOWN_MAX + 1:
            typer.echo("refused: more; see all with --report FILE", err=True)

    def conclude(self, *, allow_refused: bool) -> None:
        """Print the counts; the command fails if anything was refused, unless that is allowed."""
        typer.echo(f"accepted {self.accepted}, refused {self.refused}", err=True)
        if self.refused and not allow_refused:
            raise typer.Exit(1)


@contextmanager
def telling(report: Path | None) -> Iterator[Refusals]:
    """Tell refusals into a file of JSON Lines, or on standard error where none is named.

    Raises:
        Invalid: the file cannot be written.
    """
    if report is None:
        yield Refusals(None)
        return
    try:
        file = report.open("w", encoding="utf-8")
    except OSError as e:
        raise Invalid(f"--report: {report} cannot be written: {e.strerror}") from e
    with file:
        yield Refusals(file)
