"""How long and how much to measure."""

from dataclasses import dataclass

from tests.bench.databases import ENGINES


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line says."""

    engines: tuple[str, ...] = ENGINES
    entries: int | None = None  # stored before measuring; None: each benchmark's own number
    rounds: int = 7
    seconds: float = 0.6  # of polls in a turn
