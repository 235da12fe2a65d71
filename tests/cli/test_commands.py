"""The list of all commands, which names them without importing them."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import hub.cli
from hub.__main__ import COMMANDS, cli, load_command

LOADED = """
import sys
from typer.testing import CliRunner
from hub.__main__ import cli
result = CliRunner().invoke(cli(), sys.argv[1:])
assert result.exit_code == 0, result.output
print(*{name.partition(".")[0] for name in sys.modules} & {"aiohttp", "alembic", "requests", "sqlalchemy", "stix2"})
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_as_it_describes_itself(name: str):
    assert COMMANDS[name].help == load_command(name).help


def test_every_command_is_listed():
    modules = [importlib.import_module(f"hub.cli.{module.name}") for module in pkgutil.iter_modules(hub.cli.__path__)]
    made = {
        (module.__name__.rpartition(".")[2], name)
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, typer.Typer) and (value.registered_commands or value.registered_groups)
    }
    assert {(place.module, place.app) for place in COMMANDS.values()} == made
    alone = {
        command.name
        for module in modules
        if isinstance(app := vars(module).get("app"), typer.Typer) and not app.info.help
        for command in app.registered_commands
    }
    assert alone <= COMMANDS.keys()


def test_a_command_that_is_misspelt_is_guessed():
    result = CliRunner().invoke(cli(), ["migrat"])
    assert result.exit_code == 2
    assert "Did you mean 'migrate'?" in result.output


@pytest.mark.parametrize("words", [["--config", "{}", "check-config"], ["check-config", "--config", "{}"], ["--config", "{}", "migrate"]])
def test_the_settings_file_on_the_command_line_counts_before_that_of_the_environment(tmp_path: Path, words: list[str]):
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text('title = "One"\nlisten_port = -1\n')
    other.write_text("workers = 0\n")
    result = CliRunner().invoke(cli(), [word.format(one) for word in words], env={"HUB_CONFIG": str(other)})
    assert (result.exit_code, result.stderr) == (1, "listen_port: -1 is too small; 0 is the least\n")


@pytest.mark.parametrize(
    ("words", "loaded"),
    [
        (["--help"], set()),
        (["push", "--help"], {"requests"}),
        (["serve", "--help"], {"aiohttp", "sqlalchemy"}),
        (["demo", "--help"], {"aiohttp", "alembic", "requests", "sqlalchemy", "stix2"}),
    ],
)
def test_a_command_loads_only_what_it_needs(words: list[str], loaded: set[str]):
    """Libraries that take long to import are what a command's start costs."""
    done = subprocess.run([sys.executable, "-c", LOADED, *words], check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) == loaded
