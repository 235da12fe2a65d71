"""The documents are true: links lead somewhere, commands exist and run, and what is listed is all that there is."""

import importlib
import json
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import SQLModel

from hub import errors
from hub.__main__ import COMMANDS, load_command
from hub.domain.label import Severity, Tlp
from hub.domain.marking import resolve
from hub.domain.signing.extension import definition_ids
from hub.domain.stix import Limits, read_object
from hub.store import tables
from hub.web.errors import STATUS

CHECKOUT = Path(__file__).resolve().parents[2]
HUB = str(Path(sys.executable).with_name("hub"))
WITHIN_S = 120
MARK = "--- the next block ---"
_LISTED = subprocess.run(
    ["git", "ls-files", "-co", "--exclude-standard", "--", "*.md"], cwd=CHECKOUT, check=True, capture_output=True, text=True
)
DOCUMENTS = [name for name in _LISTED.stdout.splitlines() if (CHECKOUT / name).exists()]


def text_of(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(name), re.MULTILINE | re.DOTALL)


# --- Links and names ------------------------------------------------------------------------------------------------------


def anchors(name: str) -> set[str]:
    """Return the anchors that a reader's page gives to the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", text_of(name), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_inside_the_repository_leads_somewhere(name: str):
    prose = re.sub(r"^```.*?^```$", "", text_of(name), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (CHECKOUT / name).parent / path if path else CHECKOUT / name
        if not file.exists() or (anchor and anchor not in anchors(str(file.resolve().relative_to(CHECKOUT)))):
            broken.append(target)
    assert broken == []


def exists(name: str) -> bool:
    """Whether a dotted name, such as `service.admit.push`, is a module of the hub or something in one."""
    parts = name.removeprefix("hub.").split(".")
    for end in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(["hub", *parts[:end]]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


@pytest.mark.parametrize("name", ["hub/ARCHITECTURE.md", "hub/DECISIONS.md", "hub/architecture.svg"])
def test_every_part_of_the_hub_that_is_named_exists(name: str):
    named = re.findall(r"\b((?:hub|domain|service|store|web|work)\.[a-z_]+(?:\.\w+)*)(?!\w*\()", text_of(name))
    named = [part for part in named if not part.endswith((".toml", ".svg"))]
    assert len(named) > 5
    assert [part for part in named if not exists(part)] == []


# --- Lists that are complete ----------------------------------------------------------------------------------------------


def test_the_table_of_errors_has_every_code_with_its_status():
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", text_of("hub/ARCHITECTURE.md"), re.MULTILINE)
    assert {code: int(status) for code, status in rows} == {code: int(status) for code, status in STATUS.items()}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.HubError)]
    assert {kind.code for kind in kinds} - {code for code, _ in rows} == set()


def test_every_table_of_the_database_is_among_what_is_stored():
    section = text_of("README.md").split("## What is stored")[1].split("\n## ")[0]
    schema = {
        row.__tablename__ for row in vars(tables).values() if isinstance(row, type) and issubclass(row, SQLModel) and row is not SQLModel
    }
    assert schema - set(re.findall(r"`(\w+)`", section)) == set()


def test_every_connector_has_a_section_of_its_own():
    shipped = tomllib.loads(text_of("pyproject.toml"))["project"]["entry-points"]["fusion_hub.connectors"]
    assert set(re.findall(r"^### Settings of `([\w-]+)`$", text_of("connectors/README.md"), re.MULTILINE)) == set(shipped)


def test_every_folder_of_tests_is_described():
    folders = {path.parent.name for path in (CHECKOUT / "tests").glob("*/*.py")}
    described = {
        name for row in re.findall(r"^\| (`.*?) \|", text_of("tests/README.md"), re.MULTILINE) for name in re.findall(r"`(\w+)/`", row)
    }
    assert described == folders


# --- Commands -------------------------------------------------------------------------------------------------------------


def named_commands(name: str) -> Iterator[tuple[str, str]]:
    """Yield each command of `hub` that a document shows as code: its first word, and the next one or nothing."""
    text = text_of(name)
    code = re.findall(r"^```sh\n(.*?)^```$|^(    [^\n]*)$|`([^`\n]+)`", text, re.MULTILINE | re.DOTALL)
    for piece in (re.sub(r"\s#\s.*", "", "".join(found)) for found in code):
        yield from re.findall(r"(?<![\w.-])hub(?: --[a-z-]+ [\w./]+)* ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", piece)


def subcommands(command: Any) -> dict[str, Any]:
    return getattr(command, "commands", {})


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_that_is_shown_exists(name: str):
    unknown = []
    for first, second in named_commands(name):
        if first not in COMMANDS or (second and (below := subcommands(load_command(first))) and second not in below):
            unknown.append(f"hub {first} {second}")
    assert unknown == []


def test_the_search_for_commands_finds_those_of_the_readme():
    assert {first for first, _ in named_commands("README.md")} >= {"explain", "push", "pull", "migrate", "serve", "member", "audit"}


def test_the_first_screen_names_both_commands_as_the_makefile_has_them():
    first, makefile = blocks("README.md", "sh")[0], text_of("Makefile")
    targets = re.findall(r"^make (\w+) ", first, re.MULTILINE)
    assert targets == ["demo", "test"]
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    assert ("PORT ?= 8460" in makefile, "DATA ?= demo-data" in makefile) == (True, True)


# --- Examples that are run ------------------------------------------------------------------------------------------------


def run_beside_a_demo(directory: Path, scripts: list[str]) -> list[str]:
    """Run shell scripts one after the other in one shell, in a directory in which a demo serves; return what each prints."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = str(sock.getsockname()[1])
    command = [HUB, "demo", "--port", port, "--data", "demo-data"]
    with subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        try:
            assert demo.stdout is not None
            announced = list(takewhile(lambda line: not line.startswith("The same for tools"), demo.stdout))
            script = f"\necho {MARK}\n".join(scripts).replace(".venv/bin/hub", HUB).replace(":8460", f":{port}")
            shell = ["bash", "-euo", "pipefail", "-c", script]
            done = subprocess.run(shell, cwd=directory, check=False, capture_output=True, text=True, timeout=WITHIN_S)
        finally:
            demo.terminate()
    assert done.returncode == 0, (done.stderr, announced)
    assert [line.split()[0] for line in announced if " push " in line] == [HUB], "it suggests the command by which it was started"
    return done.stdout.split(f"{MARK}\n")


def assert_shown(said: str, shown: str) -> None:
    """Require what was said to be what is shown, where `…` stands for an id or a moment that each demo has for itself."""
    assert re.fullmatch(re.escape(shown.strip()).replace("…", r"[\w.:-]+"), said.strip()), said


def test_the_readmes_commands_print_what_it_shows_and_do_what_it_says(tmp_path: Path):
    for tool in ("bash", "curl"):
        if shutil.which(tool) is None:
            pytest.skip(f"the README's commands need {tool}")
    requested, explained, joined, exchanged, own = run_beside_a_demo(tmp_path, blocks("README.md", "sh")[1:])  # the first starts the demo
    assert_shown(requested, *blocks("README.md", "json"))
    assert_shown(explained, *blocks("README.md", "text"))
    assert json.loads(joined.splitlines()[-1]) == json.loads(requested)
    pulled = [json.loads(line) for line in exchanged.splitlines() if line.startswith("{")]
    assert [obj["name"] for obj in pulled if obj["id"] not in definition_ids()] == ["My first indicator"]
    assert "database_url = 'sqlite:///my-hub.sqlite3'" in own


def test_the_example_of_the_sharing_extension_means_what_it_says():
    (example,) = blocks("policies/README.md", "json")
    note = {
        "type": "note", "spec_version": "2.1", "id": "note--6f0d6f0e-0f1b-4b3a-9d0e-3c9f3a1e5b21", "created": "2026-11-21T09:00:00.000Z",
        "modified": "2026-11-21T09:00:00.000Z", "content": "…", "object_refs": ["identity--d79cc2ab-306f-45bd-b771-13bcfd92497b"],
        "extensions": json.loads(example),
    }  # fmt: skip
    meaning = resolve(read_object(json.dumps(note).encode(), limits=Limits()), known={}, groups=(), default=Tlp.AMBER)
    assert (meaning.recipients, meaning.sectors) == ({"identity--d79cc2ab-306f-45bd-b771-13bcfd92497b"}, {"energy", "water"})
    assert (meaning.topic, meaning.severity, meaning.unresolved) == ("ip-protection", Severity.IMMINENT, False)
