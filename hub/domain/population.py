"""The population model: what the rules make of honest members and of attackers, by the very functions that compute standing.

* A seed gives each type a history of its own for each share of rulings, the same whatever the rules, so that rules can be compared.
* A ruling comes `_RULED_AFTER_D` days after an item, for the share of items that is ruled upon.
* A defence is switched off by setting its parameters to what makes it do nothing: see `DEFENCES`.
"""

import math
import random
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from hub.domain.member import Band, Standing
from hub.domain.population_types import TYPES, Behaviour, Type
from hub.domain.scoring import MICRO, ItemFacts, Verdict, day_credits, feedback_credit, rate, vouching_weight
from hub.domain.standing import DAY_US, EPOCH_DAY, Account, Event, decayed, reliability, score, tier_of, weight
from hub.domain.standing_rules import EventKind, StandingRules
from hub.domain.toml_table import TableT

RULED_SHARES = (0.5, 0.1, 0.02)
SERIES_EVERY_D = 5

DEFENCES: Mapping[str, tuple[tuple[str, ...], Mapping[str, object]]] = {
    "novelty": (("item", "novelty"), {"known": 1.0, "public": 1.0}),
    "integrity": (("integrity",), {"zero_at": -2.0, "full_at": -1.0}),
    "gate": (("gate",), {"sizes": frozenset()}),
    "pair decay": (("vouching",), {"pair_discount": 0.0}),
    "owner check": (("vouching",), {"same_owner": 1.0}),
    "rank discount": (("contribution",), {"rank_exponent": 0.0}),
}  # the table of the rules that each lives in, and the values at which it does nothing

_RULED_AFTER_D = 7
_OTHERS = 100  # independent members of the community
_OTHERS_RELIABILITY = 0.85
_HOUR_US = 3_600_000_000
_SPREAD = 0.2  # around the mean of a behaviour's relevance, context and usability


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one type at one share of rulings: over all seeds and members of a group."""

    scores: tuple[Decimal, ...]  # ascending
    tiers: tuple[Standing, ...]  # at the end, grace included
    volume: float  # items given by a member, mean
    series: tuple[tuple[float, ...], ...]  # of each seed and member: the score every SERIES_EVERY_D days since it joined

    @property
    def median(self) -> Decimal:
        """The median score at the end."""
        return statistics.median(self.scores)

    @property
    def tier(self) -> Standing:
        """The median tier at the end; of two, the lower."""
        return sorted(self.tiers, key=lambda tier: tier.rank)[(len(self.tiers) - 1) // 2]

    def share_at_least(self, tier: Standing) -> float:
        """Return the share of members with this tier or a higher one."""
        return sum(one.rank >= tier.rank for one in self.tiers) / len(self.tiers)


@dataclass(frozen=True, slots=True)
class Table:
    """What became of every type."""

    outcomes: Mapping[tuple[str, float], Outcome]  # by name of the type and share of items ruled upon
    types: tuple[Type, ...]
    ruled_shares: tuple[float, ...]


def simulate(
    rules: StandingRules,
    seed: int,
    seeds: int = 10,
    days: int = 270,
    adjudicated: Sequence[float] = RULED_SHARES,
    without: frozenset[str] = frozenset(),
    types: Sequence[Type] = TYPES,
) -> Table:
    """Return what the rules make of each type.

    Args:
        seed: the first of `seeds` seeds; the same ones give the same table.
        adjudicated: shares of items that are ruled upon, each simulated.
        without: names of DEFENCES to switch off.
    """
    weakened = switch_off(rules, without)
    outcomes = {
        (type.name, share): _outcome([member for n in range(seeds) for member in _lived(type, weakened, share, seed + n, days)])
        for type in types
        for share in adjudicated
    }
    return Table(outcomes, tuple(types), tuple(adjudicated))


def failures(table: Table) -> list[str]:
    """Return what is wrong with the rules that gave a table: honest types below their tier, attackers at one that they must not reach."""
    found = []
    for type in table.types:
        for share in table.ruled_shares:
            outcome = table.outcomes[type.name, share]
            told = f"with {share:.0%} ruled upon, the median {type.name} has {outcome.median:.0f} points and is {outcome.tier}"
            if type.at_least and outcome.tier.rank < type.at_least.rank:
                found.append(f"{told}; it should be {type.at_least} or above")
            if type.below and share >= type.ruled_min and outcome.tier.rank >= type.below.rank:
                found.append(f"{told}; it should be below {type.below}")
    return found


def switch_off(rules: StandingRules, without: Iterable[str]) -> StandingRules:
    """Return the rules without some of their DEFENCES."""
    for defence in without:
        path, values = DEFENCES[defence]
        rules = _with(rules, path, values)
    return rules


def _with(table: TableT, path: Sequence[str], values: Mapping[str, object]) -> TableT:
    if not path:
        return table.model_copy(update=values)
    return table.model_copy(update={path[0]: _with(getattr(table, path[0]), path[1:], values)})


def _lived(type: Type, rules: StandingRules, ruled_share: float, seed: int, days: int) -> list["_Actor"]:
    groups = [_Group(type, rules, ruled_share, f"{seed}.{copy}") for copy in range(type.copies)]
    return [member for group in groups for member in group.live(days)]


def _outcome(members: Sequence["_Actor"]) -> Outcome:
    return Outcome(
        scores=tuple(sorted(member.total for member in members)),
        tiers=tuple(member.tier for member in members),
        volume=statistics.fmean(member.volume for member in members),
        series=tuple(tuple(member.series) for member in members),
    )


class _Item(NamedTuple):
    """An item and what it is worth at present."""

    facts: ItemFacts
    quality: int
    true: bool
    retracted: bool  # its producer takes it back in time


@dataclass(slots=True)
class _Actor:
    """One member of the population and what the hub keeps of it."""

    account: Account = field(default_factory=Account)
    given: dict[int, list[_Item]] = field(default_factory=dict)  # what is not yet due for a ruling, by day
    volume: int = 0  # items given
    total: Decimal = Decimal(0)
    tier: Standing = Standing.OBSERVER
    earned: Standing = Standing.OBSERVER
    series: list[float] = field(default_factory=list)


class _Group:
    """The members of one type that act together, and the others whom they meet, on one history."""

    def __init__(self, type: Type, rules: StandingRules, ruled_share: float, seed: str) -> None:
        self._type, self._rules, self._ruled_share = type, rules, ruled_share
        self._chance = random.Random(f"{seed} {type.name} {ruled_share}")  # noqa: S311  (a simulation, nothing to be guessed)
        self._pairs: dict[tuple[int, int], int] = defaultdict(int)  # sums of vouching; others are numbered below 0
        self._actors = [_Actor() for _ in range(type.group)]

    def live(self, days: int) -> list[_Actor]:
        """Return the members as they are at the end of the last day."""
        type, end = self._type, EPOCH_DAY + days
        joined = end - min(days, type.joined_d or days)
        for day in range(joined, end):
            behaviour = type.turned if type.turned_d and end - day <= type.turned_d else type.behaviour
            for number, actor in enumerate(self._actors):
                self._give(number, actor, behaviour, day)
                self._tell(actor, behaviour, day)
                self._rule(actor, day)
                if (day - joined) % SERIES_EVERY_D == 0:
                    actor.series.append(float(self._assess(actor, day, joined)))
        for actor in self._actors:
            self._assess(actor, end - 1, joined)
        return self._actors

    def _give(self, number: int, actor: _Actor, behaviour: Behaviour, day: int) -> None:
        findings = [self._finding(number, behaviour, day) for _ in range(self._some(behaviour.findings_per_day))]
        items = [item for item in findings for _ in range(behaviour.items_per_finding)]
        if items:
            actor.volume += len(items)
            actor.given[day] = items
            self._add(actor, EventKind.ITEM, day, self._day_credit(items))

    def _finding(self, number: int, behaviour: Behaviour, day: int) -> _Item:
        chance = self._chance
        true = chance.random() < behaviour.true_share
        novel = chance.random() < behaviour.novel_share
        better = chance.uniform(-_SPREAD, _SPREAD)  # one draw: who writes one property with care writes all of them with care
        received_us = day * DAY_US
        facts = ItemFacts(
            kind=behaviour.kind,
            observed_us=received_us - int(chance.expovariate(1 / behaviour.delay_h) * _HOUR_US),
            received_us=received_us,
            novelty=self._rules.item.novelty.new if novel else self._rules.item.novelty.public,
            vouched=self._vouched(number, behaviour, day, true=true),
            relevance=_share(behaviour.relevance + better),
            context=_share(behaviour.context + better),
            usability=_share(behaviour.usability + better),
        )
        retracted = not true and chance.random() < behaviour.retracted_share
        return _Item(facts, rate(facts, self._rules).quality, true, retracted)

    def _vouched(self, number: int, behaviour: Behaviour, day: int, *, true: bool) -> float:
        others = self._chance.sample(range(-_OTHERS, 0), min(self._some(behaviour.independent_vouchers), _OTHERS)) if true else []
        weights = [self._vouch(number, other, _OTHERS_RELIABILITY, day, same_owner=False) for other in others]
        if behaviour.peers_vouch:
            for peer, actor in enumerate(self._actors):
                if peer != number:
                    relied = reliability(actor.account, self._rules, day)
                    weights.append(self._vouch(number, peer, relied, day, same_owner=self._type.one_owner))
        return sum(weights)

    def _vouch(self, number: int, other: int, relied: float, day: int, *, same_owner: bool) -> float:
        """Return the weight of one voucher, and remember that the pair has vouched."""
        pair, half_life_d = (min(number, other), max(number, other)), self._rules.vouching.half_life_d
        counted = vouching_weight(relied, decayed(self._pairs[pair], day, half_life_d), self._rules, same_owner=same_owner)
        self._pairs[pair] += MICRO * weight(day, half_life_d)
        return counted

    def _tell(self, actor: _Actor, behaviour: Behaviour, day: int) -> None:
        on_own = behaviour.feedback_on_peers and self._type.one_owner
        for counted in range(self._some(behaviour.feedback_per_day)):
            self._add(actor, EventKind.SIGHTING, day, feedback_credit(counted, self._rules, same_owner=on_own))
        for _ in range(self._some(behaviour.practice_per_year / 365)):
            self._add(actor, EventKind.EXERCISE, day, MICRO)

    def _rule(self, actor: _Actor, day: int) -> None:
        """Rule on some of the items that were given long enough ago, and correct what that day earned."""
        items = actor.given.pop(day - _RULED_AFTER_D, [])
        if not items:
            return
        before = self._day_credit(items)
        ruled = {True: 0, False: 0}
        for index, item in enumerate(items):
            if item.retracted:
                items[index] = self._judged(item, Verdict.RETRACTED)
            elif self._chance.random() < self._ruled_share:
                items[index] = self._judged(item, Verdict.TRUE if item.true else Verdict.FALSE)
                ruled[item.true] += 1
        self._add(actor, EventKind.RULED_TRUE, day, ruled[True] * MICRO)
        self._add(actor, EventKind.RULED_FALSE, day, ruled[False] * MICRO)
        self._add(actor, EventKind.ITEM, day - _RULED_AFTER_D, self._day_credit(items) - before)

    def _judged(self, item: _Item, verdict: Verdict) -> _Item:
        facts = item.facts._replace(verdict=verdict)
        return item._replace(facts=facts, quality=rate(facts, self._rules).quality)

    def _day_credit(self, items: Sequence[_Item]) -> int:
        return sum(day_credits([item.quality for item in items], self._rules))

    def _add(self, actor: _Actor, kind: EventKind, day: int, credit: int) -> None:
        actor.account = actor.account.plus(Event(kind, day, credit), self._rules)

    def _assess(self, actor: _Actor, day: int, joined: int) -> Decimal:
        found = score(actor.account, Band(self._type.size), self._rules, day)
        assigned = tier_of(found, actor.earned, joined + self._rules.grace.days - 1, self._rules)
        actor.total, actor.tier, actor.earned = found.total, assigned.tier, assigned.earned
        return found.total

    def _some(self, mean: float) -> int:
        """Draw from a Poisson distribution, by Knuth's method: fit for means up to some hundreds."""
        if not mean:
            return 0
        count, left = 0, math.exp(-mean)
        product = self._chance.random()
        while product > left:
            count += 1
            product *= self._chance.random()
        return count


def _share(level: float) -> float:
    return min(1.0, max(0.0, level))
