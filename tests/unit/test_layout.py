"""Rules about the tree as a whole: which way imports go, what must never be in a file, and how long one may be."""

import ast
import functools
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
# Written in two parts, so that this file does not hold what it looks for.
UNWANTED = {
    "an unfinished piece": re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
    "a path of somebody's machine": re.compile(r"(?<![\w.])/(ro" + r"ot|wo" + r"rk|home/\w+)/"),
    "a merge that was not finished": re.compile(r"^(<{7}|>{7}) ", re.MULTILINE),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE" + r" KEY-----\n[A-Za-z0-9+/]"),
}


def tracked(*patterns: str) -> Iterator[Path]:
    listed = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (path := CHECKOUT / name).exists():
            yield path


def name_of(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


def test_imports_go_one_way() -> None:
    done = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=CHECKOUT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("what", UNWANTED)
def test_no_file_holds(what: str) -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{name_of(path)}:{text.count(chr(10), 0, match.start()) + 1}" for match in UNWANTED[what].finditer(text)]
    assert found == []


def test_requirements_name_no_registry_and_pin_every_file_by_hash() -> None:
    for path in tracked("requirements*.txt"):
        text = path.read_text()
        assert "://" not in text
        assert "-index" not in text
        assert "--find-links" not in text
        requirements = re.split(r"\n(?=\S)", text.strip())
        assert [requirement for requirement in requirements if "==" not in requirement or "--hash=sha256:" not in requirement] == []


def test_run_time_versions_are_the_same_in_both_requirements() -> None:
    run, dev = (
        set(re.findall(r"^(\S+==\S+)", (CHECKOUT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert run - dev == set()


def test_every_direct_dependency_is_pinned() -> None:
    requirements = (CHECKOUT / "requirements-build.txt").read_text() + (CHECKOUT / "requirements.txt").read_text()
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    direct = [*project["build-system"]["requires"], *project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    pinned = set(re.findall(r"^([a-z0-9.-]+)", requirements, re.MULTILINE))
    assert {re.split(r"[\[=<>;]", requirement)[0] for requirement in direct} - pinned == set()


def test_no_module_is_too_long() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in tracked("hub/*.py", "connectors/*.py")}
    assert {name: length for name, length in lengths.items() if length > MODULE_LINES_MAX} == {}


def test_no_function_is_too_long() -> None:
    too_long = [
        f"{name_of(path)}:{node.lineno} {node.name}"
        for path in tracked("hub/*.py", "connectors/*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert too_long == []


def test_every_module_says_what_it_is() -> None:
    silent = [name_of(path) for path in tracked("hub/*.py", "connectors/*.py") if path.read_text().strip() and not docstring(path)]
    assert [name for name in silent if "migrations/versions" not in name] == []


def docstring(path: Path) -> str | None:
    return ast.get_docstring(parsed(path))


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())
