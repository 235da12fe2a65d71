"""Contests: written as members make them and reviewers answer them, and read with what they are about; and what can be contested."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, insert, or_, select, update

from hub.domain.ids import LabelId, MemberId
from hub.domain.label import Attribution
from hub.domain.ledger import Contest, LedgerEvent, LedgerKind
from hub.store.assessment import ITEM
from hub.store.audit import ROW_MAX
from hub.store.database import Connection, Row, among, prepare
from hub.store.ledger import EVENT_COLUMNS, LEDGER, event_of
from hub.store.tables import table

CONTEST = table("contest")
OBJECT = table("object")
VERSION = table("version")
EVENT, ABOUT = LEDGER.alias("event"), LEDGER.alias("about")

_COLUMNS = (
    CONTEST.c.row, CONTEST.c.event_row, CONTEST.c.member_id, CONTEST.c.at_us, CONTEST.c.reason, CONTEST.c.reviewer, CONTEST.c.answered_us,
    CONTEST.c.upheld, CONTEST.c.answer,
)  # fmt: skip
_ADD = prepare(insert(CONTEST).values({name: bindparam(name) for name in ("row", "event_row", "member_id", "at_us", "reason")}))
_ANSWER = prepare(
    update(CONTEST)
    .where(CONTEST.c.row == bindparam("contest"), CONTEST.c.answered_us.is_(None))
    .values(reviewer=bindparam("by"), answered_us=bindparam("now"), upheld=bindparam("right"), answer=bindparam("words"))
)


@dataclass(frozen=True, slots=True)
class StoredContest:
    """A contest, and what it is about."""

    contest: Contest
    kind: LedgerKind  # of the contested event
    attribution: Attribution  # to whom the member may be known by that event
    stix_id: str | None  # of the object that the event is about
    label: LabelId | None  # under which that stands, as far as it is known
    collection_row: int | None


def _contests() -> Select[tuple[object, ...]]:
    hidden: ColumnElement[bool] = or_(OBJECT.c.attribution.is_not(None), EVENT.c.kind == LedgerKind.LIFTED.value)
    return (
        select(
            *_COLUMNS, EVENT.c.kind, OBJECT.c.attribution, OBJECT.c.stix_id, func.coalesce(ITEM.c.label_id, EVENT.c.label_id),
            func.coalesce(ITEM.c.collection_row, EVENT.c.collection_row),
        )
        .join(EVENT, EVENT.c.row == CONTEST.c.event_row)
        .outerjoin(ABOUT, ABOUT.c.row == EVENT.c.subject)
        .outerjoin(VERSION, VERSION.c.row == func.coalesce(EVENT.c.version_row, ABOUT.c.version_row))
        .outerjoin(OBJECT, OBJECT.c.row == VERSION.c.object_row)
        .outerjoin(ITEM, ITEM.c.object_row == OBJECT.c.row)
        .where(or_(~among(CONTEST.c.member_id, "related"), and_(~hidden)))
    )  # fmt: skip


_FIND = prepare(_contests().where(CONTEST.c.row == bindparam("contest")))
_OF_ALL = prepare(_contests().where(CONTEST.c.row > bindparam("after")).order_by(CONTEST.c.row).limit(bindparam("limit")))
_OF_MEMBER = prepare(
    _contests()
    .where(CONTEST.c.member_id == bindparam("member"), CONTEST.c.row > bindparam("after"))
    .order_by(CONTEST.c.row)
    .limit(bindparam("limit"))
)


_EVENTS = prepare(
    select(*EVENT_COLUMNS, OBJECT.c.stix_id)
    .outerjoin(VERSION, VERSION.c.row == LEDGER.c.version_row)
    .outerjoin(OBJECT, OBJECT.c.row == VERSION.c.object_row)
    .where(LEDGER.c.member_id == bindparam("member"), LEDGER.c.row < bindparam("before"))
    .order_by(LEDGER.c.row.desc())
    .limit(bindparam("limit"))
)


async def list_events(conn: Connection, member: MemberId, *, before: int | None, limit: int) -> list[tuple[LedgerEvent, str | None]]:
    """Return lines about a member from below the row `before`, or (None) all, the latest first, with the ids of objects that it gave."""
    rows = await conn.fetch(_EVENTS, member=member, before=ROW_MAX if before is None else before, limit=limit)
    return [(event_of(columns), stix_id) for *columns, stix_id in rows]


async def add_contest(conn: Connection, contest: Contest) -> None:
    """Insert a contest.

    Raises:
        Duplicate: the event was contested before.
    """
    await conn.execute(
        _ADD, row=contest.row, event_row=contest.event, member_id=contest.member, at_us=contest.at_us, reason=contest.reason
    )  # fmt: skip


async def answer_contest(conn: Connection, row: int, *, by: str, now_us: int, upheld: bool, answer: str) -> bool:
    """Write a reviewer's answer; False where there is one already."""
    return await conn.execute(_ANSWER, contest=row, by=by, now=now_us, right=int(upheld), words=answer) == 1


async def find_contest(conn: Connection, row: int, related: Collection[MemberId] = ()) -> StoredContest | None:
    """Return a contest by its row of the ledger.

    Args:
        related: members whose contests are left out where not everyone may know them by the event.
    """
    found = await conn.fetch_one(_FIND, contest=row, related=sorted(related))
    return None if found is None else _stored(found)


async def list_contests(
    conn: Connection, member: MemberId | None, *, after: int, limit: int, related: Collection[MemberId] = ()
) -> list[StoredContest]:
    """Return a member's contests, or (None) everybody's, the oldest first; `related` as for `find_contest`."""
    values = {"after": after, "limit": limit, "related": sorted(related)}
    rows = await conn.fetch(_OF_ALL, **values) if member is None else await conn.fetch(_OF_MEMBER, member=member, **values)
    return [_stored(row) for row in rows]


def _stored(row: Row) -> StoredContest:
    number, event, member, at_us, reason, reviewer, answered_us, upheld, answer, kind, known_to, stix_id, label, collection = row
    attribution = Attribution.EVERYONE if known_to is None else Attribution(known_to)
    if kind == LedgerKind.LIFTED:
        attribution = Attribution.HUB  # it tells of a rendition whose it is
    return StoredContest(
        Contest(
            number, event, MemberId(member), at_us, reason, reviewer, answered_us, None if upheld is None else bool(upheld), answer
        ),
        LedgerKind(kind), attribution, stix_id, None if label is None else LabelId(label), collection,
    )  # fmt: skip
