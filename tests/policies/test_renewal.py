"""The policies in force when the hub becomes another release: its own are renewed, a site's own stay, nobody is locked out silently."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping

import pytest
from sqlalchemy import bindparam, insert, update

from hub.config import Config
from hub.domain.policy import PolicyBundle
from hub.errors import ConfigError
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub, open_hub
from hub.service.install import install, renew_policies
from hub.service.policies import activate_policies, require_fit_policies, roll_back_policies
from hub.store.database import Connection, Database, open_database, prepare
from hub.store.directory import bump_revision
from hub.store.install import INSTALLER
from hub.store.policies import put_in_force
from hub.store.tables import table
from tests.policies.bundles import shipped_files, unwritable_files

SHIPPED = PolicyBundle.load(PolicyBundle.shipped_directory()).digest
NOW_US = 1_800_000_000_000_000


@pytest.fixture
async def hub(database_url: str) -> AsyncIterator[Hub]:
    db: Database = await open_database(database_url)
    await install(db, now_us=NOW_US, title="Test")
    yield await open_hub(Config(database_url=database_url), db)
    await db.close()


async def hold(hub: Hub, files: Mapping[str, bytes], *, actor: str) -> str:
    """Let a bundle be in force as it could be under an earlier release, which did not check what this one checks."""
    digest = hashlib.sha256(json.dumps({name: body.decode() for name, body in files.items()}).encode()).hexdigest()

    async def write(conn: Connection) -> None:
        await bump_revision(conn)
        await put_in_force(conn, digest, files, actor=actor, approver=None, now_us=NOW_US, before=1)

    await hub.db.write(write)
    return digest


def of_an_earlier_release() -> dict[str, bytes]:
    """A bundle of the time before standings and reciprocity: no `standing.toml`, and a schema without what came since."""
    return {name: body for name, body in shipped_files().items() if name in ("schema.cedarschema", "tlp.cedar")}


async def in_force(hub: Hub) -> str:
    return (await hub.directory()).policy


async def test_policies_that_came_with_an_earlier_release_are_renewed(hub: Hub):
    await hold(hub, of_an_earlier_release(), actor=INSTALLER)
    with pytest.raises(ConfigError, match="hub policy activate DIR"):
        await require_fit_policies(hub)
    assert "in place of those of an earlier one" in await renew_policies(hub.db, now_us=NOW_US)
    assert await in_force(hub) == SHIPPED
    await require_fit_policies(hub)
    assert "are in force" in await renew_policies(hub.db, now_us=NOW_US)  # once more changes nothing
    assert await in_force(hub) == SHIPPED


async def test_policies_that_are_known_to_have_come_with_the_hub_are_renewed_though_nobody_wrote_down_who_put_them_there(hub: Hub):
    first = "c5852d9b67d952806e3f662c8bee959b6314296021d32b8393cb7e550fdbfb0d"

    async def write(conn: Connection) -> None:
        await bump_revision(conn)
        files = json.dumps({name: body.decode() for name, body in of_an_earlier_release().items()})
        await conn.execute(prepare(insert(table("policy_bundle"))), digest=first, files=files, activated_us=NOW_US)
        state = table("hub_state")
        await conn.execute(prepare(update(state).where(state.c.name == "policy").values(value=bindparam("digest"))), digest=first)

    await hub.db.write(write)
    await renew_policies(hub.db, now_us=NOW_US)
    assert await in_force(hub) == SHIPPED


async def test_a_sites_own_policies_stay_and_the_hub_says_what_to_run_where_they_do_not_fit(hub: Hub):
    edited = await hold(hub, of_an_earlier_release(), actor="person:ann")
    said = await renew_policies(hub.db, now_us=NOW_US)
    assert "do not fit this release" in said
    assert "standing.toml:1: there is no such file" in said
    assert "hub policy activate DIR" in said
    assert await in_force(hub) == edited
    await activate_policies(hub, COMMAND_LINE, unwritable_files())  # which needs nothing of what cannot be read
    await require_fit_policies(hub)


async def test_a_sites_own_policies_that_fit_stay(hub: Hub):
    own = await activate_policies(hub, COMMAND_LINE, unwritable_files())
    assert await renew_policies(hub.db, now_us=NOW_US) == f"your own policies stay in force (bundle {own.digest[:12]})"
    assert await in_force(hub) == own.digest
    await roll_back_policies(hub, COMMAND_LINE)
    assert await in_force(hub) == SHIPPED
