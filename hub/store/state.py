"""Facts about the hub as a whole, by name: the key of its tokens' hashes, its identity, which policies are in force, …"""

from collections.abc import Mapping

from sqlalchemy import bindparam, delete, select, update

from hub.errors import ConfigError
from hub.store.database import Connection, prepare
from hub.store.tables import table

STATE = table("hub_state")

_FIND = prepare(select(STATE.c.value).where(STATE.c.name == bindparam("fact")))
_CHANGE = prepare(update(STATE).where(STATE.c.name == bindparam("fact"), STATE.c.value != bindparam("new")).values(value=bindparam("new")))
_REMOVE = prepare(delete(STATE).where(STATE.c.name == bindparam("fact")))


async def find_state(conn: Connection, name: str) -> str | None:
    """Return a fact; None where nobody wrote it down."""
    value: str | None = await conn.fetch_value(_FIND, fact=name)
    return value


async def read_state(conn: Connection, name: str) -> str:
    """Return a fact that every hub has.

    Raises:
        ConfigError: the hub was not initialised.
    """
    value = await find_state(conn, name)
    if value is None:
        raise ConfigError("the database holds no hub yet; run `hub migrate` first")
    return value


async def add_state(conn: Connection, facts: Mapping[str, str]) -> None:
    """Write facts down.

    Raises:
        Duplicate: one is written down already.
    """
    await conn.insert_many(STATE, ("name", "value"), list(facts.items()))


async def change_state(conn: Connection, name: str, value: str) -> bool:
    """Change a fact; False where nobody wrote it down, or it says that already."""
    return await conn.execute(_CHANGE, fact=name, new=value) == 1


async def remove_state(conn: Connection, name: str) -> None:
    """Forget a fact, as far as somebody wrote it down."""
    await conn.execute(_REMOVE, fact=name)
