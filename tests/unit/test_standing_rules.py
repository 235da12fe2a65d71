"""`standing.toml`: what is wrong in it is told with file, line and what to write instead."""

from pathlib import Path

import pytest

from hub.domain.member import Standing
from hub.domain.standing_rules import StandingRules
from hub.errors import ConfigError

FILE = Path(__file__).resolve().parents[2] / "policies" / "standing.toml"
TEXT = FILE.read_text()


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        StandingRules.parse(text)
    return caught.value.detail.splitlines()


def line_of(text: str, wanted: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if wanted in line)


def test_the_shipped_rules_are_in_order():
    rules = StandingRules.parse(TEXT)
    assert [tier.name for tier in rules.tier] == list(Standing)
    assert rules.tier_named(Standing.PARTNER).score_min == 35


@pytest.mark.parametrize(
    ("right", "wrong", "at", "told"),
    [
        ("corroboration = 0.35", "corroboration = 0.45", "[item.weights]", "add up to 1.1; write"),
        ("weight = 0.25 ", "weight = 0.35 ", "weight = 0.55", "add up to 1.1; write"),
        ("open = 0.50", "open = 0.95", "[item.accuracy]", "write true ≥ corroborated ≥ open ≥ false"),
        ("margin = 3.0", "margin = true", "margin =", "demotion.margin is True; write a valid number"),
        ("margin = 3.0", "margin = '3'", "margin =", "demotion.margin is '3'; write a valid number"),
        ("margin = 3.0", "margin = nan", "margin =", "demotion.margin is nan; write"),
        ("margin = 3.0", "margin = -1", "margin =", "write greater than or equal to 0"),
        ("share_min = 0.10", "share_min = 10", "share_min", "write less than or equal to 1"),
        ("address = 24\n", "", "[item.timeliness_half_life_h]", "address is missing; add address = 24"),
        ("large = 4.0\n", "", "[contribution.expected_per_day]", "large is missing; add large = 1.0"),
        ("space = 0.8", "spaec = 0.8", "spaec", "there is no sector spaec; write space"),
        ("space = 0.8", "space = 0.1", "space =", "write greater than or equal to 0.8"),
        ('sizes = ["large"]', 'sizes = ["huge"]', "sizes =", "write 'small', 'medium' or 'large'"),
        ("full_at = 0.8", "full_at = 0.9", "full_at", "write a full_at of at most 0.8"),
        ("zero_at = 0.3", "zero_at = 0.8", "zero_at", "write a zero_at below full_at"),
        ("score_min = 60.0", "score_min = 35.0", "score_min = 35.0 ", "steward begins at 35, partner at 35; write a score_min above 35"),
        ("score_min = 0.0", "score_min = 1.0", "score_min = 1.0", "write score_min = 0.0"),
        ("score_min = 60.0", "score_min = 99.9", "score_min = 99.9", "can reach 99.9 points; write a score_min of at most"),
        ('name = "partner"', 'name = "boss"', '"boss"', "tier.name is 'boss'; write 'observer', 'contributor', 'partner' or 'steward'"),
        ("[action.lesson]", "[action.lessen]", "[action.lessen]", "action.lessen is 'lessen'; write"),
        ("[grace]", "[grace", "[grace", "it is not TOML"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_and_what_to_write_instead(right: str, wrong: str, at: str, told: str):
    assert right in TEXT
    text = TEXT.replace(right, wrong)
    found = faults(text)
    if at == "score_min = 35.0 ":
        line = len(text[: text.rindex("score_min = 35.0")].splitlines())
        assert found[0].startswith(f"standing.toml:{line + 1}: ")
    else:
        assert found[0].startswith(f"standing.toml:{line_of(text, at)}: ")
    assert told in found[0]


def test_a_misspelt_key_is_told_with_the_one_that_was_meant():
    text = TEXT.replace("half_life_d = 180", "half_life_days = 180")
    line = line_of(text, "half_life_days")
    assert faults(text) == [
        f"standing.toml:{line_of(text, '[practice]')}: practice.half_life_d is missing; add a line half_life_d = … to its table",
        f"standing.toml:{line}: there is no practice.half_life_days; write half_life_d",
    ]


def test_a_tier_that_is_missing_is_told():
    first, last = TEXT.rindex("[[tier]]"), len(TEXT)
    (fault,) = faults(TEXT[:first] + TEXT[last:])
    assert "the tiers are observer, contributor, partner; write one [[tier]] each for observer, contributor, partner, steward" in fault


def test_all_faults_are_told_at_once_by_their_lines():
    text = TEXT.replace("margin = 3.0", "margin = 'x'").replace("window_h = 72", "window_h = 0").replace("days = 90", "days = 9.5")
    found = faults(text)
    assert len(found) == 3
    lines = [int(fault.split(":")[1]) for fault in found]
    assert lines == sorted(lines)


def test_an_empty_file_misses_every_table():
    found = faults("")
    assert all(fault.startswith("standing.toml:1: ") for fault in found)
    assert len(found) == len(StandingRules.model_fields)


def test_the_digest_of_accounts_moves_with_what_they_rest_on_and_with_nothing_else():
    digest = StandingRules.parse(TEXT).account_digest
    assert StandingRules.parse(TEXT.replace("margin = 3.0", "margin = 4.0")).account_digest == digest
    assert StandingRules.parse(TEXT.replace("same_owner = 0.0", "same_owner = 0.1")).account_digest != digest
    assert StandingRules.parse(TEXT.replace('"tool", ', "")).account_digest != digest
