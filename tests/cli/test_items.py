"""`hub item` and `hub contest`: what was drawn is listed, looked at and ruled upon, and its producer may disagree."""

import asyncio
import json
from pathlib import Path

from hub.config import Config
from hub.service.assess import assess_all
from hub.service.context import open_hub
from hub.store.database import open_database
from tests.cli.test_admin import Shell
from tests.taxii.content import indicator


async def assess(url: str) -> None:
    db = await open_database(url)
    await assess_all(await open_hub(Config(database_url=url), db))
    await db.close()


def test_an_item_is_drawn_shown_ruled_upon_and_contested(sqlite_url: str, tmp_path: Path):
    shell = Shell({"HUB_DATABASE_URL": sqlite_url})
    shell.run("migrate")
    shell.run("member", "add", "energy", "--name", "Energy Grid", "--kind", "operator", "--sector", "energy")
    shell.run("collection", "add", "Shared", "--alias", "shared", "--reader", "everyone", "--writer", "everyone", "--default-tlp", "green")
    (file := tmp_path / "given.json").write_text(json.dumps({"objects": [indicator() for _ in range(20)]}))
    shell.run("import", str(file), "--collection", "shared", "--member", "energy")
    asyncio.run(assess(sqlite_url))
    drawn = shell.json("item", "audit")
    assert [item["producer"] for item in drawn] == ["energy"] * 2
    first, second = (item["id"] for item in drawn)
    assert [item["id"] for item in shell.json("item", "audit", "--after", first)] == [second]
    assert shell.json("item", "show", first)["object"] == drawn[0]["object"]
    ruled = shell.run("item", "rule", first, "--false", "--reason", "It is a resolver of ours.")
    asyncio.run(assess(sqlite_url))
    assert [item["id"] for item in shell.json("item", "audit")] == [second]
    event = ruled.split()[-1]
    shell.run("contest", "add", event, "--reason", "It was not yours then.")
    (contest,) = shell.json("contest", "list")
    assert (contest["event"], contest["kind"], contest["object"]) == (int(event), "ruled", drawn[0]["object"])
    told = shell.run("contest", "answer", str(contest["id"]), "--upheld", "--reason", "So it was.", code=1)
    assert "somebody who did not make the entry" in told
    assert "no such item" in shell.run("item", "show", "1", code=1)
