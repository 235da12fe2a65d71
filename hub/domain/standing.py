"""Standing: what a member gave and did, as sums that never have to be computed again, and the score and tier that follow from them.

* Sums use *forward decay*: an event of a later day weighs more, by 2 ^ (days since `EPOCH_DAY` / half-life), and nothing is touched as time
  passes. Only reading a sum divides by the weight of the day on which it is read.
* Sums are whole numbers: the same events in any order give the same account, and what was added can be taken away to the last digit.
* A score is `100 · I · (0.55 G + g · (0.25 F + 0.20 J))`, its figures from `standing.toml`: G contribution, F feedback, J joint practice,
  I integrity, g the gate. Its parts are points with two decimals that add up to the total exactly.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from hub.domain.member import Band, Standing
from hub.domain.scoring import MICRO
from hub.domain.standing_rules import SCORE_MAX, EventKind, StandingRules

EPOCH_DAY = 20_454  # 2026-01-01 in days since 1970-01-01; the day whose events weigh `_SCALE`
CENT = Decimal("0.01")  # what a score is told in
DAY_US = 86_400_000_000

_CENTS = 100  # in a point
_SCALE = 2**32


class Part(StrEnum):
    """A part of a score; an event counts towards one."""

    CONTRIBUTION = "contribution"
    FEEDBACK = "feedback"
    PRACTICE = "practice"
    INTEGRITY = "integrity"  # what it takes away


PART_OF = {
    EventKind.ITEM: Part.CONTRIBUTION,
    EventKind.SIGHTING: Part.FEEDBACK,
    EventKind.OPINION: Part.FEEDBACK,
    EventKind.ANSWER: Part.FEEDBACK,
    EventKind.NIL_RETURN: Part.FEEDBACK,
    EventKind.EXERCISE: Part.PRACTICE,
    EventKind.LESSON: Part.PRACTICE,
    EventKind.REUSE: Part.PRACTICE,
    EventKind.CAPABILITY: Part.PRACTICE,
    EventKind.RULED_TRUE: Part.INTEGRITY,
    EventKind.RULED_FALSE: Part.INTEGRITY,
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that counts, by its credit on its day: an item's from `day_credits`, feedback's from `feedback_credit`, else MICRO.

    What turns out differently later is told by an event of the same kind and day with the difference as its credit, negative if it falls.
    """

    kind: EventKind
    day: int  # days since 1970-01-01, `day_of`
    credit: int = MICRO  # millionths
    ref: str = ""  # what the caller knows it by


@dataclass(frozen=True, slots=True)
class Account:
    """The sums of one member's events, each under forward decay. Python integers: with the years they outgrow 64 bits."""

    contribution: int = 0
    feedback: int = 0
    practice: int = 0
    good: int = 0
    bad: int = 0

    @classmethod
    def of(cls, events: Iterable[Event], rules: StandingRules) -> "Account":
        """Return the sums of all of a member's events, in whatever order."""
        sums = dict.fromkeys(("contribution", "feedback", "practice", "good", "bad"), 0)
        for event in events:
            sums[_SUM_OF[event.kind]] += mass(event, rules)
        return cls(**sums)

    def plus(self, event: Event, rules: StandingRules) -> "Account":
        """Return the account with one more event. Takes the same time however long the history."""
        name = _SUM_OF[event.kind]
        return replace(self, **{name: getattr(self, name) + mass(event, rules)})


_SUM_OF = {kind: str(part) for kind, part in PART_OF.items()} | {EventKind.RULED_TRUE: "good", EventKind.RULED_FALSE: "bad"}


@dataclass(frozen=True, slots=True)
class Score:
    """A member's score on a day: points, and the parts that they are made of."""

    day: int
    total: Decimal  # contribution + feedback + practice + integrity, exactly
    contribution: Decimal
    feedback: Decimal
    practice: Decimal
    integrity: Decimal  # what a lack of it took: 0 or less
    reliability: float  # 0 to 1
    gate: float  # 0 to 1, the share of feedback and practice that counts
    tier: Standing  # by the score alone; `tier_of` says which the member has

    def points(self, part: Part) -> Decimal:
        """Return the points of one part."""
        return Decimal(getattr(self, part))


class Ground(StrEnum):
    """Why a member has its tier."""

    SCORE = "score"
    HELD = "held"  # the score has fallen below the threshold, but by less than the margin
    GRACE = "grace"  # it is new
    GRANTED = "granted"  # an administrator gave it, for as long as grace lasts


@dataclass(frozen=True, slots=True)
class Assigned:
    """The tier that a member has."""

    tier: Standing
    ground: Ground
    earned: Standing  # what it would have without grace; pass this as `previous` the next time


@dataclass(frozen=True, slots=True)
class Aggregate:
    """What may be published of a sector."""

    members: int
    median: Decimal
    tiers: dict[Standing, int]


def score(account: Account, band: Band, rules: StandingRules, day: int) -> Score:
    """Return a member's score on a day.

    Args:
        day: days since 1970-01-01; not before the last event.
    """
    levels = _levels(account, band, rules, day)
    weights = (rules.contribution.weight, rules.feedback.weight * levels.gate, rules.practice.weight * levels.gate)
    given, told, done = (
        round(_CENTS * SCORE_MAX * weight * level)
        for weight, level in zip(weights, (levels.contribution, levels.feedback, levels.practice), strict=True)
    )
    before = given + told + done
    total = round(before * levels.integrity)
    return Score(
        day=day,
        total=_points(total),
        contribution=_points(given),
        feedback=_points(told),
        practice=_points(done),
        integrity=_points(total - before),
        reliability=levels.reliability,
        gate=levels.gate,
        tier=rules.tier[_rank_at(total, rules)].name,
    )


def tier_of(score: Score, previous: Standing, grace_until_day: int | None, rules: StandingRules) -> Assigned:
    """Return the tier that a member has: promoted at its threshold, demoted only a margin below it, and lifted by grace while new.

    Args:
        previous: the tier that it had *earned* before, `Assigned.earned`.
        grace_until_day: the last day of its grace; None: it has none (any longer).
    """
    cents = int(score.total / CENT)
    by_score = _rank_at(cents, rules)
    rank = max(by_score, min(previous.rank, _rank_at(cents + round(_CENTS * rules.demotion.margin), rules)))
    earned = rules.tier[rank].name
    if grace_until_day is not None and score.day <= grace_until_day and rank < rules.grace.tier.rank:
        return Assigned(rules.grace.tier, Ground.GRACE, earned)
    return Assigned(earned, Ground.SCORE if rank == by_score else Ground.HELD, earned)


def reliability(account: Account, rules: StandingRules, day: int) -> float:
    """Return how far a member's word can be relied on, 0 to 1: the share of true ones among its items ruled upon."""
    integrity = rules.integrity
    good = decayed(account.good, day, integrity.half_life_d) + integrity.good_prior
    return good / (good + decayed(account.bad, day, integrity.half_life_d) + integrity.bad_prior)


def mass(event: Event, rules: StandingRules) -> int:
    """Return what an event adds to its sum in the account."""
    return event.credit * weight(event.day, _half_life(event.kind, rules))


def decayed(sum_of_masses: int, day: int, half_life_d: float) -> float:
    """Return a sum under forward decay as a number of whole credits on `day`. Serves also for how often a pair vouched."""
    return sum_of_masses / (MICRO * weight(day, half_life_d))


@lru_cache(maxsize=100_000)
def weight(day: int, half_life_d: float) -> int:
    """Return what one millionth of credit on `day` adds to a sum with this half-life; at least 1."""
    return max(1, round(_SCALE * 2 ** ((day - EPOCH_DAY) / half_life_d)))


def day_of(us: int) -> int:
    """Return the day of a moment given in microseconds since the epoch."""
    return us // DAY_US


def aggregate(members: Sequence[tuple[Decimal, Standing]], rules: StandingRules) -> Aggregate | None:
    """Return what everybody may see of a sector's scores and tiers; None where it has too few members to hide one."""
    if len(members) < rules.aggregate.members_min:
        return None
    tiers = [tier for _, tier in members]
    median = statistics.median(total for total, _ in members).quantize(CENT, ROUND_HALF_EVEN)
    return Aggregate(len(members), median, {tier: tiers.count(tier) for tier in Standing})


class _Levels(NamedTuple):
    """The factors of a score, each 0 to 1."""

    contribution: float
    feedback: float
    practice: float
    reliability: float
    integrity: float
    gate: float


def _levels(account: Account, band: Band, rules: StandingRules, day: int) -> _Levels:
    expected = rules.contribution.expected(band)
    given = _saturated(account.contribution, day, rules.contribution.half_life_d, rules.contribution.saturation * math.sqrt(expected))
    told = _saturated(account.feedback, day, rules.feedback.half_life_d, rules.feedback.saturation)
    done = 1 - math.exp(-decayed(account.practice, day, rules.practice.half_life_d))
    reliable = reliability(account, rules, day)
    integrity = rules.integrity
    left = (reliable - integrity.zero_at) / (integrity.full_at - integrity.zero_at)
    gate = min(1.0, rules.gate.floor + rules.gate.slope * given) if band.size in rules.gate.sizes else 1.0
    return _Levels(given, told, done, reliable, min(1.0, max(0.0, left)), gate)


def _saturated(sum_of_masses: int, day: int, half_life_d: float, per_day: float) -> float:
    """Return 0 to 1 for a sum; 0.63 where `per_day` credits were added on every day, which sum up to `per_day` * half-life / ln 2."""
    return 1 - math.exp(-decayed(sum_of_masses, day, half_life_d) / (per_day * half_life_d / math.log(2)))


def _half_life(kind: EventKind, rules: StandingRules) -> float:
    match PART_OF[kind]:
        case Part.CONTRIBUTION:
            return rules.contribution.half_life_d
        case Part.FEEDBACK:
            return rules.feedback.half_life_d
        case Part.PRACTICE:
            return rules.practice.half_life_d
        case Part.INTEGRITY:
            return rules.integrity.half_life_d


def _rank_at(cents: int, rules: StandingRules) -> int:
    """Return the place in the rules of the highest tier that so many hundredths of a point reach; the lowest is reached by all."""
    return next((rank for rank in range(len(rules.tier) - 1, 0, -1) if cents >= round(_CENTS * rules.tier[rank].score_min)), 0)


def _points(cents: int) -> Decimal:
    return Decimal(cents).scaleb(-2)
