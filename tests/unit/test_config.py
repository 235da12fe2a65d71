"""Settings: where they come from, and what is refused."""

from pathlib import Path

import pytest

from hub.config import load_config
from hub.errors import ConfigError


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
