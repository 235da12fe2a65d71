"""The path of an object: signed at home, pushed, pulled, pushed to another hub by somebody else, fetched with stix2, and still verified."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import stix2
from stix2 import TAXIICollectionSource
from taxii2client.common import TokenAuth
from taxii2client.v21 import Collection
from typer.testing import CliRunner

from hub.__main__ import cli
from hub.cli.signing_key import read_signing_key
from hub.domain.signing.trusted import Finding, judge, read_trusted
from hub.service.administer import COMMAND_LINE
from hub.service.collections import add_collection
from tests.scratch import copy_database
from tests.signing.community import Signing, register
from tests.taxii.community import ENERGY
from tests.web.hubs import Running, running


@pytest.fixture
async def elsewhere(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """Another hub, of which energy is no member."""
    async with running(f"sqlite:///{copy_database(_sqlite_template, tmp_path_factory.mktemp('elsewhere'))}") as hub:
        yield hub


async def run(*words: object) -> str:
    result = await asyncio.to_thread(CliRunner().invoke, cli(), [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


async def test_a_signature_survives_two_hubs_and_the_library_that_reads_the_object(signing: Signing, elsewhere: Running, tmp_path: Path):
    key, home, site = tmp_path / "key.pem", tmp_path / "home.json", signing.site
    await run("keygen", key)
    await register(site.hub, read_signing_key(key), ENERGY.slug)
    obj = stix2.v21.Indicator(
        created_by_ref=ENERGY.id, name="Überall: 漢字", pattern="[ipv4-addr:value = '198.51.100.7']", pattern_type="stix", confidence=85
    )
    home.write_text(obj.serialize())
    await run("sign", home, "--key", key, "-o", tmp_path / "signed.json")
    user, password = site.credentials["energy"]
    await run("push", tmp_path / "signed.json", "--url", site.url + signing.signed, "--user", f"{user}:{password}")

    user, password = site.credentials["water"]
    await run("pull", site.url + signing.signed, "--user", f"{user}:{password}", "-o", tmp_path / "pulled.ndjson")
    there = await add_collection(elsewhere.hub, COMMAND_LINE, title="There", readers=["everyone"], writers=["everyone"])
    url = f"{elsewhere.url}/taxii2/hub/collections/{there.id}/"
    await run("push", tmp_path / "pulled.ndjson", "--url", url, "--token", elsewhere.token)

    def fetch() -> str:
        with Collection(url, auth=TokenAuth(elsewhere.token)) as collection:
            return str(TAXIICollectionSource(collection).get(obj.id).serialize())

    fetched = json.loads(await asyncio.to_thread(fetch))
    async with site.session.get(f"{site.url}/trust/v1/members/{ENERGY.id}/jwks.json") as response:
        trusted = read_trusted([await response.read()])
    assert judge(fetched, trusted).finding is Finding.GOOD
    assert judge({**fetched, "confidence": 84}, trusted).finding is Finding.BAD
