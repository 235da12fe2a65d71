"""`hub demo`, started as people start it: its contract, its community, its content, and a second start."""

import asyncio
import contextlib
import json
import re
import shlex
import signal
import socket
import sqlite3
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import requests
from taxii2client.common import TokenAuth
from taxii2client.exceptions import AccessError
from taxii2client.v21 import Collection, Server

from hub.demo.advice import IP_EXTENSION, IP_SCHEMA
from hub.domain.signing.extension import definition_ids
from tests.postgres import PostgresServer
from tests.processes import DEVNULL, STDOUT, Process, start_here
from tests.web.hubs import prepare

WITHIN_S = 60
MEMBERS = {
    "cyber-agency": "agency", "ip-office": "agency", "energy": "operator", "water": "operator", "telecoms": "operator",
    "transport": "operator", "soc": "partner", "observer": "operator",
}  # fmt: skip
COLLECTIONS = ["advisories", "ip-protection", "indicators", "sandbox"]


@dataclass
class Demo:
    """A demo that answers."""

    directory: Path
    facts: dict[str, Any]
    said: str

    def collection(self, alias: str, slug: str) -> Collection:
        member = self.facts["members"][slug]
        return Collection(self.facts["collections"][alias]["url"], user=member["username"], password=member["password"])

    def objects(self, alias: str, slug: str) -> list[dict[str, Any]]:
        with self.collection(alias, slug) as collection:
            return collection.get_objects(limit=1_000).get("objects", [])

    def named(self, alias: str, slug: str) -> set[str]:
        return {obj.get("name", "") for obj in self.objects(alias, slug)}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def demo(directory: Path, *arguments: str) -> Iterator[Demo]:
    """Run `hub demo` until the context ends; the facts are read as soon as they are there."""
    said = directory.with_suffix(".said")
    with said.open("w") as out:
        command = ("demo", "--port", str(free_port()), "--data", str(directory), *arguments)
        process = start_here("hub", *command, cwd=directory.parent, stdout=out, stderr=STDOUT)
    try:
        yield Demo(directory, _facts(directory / "demo.json", process, said), said.read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait_here(WITHIN_S)


def _facts(path: Path, process: Process, said: Path) -> dict[str, Any]:
    deadline = time.monotonic() + WITHIN_S
    while not path.exists():
        assert process.returncode is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)  # another process makes the file, and there is nothing else to wait on
    return json.loads(path.read_text())


def _refusal(directory: Path, port: int) -> str:
    """Return what `hub demo` says as it refuses to start."""
    with tempfile.TemporaryFile() as said:
        process = start_here("hub", "demo", "--port", str(port), "--data", str(directory), stdout=DEVNULL, stderr=said)
        assert process.wait_here(WITHIN_S) == 1
        said.seek(0)
        return said.read().decode()


# The tests of one demo run in one process, so that it is started once.
DEMOS = [pytest.param(engine, marks=pytest.mark.xdist_group(f"demo-{engine}")) for engine in ("sqlite", "postgresql")]


@pytest.fixture(scope="module", params=DEMOS)
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    directory = tmp_path_factory.mktemp("demo") / "data"
    if request.param == "sqlite":
        with demo(directory) as serving:
            yield serving
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with demo(directory, "--database-url", server.url(server.create_database()), "--workers", "2", "--no-limits") as serving:
        yield serving


def test_the_facts_have_the_shape_that_tools_rely_on(running: Demo):
    facts = running.facts
    assert list(facts) == ["base_url", "discovery_url", "console_url", "api_url", "admin", "members", "collections"]
    base = facts["base_url"]
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", base)
    assert [facts[name] for name in ("discovery_url", "console_url", "api_url")] == [f"{base}/taxii2/", f"{base}/", f"{base}/api/v1/"]
    assert {slug: member["kind"] for slug, member in facts["members"].items()} == MEMBERS
    for member in facts["members"].values():
        assert list(member) == ["id", "name", "kind", "sectors", "standing", "username", "password"]
        assert member["id"].startswith("identity--")
        assert member["standing"] in ("observer", "contributor", "partner")
    assert facts["members"]["observer"]["standing"] == "observer"
    assert list(facts["collections"]) == COLLECTIONS
    for collection in facts["collections"].values():
        assert list(collection) == ["id", "title", "url"]
        assert collection["url"] == f"{base}/taxii2/hub/collections/{collection['id']}/"


def test_passwords_differ_and_files_are_for_their_owner_only(running: Demo):
    passwords = [running.facts["admin"]["password"], *(member["password"] for member in running.facts["members"].values())]
    assert len(set(passwords)) == len(passwords)
    assert all(len(password) >= 16 for password in passwords)
    assert [path.name for path in running.directory.iterdir() if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


@pytest.mark.parametrize("slug", MEMBERS)
def test_a_member_signs_in_and_finds_its_collections(running: Demo, slug: str):
    member = running.facts["members"][slug]
    with Server(running.facts["discovery_url"], user=slug, password=member["password"]) as server:
        rights = {c.id: (c.can_read, c.can_write) for c in server.default.collections}
    ids = {alias: collection["id"] for alias, collection in running.facts["collections"].items()}
    agency, operator = member["kind"] == "agency", member["kind"] == "operator"
    expected = {
        "advisories": (True, agency),
        "ip-protection": (True, slug == "ip-office"),
        "indicators": (True, agency or operator),
        **({"sandbox": (True, slug == "energy")} if slug in ("energy", "water") else {}),
    }
    assert rights == {ids[alias]: right for alias, right in expected.items()}


def test_the_sandbox_holds_nothing_of_anybodys_water_cannot_write_to_it_and_it_does_not_exist_for_the_observer(running: Demo):
    assert {obj["id"] for obj in running.objects("sandbox", "water")} == definition_ids()
    with running.collection("sandbox", "water") as collection, pytest.raises(AccessError):
        collection.add_objects({"objects": [{}]})
    url = running.facts["collections"]["sandbox"]["url"]
    observer = running.facts["members"]["observer"]
    assert requests.get(url, auth=("observer", observer["password"]), timeout=WITHIN_S).status_code == 404


def test_the_administrator_administers_and_sees_no_content(running: Demo):
    auth = (running.facts["admin"]["username"], running.facts["admin"]["password"])
    members = requests.get(f"{running.facts['api_url']}members", auth=auth, timeout=WITHIN_S)
    assert members.status_code == 200
    url = running.facts["collections"]["advisories"]["url"]
    assert requests.get(f"{url}objects/", auth=auth, timeout=WITHIN_S).status_code == 404


def test_content_stops_where_its_authors_meant_it_to(running: Demo):
    named = {slug: running.named("advisories", slug) for slug in MEMBERS}
    clear, green = "Guidance 12: control panels on the open Internet", "Advisory 31: LOW TIDE reads controller projects at utilities"
    imminent = "Alert: Gatepost VPN appliances are being taken over; act today"
    red = "Notice to Northmoor Grid and Meridian Telecom: accounts of yours are for sale"
    circle = "PUMPHOUSE.B: does it write?"

    def seen(name: str) -> set[str]:
        return {slug for slug in MEMBERS if name in named[slug]}

    assert seen(clear) == seen(green) == set(MEMBERS)
    assert seen(imminent) == {"cyber-agency", "ip-office", "energy", "water", "soc", "observer"}
    assert seen(red) == {"cyber-agency", "energy", "telecoms"}
    assert seen(circle) == {"cyber-agency", "energy", "water"}
    assert "Contractor's account used on our jump host" not in running.named("indicators", "water")
    assert "Contractor's account used on our jump host" in running.named("indicators", "energy")


def test_who_gives_less_waits_for_what_a_peer_released_reciprocally(running: Demo):
    held = {slug for slug in MEMBERS if "STOWAWAY locker" in running.named("indicators", slug)}
    assert held == {"transport", "cyber-agency", "ip-office"}  # its producer, and agencies; the others wait 6 to 72 hours


def test_the_content_is_of_every_kind_that_a_community_shares(running: Demo):
    agency = [obj for alias in COLLECTIONS[:3] for obj in running.objects(alias, "cyber-agency")]
    types = {obj["type"] for obj in agency}
    assert types >= {"indicator", "relationship", "report", "sighting", "opinion", "note", "observed-data", "course-of-action", "malware"}
    assert types >= {"email-message", "file", "process", "url", "identity", "extension-definition", "campaign", "attack-pattern"}
    assert any(obj["type"] == "sighting" and obj["count"] == 0 for obj in agency), "a nil return"
    assert any(obj.get("revoked") for obj in agency)
    assert len(agency) > 120
    known = {obj["id"] for obj in agency}
    referred = {ref for obj in agency for name, ref in obj.items() if name.endswith("_ref")}
    referred |= {
        ref for obj in agency for name, refs in obj.items() if name.endswith("_refs") and name != "object_marking_refs" for ref in refs
    }
    assert referred - known == set()


def test_advice_on_intellectual_property_carries_facts_of_its_published_form(running: Demo):
    schema = json.loads((Path(__file__).resolve().parents[2] / "hub" / "demo" / IP_SCHEMA).read_text())
    validator = jsonschema_rs.validator_for(schema)
    facts = [
        obj["extensions"][IP_EXTENSION] for obj in running.objects("ip-protection", "observer") if IP_EXTENSION in obj.get("extensions", {})
    ]
    assert len(facts) >= 10
    for fact in facts:
        validator.validate(fact)


def test_what_it_suggests_works_as_it_is_printed(running: Demo, tmp_path: Path):
    lines = [line.strip() for line in running.said.split("Try next:")[1].splitlines() if running.facts["base_url"] in line]
    assert len(lines) == 6
    for line in lines:
        program = shlex.split(line, comments=True)
        done = subprocess.run(program, cwd=tmp_path, check=False, capture_output=True, timeout=WITHIN_S)
        assert done.returncode == 0, (line, done.stderr)
    assert len((tmp_path / "energy.ndjson").read_bytes().splitlines()) > len((tmp_path / "observer.ndjson").read_bytes().splitlines()) > 0
    assert b"first.example" in done.stdout, "water sees what energy pushed"


def test_a_token_works_as_well_as_a_password(running: Demo):
    energy, url = running.facts["members"]["energy"], f"{running.facts['api_url']}tokens"
    made = requests.post(url, json={"name": "siem", "role": "reader"}, auth=("energy", energy["password"]), timeout=WITHIN_S)
    assert made.status_code == 201, made.text
    with Server(running.facts["discovery_url"], auth=TokenAuth(made.json()["token"])) as server:
        assert len(server.default.collections) == 4


def test_a_second_start_finds_everything_as_it_was_and_leaves_a_running_demo_alone(tmp_path: Path):
    directory = tmp_path / "data"
    with demo(directory, "--no-content") as first:
        assert {obj["id"] for obj in first.objects("advisories", "energy")} == definition_ids()
        port = int(first.facts["base_url"].rpartition(":")[2])
        assert f"port {port}" in _refusal(directory, port)
        assert (directory / "demo.json").exists()
    with demo(directory) as second:
        assert second.facts["members"] == first.facts["members"]
        assert {c["id"] for c in second.facts["collections"].values()} == {c["id"] for c in first.facts["collections"].values()}
        advisories = second.objects("advisories", "cyber-agency")
        assert len(advisories) > 40
        with second.collection("advisories", "cyber-agency") as collection:
            collection.delete_object(advisories[-1]["id"])
    with demo(directory) as third:
        assert len(third.objects("advisories", "cyber-agency")) == len(advisories) - 1


def test_a_public_address_is_what_discovery_and_the_facts_name(tmp_path: Path):
    with demo(tmp_path / "data", "--no-content", "--public-url", "https://hub.example.org") as public:
        assert public.facts["base_url"] == "https://hub.example.org"
        port = re.search(r"--port (\d+)", public.said)
        assert port is None
        assert public.facts["collections"]["sandbox"]["url"].startswith("https://hub.example.org/taxii2/hub/")


async def test_a_database_that_is_somebody_elses_is_left_alone(sqlite_url: str, tmp_path: Path):
    await prepare(sqlite_url)  # a member that no demo made
    held = tmp_path / "hub.sqlite3"
    assert sqlite_url == f"sqlite:///{held}", "where a demo in this directory has its own"
    assert "whose passwords this directory does not know" in await asyncio.to_thread(_refusal, tmp_path, free_port())
    with closing(sqlite3.connect(held)) as connection:
        assert connection.execute("SELECT slug FROM member").fetchall() == [("energy",)]
