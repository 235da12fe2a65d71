"""Measuring two things against one another: in turns, round by round, so that whatever else the machine does meets both."""

import statistics
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.bench.load import Load
from tests.bench.processes import Server


@dataclass(frozen=True, slots=True)
class Side:
    """One of two servers, and what is asked of it in each round."""

    server: Server
    load: Callable[[], Awaitable[Load]]


@dataclass(frozen=True, slots=True)
class Turn:
    """One side's part of one round."""

    load: Load
    cpu_s: float  # processor time of the server's processes

    @property
    def cpu_us(self) -> float:
        """Processor time of the server for one request, in microseconds."""
        return 1e6 * self.cpu_s / len(self.load.latencies)


async def in_turns(first: Side, second: Side, rounds: int, *, slices: int = 1) -> list[tuple[Turn, Turn]]:
    """Measure both sides in each round, who begins changing each time; one round before is thrown away.

    With more `slices`, both sides take turns as often as that within a round, which adds them up: for ratios near one, which what else
    the machine does would hide.
    """
    measured = []
    for _ in range(rounds + 1):
        turns: tuple[list[Turn], list[Turn]] = ([], [])
        for n in range(len(measured), len(measured) + slices):
            for side in ((0, 1), (1, 0))[n % 2]:
                turns[side].append(await _turn((first, second)[side]))
        measured.append((_together(turns[0]), _together(turns[1])))
    return measured[1:]


def median_of(values: Sequence[float], digits: int = 0) -> str:
    """Return the median of a figure over the rounds, as text."""
    return f"{statistics.median(values):,.{digits}f}"


def _together(turns: Sequence[Turn]) -> Turn:
    loads = [turn.load for turn in turns]
    latencies = [latency for load in loads for latency in load.latencies]
    load = Load(sum(load.seconds for load in loads), latencies, sum(load.received for load in loads))
    return Turn(load, sum(turn.cpu_s for turn in turns))


async def _turn(side: Side) -> Turn:
    before_s = side.server.cpu_s()
    load = await side.load()
    return Turn(load, side.server.cpu_s() - before_s)
