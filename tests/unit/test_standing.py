"""Standing: sums that decay without being touched, scores whose parts add up, tiers that neither flap nor hold newcomers down."""

import sys
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.member import Band, Size, Standing
from hub.domain.scoring import MICRO
from hub.domain.standing import (
    EPOCH_DAY,
    Account,
    Event,
    Ground,
    Score,
    aggregate,
    day_of,
    decayed,
    mass,
    reliability,
    score,
    tier_of,
)
from hub.domain.standing_explain import apportion, explain, next_steps
from hub.domain.standing_rules import EventKind, StandingRules

RULES = StandingRules.parse((Path(__file__).resolve().parents[2] / "policies" / "standing.toml").read_text())
TODAY = EPOCH_DAY + 400

events = st.builds(
    Event, kind=st.sampled_from(EventKind), day=st.integers(TODAY - 400, TODAY), credit=st.integers(0, MICRO), ref=st.text(max_size=3)
)
histories = st.lists(events, max_size=60)


def scored(total: str, *, tier: Standing = Standing.OBSERVER, day: int = TODAY) -> Score:
    points = Decimal(total)
    return Score(day, points, points, Decimal(0), Decimal(0), Decimal(0), 1.0, 1.0, tier)


def daily(kind: EventKind, days: int, *, credit: int = MICRO, every: int = 1, until: int = TODAY) -> list[Event]:
    return [Event(kind, until - age, credit) for age in range(0, days, every)]


@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(history: list[Event], order: Any):
    one_by_one = Account()
    for event in order.sample(history, len(history)):
        one_by_one = one_by_one.plus(event, RULES)
    assert one_by_one == Account.of(history, RULES)


@given(histories, events)
def test_what_was_added_can_be_taken_away_to_the_last_digit(history: list[Event], event: Event):
    account = Account.of(history, RULES)
    back = Event(event.kind, event.day, -event.credit)
    assert account.plus(event, RULES).plus(back, RULES) == account


@given(histories, st.sampled_from(Size), st.integers(0, 1000))
def test_parts_add_up_to_the_total_exactly(history: list[Event], size: Size, later: int):
    found = score(Account.of(history, RULES), Band(size), RULES, TODAY + later)
    assert found.contribution + found.feedback + found.practice + found.integrity == found.total
    assert 0 <= found.total <= 100
    assert found.integrity <= 0
    assert all(part >= 0 for part in (found.contribution, found.feedback, found.practice))


@given(histories, st.integers(0, 60), st.sampled_from(Size))
def test_the_lines_of_each_part_add_up_to_it_to_the_last_decimal(history: list[Event], told: int, size: Size):
    account = Account.of(history, RULES)
    found = score(account, Band(size), RULES, TODAY)
    lines = explain(found, account, history[:told], RULES)
    for part in {line.part for line in lines}:
        assert sum(line.points for line in lines if line.part is part) == found.points(part)
    assert sum((line.points for line in lines), Decimal(0)) == found.total


@given(st.integers(-10_000, 10_000), st.lists(st.integers(0, 10**30), min_size=1, max_size=30))
def test_shares_add_up_and_none_is_off_by_a_cent(cents: int, masses: list[int]):
    total = Decimal(cents) / 100
    shares = apportion(total, masses)
    assert sum(shares) == total
    if whole := sum(masses):
        assert all(abs(share * 100 * whole - cents * one) < 100 * whole for share, one in zip(shares, masses, strict=True))


def test_the_largest_remainder_takes_the_cent_that_is_left():
    assert apportion(Decimal("0.10"), [1, 1, 1]) == [Decimal("0.04"), Decimal("0.03"), Decimal("0.03")]
    assert apportion(Decimal("0.10"), [1, 2]) == [Decimal("0.03"), Decimal("0.07")]
    assert apportion(Decimal("-0.10"), [1, 2]) == [Decimal("-0.03"), Decimal("-0.07")]


def test_credit_halves_in_a_half_life_without_being_touched():
    account = Account.of([Event(EventKind.ITEM, TODAY)], RULES)
    assert decayed(account.contribution, TODAY, 60) == pytest.approx(1, rel=1e-6)
    assert decayed(account.contribution, TODAY + 60, 60) == pytest.approx(0.5, rel=1e-6)
    assert decayed(account.contribution, TODAY + 600, 60) == pytest.approx(2**-10, rel=1e-6)


def test_sums_stay_exact_when_they_outgrow_64_bits():
    in_30_years = EPOCH_DAY + 30 * 365
    event = Event(EventKind.ITEM, in_30_years, 1)
    account = Account.of([event], RULES)
    assert account.contribution > 2**64
    assert account.plus(Event(EventKind.ITEM, EPOCH_DAY), RULES).plus(Event(EventKind.ITEM, EPOCH_DAY, -MICRO), RULES) == account


def calls_of(work: Callable[[], object]) -> int:
    """Return how many functions are called to do some work: a measure of its cost that no busy machine disturbs."""
    count = 0

    def note(_frame: object, what: str, _arg: object) -> None:
        nonlocal count
        count += what in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_an_event_costs_the_same_after_a_long_history():
    event = Event(EventKind.ITEM, TODAY)
    short, long = (Account.of((Event(EventKind.ITEM, TODAY, n) for n in range(count)), RULES) for count in (1, 10_000))
    costs = [
        calls_of(lambda account=account: score(account.plus(event, RULES), Band(Size.SMALL), RULES, TODAY))
        for account in (short, short, long)
    ]
    assert costs[1] == costs[2] > 10


def test_volume_cannot_buy_standing():
    """Items of poor quality, as many as count on each day of a year, are less than a good one a day."""
    poor_day = round(sum(200_000 / rank**2 for rank in range(1, 51)))
    by_volume = score(Account.of(daily(EventKind.ITEM, 365, credit=poor_day), RULES), Band(Size.LARGE), RULES, TODAY)
    by_quality = score(Account.of(daily(EventKind.ITEM, 365, credit=700_000), RULES), Band(Size.LARGE), RULES, TODAY)
    assert by_volume.total < by_quality.total
    assert by_volume.tier.rank < Standing.PARTNER.rank


def test_a_small_member_is_judged_by_what_small_members_can_give():
    history = daily(EventKind.ITEM, 365, credit=500_000, every=4)
    small, medium, large = (score(Account.of(history, RULES), Band(size), RULES, TODAY) for size in Size)
    assert small.total > medium.total > large.total


def test_a_member_of_a_sector_with_less_to_report_needs_less_and_one_of_several_is_judged_by_the_most():
    account = Account.of(daily(EventKind.ITEM, 365, credit=500_000, every=4), RULES)
    quiet, plain, busy, both = (
        score(account, Band(Size.MEDIUM, frozenset(sectors)), RULES, TODAY).contribution
        for sectors in (["space"], ["water"], ["finance"], ["space", "finance", "water"])
    )
    assert quiet > plain > busy == both


def test_a_quiet_sector_reaches_partner_by_feedback_and_practice_alone():
    history = [*daily(EventKind.NIL_RETURN, 365, every=2), *daily(EventKind.EXERCISE, 365, every=90)]
    assert score(Account.of(history, RULES), Band(Size.SMALL), RULES, TODAY).tier is Standing.PARTNER


def test_a_large_member_ticks_boxes_in_vain():
    history = [*daily(EventKind.SIGHTING, 365), *daily(EventKind.EXERCISE, 365, every=30)]
    found = score(Account.of(history, RULES), Band(Size.LARGE), RULES, TODAY)
    assert found.gate == RULES.gate.floor
    assert found.tier.rank < Standing.PARTNER.rank


def test_reliability_begins_in_good_faith_and_falls_with_what_is_false():
    assert reliability(Account(), RULES, TODAY) == 0.8
    false = [Event(EventKind.RULED_FALSE, TODAY)]
    assert reliability(Account.of(false, RULES), RULES, TODAY) == pytest.approx(4 / 6, rel=1e-6)
    assert reliability(Account.of([*false, *daily(EventKind.RULED_TRUE, 1)], RULES), RULES, TODAY) == pytest.approx(5 / 7, rel=1e-6)


def test_what_was_good_long_ago_does_not_shield_what_is_false_today():
    long_ago = daily(EventKind.RULED_TRUE, 200, until=TODAY - 365)
    good = score(Account.of([*daily(EventKind.ITEM, 60), *long_ago], RULES), Band(Size.LARGE), RULES, TODAY)
    turned = Account.of([*daily(EventKind.ITEM, 60), *long_ago, *daily(EventKind.RULED_FALSE, 20)], RULES)
    assert good.integrity == 0
    assert score(turned, Band(Size.LARGE), RULES, TODAY).total < good.total / 3


@pytest.mark.parametrize(
    ("total", "tier", "previous", "has", "ground"),
    [
        ("34.99", Standing.CONTRIBUTOR, Standing.CONTRIBUTOR, Standing.CONTRIBUTOR, Ground.SCORE),
        ("35.00", Standing.PARTNER, Standing.CONTRIBUTOR, Standing.PARTNER, Ground.SCORE),
        ("34.99", Standing.CONTRIBUTOR, Standing.PARTNER, Standing.PARTNER, Ground.HELD),
        ("32.00", Standing.CONTRIBUTOR, Standing.PARTNER, Standing.PARTNER, Ground.HELD),
        ("31.99", Standing.CONTRIBUTOR, Standing.PARTNER, Standing.CONTRIBUTOR, Ground.SCORE),
        ("33.00", Standing.CONTRIBUTOR, Standing.STEWARD, Standing.PARTNER, Ground.HELD),
        ("3.00", Standing.OBSERVER, Standing.STEWARD, Standing.OBSERVER, Ground.SCORE),
    ],
)
def test_a_tier_is_gained_at_its_threshold_and_lost_a_margin_below_it(
    total: str, tier: Standing, previous: Standing, has: Standing, ground: Ground
):
    assigned = tier_of(scored(total, tier=tier), previous, None, RULES)
    assert (assigned.tier, assigned.ground, assigned.earned) == (has, ground, has)


def test_grace_lifts_a_newcomer_until_its_last_day_and_is_not_earned():
    new = scored("11.00", day=TODAY)
    last_day = tier_of(new, Standing.OBSERVER, TODAY, RULES)
    assert (last_day.tier, last_day.ground, last_day.earned) == (Standing.CONTRIBUTOR, Ground.GRACE, Standing.OBSERVER)
    assert tier_of(new, last_day.earned, TODAY - 1, RULES).tier is Standing.OBSERVER
    better = tier_of(scored("40.00", tier=Standing.PARTNER), Standing.OBSERVER, TODAY, RULES)
    assert (better.tier, better.ground) == (Standing.PARTNER, Ground.SCORE)


def test_false_items_carry_what_integrity_took_and_old_ones_are_one_line():
    recent = [Event(EventKind.ITEM, TODAY, MICRO, "kept"), *(Event(EventKind.RULED_FALSE, TODAY, MICRO, ref) for ref in "ab")]
    old = daily(EventKind.ITEM, 30, until=TODAY - 100)
    account = Account.of([*recent, *old], RULES)
    found = score(account, Band(Size.SMALL), RULES, TODAY)
    lines = explain(found, account, recent, RULES)
    assert [(line.part, line.event.ref if line.event else "older") for line in lines] == [
        ("contribution", "kept"),
        ("contribution", "older"),
        ("integrity", "a"),
        ("integrity", "b"),
    ]
    assert lines[2].points + lines[3].points == found.integrity < 0


def test_the_advised_number_of_actions_reaches_the_next_tier_and_one_less_does_not():
    account = Account.of(daily(EventKind.ITEM, 100, credit=500_000, every=5), RULES)
    steps = next_steps(account, Band(Size.SMALL), RULES, TODAY, Standing.CONTRIBUTOR)
    assert [step.cost_h for step in steps] == sorted(step.cost_h for step in steps)
    assert {step.kind for step in steps} >= {EventKind.ITEM, EventKind.SIGHTING}
    for step in steps:
        action = RULES.action[step.kind]
        done = [Event(step.kind, TODAY + int(n * action.every_d), round(action.quality * MICRO)) for n in range(step.count)]
        reached, short = (
            score(Account.of([*daily(EventKind.ITEM, 100, credit=500_000, every=5), *part], RULES), Band(Size.SMALL), RULES, part[-1].day)
            for part in (done, done[:-1] or [Event(step.kind, TODAY, 0)])
        )
        assert reached.total == step.total >= 35 > short.total


def test_who_is_at_the_top_is_not_advised_and_who_ticks_boxes_is_told_to_share():
    assert next_steps(Account(), Band(Size.LARGE), RULES, TODAY, Standing.STEWARD) == []
    ticked = [*daily(EventKind.SIGHTING, 365), *daily(EventKind.EXERCISE, 365, every=30)]
    steps = next_steps(Account.of(ticked, RULES), Band(Size.LARGE), RULES, TODAY, Standing.CONTRIBUTOR)
    assert [step.kind for step in steps] == [EventKind.ITEM]


def test_a_sector_of_four_shows_nothing_and_one_of_five_its_median():
    members = [(Decimal(total), Standing.CONTRIBUTOR) for total in ("10", "20", "30", "41")]
    assert aggregate(members, RULES) is None
    shown = aggregate([*members, (Decimal(70), Standing.STEWARD)], RULES)
    assert shown is not None
    assert (shown.members, shown.median, shown.tiers[Standing.CONTRIBUTOR], shown.tiers[Standing.STEWARD]) == (5, Decimal(30), 4, 1)


def test_a_day_is_a_day_of_utc():
    assert [day_of(us) for us in (86_400_000_000 - 1, 86_400_000_000)] == [0, 1]


@settings(max_examples=20)
@given(histories)
def test_time_alone_never_raises_anything_but_reliability(history: list[Event]):
    """Silence is never rewarded: parts only sink, and what integrity took comes back only as rulings fade."""
    account = Account.of(history, RULES)
    parts = [score(account, Band(Size.MEDIUM), RULES, TODAY + later) for later in range(0, 400, 40)]
    for earlier, later in pairwise(parts):
        assert later.contribution <= earlier.contribution
        assert later.feedback <= earlier.feedback
        assert later.practice <= earlier.practice


def test_events_weigh_the_same_on_every_machine():
    """Written out: other figures would mean that stored sums have to be made again."""
    assert mass(Event(EventKind.ITEM, EPOCH_DAY, 3), RULES) == 3 * 2**32
    assert mass(Event(EventKind.ITEM, EPOCH_DAY + 60, 3), RULES) == 3 * 2**33
    assert mass(Event(EventKind.LESSON, EPOCH_DAY + 180, 1), RULES) == 2**33
    assert mass(Event(EventKind.SIGHTING, EPOCH_DAY + 1, 1), RULES) == 4344872412
    assert mass(Event(EventKind.ITEM, EPOCH_DAY - 10_000, 1), RULES) == 1
