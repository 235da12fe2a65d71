"""Settings: where they come from, and what is refused."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.__main__ import cli
from hub.config import load_config
from hub.errors import ConfigError

_NOBODY = 65_534  # the account that owns nothing, on Linux


@pytest.mark.parametrize("text", ["true", "True", "false"])
def test_what_is_true_or_false_is_read_from_the_environment_and_from_a_file(tmp_path: Path, text: str):
    value = text != "false"
    assert load_config(environ={"HUB_MESSAGE_SIGNATURES_REQUIRED": text}).message_signatures_required is value
    file = tmp_path / "hub.toml"
    file.write_text(f"message_signatures_required = {text.lower()}\n")
    assert load_config(file, environ={}).message_signatures_required is value


@pytest.mark.parametrize("text", ["1", "yes", "", " true"])
def test_what_is_neither_true_nor_false_is_refused(tmp_path: Path, text: str):
    with pytest.raises(ConfigError, match="true or false is needed"):
        load_config(environ={"HUB_MESSAGE_SIGNATURES_REQUIRED": text})
    file = tmp_path / "hub.toml"
    file.write_text(f'message_signatures_required = "{text}"\n')
    with pytest.raises(ConfigError, match="true or false is needed"):
        load_config(file, environ={})


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("listen_port", "65536"),
        *(
            ("database_url", url)
            for url in ("sqlite:foo", "sqlite://", "sqlite://foo.sqlite3", "sqlite:///", "postgresql:hub", "mysql://h/d")
        ),
        *(("database_url", f"postgresql://{rest}") for rest in ("h:99999/d", "h:abc/d", "u:p/w@h/d", "[::1/d", "h:1,h:x/d", "/d?port=x")),
        *(("public_url", url) for url in ("http://[::1", "https://", "https://hub.example.org:99999", "https://:443", "hub.example.org")),
    ],
)
def test_a_setting_that_is_miswritten_is_refused_in_one_line_that_names_it(setting: str, value: str):
    result = CliRunner().invoke(cli(), ["check-config"], env={f"HUB_{setting.upper()}": value})
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"{setting}: ")
    assert result.stderr.count("\n") == 1
    assert "p/w" not in result.stderr


def test_a_file_that_is_no_path_is_refused(tmp_path: Path):
    file = tmp_path / "hub.toml"
    file.write_text("keys_dir = 5\n")
    with pytest.raises(ConfigError, match="keys_dir: a text is needed, not 5"):
        load_config(file, environ={})


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://hub@h/d?sslmode=require", "postgresql://hub@h/d?sslmode=require"),
        ("postgresql://hub:geheim@h:1,i:2/d", "postgresql://hub:***@h:1,i:2/d"),
        ("postgresql://h/d?user=hub&password=geheim&port=1", "postgresql://h/d?user=hub&password=***&port=1"),
        ("postgresql://h/d?p%61ssword=ge%20heim&sslpassword=geheim", "postgresql://h/d?p%61ssword=***&sslpassword=***"),
        ("sqlite:////var/lib/a:b@c", "sqlite:////var/lib/a:b@c"),
    ],
)
def test_no_password_in_the_database_url_is_shown(url: str, shown: str):
    assert load_config(environ={}, database_url=url).described()["database_url"] == shown


@pytest.mark.parametrize(
    ("environ", "settings", "found"),
    [
        ({"STATE_DIRECTORY": "{}/own:{}/other", "XDG_STATE_HOME": "{}/xdg"}, {}, "{}/own"),
        ({"XDG_STATE_HOME": "{}/xdg", "HOME": "{}"}, {}, "{}/xdg/fusion-hub"),
        ({"HOME": "{}"}, {}, "{}/.local/state/fusion-hub"),
        ({"HOME": "{}"}, {"keys_dir": "{}/keys"}, "{}/keys"),
        ({"HOME": "{}"}, {"keys_dir": "{}/keys", "state_dir": "{}/state"}, "{}/state"),
        ({"HOME": "/dev/null"}, {}, None),
        ({}, {}, None),
    ],
)
def test_what_a_node_remembers_is_where_its_keys_are_or_its_user_keeps_state(
    tmp_path: Path, environ: dict[str, str], settings: dict[str, str], found: str | None
):
    def here(texts: dict[str, str]) -> dict[str, str]:
        return {name: text.replace("{}", str(tmp_path)) for name, text in texts.items()}

    config = load_config(environ=here(environ), database_url="postgresql://hub@localhost/hub", **here(settings))
    assert config.memory_directory == (Path(found.replace("{}", str(tmp_path))) if found else None)
    assert load_config(environ=here(environ), database_url="sqlite:////srv/hub.sqlite3").memory_directory == Path("/srv/keys")


def test_a_home_that_is_closed_to_who_runs_the_hub_is_no_place_to_remember(tmp_path: Path):
    home = tmp_path / "closed" / "home"
    home.mkdir(parents=True)
    home.parent.chmod(0)
    is_root = os.geteuid() == 0  # to whom nothing is closed
    try:
        if is_root:
            os.seteuid(_NOBODY)
        config = load_config(environ={"HOME": str(home)}, database_url="postgresql://hub@localhost/hub")
    finally:
        if is_root:
            os.seteuid(0)
        home.parent.chmod(0o700)
    assert config.memory_directory is None
