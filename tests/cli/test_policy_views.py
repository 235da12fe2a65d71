"""`hub preview`, `hub policy diff` and `hub policy shadow`: what policies do, and others would do, told to people and to machines."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub.domain.signing.extension import definition_ids
from tests.cli.test_admin import Shell
from tests.policies.bundles import files_with
from tests.policies.test_policy_diff import POLICY
from tests.taxii.content import indicator

GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
SUSPENDED = "Your organisation's membership is suspended."


@pytest.fixture
def shell(sqlite_url: str) -> Shell:
    """A hub in which water is a mere observer, and old suspended."""
    shell = Shell({"HUB_DATABASE_URL": sqlite_url})
    shell.run("migrate")
    for slug, standing in (("energy", "partner"), ("water", "observer"), ("old", "partner")):
        shell.run("member", "add", slug, "--name", f"The {slug}", "--kind", "operator", "--sector", "energy", "--standing", standing)
    shell.run("member", "suspend", "old")
    shell.run("collection", "add", "Shared", "--alias", "shared", "--reader", "everyone", "--writer", "everyone", "--default-tlp", "green")
    return shell


def draft(folder: Path, *objects: dict[str, Any]) -> str:
    file = folder / "draft.json"
    file.write_text(json.dumps({"objects": objects}))
    return str(file)


def bundle(folder: Path) -> str:
    """Write the shipped policies and one more, under which TLP:GREEN is for contributors and above."""
    for name, body in files_with(POLICY).items():
        file = folder / "policies" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    return str(folder / "policies")


def test_a_preview_names_who_would_see_a_draft_who_never_would_and_by_which_rule(shell: Shell, tmp_path: Path):
    green = indicator(object_marking_refs=[GREEN])
    words = ("preview", draft(tmp_path, green), "--collection", "shared", "--member", "energy")
    assert shell.run(*words).splitlines()[:2] == [f"{green['id']}: TLP:GREEN", "  now: 2 (energy, water)"]
    assert f"suspended-member: {SUSPENDED}" in shell.run(*words)
    for told in (shell.json(*words), shell.json("preview", "-", *words[2:], stdin=json.dumps(green))):
        (audience,) = told["audiences"]
        assert [(share["seen"], share["names"]) for share in audience["shares"]] == [(True, ["energy", "water"]), (False, ["old"])]
    exported = shell.run("export", "--collection", "shared", "--member", "energy", "--format", "ndjson")
    assert green["id"] not in exported, "a preview leaves nothing behind"
    assert {json.loads(line)["id"] for line in exported.splitlines()} == definition_ids()


def test_a_preview_of_what_would_be_refused_fails_and_says_why(shell: Shell, tmp_path: Path):
    told = shell.run("preview", draft(tmp_path, {**indicator(), "pattern": "["}), "--collection", "shared", "--member", "energy", code=1)
    assert ": refused: pattern" in told
    told = shell.run("preview", draft(tmp_path, indicator()), "--collection", "nowhere", "--member", "energy", code=1)
    assert "no such collection" in told


def test_a_diff_tells_member_by_member_what_other_policies_would_take(shell: Shell, tmp_path: Path):
    given = indicator(object_marking_refs=[GREEN])
    shell.run("import", draft(tmp_path, given), "--collection", "shared", "--member", "energy")
    other = bundle(tmp_path)
    told = shell.run("policy", "diff", "active", other).splitlines()
    assert told[0].startswith("water lost 1 in ")
    assert told[0].endswith(f": at once -> never, by green-for-contributors ({given['id']})")
    assert told[1] == "1 members would see something else than now"
    (gained,) = shell.json("policy", "diff", other, "active")["differences"]
    assert (gained["member"], gained["effect"], gained["entries"]) == ("water", "gained", 1)
    assert shell.run("policy", "diff", "active", "active") == "0 members would see something else than now\n"


def test_policies_are_put_into_the_shadow_shown_and_taken_out_again(shell: Shell, tmp_path: Path):
    shell.run("import", draft(tmp_path, indicator(object_marking_refs=[GREEN])), "--collection", "shared", "--member", "energy")
    assert shell.run("policy", "shadow") == "there are no policies in the shadow\n"
    put = shell.json("policy", "shadow", bundle(tmp_path))
    assert put["differences"] == []
    seen = shell.run("export", "--collection", "shared", "--member", "water")
    assert GREEN in seen, "policies in the shadow decide nothing"
    told = shell.run("policy", "shadow").splitlines()
    assert told[0].startswith(f"bundle {put['digest']} is in the shadow since ")
    assert told[1:] == ["  green-for-contributors: at once -> never, 1 labels, water"]
    assert shell.json("policy", "shadow", "off") == {"digest": None, "since": None, "differences": []}


def test_faulty_policies_get_neither_compared_nor_into_the_shadow(shell: Shell, tmp_path: Path):
    folder = Path(bundle(tmp_path))
    (folder / "site.cedar").write_text(POLICY.replace("principal.tier", "principal.teir"))
    for words in (("diff", "active", str(folder)), ("shadow", str(folder))):
        assert "site.cedar:" in shell.run("policy", *words, code=1)
    assert shell.json("policy", "shadow")["digest"] is None
