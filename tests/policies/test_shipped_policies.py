"""The policies that come with the hub: in order, proven case by case, and what the schema offers them is what the code hands over."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cedarpy
import pytest

from hub.domain.label import Label
from hub.domain.member import SECTORS, Member
from hub.domain.policy import PolicyBundle
from hub.domain.policy_check import SourcePolicy
from hub.domain.policy_floor import excepts_floor
from hub.domain.policy_scenario import Scenario, scenarios_of, unproven

SHIPPED = PolicyBundle.shipped_directory()
SCENARIOS = scenarios_of(PolicyBundle.load(SHIPPED).files)


@pytest.fixture(scope="module")
def bundle() -> PolicyBundle:
    return PolicyBundle.load(SHIPPED)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.source)
def test_scenario_is_decided_as_it_says(bundle: PolicyBundle, scenario: Scenario):
    assert scenario.failure(bundle) is None


def test_every_policy_decides_at_least_one_scenario(bundle: PolicyBundle):
    assert unproven(bundle, SCENARIOS) == []


def test_every_reason_is_a_sentence(bundle: PolicyBundle):
    assert [rule.id for rule in bundle.rules.values() if not re.fullmatch(r"[A-Z].{20,}\.", rule.reason)] == []


def _schema_block(entity: str) -> str:
    text = re.sub(r"//.*", "", (SHIPPED / "schema.cedarschema").read_text(encoding="utf-8"))
    found = re.search(rf"^entity {entity}\b[^;]*;", text, re.MULTILINE)
    assert found
    return found[0]


# Standings are compared as numbers, which a field of its own gives; how large a member is and who owns it decides its score, not its sight.
@pytest.mark.parametrize(
    ("entity", "value", "beside", "as_number"),
    [
        ("Label", Label, {"standing_min"}, {"tier_min"}),
        ("Member", Member, {"id", "slug", "name", "size", "owner", "message_signatures_required"}, {"tier"}),
    ],
)
def test_schema_offers_every_field_that_policies_may_look_at(entity: str, value: type, beside: set[str], as_number: set[str]):
    offered = set(re.findall(r"^\s*(\w+)\??:", _schema_block(entity), re.MULTILINE))
    assert offered == {field.name for field in fields(value)} - beside | as_number


def test_schema_knows_the_sectors_of_members():
    assert set(re.findall(r'"([^"]+)"', _schema_block("Sector"))) == SECTORS


# What a careless edit does: each part of each condition left out in turn. A case must notice.


def _weakened(node: Any) -> Iterator[Any]:
    """Yield copies of a Cedar expression, each with one operand of an `&&` or `||` left out."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key in ("&&", "||"):
            yield value["left"]
            yield value["right"]
        if isinstance(value, dict):
            for part in _weakened(value):
                yield {**node, key: part}


def _mutants(parsed: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, clause in enumerate(parsed["conditions"]):
        others = [*parsed["conditions"][:number], *parsed["conditions"][number + 1 :]]
        yield {**parsed, "conditions": others}
        for body in _weakened(clause["body"]):
            yield {**parsed, "conditions": [*others, {**clause, "body": body}]}


def _text(policy: dict[str, Any]) -> str:
    return cedarpy.policies_from_json_str(json.dumps({"templates": {}, "staticPolicies": {"mutant": policy}, "templateLinks": []}))


def _is_refused(original: SourcePolicy, mutant: dict[str, Any]) -> bool:
    return original.effect == "forbid" and excepts_floor(original.parsed) and not excepts_floor(mutant)


@pytest.mark.parametrize("file", sorted(path.name for path in SHIPPED.glob("*.cedar")))
def test_no_policy_and_no_part_of_a_condition_can_go_without_a_scenario_failing(file: str, bundle: PolicyBundle):
    source = bundle.source
    nearest = sorted(SCENARIOS, key=lambda scenario: not scenario.source.startswith(Path(file).stem))  # they notice soonest
    unnoticed = []
    for policy in (policy for policy in source.policies if policy.source.startswith(f"{file}:")):
        others = [other for other in source.policies if other is not policy]
        for mutant in (None, *_mutants(policy.parsed)):
            if mutant is not None and _is_refused(policy, mutant):
                continue  # what the check refuses needs no case
            left = others if mutant is None else [*others, replace(policy, parsed=mutant)]
            edited = PolicyBundle.of(replace(source, policies=tuple(left)), bundle.standing, bundle.files)
            if not any(scenario.failure(edited) for scenario in nearest):
                unnoticed.append(f"without {policy.id}" if mutant is None else _text(mutant))
    assert unnoticed == []
