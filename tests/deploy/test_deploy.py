"""The files in deploy/ are what their tools accept, agree with the hub's own settings, and carry all that the hub needs to run."""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from hub import __version__
from hub.config import Config, defaults, documented, load_config

CHECKOUT = Path(__file__).resolve().parents[2]
DEPLOY = CHECKOUT / "deploy"
BIN = Path(sys.executable).parent


def check(directory: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    return subprocess.run([DEPLOY / "check.sh", directory], env=environ, check=False, capture_output=True, text=True)


def test_tools_accept_every_deployment_file() -> None:
    done = check(DEPLOY)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall("^ok ", done.stdout, re.MULTILINE)) >= 3


# What is written in place of what, and which tool has to notice.
BREAKAGES = [
    ("Containerfile", "FROM python:3.13-slim-bookworm\n", "FROM python:latest\n", "hadolint"),
    ("compose.yaml", "restart: unless-stopped\n    security_opt", "restrat: unless-stopped\n    security_opt", "Compose"),
    ("compose.yaml", "interval: 5s", "interval: [5]", "the Compose specification's schema"),
    ("fusion-hub.service", "RestartSec=2", "RestartSecs=2", "systemd"),
    ("fusion-hub.service", r"(?s)# It reads its program.*\[Install\]", "[Install]", "its sandbox"),
    ("nginx.conf", "proxy_http_version", "proxy_version", "nginx"),
]


@pytest.fixture(scope="module")
def said_of_broken_files(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the tools said of a copy with every one of the breakages."""
    copy = tmp_path_factory.mktemp("broken") / "deploy"
    shutil.copytree(DEPLOY, copy)
    for name, good, bad, _ in BREAKAGES:
        broken, count = re.subn(good, bad, (copy / name).read_text(), count=1)
        assert count == 1, (name, good)
        (copy / name).write_text(broken)
    done = check(copy)
    assert done.returncode == 1
    return done.stdout


@pytest.mark.parametrize(("name", "tool"), [(name, tool) for name, _, _, tool in BREAKAGES], ids=[tool for *_, tool in BREAKAGES])
def test_a_broken_file_is_refused_by_its_tool(said_of_broken_files: str, name: str, tool: str) -> None:
    if f"{name} was not checked" in said_of_broken_files:
        pytest.skip(f"the tool that checks {name} is not installed")
    assert f"REFUSED  {name} ({tool})" in said_of_broken_files


def example_lines() -> dict[str, tuple[str, str]]:
    """Return, for each setting in hub.example.toml, the comment above it and its commented-out line."""
    pairs = re.findall(r"^# (.*)\n#((\w+) = .*)$", (DEPLOY / "hub.example.toml").read_text(), re.MULTILINE)
    return {name: (comment, line) for comment, line, name in pairs}


def test_the_example_names_every_setting_with_its_description_and_default() -> None:
    described = {name: text for name, text in documented().items() if name != "connector_settings"}
    lines = example_lines()
    assert {name: comment for name, (comment, _) in lines.items()} == described
    for name, (_, line) in lines.items():
        default = defaults()[name]
        if line.endswith("# unset"):
            assert default is None, f"{name} has the default {default!r}"
        else:
            value = tomllib.loads(line)[name]
            assert (tuple(value) if isinstance(value, list) else value) == default, name


def test_the_example_with_every_setting_taken_is_a_valid_configuration(tmp_path: Path) -> None:
    file = tmp_path / "hub.toml"
    file.write_text("\n".join(line for _, line in example_lines().values()))
    config = load_config(file, environ={})
    assert {field.name for field in dataclasses.fields(Config) if getattr(config, field.name) is None} == set()


def test_time_to_stop_is_longer_than_the_time_to_finish_requests() -> None:
    drain_s = Config().drain_s
    unit = (DEPLOY / "fusion-hub.service").read_text()
    compose = (DEPLOY / "compose.yaml").read_text()
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)[1]) > drain_s
    assert int(re.search(r"stop_grace_period: (\d+)s", compose)[1]) > drain_s


def test_the_proxy_has_the_limits_of_the_hub() -> None:
    config = Config()
    directives = dict(re.findall(r"^\s+(\w+) (?:4 )?([^;]+);", (DEPLOY / "nginx.conf").read_text(), re.MULTILINE))
    assert directives["client_max_body_size"] == f"{config.body_bytes_max // 1024 // 1024}m"
    assert directives["large_client_header_buffers"] == f"{config.request_line_bytes_max // 1024}k"
    assert directives["client_header_timeout"] == f"{config.headers_timeout_s}s"
    assert directives["client_body_timeout"] == f"{config.body_timeout_s}s"
    assert directives["keepalive_timeout"] == f"{config.keepalive_s}s"


def test_the_proxy_passes_the_certificate_where_the_hub_looks_for_it() -> None:
    assert f"proxy_set_header {Config().proxy_certificate_header} $ssl_client_escaped_cert;" in (DEPLOY / "nginx.conf").read_text()


def test_the_image_is_tagged_with_the_version_of_the_code() -> None:
    assert f"image: fusion-hub:{__version__}\n" in (DEPLOY / "compose.yaml").read_text()


def test_the_wheel_holds_every_file_of_the_packages_and_the_policies(tmp_path: Path) -> None:
    subprocess.run([BIN / "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=CHECKOUT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(
        ["git", "ls-files", "--", "hub", "connectors", "policies"], cwd=CHECKOUT, check=True, capture_output=True, text=True
    )
    wanted = {re.sub("^policies/", "hub/_policies/", name) for name in listed.stdout.splitlines() if (CHECKOUT / name).exists()}
    assert wanted - held == set()
    assert [name for name in held if name.startswith("tests/")] == []
