"""`hub attribution` and `hub anonymity`: what a member wants, its names, and the half of lifting that one officer has."""

import asyncio
import json
from pathlib import Path

import pytest

from hub.config import Config
from hub.service.context import now_us, open_hub
from hub.service.renditions import publish_renditions
from hub.store.database import open_database
from tests.anonymity.world import MINUTE_US
from tests.cli.test_admin import Shell
from tests.taxii.content import indicator


@pytest.fixture
def shell(sqlite_url: str) -> Shell:
    shell = Shell({"HUB_DATABASE_URL": sqlite_url, "HUB_ANONYMITY_WRITERS_MIN": "2"})
    shell.run("migrate")
    for slug in ("energy", "water"):
        shell.run("member", "add", slug, "--name", f"The {slug} firm", "--kind", "operator", "--sector", slug)
    shell.run("collection", "add", "Shared", "--alias", "shared", "--reader", "everyone", "--writer", "everyone", "--default-tlp", "green")
    return shell


async def publish(database_url: str) -> None:
    """Append what is due after a minute."""
    db = await open_database(database_url)
    try:
        hub = await open_hub(Config(database_url=database_url), db)
        hub.now_us = lambda: now_us() + MINUTE_US
        assert await publish_renditions(hub)
    finally:
        await db.close()


def test_a_member_sets_to_whom_it_is_known_and_a_single_officer_learns_nothing(shell: Shell, sqlite_url: str, tmp_path: Path) -> None:
    wish = shell.json("attribution", "set", "shared", "hub", "--member", "energy")
    assert (wish["member"], wish["known_to"]) == ("energy", "hub")
    assert shell.json("attribution", "list", "--member", "energy") == [wish]
    file = tmp_path / "given.json"
    file.write_text(json.dumps(given := indicator()))
    shell.run("import", str(file), "--collection", "shared", "--member", "energy")
    asyncio.run(publish(sqlite_url))
    out = tmp_path / "seen.ndjson"
    shell.run("export", "--collection", "shared", "--member", "water", "--format", "ndjson", "--output", str(out))
    assert given["id"] not in out.read_text()
    (rendition,) = [obj for obj in map(json.loads, out.read_text().splitlines()) if obj["type"] == "indicator"]
    lift = shell.json("anonymity", "lift", rendition["id"], "--reason", "A court asks.")
    assert (lift["state"], lift["producer"]) == ("open", None)
    assert "another officer has to answer" in shell.run("anonymity", "answer", lift["id"], "--yes", code=1)
    assert shell.json("anonymity", "list") == [shell.json("anonymity", "show", lift["id"])] == [lift]


def test_the_names_of_a_member_are_set_shown_and_replaced(shell: Shell) -> None:
    assert shell.json("anonymity", "names", "energy") == {"member": "energy", "names": []}
    shell.run("anonymity", "names", "energy", "--name", "Gridworks", "--name", "gridworks.example")
    assert shell.json("anonymity", "names", "energy")["names"] == ["Gridworks", "gridworks.example"]
    assert shell.json("anonymity", "names", "energy", "--name", "Volt")["names"] == ["Volt"]
    assert "shorter than 3 characters" in shell.run("anonymity", "names", "energy", "--name", "x", code=1)
