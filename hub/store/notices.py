"""Word between processes on PostgreSQL that something was appended: one channel, without content.

It is sent after the commit and not with it: `NOTIFY` holds a lock of the whole server until its transaction is on disk, so that pushes to
different collections would wait for one another's. Whoever listens keeps a connection for it; word that is lost is made up for by looking.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
from sqlalchemy import func, select

from hub.errors import Unavailable
from hub.store.database import Database, prepare

_CHANNEL = "hub_feed"
_SESSION = {"application_name": "fusion-hub notices"}
_WITHIN_S = 10.0
_CLOSE_S = 1.0
_TELL = prepare(select(func.pg_notify(_CHANNEL, "")))
_FAULTS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Notices:
    """A connection that hears what other processes say, and on which this one speaks."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self.lost = asyncio.Event()  # set when nothing can be heard any more

    async def tell(self) -> None:
        """Say that something was appended. Who says so does not hear it.

        Raises:
            Unavailable: the connection is lost.
        """
        text, bound = _TELL.bound("postgresql", {})
        try:
            await self._raw.execute(text, *bound)
        except _FAULTS as e:
            raise _unavailable(e) from e


@contextlib.asynccontextmanager
async def listening(url: str, heard: Callable[[], None]) -> AsyncIterator[Notices]:
    """Call `heard` whenever another process says that it appended something.

    Raises:
        Unavailable: the database cannot be reached.
    """
    try:
        raw = await asyncpg.connect(url, timeout=_WITHIN_S, command_timeout=_WITHIN_S, server_settings=_SESSION)
    except _FAULTS as e:
        raise _unavailable(e) from e
    notices = Notices(raw)

    def take(_: object, process: int, *__: object) -> None:
        if process != raw.get_server_pid():
            heard()

    raw.add_termination_listener(lambda _: notices.lost.set())
    try:
        try:
            await raw.add_listener(_CHANNEL, take)
        except _FAULTS as e:
            raise _unavailable(e) from e
        yield notices
    finally:
        with contextlib.suppress(*_FAULTS):
            await raw.close(timeout=_CLOSE_S)


async def tell_others(db: Database) -> None:
    """Say that something was appended, from a process that hears nothing itself."""
    if db.dialect == "postgresql":
        async with db.read() as conn:
            await conn.fetch(_TELL)


def _unavailable(fault: BaseException) -> Unavailable:
    return Unavailable("other processes cannot be heard", reason=f"{type(fault).__name__}: {fault}")
