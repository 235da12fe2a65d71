"""What an item is worth: its quality, in millionths, from facts about it and the parameters in `standing.toml`.

* Quality is accuracy times novelty times a weighted sum of corroboration, timeliness, relevance, context and usability, each 0 to 1.
* That nobody confirms an item is normal and is not held against it; only a ruling makes it false.
* The weight of a voucher is fixed when it vouches, from the reliability and the pair's history of that moment.

What can be read from an object itself is read in `hub.domain.item_facts`.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from hub.domain.standing_rules import Kind, StandingRules

MICRO = 1_000_000  # the unit of quality and credit: a perfect item is worth 1,000,000

_HOUR_US = 3_600_000_000


class Verdict(StrEnum):
    """What is known of an item's truth."""

    OPEN = "open"  # nobody has ruled
    TRUE = "true"
    FALSE = "false"
    RETRACTED = "retracted"  # taken back in good time: it earns and costs nothing


class ItemFacts(NamedTuple):
    """All that an item's quality depends on."""

    kind: Kind
    observed_us: int
    received_us: int
    novelty: float = 1.0  # 0 to 1, from `novelty_of`; fixed at receipt
    vouched: float = 0.0  # the sum of its vouchers' weights, one for each beneficial owner
    relevance: float = 0.0  # 0 to 1, from `relevance_of`
    context: float = 0.0  # 0 to 1, share of the context that such an object should have
    usability: float = 0.0  # 0 to 1, share of what makes it fit to be used and passed on
    verdict: Verdict = Verdict.OPEN


class Rating(NamedTuple):
    """An item's quality and the factors that it is made of, each 0 to 1: what a member is shown of its item."""

    quality: int  # millionths
    accuracy: float
    novelty: float
    corroboration: float
    timeliness: float
    relevance: float
    context: float
    usability: float


def rate(facts: ItemFacts, rules: StandingRules) -> Rating:
    """Return what an item is worth at present; ask again when it is vouched for or ruled upon."""
    weights = rules.item.weights
    corroboration = 1 - 2**-facts.vouched
    age_h = max(0, facts.received_us - facts.observed_us) / _HOUR_US
    timeliness = 2 ** -(age_h / rules.item.timeliness_half_life_h[facts.kind])
    accuracy = _accuracy(facts.verdict, corroboration, rules)
    weighed = (
        weights.corroboration * corroboration
        + weights.timeliness * timeliness
        + weights.relevance * facts.relevance
        + weights.context * facts.context
        + weights.usability * facts.usability
    )
    quality = round(accuracy * facts.novelty * weighed * MICRO)
    return Rating(quality, accuracy, facts.novelty, corroboration, timeliness, facts.relevance, facts.context, facts.usability)


def day_credits(qualities: Sequence[int], rules: StandingRules) -> list[int]:
    """Return the credit of each item that a member gave on one day, in millionths, in the order given.

    The best counts in full, the k-th best by the discount for its rank, those beyond the daily maximum nothing. Of equal ones the earlier
    given ranks higher. The work is bounded where the caller passes only the best `items_per_day_max` items of the day.
    """
    shares = _rank_shares(rules.contribution.rank_exponent, rules.contribution.items_per_day_max)
    credits = [0] * len(qualities)
    best_first = sorted(range(len(qualities)), key=qualities.__getitem__, reverse=True)  # stable: of equal ones the earlier comes first
    for share, index in zip(shares, best_first, strict=False):
        credits[index] = round(qualities[index] * share)
    return credits


def feedback_credit(counted_today: int, rules: StandingRules, *, same_owner: bool = False) -> int:
    """Return the credit of one more event of feedback, in millionths.

    Args:
        counted_today: events of feedback of that member that have earned credit on that day.
        same_owner: what it reports on was given by a member of the same beneficial owner.
    """
    if counted_today >= rules.feedback.events_per_day_max:
        return 0
    return round(MICRO * rules.vouching.same_owner) if same_owner else MICRO


def vouching_weight(reliability: float, earlier: float, rules: StandingRules, *, same_owner: bool = False) -> float:
    """Return how much it counts that a member vouches for another's item.

    Args:
        reliability: the voucher's, 0 to 1 (`standing.reliability`).
        earlier: times that the two owners vouched for each other before, either way, decayed (`standing.decayed`).
        same_owner: both have the same beneficial owner.
    """
    weight = reliability / (1 + rules.vouching.pair_discount * earlier)
    return weight * rules.vouching.same_owner if same_owner else weight


def novelty_of(keys: frozenset[str], known: Iterable[str], public: Iterable[str], rules: StandingRules) -> float:
    """Return the novelty of an item: the mean of its observables', so that mixing old ones with new ones gains nothing.

    Args:
        keys: the item's observables (`item_facts.keys_of`); where it has none, it is new.
        known: those of them that the hub already held from anybody.
        public: those of them that a public feed or a warning list holds.
    """
    novelty = rules.item.novelty
    in_public = keys.intersection(public)
    in_hub = keys.intersection(known) - in_public
    if not in_public and not in_hub:
        return novelty.new
    fresh = len(keys) - len(in_public) - len(in_hub)
    return (novelty.new * fresh + novelty.known * len(in_hub) + novelty.public * len(in_public)) / len(keys)


def relevance_of(sectors: frozenset[str], audience: frozenset[str], *, answers_question: bool = False) -> float:
    """Return how much an item concerns those who may see it: 1 where it answers a live question or all of its sectors are among theirs.

    Args:
        sectors: that the item says it concerns; empty: it does not say, which counts half.
        audience: sectors of the members who may see it.
    """
    if answers_question:
        return 1.0
    if not sectors:
        return 0.5
    return len(sectors & audience) / len(sectors)


def verdict_of(
    rules: StandingRules, *, received_us: int, ruled: Verdict = Verdict.OPEN, ruled_us: int | None = None, retracted_us: int | None = None
) -> Verdict:
    """Return what counts of an item's truth: an error taken back in time, and before anybody ruled, costs nothing.

    Args:
        ruled: the last ruling, TRUE or FALSE; OPEN if there is none.
        retracted_us: when the producer took it back; None: it did not.
    """
    window_us = rules.retraction.window_h * _HOUR_US
    in_time = retracted_us is not None and retracted_us - received_us <= window_us
    first = retracted_us is not None and (ruled_us is None or retracted_us <= ruled_us)
    if in_time and first:
        return Verdict.RETRACTED
    if retracted_us is not None and ruled is not Verdict.FALSE:
        return Verdict.RETRACTED  # too late to be spared a ruling, but there is nothing left to be paid for
    return ruled


def _accuracy(verdict: Verdict, corroboration: float, rules: StandingRules) -> float:
    accuracy = rules.item.accuracy
    match verdict:
        case Verdict.OPEN:
            return accuracy.corroborated if corroboration >= rules.vouching.corroborated_min else accuracy.open
        case Verdict.TRUE:
            return accuracy.true
        case Verdict.FALSE:
            return accuracy.false
        case Verdict.RETRACTED:
            return 0.0


@lru_cache(maxsize=64)
def _rank_shares(exponent: float, count: int) -> tuple[float, ...]:
    return tuple(rank**-exponent for rank in range(1, count + 1))
