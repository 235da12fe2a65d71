"""The rows that every hub has."""

import json
from collections.abc import Mapping

from sqlalchemy import insert, select

from hub.store.database import Connection, prepare
from hub.store.state import add_state, find_state
from hub.store.tables import table

REVISION = table("revision")
ROOT = table("api_root")
BUNDLE = table("policy_bundle")

INSTALLER = "hub migrate"  # who put in force what comes with the hub
_INTRODUCED = "extensions_introduced"  # in `hub_state`: whether all collections hold the definitions of the hub's extensions

_INSTALLED = prepare(select(REVISION.c.value).where(REVISION.c.id == 1))
_ADD_REVISION = prepare(insert(REVISION))
_ADD_BUNDLE = prepare(insert(BUNDLE))
_ADD_ACTIVATION = prepare(insert(table("policy_activation")))
_ADD_ROOT = prepare(insert(ROOT))


async def is_installed(conn: Connection) -> bool:
    """Return whether the database holds a hub."""
    return await conn.fetch_value(_INSTALLED) is not None


async def add_hub(
    conn: Connection, state: Mapping[str, str], policy_files: Mapping[str, str], *, root: str, root_title: str, now_us: int
) -> None:
    """Insert the first revision, the hub's facts, its policies and its first API Root, the default one."""
    await conn.execute(_ADD_REVISION, id=1, value=1)
    await add_state(conn, state)
    await note_extensions_introduced(conn)  # into none, as there is no collection yet
    await conn.execute(_ADD_BUNDLE, digest=state["policy"], files=json.dumps(policy_files), activated_us=now_us)
    await conn.execute(_ADD_ACTIVATION, row=1, digest=state["policy"], at_us=now_us, actor=INSTALLER, approver=None, before=None)
    await conn.execute(_ADD_ROOT, slug=root, title=root_title, description=None, is_default=1)


async def are_extensions_introduced(conn: Connection) -> bool:
    """Return whether all collections hold the definitions of the hub's extensions: not in a hub from before collections began with them."""
    return await find_state(conn, _INTRODUCED) is not None


async def note_extensions_introduced(conn: Connection) -> None:
    """Write down that all collections hold them."""
    await add_state(conn, {_INTRODUCED: "yes"})
