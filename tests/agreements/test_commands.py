"""`hub agreement` and `hub release`: an agreement is a file, and what is wrong in it is told by its line."""

import json
from pathlib import Path

import pytest

from tests.cli.test_admin import Shell
from tests.taxii.content import indicator

AGREEMENT = """\
slug = "cni"
title = "CNI arrangement"
parties = ["kind:operator"]
legal_basis = "A memorandum of 2025"
purpose = "Defence of networks"
topics = ["threat"]
tlp_max = "amber"
starts_at = 2026-01-01
ends_at = 2036-01-01T00:00:00Z
review_at = 2026-06-01T12:00:00+01:00

[[signatories]]
member = "energy"
person = "Ann Ohm"
role = "Chief Operating Officer"
signed_at = 2025-12-15T09:00:00Z
"""


@pytest.fixture
def shell(sqlite_url: str) -> Shell:
    shell = Shell({"HUB_DATABASE_URL": sqlite_url})
    shell.run("migrate")
    for slug in ("energy", "water"):
        shell.run("member", "add", slug, "--name", f"The {slug}", "--kind", "operator", "--sector", slug)
    shell.run("collection", "add", "Shared", "--alias", "shared", "--reader", "everyone", "--writer", "everyone", "--default-tlp", "green")
    return shell


def written(folder: Path, text: str) -> str:
    file = folder / "cni.toml"
    file.write_text(text)
    return str(file)


def test_an_agreement_is_added_changed_listed_and_ended(shell: Shell, tmp_path: Path):
    added = shell.json("agreement", "add", written(tmp_path, AGREEMENT))
    assert (added["starts_at"], added["review_at"]) == ("2026-01-01T00:00:00.000000Z", "2026-06-01T11:00:00.000000Z")
    assert added["signatories"][0]["member"] == "energy"
    assert (added["in_force"], added["review_due"]) == (True, True)
    assert [one["slug"] for one in shell.json("agreement", "list", "--due")] == ["cni"]
    changed = shell.json("agreement", "change", "cni", written(tmp_path, "review_at = 2035-01-01\n"))
    assert changed == added | {"review_at": "2035-01-01T00:00:00.000000Z", "review_due": False}
    assert shell.json("agreement", "list", "--due") == []
    shell.run("collection", "change", "shared", "--agreement", "cni")
    assert shell.json("collection", "list")[0]["agreement"] == "cni"
    ended = shell.json("agreement", "end", "cni", "--reason", "It is over.")
    assert (ended["in_force"], shell.json("agreement", "show", "cni")) == (False, ended)
    assert "cni" in shell.run("agreement", "list")
    shell.run("collection", "change", "shared", "--agreement", "")
    assert shell.json("collection", "list")[0]["agreement"] is None


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("ends_at = 2036-01-01T00:00:00Z", "ends_at = 2025-01-01", ":9: ends_at: it ends before it has started (2026-01-01"),
        ("ends_at = 2036", "ends_at = 2026-05-31T00:00:00Z #", ":10: review_at: it is reviewed after its end"),
        ("legal_basis = ", 'legal_basis = "" #', ":4: legal_basis: it is empty; write the law or the contract"),
        ("purpose = ", "# ", ": purpose: it is missing; an agreement needs one"),
        ('parties = ["kind:operator"]', 'parties = ["kind:king"]', ":3: parties: 'kind:king': write everyone"),
        ('member = "energy"', 'member = "nobody"', ":12: signatories: 'nobody': there is no such member"),
        ('person = "Ann Ohm"', "person = 7", ":12: signatories.0.person: Input should be a valid string"),
        ("topics = ", "topic = ", ":6: topic: there is no such field; the fields are slug, title"),
        ("title = ", "title ", ": it is not TOML"),
        ("starts_at = 2026-01-01", "starts_at = 2026-01-01T00:00:00", ":8: starts_at: not a timestamp; write it like"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_file_line_and_what_to_write_instead(shell: Shell, tmp_path: Path, before: str, after: str, said: str):
    assert before in AGREEMENT
    told = shell.run("agreement", "add", file := written(tmp_path, AGREEMENT.replace(before, after)), code=1)
    assert told.startswith(f"{file}{said}"), told
    assert told.count("\n") == 1
    assert shell.json("agreement", "list") == []


def test_a_file_that_is_not_there_is_told(shell: Shell, tmp_path: Path):
    assert "cannot be read" in shell.run("agreement", "add", str(tmp_path / "none.toml"), code=1)


def test_a_release_is_asked_for_and_answered_and_the_basis_is_explained(shell: Shell, tmp_path: Path):
    shell.run("agreement", "add", written(tmp_path, AGREEMENT))
    shell.run("collection", "change", "shared", "--agreement", "cni")
    file = tmp_path / "shared.json"
    file.write_text(
        json.dumps({"type": "bundle", "id": "bundle--5d0092c5-5f74-4287-9642-33f4c354e56d", "objects": [shared := indicator()]})
    )
    shell.run("import", str(file), "--collection", "shared", "--member", "energy")
    told = shell.run("explain", "--member", "water", "--object", shared["id"])
    assert (
        "basis: CNI arrangement [cni] (A memorandum of 2025; purpose: Defence of networks; review by 2026-06-01T11:00:00.000000Z)" in told
    )
    words = ("release", "ask", shared["id"], "--member", "water", "--to", "everyone", "--reason", "All are hit.")
    asked = shell.json(*words)
    assert (asked["state"], asked["source"], asked["asker"]) == ("open", "energy", "water")
    assert "asked this already" in shell.run(*words, code=1)
    withdrawn = shell.json("release", "withdraw", asked["id"], "--member", "water")
    assert (withdrawn["state"], withdrawn["id"]) == ("withdrawn", asked["id"])
    asked = shell.json(*words)
    answered = shell.json("release", "answer", asked["id"], "--member", "energy", "--yes", "--marking", "TLP:CLEAR", "--reason", "Gladly.")
    assert (answered["state"], answered["marking"]) == ("agreed", "TLP:CLEAR")
    assert shell.json("release", "list", "--member", "water") == [withdrawn, answered]
    assert shell.json("release", "show", asked["id"], "--member", "energy") == answered
    assert "no such request" in shell.run("release", "show", "nothing", "--member", "energy", code=1)
