"""The commands of administration: each works beside a hub that serves, speaks to people and to machines, and fails in one line."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.__main__ import cli
from tests.policies.bundles import unwritable_files
from tests.web.administered import PASSWORD, certificate
from tests.web.hubs import Running, command, running


@dataclass(frozen=True)
class Shell:
    """Runs `hub` on one database."""

    environ: dict[str, str]

    def run(self, *words: str, code: int = 0, stdin: str = "") -> str:
        """Return what a command prints where it ends with `code`: its output, or else what it says about its failure."""
        result = CliRunner().invoke(cli(), list(words), input=stdin, env=self.environ, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.stderr

    def json(self, *words: str, stdin: str = "") -> Any:
        return json.loads(self.run(*words, "--json", stdin=stdin))


@pytest.fixture
def shell(database_url: str) -> Shell:
    shell = Shell({"HUB_DATABASE_URL": database_url})
    shell.run("migrate")
    shell.run("member", "add", "energy", "--name", "Energy Grid", "--kind", "operator", "--sector", "energy")
    return shell


def test_members_are_added_changed_suspended_and_listed(shell: Shell):
    added = shell.json("member", "add", "water", "--name", "Water", "--kind", "operator", "--sector", "water", "--sector", "dams")
    assert (added["slug"], added["sectors"], added["standing"]) == ("water", ["dams", "water"], "contributor")
    grown = shell.json("member", "change", "water", "--size", "large", "--owner", "Water Holdings plc")
    assert (grown["size"], grown["owner"]) == ("large", "Water Holdings plc")
    added = shell.json("member", "change", "water", "--size", "medium", "--owner", "")
    assert (added["size"], added["owner"]) == ("medium", None)
    changed = shell.json("member", "change", "water", "--standing", "partner", "--signed-messages")
    assert changed == added | {"standing": "partner", "message_signatures_required": True}
    shell.run("member", "suspend", "water")
    assert shell.json("member", "show", "water")["suspended"] is True
    shell.run("member", "resume", "water")
    assert [member["slug"] for member in shell.json("member", "list")] == ["energy", "water"]
    table = shell.run("member", "list").splitlines()
    assert [line.split()[0] for line in table] == ["slug", "energy", "water"]
    assert added["id"] in table[2]


def test_people_are_let_in_and_out(shell: Shell):
    shell.run("person", "add", "ann", "--role", "reader", "--member", "energy", stdin=f"{PASSWORD}\n")
    said = shell.run("person", "add", "root", "--role", "admin", "--generate")
    assert len(said.split()[-1]) >= 20
    shell.run("person", "change", "ann", "--role", "publisher")
    shell.run("person", "disable", "root")
    assert shell.json("person", "list") == [
        {"username": "ann", "member": "energy", "role": "publisher", "disabled": False},
        {"username": "root", "member": None, "role": "admin", "disabled": True},
    ]
    shell.run("person", "enable", "root")
    assert "new password" in shell.run("person", "change", "root", "--generate")
    assert "password" in shell.run("person", "add", "bob", "--role", "admin", stdin="short\n", code=1)


def test_tokens_and_certificates_are_given_and_revoked(shell: Shell, tmp_path: Path):
    issued = shell.json("token", "issue", "siem", "--role", "reader", "--member", "energy", "--days", "30")
    assert issued["token"].startswith(f"hub_test_{issued['id']}_")
    assert issued["expires_at"] > issued["created_at"]
    shell.run("token", "revoke", issued["id"])
    (listed,) = shell.json("token", "list")
    assert listed["revoked_at"] is not None
    assert "token" not in listed
    file = tmp_path / "client.pem"
    file.write_text(certificate("energy").pem)
    added = shell.json("certificate", "add", str(file), "--name", "node", "--member", "energy", "--role", "reader")
    shell.run("certificate", "revoke", added["spki_sha256"])
    assert shell.json("certificate", "list")[0]["revoked_at"] is not None
    file.write_bytes(b"\xff")
    said = shell.run("certificate", "add", str(file), "--name", "node", "--member", "energy", "--role", "reader", code=1)
    assert "PEM" in said


def test_groups_roots_collections_and_rights_are_kept(shell: Shell):
    group = shell.json("group", "add", "circle", "--name", "Circle")
    assert group["id"].startswith("marking-definition--")
    shell.run("group", "join", "circle", "energy")
    shell.run("group", "rename", "circle", "The Circle")
    assert shell.json("group", "list") == [group | {"name": "The Circle", "members": ["energy"]}]
    shell.run("group", "leave", "circle", "energy")
    assert shell.json("group", "list")[0]["members"] == []

    shell.run("root", "add", "annexe", "--title", "Annexe", "--description", "x", "--default")
    shell.run("root", "change", "annexe", "--title", "The Annexe", "--description", "")
    roots = {root["slug"]: (root["title"], root["description"], root["default"]) for root in shell.json("root", "list")}
    assert roots["annexe"] == ("The Annexe", None, True)
    assert roots["hub"][2] is False

    shell.run("collection", "add", "Indicators", "--alias", "indicators", "--reader", "everyone", "--writer", "kind:operator")
    assert shell.json("collection", "change", "indicators", "--reciprocal")["reciprocal"] is True
    assert shell.json("collection", "change", "indicators", "--no-reciprocal")["reciprocal"] is False
    shell.run("collection", "grant", "hub/indicators", "write", "group:circle")
    shell.run("collection", "revoke-right", "indicators", "read", "everyone")
    shell.run("collection", "change", "indicators", "--default-tlp", "green", "--signature-required", "--description", "About it")
    (collection,) = shell.json("collection", "list")
    assert (collection["readers"], collection["writers"]) == ([], ["group:circle", "kind:operator"])
    assert (collection["default_tlp"], collection["signature_required"], collection["alias"]) == ("green", True, "indicators")
    assert shell.json("collection", "change", "indicators", "--alias", "")["alias"] is None


def test_policies_are_activated_and_shown(shell: Shell, tmp_path: Path):
    shipped = shell.json("policy", "status")
    (tmp_path / "scenarios").mkdir()
    for name, body in unwritable_files().items():
        (tmp_path / name).write_bytes(body)
    shell.run("policy", "activate", str(tmp_path))
    own = shell.json("policy", "status")
    assert "circle-writes" in {rule["id"] for rule in own["rules"]}
    assert "Only the circle of the grid writes at this time." in shell.run("policy", "status")
    (tmp_path / "bad.cedar").write_text("permit (")
    assert "bad.cedar" in shell.run("policy", "activate", str(tmp_path), code=1)
    shell.run("policy", "activate")
    assert shell.json("policy", "status")["digest"] == shipped["digest"]
    shell.run("policy", "rollback")
    assert shell.json("policy", "status")["digest"] == own["digest"]


def test_two_people_change_policies_where_the_setting_asks(shell: Shell, tmp_path: Path):
    careful = Shell(shell.environ | {"HUB_POLICY_APPROVALS": "2"})
    (tmp_path / "scenarios").mkdir()
    for name, body in unwritable_files().items():
        (tmp_path / name).write_bytes(body)
    before = careful.json("policy", "status")
    assert "is proposed" in careful.run("policy", "activate", str(tmp_path))
    (proposal,) = careful.json("policy", "status")["proposals"]
    assert (proposal["proposed_by"], careful.json("policy", "status")["digest"]) == ("command line", before["digest"])
    assert "another person" in careful.run("policy", "activate", str(tmp_path), code=1)
    assert "another person" in careful.run("policy", "approve", proposal["digest"], code=1)
    assert "no policies" in careful.run("policy", "approve", proposal["digest"][:4], code=1)
    careful.run("policy", "withdraw", proposal["digest"][:8])
    assert careful.json("policy", "status") == before


def test_what_the_command_line_did_is_in_the_audit_trail(shell: Shell):
    shell.run("group", "add", "circle", "--name", "Circle", "--member", "energy")
    shell.run("group", "add", "circle", "--name", "Circle", code=1)
    entries = shell.json("audit", "list")
    assert [(entry["actor"], entry["action"], entry["target"]) for entry in entries] == [
        ("command line", "group.add", "circle"),
        ("command line", "member.add", "energy"),
    ]
    assert shell.json("audit", "list", "--limit", "1", "--before", str(entries[0]["row"])) == entries[1:]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["member", "show", "nobody"], 1, "there is no such member"),
        (["member", "add", "energy", "--name", "X", "--kind", "operator"], 1, "there is a member energy already"),
        (["member", "add", "x", "--name", "X", "--kind", "king"], 2, "king"),
        (["member", "add", "x"], 2, "--name"),
        (["group", "join", "nothing", "energy"], 1, "there is no such sharing group"),
        (["token", "revoke", "nothing"], 1, "there is no such token"),
        (["collection", "grant", "nothing", "read", "everyone"], 1, "there is no such collection"),
        (["explain", "--member", "energy", "--object", "indicator--x"], 1, "no such object"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line_with_a_code(sqlite_url: str, words: list[str], code: int, said: str):
    shell = Shell({"HUB_DATABASE_URL": sqlite_url})
    shell.run("migrate")
    shell.run("member", "add", "energy", "--name", "Energy Grid", "--kind", "operator")
    told = shell.run(*words, code=code)
    assert said in told
    assert code == 2 or told.count("\n") == 1


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path):
    shell = Shell({"HUB_DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3"})
    assert "hub migrate" in shell.run("member", "list", code=1)
    assert list(tmp_path.iterdir()) == []


def test_settings_come_from_the_file_before_the_command(tmp_path: Path):
    file = tmp_path / "hub.toml"
    file.write_text(f'database_url = "sqlite:///{tmp_path}/by-file.sqlite3"\n')
    shell = Shell({})
    shell.run("--config", str(file), "migrate")
    assert shell.run("--config", str(file), "member", "list").split() == ["slug", "name", "kind", "sectors", "standing", "suspended", "id"]
    assert (tmp_path / "by-file.sqlite3").exists()
    assert "cannot read" in shell.run("--config", str(tmp_path / "none.toml"), "member", "list", code=1)


def test_the_version_is_told():
    assert Shell({}).run("--version").startswith("Fusion Hub ")


@pytest.fixture
async def site(database_url: str) -> AsyncIterator[Running]:
    async with running(database_url) as site:
        yield site


async def test_a_command_counts_at_once_for_a_hub_that_serves(site: Running, database_url: str):
    """The hub keeps on answering while the command runs in a process of its own."""

    async def status() -> int:
        async with site.session.get(f"{site.url}/api/v1/me", headers=site.bearer) as response:
            return response.status

    token = site.token.split("_")[2]
    assert await status() == 200
    code, _, said = await command("token", "revoke", token, database_url=database_url)
    assert (code, said) == (0, "")
    assert await status() == 401
