"""The policies that come with the hub: in order, proven case by case, and what the schema offers them is what the code hands over."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import cedarpy
import pytest

from hub.domain.label import Label
from hub.domain.member import SECTORS, Member
from hub.domain.policy import PolicyBundle
from hub.domain.policy_scenario import Scenario, load_scenarios, unproven
from hub.errors import ConfigError

SHIPPED = PolicyBundle.shipped_directory()
SCENARIOS = load_scenarios(SHIPPED / "scenarios")


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
    [("Label", Label, {"standing_min"}, {"tier_min"}), ("Member", Member, {"id", "slug", "name", "size", "owner"}, {"tier"})],
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


def _text(policies: dict[str, Any]) -> bytes:
    return cedarpy.policies_from_json_str(json.dumps({"templates": {}, "staticPolicies": policies, "templateLinks": []})).encode()


def _shipped_files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in SHIPPED.iterdir() if path.suffix in (".cedar", ".cedarschema")}


def _noticed(files: dict[str, bytes]) -> bool:
    try:
        bundle = PolicyBundle.from_files(files)
    except ConfigError:
        return True  # what the check refuses needs no case
    return any(scenario.failure(bundle) for scenario in SCENARIOS)


@pytest.mark.parametrize("file", sorted(path.name for path in SHIPPED.glob("*.cedar")))
def test_no_policy_and_no_part_of_a_condition_can_go_without_a_scenario_failing(file: str):
    files = _shipped_files()
    policies = json.loads(cedarpy.policies_to_json_str(files[file].decode()))["staticPolicies"]
    unnoticed = []
    for name, parsed in policies.items():
        rest = {key: value for key, value in policies.items() if key != name}
        for mutant in (None, *_mutants(parsed)):
            text = _text(rest if mutant is None else {**rest, name: mutant})
            if not _noticed({**files, file: text}):
                unnoticed.append(_text({name: mutant}).decode() if mutant else f"without {parsed['annotations']['id']}")
    assert unnoticed == []
