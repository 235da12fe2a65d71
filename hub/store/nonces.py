"""Nonces of signed messages: each counts once with its key, on all nodes together."""

from sqlalchemy import bindparam, delete, insert

from hub.store.database import Connection, prepare
from hub.store.tables import table

NONCE = table("nonce")

_ADD = prepare(insert(NONCE))
_FORGET = prepare(delete(NONCE).where(NONCE.c.until_us < bindparam("now")))


async def add_nonce(conn: Connection, kid: str, nonce: str, *, until_us: int) -> None:
    """Insert a nonce, to be remembered until that moment.

    Raises:
        Duplicate: it came with this key before.
    """
    await conn.execute(_ADD, kid=kid, nonce=nonce, until_us=until_us)


async def forget_nonces(conn: Connection, *, now_us: int) -> int:
    """Delete the nonces whose time is over, and return how many."""
    return await conn.execute(_FORGET, now=now_us)
