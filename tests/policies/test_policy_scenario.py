"""Scenario files and `hub policy`: a wrong answer and a wrong file are told so that their author can mend them."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.cli.policy import app
from hub.domain.policy import PolicyBundle
from hub.domain.policy_floor import FLOOR
from hub.domain.policy_scenario import parse_scenarios, scenarios_of, unproven
from hub.errors import ConfigError

SHIPPED = PolicyBundle.shipped_directory()
DEFAULTS = '[member]\nkind = "operator"\n[collection]\nreaders = ["everyone"]\n'


def _case(lines: str, name: str = "case") -> bytes:
    return f'{DEFAULTS}[[case]]\nname = "{name}"\n{lines}\n'.encode()


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ('label = { tlp = "green" }\nexpect = "deny"', "expected deny by no policy, got allow by tlp-green"),
        ('label = { tlp = "green" }\nexpect = "allow"\nrule = "tlp-clear"', "expected allow by tlp-clear, got allow by tlp-green"),
        ('label = { tlp = "green" }\nexpect = "allow"', "expected allow by no policy, got allow by tlp-green"),
        (
            'label = { tlp = "green" }\nexpect = "allow"\nrule = "tlp-green"\ndelay_h = 6',
            "expected allow after 6 h by tlp-green, got allow by",
        ),
        ('label = { groups = ["g"] }\nexpect = "deny"', "expected deny by no policy, got deny by sharing-group"),
        ('label = { sectors = ["water"] }\nexpect = "allow"\nrule = "tlp-amber"', "expected allow by tlp-amber, got deny by sectors-named"),
        ('collection = { readers = [] }\nexpect = "allow"\nrule = "tlp-amber"', "nearest is tlp-amber, which also asks: "),
        ('label = { severity = "imminent" }\nexpect = "allow"\nrule = "tlp-amber"\nalone = true', "by tlp-amber alone, got allow by "),
        ('action = "writeCollection"\nexpect = "allow"\nrule = "x"', "expected allow by x, got deny by no policy"),
    ],
)
def test_a_wrong_answer_is_told_with_what_was_expected_and_what_came(lines: str, told: str):
    (scenario,) = parse_scenarios("mine.toml", _case(lines))
    failure = scenario.failure(PolicyBundle.load(SHIPPED))
    assert failure
    assert failure.startswith("mine.toml: case: ")
    assert told in failure


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"[[case]]\nname = x", "mine.toml: it is not TOML: .* line 2"),
        (b"\xff", "mine.toml: it is not TOML"),
        (b"case = 3", r"mine.toml: write each case under \[\[case\]\]"),
        (b"member = 3", r"mine.toml: write each case under \[\[case\]\]"),
        (_case('expect = "maybe"'), "mine.toml: case: expect: .*'allow' or 'deny'"),
        (_case('expect = "deny"\nlabel = { tlp = "purple" }'), "mine.toml: case: label.tlp: "),
        (_case('expect = "deny"\nlabel = { sector = [] }'), "mine.toml: case: label.sector: Extra inputs"),
        (_case('expect = "deny"\nmember = { sectors = ["enrgy"] }'), "mine.toml: case: member.sectors.0: .*not a sector of the schema"),
        (_case('expect = "deny"\ncollection = { readers = ["kinds:agency"] }'), "mine.toml: case: collection.readers.0: .*'kinds'"),
        (_case('expect = "deny"\naction = "raed"'), "mine.toml: case: action: "),
        (_case('expect = "deny"\nadministrator = true'), "mine.toml: case: .*ask readCollection"),
        (_case('expect = "deny"\n[[case]]\nname = "case"\nexpect = "deny"'), "mine.toml: case: the name is used twice"),
        (b'[labels]\ntlp = "red"\n' + _case('expect = "deny"'), "mine.toml: case: labels: Extra inputs"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused(content: bytes, told: str):
    with pytest.raises(ConfigError, match=told):
        parse_scenarios("mine.toml", content)


def test_a_case_changes_the_defaults_of_its_file_and_keeps_the_others():
    content = b'[label]\ntlp = "red"\n' + DEFAULTS.encode() + b'[[case]]\nname = "n"\nexpect = "deny"\nlabel = { sectors = ["water"] }\n'
    (scenario,) = parse_scenarios("mine.toml", content)
    assert (scenario.label.tlp, scenario.label.sectors) == ("red", {"water"})


def test_a_bundle_without_scenarios_is_refused():
    with pytest.raises(ConfigError, match="there are no scenario files"):
        scenarios_of({"tlp.cedar": b""})


def test_policies_that_no_case_expects_are_listed():
    bundle = PolicyBundle.load(SHIPPED)
    scenarios = [scenario for scenario in scenarios_of(PolicyBundle.load(SHIPPED).files) if scenario.rule != "tlp-green"]
    assert unproven(bundle, scenarios) == ["tlp-green"]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site's copy of the shipped policies."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "policies"))


def _run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.output


def test_commands_pass_the_shipped_policies():
    assert _run("check")[0] == 0
    code, output = _run("test")
    assert code == 0
    assert "cases passed" in output


def test_check_fails_with_the_line_of_a_fault(site: Path):
    (site / "site.cedar").write_text("\npermit (principal, action, resource);\n", encoding="utf-8")
    code, output = _run("check", str(site))
    assert (code, output.startswith("site.cedar:2: the policy has no @id")) == (1, True)
    assert _run("test", str(site)) == (code, output)


def test_test_fails_with_each_case_that_a_change_of_policy_breaks(site: Path):
    tlp = (site / "tlp.cedar").read_text(encoding="utf-8")
    (site / "tlp.cedar").write_text(tlp.replace('"green" && principal in resource.collection.readers', '"green"'), encoding="utf-8")
    code, output = _run("test", str(site))
    assert code == 1
    assert "tlp.toml: GREEN stops at members who may not read the collection: expected deny by no policy, got allow by tlp-green" in output
    assert "failed, " in output.splitlines()[-1]


def test_test_fails_for_a_policy_without_a_case(site: Path):
    policy = (
        '@id("more")\n@reason("More.")\nforbid (principal is Member, action == Action::"read", resource) when { resource.topic == "x" }\n'
        f"unless {{ {FLOOR} }};\n"
    )
    (site / "site.cedar").write_text(policy, encoding="utf-8")
    code, output = _run("test", str(site))
    assert (code, "site.cedar:1: no case expects more to decide; add one" in output) == (1, True)


def test_test_fails_without_scenarios(site: Path):
    shutil.rmtree(site / "scenarios")
    code, output = _run("test", str(site))
    assert (code, "there are no scenario files" in output) == (1, True)
