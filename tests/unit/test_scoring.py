"""What an item is worth, and what an object says of itself that this depends on."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.item_facts import context_of, keys_of, kind_of, observed_us_of, usability_of
from hub.domain.scoring import (
    MICRO,
    ItemFacts,
    Verdict,
    day_credits,
    feedback_credit,
    novelty_of,
    rate,
    relevance_of,
    verdict_of,
    vouching_weight,
)
from hub.domain.standing_rules import Kind, StandingRules

RULES = StandingRules.parse((Path(__file__).resolve().parents[2] / "policies" / "standing.toml").read_text())
HOUR_US = 3_600_000_000
DAY_START_US = 20_500 * 24 * HOUR_US
PERFECT = ItemFacts(Kind.HASH, DAY_START_US, DAY_START_US, vouched=50.0, relevance=1.0, context=1.0, usability=1.0, verdict=Verdict.TRUE)
SHA256 = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"

shares = st.floats(0, 1)
facts = st.builds(
    ItemFacts,
    kind=st.sampled_from(Kind),
    observed_us=st.integers(DAY_START_US - 10**15, DAY_START_US + 10**12),
    received_us=st.just(DAY_START_US),
    novelty=shares,
    vouched=st.floats(0, 20),
    relevance=shares,
    context=shares,
    usability=shares,
    verdict=st.sampled_from(Verdict),
)


def indicator(pattern: str, **more: Any) -> dict[str, Any]:
    return {"type": "indicator", "pattern_type": "stix", "pattern": pattern, **more}


def test_a_perfect_item_is_worth_one():
    assert rate(PERFECT, RULES).quality == MICRO


def test_each_factor_weighs_what_the_rules_say():
    bare = PERFECT._replace(vouched=0.0, relevance=0.0, context=0.0, usability=0.0)
    assert rate(bare, RULES).quality == 200_000  # timeliness alone
    assert rate(bare._replace(relevance=1.0), RULES).quality == 400_000
    assert rate(bare._replace(context=1.0), RULES).quality == 350_000
    assert rate(bare._replace(usability=1.0), RULES).quality == 300_000
    assert rate(bare._replace(vouched=1.0), RULES).quality == 375_000


@pytest.mark.parametrize(("kind", "half_life_h"), [(Kind.ADDRESS, 24), (Kind.URL, 72), (Kind.HASH, 168), (Kind.REPORT, 720)])
def test_timeliness_halves_in_the_half_life_of_the_kind(kind: Kind, half_life_h: int):
    late = PERFECT._replace(kind=kind, observed_us=DAY_START_US - half_life_h * HOUR_US)
    assert rate(late, RULES).timeliness == pytest.approx(0.5)


def test_an_observation_in_the_future_is_no_more_timely_than_one_of_now():
    assert rate(PERFECT._replace(observed_us=DAY_START_US + HOUR_US), RULES).quality == MICRO


@given(facts)
def test_quality_lies_between_nothing_and_one(item: ItemFacts):
    assert 0 <= rate(item, RULES).quality <= MICRO


@given(facts, st.floats(0, 5))
def test_another_voucher_never_lowers_quality(item: ItemFacts, weight: float):
    assert rate(item._replace(vouched=item.vouched + weight), RULES).quality >= rate(item, RULES).quality


@given(facts)
def test_what_is_public_false_or_retracted_is_worth_nothing(item: ItemFacts):
    assert rate(item._replace(novelty=RULES.item.novelty.public), RULES).quality == 0
    assert rate(item._replace(verdict=Verdict.FALSE), RULES).quality == 0
    assert rate(item._replace(verdict=Verdict.RETRACTED), RULES).quality == 0


def test_an_item_that_nobody_confirms_is_worth_half_of_what_it_is_when_ruled_true():
    unconfirmed = PERFECT._replace(vouched=0.0)
    assert 2 * rate(unconfirmed._replace(verdict=Verdict.OPEN), RULES).quality == rate(unconfirmed, RULES).quality


def test_corroboration_counts_from_the_threshold_on():
    assert rate(PERFECT._replace(verdict=Verdict.OPEN, vouched=1.0), RULES).accuracy == 0.85
    assert rate(PERFECT._replace(verdict=Verdict.OPEN, vouched=0.999), RULES).accuracy == 0.5


def test_the_best_item_of_a_day_counts_in_full_and_the_next_ones_less_and_less():
    assert day_credits([400_000, 900_000, 900_000], RULES) == [round(400_000 / 9), 900_000, 225_000]


def test_items_beyond_the_days_maximum_earn_nothing():
    credits = day_credits([MICRO] * 51, RULES)
    assert credits[49] > 0
    assert credits[50] == 0


@given(st.lists(st.integers(0, MICRO), min_size=1, max_size=300))
def test_volume_cannot_buy_credit(qualities: list[int]):
    """However many items: never as much as two of the best, as the discounts sum up to less than two."""
    assert sum(day_credits(qualities, RULES)) < 2 * max(qualities) + len(qualities)


@given(st.lists(st.integers(0, MICRO), max_size=60), st.randoms(use_true_random=False))
def test_the_order_in_which_items_came_does_not_change_what_a_day_earns(qualities: list[int], random: Any):
    shuffled = random.sample(qualities, len(qualities))
    assert sum(day_credits(shuffled, RULES)) == sum(day_credits(qualities, RULES))


def test_feedback_earns_twice_a_day_and_nothing_within_a_family():
    assert [feedback_credit(earlier, RULES) for earlier in (0, 1, 2)] == [MICRO, MICRO, 0]
    assert feedback_credit(0, RULES, same_owner=True) == 0


def test_a_pair_that_always_vouches_for_each_other_counts_less_and_less():
    assert [vouching_weight(0.8, earlier, RULES) for earlier in (0, 1, 3)] == [0.8, 0.4, 0.2]
    assert vouching_weight(1.0, 0, RULES, same_owner=True) == 0


def test_novelty_is_the_mean_of_the_observables():
    four = frozenset("abcd")
    assert novelty_of(four, (), (), RULES) == 1
    assert novelty_of(four, "ab", (), RULES) == pytest.approx(0.55)
    assert novelty_of(four, "ab", "ab", RULES) == 0.5
    assert novelty_of(four, (), "abcd", RULES) == 0
    assert novelty_of(frozenset(), (), (), RULES) == 1


def test_relevance_is_the_share_of_its_sectors_that_are_in_the_audience():
    energy, both = frozenset({"energy"}), frozenset({"energy", "water"})
    assert (relevance_of(energy, both), relevance_of(both, energy), relevance_of(energy, frozenset())) == (1.0, 0.5, 0.0)
    assert relevance_of(frozenset(), energy) == 0.5
    assert relevance_of(energy, frozenset(), answers_question=True) == 1.0


@pytest.mark.parametrize(
    ("ruled", "ruled_h", "retracted_h", "counts"),
    [
        (Verdict.FALSE, 100, None, Verdict.FALSE),
        (Verdict.FALSE, 100, 72, Verdict.RETRACTED),  # the last hour of the window
        (Verdict.FALSE, 100, 73, Verdict.FALSE),
        (Verdict.FALSE, 10, 11, Verdict.FALSE),  # taken back only when it had been found out
        (Verdict.TRUE, 10, 11, Verdict.RETRACTED),  # nothing is paid for what is no longer there
        (Verdict.OPEN, None, 500, Verdict.RETRACTED),
        (Verdict.OPEN, None, None, Verdict.OPEN),
    ],
)
def test_an_error_costs_nothing_if_taken_back_in_time_and_unprompted(
    ruled: Verdict, ruled_h: int | None, retracted_h: int | None, counts: Verdict
):
    ruled_us, retracted_us = (None if hours is None else DAY_START_US + hours * HOUR_US for hours in (ruled_h, retracted_h))
    assert verdict_of(RULES, received_us=DAY_START_US, ruled=ruled, ruled_us=ruled_us, retracted_us=retracted_us) is counts


@pytest.mark.parametrize(
    ("properties", "keys", "kind"),
    [
        (indicator("[ipv4-addr:value = '198.51.100.7/32']"), {"ipv4-addr:198.51.100.7"}, Kind.ADDRESS),
        ({"type": "ipv4-addr", "value": "198.51.100.7"}, {"ipv4-addr:198.51.100.7"}, Kind.ADDRESS),
        (indicator("[domain-name:value='Evil.Example.']"), {"domain-name:evil.example"}, Kind.URL),
        (indicator("[url:value = 'HTTP://Evil.example']"), {"url:http://evil.example/"}, Kind.URL),
        ({"type": "url", "value": "http://evil.example/#part"}, {"url:http://evil.example/"}, Kind.URL),
        (indicator(f"[file:hashes.'SHA-256' = '{SHA256}']"), {f"file:SHA256:{SHA256.lower()}"}, Kind.HASH),
        ({"type": "file", "hashes": {"SHA-256": SHA256}}, {f"file:SHA256:{SHA256.lower()}"}, Kind.HASH),
        (
            indicator("[domain-name:value = 'a.example' AND ipv4-addr:value = '198.51.100.7']"),
            {"domain-name:a.example", "ipv4-addr:198.51.100.7"},
            Kind.ADDRESS,
        ),
        (indicator(r"[url:value = 'http://a.example/it\'s']"), {"url:http://a.example/it's"}, Kind.URL),
        (indicator("[ipv4-addr:value ISSUBSET '198.51.100.7/32']"), {"ipv4-addr:198.51.100.7"}, Kind.ADDRESS),
        (
            indicator("[ipv4-addr:value IN ('198.51.100.7', '198.51.100.8')]"),
            {"ipv4-addr:198.51.100.7", "ipv4-addr:198.51.100.8"},
            Kind.ADDRESS,
        ),
        (indicator("[domain-name:value LIKE 'evil.example']"), {"domain-name:evil.example"}, Kind.URL),
        (indicator("[ipv4-addr:value != '198.51.100.7']"), set(), Kind.REPORT),
        (indicator(r"[x:y = 'ipv4-addr:value = \'198.51.100.7\'']"), set(), Kind.REPORT),  # only quoted
        (indicator("[ipv4-addr:value NOT IN ('198.51.100.7')]"), set(), Kind.REPORT),
        (indicator("alert tcp any any", pattern_type="snort"), set(), Kind.REPORT),
        ({"type": "vulnerability", "name": "cve-2026-12345"}, {"vulnerability:CVE-2026-12345"}, Kind.REPORT),
        ({"type": "report", "name": "Campaign"}, set(), Kind.REPORT),
        ({"type": "url", "value": "http://[broken"}, {"url:http://[broken"}, Kind.URL),
    ],
)
def test_an_observable_is_the_same_whoever_wrote_it(properties: dict[str, Any], keys: set[str], kind: Kind):
    assert keys_of(properties) == keys
    assert kind_of(properties) is kind


@pytest.mark.parametrize("piece", ["a-", "file:x IN (", "'a:b = ", "b.", "(", "'x',"])
def test_reading_a_hostile_pattern_takes_no_longer_than_its_length(piece: str):
    """Where time grew with the square of the length, this would take minutes."""
    text = (piece * 60_000).replace("'", r"\'")
    assert keys_of(indicator(f"[x:y != '{text}' OR file:name = '{piece.replace(chr(39), '')}']")) == set()


def test_what_was_first_observed_is_the_earliest_time_that_an_object_gives():
    item = indicator("[x:y = 'z']", created="1970-01-01T00:00:03Z", valid_from="1970-01-01T00:00:02Z")
    assert observed_us_of(item) == 2_000_000
    assert observed_us_of({"type": "intrusion-set", "created": "1970-01-01T00:00:03Z", "first_seen": "1970-01-01T00:00:01Z"}) == 3_000_000
    assert observed_us_of({"type": "sighting", "created": "1970-01-01T00:00:03Z", "first_seen": "1970-01-01T00:00:01Z"}) == 1_000_000
    assert observed_us_of({"type": "ipv4-addr", "value": "198.51.100.7"}) is None


def test_properties_that_a_type_does_not_have_are_not_read():
    """STIX lets authors add what they like: such a property has no form that could be relied on."""
    odd = {"published": "yesterday", "first_observed": 5, "first_seen": [], "external_references": 7, "hashes": None}
    address = odd | {"type": "ipv4-addr", "value": "198.51.100.7", "created": "once", "valid_from": False}
    assert observed_us_of(address) is None
    assert context_of(address) == 0
    assert keys_of(address) == {"ipv4-addr:198.51.100.7"}
    item = {**odd, **indicator("[x:y = 'z']"), "created": "1970-01-01T00:00:03Z", "external_references": []}
    assert observed_us_of(item) == 3_000_000


def test_context_is_the_share_of_what_should_stand_beside_an_item():
    bare = indicator("[x:y = 'z']")
    assert context_of(bare) == 0
    assert context_of(bare | {"confidence": 80}) == 0.2
    assert context_of(bare, frozenset({"malware"})) == 0.2
    assert context_of(bare | {"confidence": 80}, frozenset({"attack-pattern", "course-of-action", "identity"})) == 1


def test_an_item_is_usable_that_has_an_author_a_marking_words_and_an_end():
    bare = indicator("[x:y = 'z']")
    assert usability_of(bare) == 0
    full = bare | {"created_by_ref": "identity--1", "object_marking_refs": ["marking-definition--1"], "description": "What to do."}
    assert usability_of(full) == 0.75
    assert usability_of(full | {"valid_until": "2026-12-01T00:00:00Z"}) == 1
    assert usability_of(full | {"type": "report"}) == 1
