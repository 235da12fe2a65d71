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
    "leased_until_us", "sent_with", "outcomes",
)  # fmt: skip
_COLUMNS = (
    PUSH.c.id, PUSH.c.api_root, PUSH.c.collection_row, PUSH.c.member_id, PUSH.c.credential, PUSH.c.role,
    PUSH.c.request_us, PUSH.c.total, PUSH.c.done, PUSH.c.completed_us, PUSH.c.body, PUSH.c.sent_with,
)  # fmt: skip
_GET = prepare(select(*_COLUMNS).where(PUSH.c.id == bindparam("id")))
_OUTCOMES_AT_ONCE = prepare(select(PUSH.c.outcomes).where(PUSH.c.id == bindparam("id")))
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
    sent_with: str | None = None  # the member's key whose signature on the message was verified, by its thumbprint; None: it had none


async def add_push(conn: Connection, push: Push) -> None:
    """Insert a push on which nobody works yet."""
    await conn.insert_many(PUSH, _INSERTED, [(*_values(push), None)])


def new_pushes(pushes: Sequence[tuple[Push, Sequence[Outcome]]]) -> Change:
    """Return the change that inserts pushes that are complete, with what became of their objects."""
    return Change(PUSH, _INSERTED, [(*_values(push), _text(outcomes)) for push, outcomes in pushes])


async def find_push(conn: Connection, id: str) -> Push | None:
    """Return a push by the id of its status."""
    row = await conn.fetch_one(_GET, id=id)
    return _push(row) if row else None


async def list_outcomes(conn: Connection, id: StatusId) -> list[Outcome]:
    """Return what became of a push's objects so far, in the order of the envelope."""
    at_once = await conn.fetch_value(_OUTCOMES_AT_ONCE, id=id)
    texts = [at_once] if at_once is not None else [text for (text,) in await conn.fetch(_OUTCOMES, id=id)]
    return [Outcome(*outcome) for text in texts for outcome in orjson.loads(text)]


def new_outcomes(push: Push, outcomes: Sequence[Outcome]) -> Change:
    """Return the change that keeps what became of the next stretch of a push in the background."""
    return Change(OUTCOME, ("push_id", "first", "outcomes"), [(push.id, push.done, _text(outcomes))])


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


def _values(push: Push) -> tuple[object, ...]:
    return (
        push.id, push.api_root, push.collection_row, push.member, push.credential, push.role.value, push.request_us, push.total, push.done,
        push.completed_us, push.body, 0, push.sent_with,
    )  # fmt: skip


def _text(outcomes: Sequence[Outcome]) -> str:
    written = [[o.id, o.version, o.failure] if o.warning is None else [o.id, o.version, o.failure, o.warning] for o in outcomes]
    return orjson.dumps(written).decode()


def _push(row: Row) -> Push:
    id, api_root, collection_row, member, credential, role, *rest = row
    return Push(StatusId(id), api_root, collection_row, MemberId(member), credential, Role(role), *rest)
