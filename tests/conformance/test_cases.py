"""The cases of three upstream test suites: we agree with each expected outcome, or disagreements.toml says why not."""

import hashlib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.pattern import check_pattern
from hub.domain.stix import Limits, read_object
from hub.errors import Invalid
from tests.data import read_cases

LIMITS = Limits()
DISAGREEMENTS = tomllib.loads(Path(__file__).with_name("disagreements.toml").read_text())


def case_id(case: dict[str, Any]) -> str:
    """Return a short name that depends on all of a case."""
    return hashlib.sha256(json.dumps(case, sort_keys=True).encode()).hexdigest()[:10]


def refusal(properties: Any) -> str | None:
    try:
        read_object(json.dumps(properties).encode(), limits=LIMITS)
    except Invalid as refused:
        return refused.detail
    return None


def listed(suite: str) -> set[str]:
    """Return the ids of the cases of a suite in which we differ on purpose."""
    return {case for group in DISAGREEMENTS[suite].values() for case in group["cases"]}


def disagreeing(judged: Iterator[tuple[dict[str, Any], bool, bool]]) -> set[str]:
    return {case_id(case) for case, expected, ours in judged if expected != ours}


def validator_cases(version: str) -> list[dict[str, Any]]:
    return [case for case in read_cases("conformance/stix-validator.jsonl") if case["test"].startswith(version)]


def test_cases_of_the_validator_end_as_its_authors_expect_or_differ_on_purpose():
    judged = ((case, case["expect"] == "valid", refusal(case["instance"]) is None) for case in validator_cases("v21"))
    assert disagreeing(judged) == listed("stix-validator")


def test_cases_of_the_validator_for_stix_2_0_are_refused_by_name():
    for case in validator_cases("v20"):
        reason = refusal(case["instance"])
        assert reason is not None
        assert "spec_version 2.0; send 2.1" in reason or case["instance"]["type"] == "bundle"


@pytest.mark.xdist_group("stix2-validator")  # which takes seconds to import: one process does
def test_what_we_accept_against_the_validator_s_strict_mode_it_accepts_itself_otherwise():
    from stix2validator import ValidationOptions, validate_instance

    advice = set(DISAGREEMENTS["stix-validator"]["advice"]["cases"])
    cases = [case for case in validator_cases("v21") if case_id(case) in advice]
    assert len(cases) == len(advice)
    for case in cases:
        assert validate_instance(case["instance"], ValidationOptions(version="2.1")).is_valid


def test_patterns_are_judged_as_the_pattern_validator_s_authors_expect():
    def accepts(pattern: str) -> bool:
        try:
            check_pattern(pattern, limits=LIMITS)
        except Invalid:
            return False
        return True

    cases = read_cases("conformance/patterns-21.jsonl")
    assert disagreeing((case, case["expect"] == "valid", accepts(case["pattern"])) for case in cases) == set()


def parse_inputs() -> Iterator[tuple[dict[str, Any], list[Any]]]:
    """Yield the cases of stix2.parse that are JSON, each with the objects in it."""
    for case in read_cases("conformance/stix2-parse.jsonl"):
        value = case["input"]
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                continue
        yield case, value["objects"] if value.get("type") == "bundle" else [value]


def test_inputs_of_stix2_parse_end_as_there_or_differ_on_purpose():
    judged = ((case, case["outcome"] == "parsed", all(refusal(obj) is None for obj in objects)) for case, objects in parse_inputs())
    assert disagreeing(judged) == listed("stix2-parse")


@pytest.mark.parametrize("suite", DISAGREEMENTS)
def test_each_disagreement_has_a_reason_and_is_in_the_readme(suite: str):
    readme = Path(__file__).with_name("README.md").read_text()
    for name, group in DISAGREEMENTS[suite].items():
        assert len(group["reason"]) > 20
        assert f"| {suite} | {name} | {len(group['cases'])} |" in readme
