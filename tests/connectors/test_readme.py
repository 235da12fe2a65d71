"""The connectors' README lists the settings that there are."""

import re
from pathlib import Path

from connectors.taxii import CONNECTOR

README = (Path(__file__).resolve().parents[2] / "connectors" / "README.md").read_text()


def test_every_setting_of_the_taxii_connector_is_listed_with_what_it_means_and_its_default():
    section = README.split("### Settings of `taxii`")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) ?\|$", section, re.MULTILINE)
    assert [name for name, _, _ in rows] == [setting.name for setting in CONNECTOR.settings]
    for (_, meaning, default), setting in zip(rows, CONNECTOR.settings, strict=True):
        assert meaning.replace("`", "") == setting.doc + ("; secret" if setting.secret else "")
        assert default == ("" if setting.default is None else f"`{setting.default}`")
