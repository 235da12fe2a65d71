"""`hub import` and `hub export`: what goes in comes out, and what is refused is told."""

import asyncio
import gzip
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from hub.__main__ import cli
from hub.config import Config
from tests.connectors.mirror import COLLECTION, held, indicators, opened
from tests.data import find_data

WITHIN_S = 60


@dataclass
class CommandLine:
    """The `hub` command on a database with the member `mirror` and its collection."""

    url: str

    def run(self, *arguments: object) -> Result:
        return CliRunner().invoke(cli(), [str(argument) for argument in arguments], env={"HUB_DATABASE_URL": self.url})

    def take_in(self, *arguments: object) -> Result:
        return self.run("import", *arguments, "--collection", COLLECTION, "--member", "mirror")

    def give_out(self, *arguments: object) -> Result:
        return self.run("export", *arguments, "--collection", COLLECTION, "--member", "mirror")

    def held(self) -> list[bytes]:
        async def read() -> list[bytes]:
            async with opened(Config(database_url=self.url)) as hub:
                return await held(hub)

        return asyncio.run(read())


@pytest.fixture
def hub(database_url: str) -> CommandLine:
    return made(database_url)


@pytest.fixture
def embedded(sqlite_url: str) -> CommandLine:
    return made(sqlite_url)


def made(url: str) -> CommandLine:
    command_line = CommandLine(url)
    assert command_line.held() == []
    return command_line


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def bundle(objects: list[bytes]) -> bytes:
    return b'{"type": "bundle", "id": "bundle--0e3b6a2e-5d3f-4c55-9f0e-4a0d4d2d9b1c", "objects": [\n' + b",\n".join(objects) + b"\n]}"


FORMS: dict[str, Callable[[list[bytes]], bytes]] = {
    "bundle.json": bundle,
    "bundle.json.gz": lambda objects: gzip.compress(bundle(objects)),
    "envelope.json": lambda objects: b'{"more":true,"objects":[' + b",".join(objects) + b"]}",
    "list.json": lambda objects: b"[" + b",".join(objects) + b"]",
    "lines.ndjson": lambda objects: b"\n\n".join(objects) + b"\r\n",
    "lines.jsonl.gz": lambda objects: gzip.compress(b"\n".join(objects)),
    "lines-by-another-name.json": lambda objects: b"\n".join(objects) + b"\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_file_is_taken_in(embedded: CommandLine, tmp_path: Path, name: str):
    objects = indicators(7)
    (tmp_path / name).write_bytes(FORMS[name](objects))
    done = embedded.take_in(tmp_path / name)
    assert (done.exit_code, done.stderr) == (0, "accepted 7, refused 0\n")
    assert embedded.held() == objects


def test_single_objects_and_folders_are_taken_in_by_name(hub: CommandLine, tmp_path: Path):
    objects = indicators(4)
    folder = tmp_path / "folder"
    (folder / "deeper").mkdir(parents=True)
    (folder / "b.json").write_bytes(objects[1])
    (folder / "a.json").write_bytes(objects[0])
    (folder / "deeper" / "c.json").write_bytes(objects[2])
    (folder / "README.txt").write_text("not STIX")
    (tmp_path / "last.json").write_bytes(objects[3])
    done = hub.take_in(folder, tmp_path / "last.json")
    assert done.exit_code == 0, done.stderr
    assert hub.held() == objects


def test_an_import_again_changes_nothing(hub: CommandLine, tmp_path: Path):
    objects = indicators(1_100)  # more than one chunk
    (tmp_path / "x.json").write_bytes(bundle(objects))
    for _ in range(2):
        assert hub.take_in(tmp_path / "x.json").stderr == "accepted 1100, refused 0\n"
        assert hub.held() == objects


def test_what_is_refused_is_told_one_by_one_and_fails_the_command(hub: CommandLine, tmp_path: Path):
    good = indicators(3)
    bad = json.dumps({**json.loads(good[0]), "id": "indicator--5e06fe83-f6a3-4a23-b65d-2654c3a21c91", "pattern": "[oops"}).encode()
    (tmp_path / "x.json").write_bytes(bundle([good[0], bad, *good[1:]]))
    done = hub.take_in(tmp_path / "x.json")
    assert done.exit_code == 1
    assert done.stderr.endswith("accepted 3, refused 1\n")
    assert done.stderr.startswith("refused: indicator--5e06fe83-f6a3-4a23-b65d-2654c3a21c91 2026-01-01T00:00:00.000Z: pattern: ")
    assert hub.held() == good

    done = hub.take_in(tmp_path / "x.json", "--report", tmp_path / "refused.jsonl", "--allow-refused")
    assert (done.exit_code, done.stderr) == (0, "accepted 3, refused 1\n")
    (told,) = lines(tmp_path / "refused.jsonl")
    assert (told["source"], told["id"]) == (str(tmp_path / "x.json"), "indicator--5e06fe83-f6a3-4a23-b65d-2654c3a21c91")
    assert told["reason"].startswith("pattern: ")


@pytest.mark.parametrize("name", ["bundle.json", "lines.ndjson"])
def test_what_refers_to_a_marking_definition_further_down_is_taken_in_behind_it(embedded: CommandLine, tmp_path: Path, name: str):
    definition = json.dumps(
        {
            "type": "marking-definition", "spec_version": "2.1", "id": "marking-definition--8d9ac4c8-1b0b-4c1c-9a0f-5a0c5b1f0d11",
            "created": "2026-01-01T00:00:00.000Z", "definition_type": "statement", "definition": {"statement": "Copyright"},
        }
    ).encode()  # fmt: skip
    objects = [
        json.dumps(json.loads(body) | {"object_marking_refs": ["marking-definition--8d9ac4c8-1b0b-4c1c-9a0f-5a0c5b1f0d11"]}).encode()
        for body in indicators(600)  # more than one chunk
    ]
    (tmp_path / name).write_bytes(FORMS[name]([*objects, definition]))
    assert embedded.take_in(tmp_path / name).stderr == "accepted 601, refused 0\n"
    assert embedded.held() == [definition, *objects]


def test_a_broken_line_is_refused_alone(embedded: CommandLine, tmp_path: Path):
    good = indicators(4)
    smuggled = indicators(2)
    broken = [b"{", b'{"id": }', b'{"a":1,"a":2}', b"7", b'{"a":' + b"[" * 100 + b"]" * 100 + b"}", b",".join(smuggled)]
    (tmp_path / "x.ndjson").write_bytes(b"\n".join([good[0], *broken, *good[1:]]))
    done = embedded.take_in(tmp_path / "x.ndjson", "--report", tmp_path / "refused.jsonl")
    assert (done.exit_code, done.stderr) == (1, "accepted 4, refused 6\n")
    assert embedded.held() == good
    assert len({told["id"] for told in lines(tmp_path / "refused.jsonl")}) == 6


def test_a_file_that_cannot_be_read_does_not_stop_the_others(embedded: CommandLine, tmp_path: Path):
    objects = indicators(2)
    (tmp_path / "a.json").write_bytes(b"<xml/>")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(bundle(objects))[:-20])
    (tmp_path / "c.ndjson.gz").write_bytes(b"not gzip")
    (tmp_path / "d.json").write_bytes(b'{"name": "something else"}')
    (tmp_path / "e.json").write_bytes(bundle(objects))
    done = embedded.take_in(tmp_path, "--report", tmp_path / "refused.jsonl")
    assert (done.exit_code, done.stderr) == (1, "accepted 2, refused 4\n")
    assert [Path(told["source"]).name for told in lines(tmp_path / "refused.jsonl")] == ["a.json", "b.json.gz", "c.ndjson.gz", "d.json"]
    assert embedded.held() == objects


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (("--member", "nobody"), "no such member"),
        (("--collection", "nowhere"), "no such collection"),
        (("--root", "elsewhere"), "no such collection"),
    ],
)
def test_a_name_that_is_nothing_is_told_in_one_line(embedded: CommandLine, tmp_path: Path, changed: tuple[str, str], told: str):
    (tmp_path / "x.json").write_bytes(bundle(indicators(1)))
    for command in (["import", tmp_path / "x.json"], ["export"]):
        done = embedded.run(*command, "--collection", COLLECTION, "--member", "mirror", *changed)
        assert done.exit_code == 1
        assert told in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["out.ndjson", "out.json", "out.ndjson.gz", "out.json.gz"])
def test_an_export_holds_what_was_imported_byte_for_byte_and_can_be_imported(hub: CommandLine, tmp_path: Path, name: str):
    objects = indicators(1_100)
    (tmp_path / "x.json").write_bytes(bundle(objects))
    hub.take_in(tmp_path / "x.json")
    form = "ndjson" if "ndjson" in name else "bundle"
    done = hub.give_out("--format", form, "-o", tmp_path / name)
    assert done.exit_code == 0, done.stderr
    written = (tmp_path / name).read_bytes()
    text = gzip.decompress(written) if name.endswith(".gz") else written
    if form == "ndjson":
        assert text.splitlines() == objects
    else:
        assert json.loads(text)["type"] == "bundle"
        assert text.split(b"\n")[1:-2] == [body + b"," for body in objects[:-1]] + [objects[-1]]
    assert hub.take_in(tmp_path / name).stderr == "accepted 1100, refused 0\n"
    assert hub.held() == objects


def test_an_export_of_nothing_is_a_valid_bundle_or_no_line(embedded: CommandLine):
    assert list(json.loads(embedded.give_out().stdout)) == ["type", "id"]
    assert embedded.give_out("--format", "ndjson").stdout == ""


def test_an_export_holds_the_latest_versions_or_all(embedded: CommandLine, tmp_path: Path):
    (first,) = indicators(1)
    second = first.replace(b'"modified":"2026-01-01', b'"modified":"2026-01-02')
    (tmp_path / "x.ndjson").write_bytes(first + b"\n" + second)
    embedded.take_in(tmp_path / "x.ndjson")
    assert embedded.give_out("--format", "ndjson").stdout_bytes.splitlines() == [second]
    assert embedded.give_out("--format", "ndjson", "--all-versions").stdout_bytes.splitlines() == [first, second]


def test_an_object_written_over_several_lines_is_exported_as_one_line(embedded: CommandLine, tmp_path: Path):
    pretty = json.dumps(json.loads(indicators(1)[0]) | {"description": "two\nlines"}, indent=2).encode()
    (tmp_path / "x.json").write_bytes(pretty)
    embedded.take_in(tmp_path / "x.json")
    (line,) = embedded.give_out("--format", "ndjson").stdout_bytes.splitlines()
    assert json.loads(line) == json.loads(pretty)


def test_an_export_that_fails_leaves_the_file_as_it_was(embedded: CommandLine, tmp_path: Path):
    (tmp_path / "out.json").write_text("of yesterday")
    assert embedded.run("export", "--collection", "nowhere", "--member", "mirror", "-o", tmp_path / "out.json").exit_code == 1
    assert (tmp_path / "out.json").read_text() == "of yesterday"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".out")] == []


def test_an_export_to_a_link_replaces_what_it_leads_to(embedded: CommandLine, tmp_path: Path):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "out.ndjson.gz"
    target.write_text("of yesterday")
    link.symlink_to(target)
    (tmp_path / "x.ndjson").write_bytes(b"\n".join(objects := indicators(2)))
    embedded.take_in(tmp_path / "x.ndjson")
    assert embedded.give_out("--format", "ndjson", "-o", link).exit_code == 0
    assert link.is_symlink()
    assert gzip.decompress(target.read_bytes()).splitlines() == objects
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@pytest.mark.parametrize("name", ["pipe", "pipe.gz"])
def test_an_export_to_a_pipe_goes_through_it(embedded: CommandLine, tmp_path: Path, name: str):
    pipe = tmp_path / name
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE)
    try:
        done = embedded.give_out("-o", pipe)
        assert (done.exit_code, pipe.is_fifo()) == (0, True), done.stderr
        read, _ = reader.communicate(timeout=WITHIN_S)
    finally:
        reader.kill()
        reader.wait()
    assert json.loads(gzip.decompress(read) if name.endswith(".gz") else read)["type"] == "bundle"


def test_an_export_to_a_full_device_is_told_in_one_line(embedded: CommandLine):
    command = [sys.executable, "-m", "hub", "export", "--collection", COLLECTION, "--member", "mirror"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command, check=False, stdout=full, stderr=subprocess.PIPE, text=True, env={**os.environ, "HUB_DATABASE_URL": embedded.url}
        )
    assert (done.returncode, done.stderr) == (1, "standard output cannot be written: No space left on device\n")


def test_attack_for_ics_over_itself_refuses_what_was_silently_republished(hub: CommandLine, tmp_path: Path):
    old, new = (find_data(f"stix21/attack/ics-attack-{version}.json.gz") for version in ("17.1", "18.1"))
    assert hub.take_in(old).stderr == "accepted 1651, refused 0\n"
    before = hub.held()
    done = hub.take_in(new, "--report", tmp_path / "refused.jsonl")
    refused = lines(tmp_path / "refused.jsonl")
    assert done.stderr == "accepted 1756, refused 70\n"
    assert done.exit_code == 1
    assert Counter(told["id"].partition("--")[0] for told in refused) == {"attack-pattern": 70}
    for told in refused:
        assert re.fullmatch(r"conflict: .* \(SHA-256 [0-9a-f]{64}, yours is [0-9a-f]{64}\); .*", told["reason"])
    after = hub.held()
    assert after[: len(before)] == before, "what was held is held still, under the date that it had"
    assert len(after) == 2141
