"""policies/README.md is true: it names every policy, and its example passes the check and decides as its case says."""

import re
import textwrap

import pytest

from hub.domain.policy import PolicyBundle
from hub.domain.policy_scenario import parse_scenarios

SHIPPED = PolicyBundle.shipped_directory()


def _readme() -> str:
    path = SHIPPED / "README.md"
    if not path.exists():
        pytest.skip("the installed package carries no README of the policies")
    return path.read_text(encoding="utf-8")


def _block(language: str) -> str:
    section = _readme().split("## Adding a policy")[1]
    found = re.search(rf"^ *```{language}\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)
    assert found
    return textwrap.dedent(found[1])


def test_every_policy_is_in_the_tables():
    named = set(re.findall(r"`([a-z0-9-]+)`", "\n".join(line for line in _readme().splitlines() if line.startswith("|"))))
    assert PolicyBundle.load(SHIPPED).rules.keys() - named == set()


def test_every_file_is_listed():
    assert [path.name for path in SHIPPED.glob("*.cedar*") if f"\n{path.name} " not in _readme()] == []


def test_the_example_is_in_order_and_decides_as_its_case_says():
    files = dict(PolicyBundle.load(SHIPPED).files)
    bundle = PolicyBundle.from_files({**files, "site.cedar": _block("cedar").encode()})
    scenarios = parse_scenarios("readme.toml", _block("toml").encode())
    assert [scenario.failure(bundle) for scenario in scenarios] == [None]


def test_the_example_leaves_the_safety_floor_alone():
    files = dict(PolicyBundle.load(SHIPPED).files)
    bundle = PolicyBundle.from_files({**files, "site.cedar": _block("cedar").encode()})
    case = b"""
        [[case]]
        name = "imminent"
        member = { kind = "operator", standing = "observer" }
        label = { topic = "ip-protection", severity = "imminent" }
        expect = "allow"
        rule = "safety-floor"
    """
    (scenario,) = parse_scenarios("readme.toml", case)
    assert scenario.failure(bundle) is None
