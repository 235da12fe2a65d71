"""Where each connector stands, so that it goes on there after a restart."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, null, select, update

from hub.store.database import Connection, Row, prepare
from hub.store.tables import table

STATE = table("connector_state")

_COLUMNS = (STATE.c.name, STATE.c.cursor, STATE.c.run_us, STATE.c.success_us, STATE.c.accepted, STATE.c.refused, STATE.c.error)
_LIST = prepare(select(*_COLUMNS).order_by(STATE.c.name))
_FIND = prepare(select(*_COLUMNS).where(STATE.c.name == bindparam("source")))
_ADD = prepare(insert(STATE))
_BEGIN = prepare(update(STATE).where(STATE.c.name == bindparam("source")).values(run_us=bindparam("now")))
_ADVANCE = prepare(
    update(STATE)
    .where(STATE.c.name == bindparam("source"))
    .values(
        cursor=bindparam("at"), accepted=STATE.c.accepted + bindparam("more_accepted"), refused=STATE.c.refused + bindparam("more_refused")
    )
)
_SUCCEED = prepare(update(STATE).where(STATE.c.name == bindparam("source")).values(success_us=bindparam("now"), error=null()))
_FAIL = prepare(update(STATE).where(STATE.c.name == bindparam("source")).values(error=bindparam("why")))


@dataclass(frozen=True, slots=True)
class ConnectorState:
    """What is known of the runs of one source."""

    name: str
    cursor: Mapping[str, Any] | None  # None: nothing is in yet
    run_us: int  # when it last began
    success_us: int | None  # when it last ran to the end
    accepted: int  # objects, over all runs; those that were in already included
    refused: int
    error: str | None  # why the last run ended early


async def list_states(conn: Connection) -> list[ConnectorState]:
    """Return the state of every source that ever ran, by name."""
    return [_state(row) for row in await conn.fetch(_LIST)]


async def begin_run(conn: Connection, name: str, *, now_us: int) -> ConnectorState:
    """Say that a run begins, and return where the source stands."""
    if not await conn.execute(_BEGIN, source=name, now=now_us):
        await conn.execute(_ADD, name=name, cursor="null", run_us=now_us, success_us=None, accepted=0, refused=0, error=None)
    row = await conn.fetch_one(_FIND, source=name)
    assert row is not None, "it was there or was added just now"
    return _state(row)


async def advance(conn: Connection, name: str, cursor: Mapping[str, Any], *, accepted: int, refused: int) -> None:
    """Say that everything up to a cursor has its outcome."""
    await conn.execute(_ADVANCE, source=name, at=json.dumps(cursor), more_accepted=accepted, more_refused=refused)


async def end_run(conn: Connection, name: str, error: str | None, *, now_us: int) -> None:
    """Say how a run ended; an error of None is the end of the source's news."""
    if error is None:
        await conn.execute(_SUCCEED, source=name, now=now_us)
    else:
        await conn.execute(_FAIL, source=name, why=error)


def _state(row: Row) -> ConnectorState:
    name, cursor, *rest = row
    return ConnectorState(name, json.loads(cursor), *rest)
