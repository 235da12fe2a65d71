"""What a benchmark found, beside what it should have found."""

import operator
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_COLUMNS = ("benchmark", "engine", "ratio (min-max)", "target", "", "hub", "against")


@dataclass(frozen=True, slots=True)
class Target:
    """What a ratio has to be: at least `value`, or at most."""

    value: float
    at_most: bool = False

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.value:g}"

    def is_met(self, ratio: float) -> bool:
        return (operator.le if self.at_most else operator.ge)(ratio, self.value)


@dataclass(frozen=True, slots=True)
class Finding:
    """One figure of a run: the median of its rounds."""

    name: str
    engine: str
    ratios: Sequence[float]  # of each round
    target: Target | None  # None: told, not judged
    hub: str  # what the hub did, with its unit
    against: str  # what it is compared with did

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "PASS" if self.target.is_met(self.ratio) else "MISS"

    def cells(self) -> tuple[str, ...]:
        spread = f" ({min(self.ratios):.2f}-{max(self.ratios):.2f})" if len(self.ratios) > 1 else ""
        target = str(self.target) if self.target else "told"
        return self.name, self.engine, f"{self.ratio:.2f}{spread}", target, self.verdict, self.hub, self.against


def show(finding: Finding) -> None:
    """Print a finding as soon as there is one."""
    name, engine, ratio, target, verdict, hub, against = finding.cells()
    print(f"{verdict:4}  {name} [{engine}]: {ratio}, target {target}; hub {hub}, against {against}", flush=True)


def table(findings: Iterable[Finding]) -> str:
    """Return findings as a Markdown table."""
    return markdown(_COLUMNS, [finding.cells() for finding in findings])


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table whose columns line up."""
    cells = [list(columns), *map(list, rows)]
    widths = [max(len(row[n]) for row in cells) for n in range(len(columns))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
