"""Pushes and what became of their objects: the store behind TAXII status resources."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import bindparam, delete, null, select, update

from hub.domain.ids import MemberId, StatusId
from hub.domain.member import Role
from hub.domain.taxii import Outcome
from hub.store.database import Change, Connection, Row, prepare
from hub.store.tables import table

PUSH = table("push")
OUTCOME = table("push_outcome")

_INSERTED = (
    "id", "api_root", "collection_row", "member_id", "credential", "role", "request_us", "total", "done", "completed_us", "body",
    "leased_until_us",
)  # fmt: skip
_COLUMNS = (
    PUSH.c.id, PUSH.c.api_root, PUSH.c.collection_row, PUSH.c.member_id, PUSH.c.credential, PUSH.c.role,
    PUSH.c.request_us, PUSH.c.total, PUSH.c.done, PUSH.c.completed_us, PUSH.c.body,
)  # fmt: skip
_GET = prepare(select(*_COLUMNS).where(PUSH.c.id == bindparam("id")))
_OUTCOMES = prepare(select(OUTCOME.c.outcomes).where(OUTCOME.c.push_id == bindparam("id")).order_by(OUTCOME.c.first))
_NEXT = prepare(
    select(PUSH.c.id)
    .where(PUSH.c.completed_us.is_(None), PUSH.c.leased_until_us < bindparam("now"))
    .order_by(PUSH.c.request_us)
    .limit(1)
    .with_for_update(skip_locked=True)
)
_LEASE = prepare(update(PUSH).where(PUSH.c.id == bindparam("push")).values(leased_until_us=bindparam("until")))
_RELEASE_ALL = prepare(update(PUSH).where(PUSH.c.completed_us.is_(None)).values(leased_until_us=0))
_PROGRESS = prepare(
    update(PUSH)
    .where(PUSH.c.id == bindparam("push"), PUSH.c.done == bindparam("before"))
    .values(done=bindparam("after"), leased_until_us=bindparam("until"))
)
_COMPLETE = prepare(
    update(PUSH)
    .where(PUSH.c.id == bindparam("push"), PUSH.c.done == bindparam("before"))
    .values(done=bindparam("after"), completed_us=bindparam("now"), body=null())
)
_FORGET_OUTCOMES = prepare(delete(OUTCOME).where(OUTCOME.c.push_id.in_(select(PUSH.c.id).where(PUSH.c.completed_us < bindparam("before")))))
_FORGET = prepare(delete(PUSH).where(PUSH.c.completed_us < bindparam("before")))


@dataclass(frozen=True, slots=True)
class Push:
    """A push as it is stored."""

    id: StatusId
    api_root: str
    collection_row: int
    member: MemberId
    credential: str
    role: Role
    request_us: int
    total: int
    done: int  # how many objects, in the order of the envelope, have an outcome
    completed_us: int | None = None
    body: bytes | None = None  # the envelope, while work is left


async def add_push(conn: Connection, push: Push) -> None:
    """Insert a push on which nobody works yet."""
    await conn.change([new_pushes([push])])


def new_pushes(pushes: Sequence[Push]) -> Change:
    """Return the change that inserts pushes on which nobody works."""
    rows = [
        (p.id, p.api_root, p.collection_row, p.member, p.credential, p.role.value, p.request_us, p.total, p.done, p.completed_us, p.body, 0)
        for p in pushes
    ]
    return Change(PUSH, _INSERTED, rows)


async def find_push(conn: Connection, id: str) -> Push | None:
    """Return a push by the id of its status."""
    row = await conn.fetch_one(_GET, id=id)
    return _push(row) if row else None


async def list_outcomes(conn: Connection, id: StatusId) -> list[Outcome]:
    """Return what became of a push's objects so far, in the order of the envelope."""
    return [Outcome(*outcome) for (text,) in await conn.fetch(_OUTCOMES, id=id) for outcome in orjson.loads(text)]


def new_outcomes(stretches: Sequence[tuple[StatusId, int, Sequence[Outcome]]]) -> Change:
    """Return the change that keeps what became of stretches: (push, the place in its envelope where it starts, outcomes)."""
    rows = [(id, first, orjson.dumps([_written(o) for o in outcomes]).decode()) for id, first, outcomes in stretches]
    return Change(OUTCOME, ("push_id", "first", "outcomes"), rows)


async def lease_push(conn: Connection, *, now_us: int, until_us: int) -> Push | None:
    """Take the oldest push with work left that nobody works on, until `until_us`."""
    id = await conn.fetch_value(_NEXT, now=now_us)
    if id is None:
        return None
    await conn.execute(_LEASE, push=id, until=until_us)
    return await find_push(conn, id)


async def release_pushes(conn: Connection) -> None:
    """Let go of every lease: for the start of the one process that there is."""
    await conn.execute(_RELEASE_ALL)


async def advance_push(conn: Connection, push: Push, done: int, *, now_us: int, until_us: int) -> bool:
    """Say that the objects up to `done` have their outcome; False where somebody else did that stretch."""
    if done == push.total:
        return bool(await conn.execute(_COMPLETE, push=push.id, before=push.done, after=done, now=now_us))
    return bool(await conn.execute(_PROGRESS, push=push.id, before=push.done, after=done, until=until_us))


async def forget_pushes(conn: Connection, *, before_us: int) -> int:
    """Delete the pushes that were complete before a moment; return how many."""
    await conn.execute(_FORGET_OUTCOMES, before=before_us)
    return await conn.execute(_FORGET, before=before_us)


def _written(outcome: Outcome) -> list[str | None]:
    written = [outcome.id, outcome.version, outcome.failure]
    return written if outcome.warning is None else [*written, outcome.warning]


def _push(row: Row) -> Push:
    id, api_root, collection_row, member, credential, role, *rest = row
    return Push(StatusId(id), api_root, collection_row, MemberId(member), credential, Role(role), *rest)
