"""Why a member has its score, and what would raise it: told from its own events and by trying out actions.

* The lines of a part add up to the part, to the last decimal: each gets its share rounded down, and the cents that remain go to those that
  lost most by that (the largest remainder).
* What integrity took is carried by the items ruled false, in proportion to what they weigh on the day.
* Advice is found by trying, one kind of action at a time, with the same functions that compute the score.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hub.domain.member import Band, Standing
from hub.domain.scoring import MICRO
from hub.domain.standing import CENT, PART_OF, Account, Event, Part, Score, mass, score
from hub.domain.standing_rules import EventKind, StandingRules, Tier

STEPS_MAX = 200  # actions of one kind that are tried
STEP_DAYS_MAX = 365  # that they may take


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an explanation."""

    part: Part
    points: Decimal
    event: Event | None  # None: all events that were not given one by one, being too old to weigh much


@dataclass(frozen=True, slots=True)
class Step:
    """A way to the next tier by one kind of action alone."""

    kind: EventKind
    count: int
    days: int  # until the last of them
    cost_h: float  # of all of them, hours of work
    tier: Standing
    total: Decimal  # the score then


def explain(score: Score, account: Account, events: Iterable[Event], rules: StandingRules) -> list[Line]:
    """Return how each part of a score comes about: part by part, the lines that weigh most first, those of older events last.

    Args:
        account: the sums that the score was computed from.
        events: those to tell one by one; what the account holds beyond them is told as "older". Rulings that an item is true have no line.
    """
    events = [event for event in events if event.kind is not EventKind.RULED_TRUE]
    lines = []
    for part, held in zip(Part, (account.contribution, account.feedback, account.practice, account.bad), strict=True):
        told = sorted((event for event in events if PART_OF[event.kind] is part), key=lambda event: -mass(event, rules))
        masses = [mass(event, rules) for event in told]
        older = held - sum(masses)
        shares = apportion(score.points(part), [*masses, older])
        lines += [Line(part, points, event) for points, event in zip(shares, told, strict=False)]
        if older or shares[-1]:
            lines.append(Line(part, shares[-1], None))
    return lines


def next_steps(account: Account, band: Band, rules: StandingRules, day: int, tier: Standing) -> list[Step]:
    """Return the ways from a tier to the one above it that take one kind of action each, the cheapest first.

    Actions are done as often as `standing.toml` says that they can be; meanwhile what was done before decays. Empty: the member is at the
    top, or no action alone would do within a year.
    """
    if tier.rank == len(rules.tier) - 1:
        return []
    goal = rules.tier[tier.rank + 1]
    steps = [_step(kind, account, band, rules, day, goal) for kind in rules.action]
    return sorted((step for step in steps if step), key=lambda step: (step.cost_h, step.days))


def apportion(total: Decimal, masses: Sequence[int]) -> list[Decimal]:
    """Return shares of `total`, a number of cents, in proportion to `masses`, that add up to it exactly; ties go to the earlier.

    Where the masses add up to nothing, the last one takes it all.
    """
    whole = sum(masses)
    cents = int(total / CENT)
    if whole <= 0:
        return [*[0 * CENT] * (len(masses) - 1), total]
    floors, remainders = zip(*(divmod(cents * one, whole) for one in masses), strict=True)
    shares = list(floors)
    for index in sorted(range(len(masses)), key=lambda index: -remainders[index])[: cents - sum(floors)]:
        shares[index] += 1
    return [share * CENT for share in shares]


def _step(kind: EventKind, account: Account, band: Band, rules: StandingRules, day: int, goal: Tier) -> Step | None:
    action = rules.action[kind]
    goal_points = Decimal(str(goal.score_min))
    for count in range(1, STEPS_MAX + 1):
        on = day + int((count - 1) * action.every_d)
        if on - day > STEP_DAYS_MAX:
            return None
        account = account.plus(Event(kind, on, round(action.quality * MICRO)), rules)
        reached = score(account, band, rules, on)
        if reached.total >= goal_points:
            return Step(kind, count, on - day, count * action.cost_h, goal.name, reached.total)
    return None
