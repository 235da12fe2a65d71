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


async def in_turns(first: Side, second: Side, rounds: int) -> list[tuple[Turn, Turn]]:
    """Measure both sides in each round, who begins changing with the round; one round before is thrown away."""
    measured = []
    for n in range(rounds + 1):
        if n % 2:
            b = await _turn(second)
            a = await _turn(first)
        else:
            a = await _turn(first)
            b = await _turn(second)
        measured.append((a, b))
    return measured[1:]


def median_of(values: Sequence[float], digits: int = 0) -> str:
    """Return the median of a figure over the rounds, as text."""
    return f"{statistics.median(values):,.{digits}f}"


async def _turn(side: Side) -> Turn:
    before_s = side.server.cpu_s()
    load = await side.load()
    return Turn(load, side.server.cpu_s() - before_s)
