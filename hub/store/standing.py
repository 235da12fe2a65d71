"""Reading what standings come from: events, histories, contests, items that wait for a ruling; and writing contests."""

from sqlalchemy import bindparam, func, insert, or_, select, update

from hub.domain.ids import LabelId, MemberId
from hub.domain.ledger import Contest, Credited, Held, Item
from hub.domain.member import Standing
from hub.domain.standing import Ground
from hub.domain.standing_rules import EventKind
from hub.store.assessment import COUNTED, HISTORY, ITEM, Record, item_of, items_query, list_accounts
from hub.store.database import Connection, Row, prepare
from hub.store.feed_statements import ENTRY
from hub.store.tables import table

CONTEST = table("contest")
OBJECT = table("object")

_CREDITED_ITEMS = prepare(
    select(ITEM.c.row, ITEM.c.day, ITEM.c.credit, OBJECT.c.stix_id, ITEM.c.alias)
    .join(OBJECT, OBJECT.c.row == ITEM.c.object_row)
    .where(ITEM.c.member_id == bindparam("member"), ITEM.c.credit > 0)
    .order_by(ITEM.c.day.desc(), ITEM.c.quality.desc())
    .limit(bindparam("limit"))
)
_CREDITED = prepare(
    select(COUNTED.c.row, COUNTED.c.kind, COUNTED.c.day, COUNTED.c.credit, OBJECT.c.stix_id, ITEM.c.alias, ITEM.c.member_id)
    .outerjoin(ITEM, ITEM.c.row == COUNTED.c.item_row)
    .outerjoin(OBJECT, OBJECT.c.row == ITEM.c.object_row)
    .where(COUNTED.c.member_id == bindparam("member"), COUNTED.c.credit != 0)
    .order_by(COUNTED.c.day.desc(), COUNTED.c.row.desc())
    .limit(bindparam("limit"))
)
_HISTORY = prepare(
    select(
        HISTORY.c.member_id, HISTORY.c.at_us, HISTORY.c.cents, HISTORY.c.standing, HISTORY.c.ground, HISTORY.c.before, HISTORY.c.why
    )
    .where(HISTORY.c.member_id == bindparam("member"))
    .order_by(HISTORY.c.row.desc())
    .limit(bindparam("limit"))
)  # fmt: skip
_ENTRIES_SINCE = prepare(
    select(ENTRY.c.label_id, func.count())
    .where(ENTRY.c.collection_row == bindparam("collection"), ENTRY.c.date_us > bindparam("since"))
    .group_by(ENTRY.c.label_id)
)
_CONTEST_COLUMNS = [
    CONTEST.c.row, CONTEST.c.event_row, CONTEST.c.member_id, CONTEST.c.at_us, CONTEST.c.reason, CONTEST.c.reviewer, CONTEST.c.answered_us,
    CONTEST.c.upheld, CONTEST.c.answer,
]  # fmt: skip
_ADD_CONTEST = prepare(insert(CONTEST).values({name: bindparam(name) for name in ("row", "event_row", "member_id", "at_us", "reason")}))
_ANSWER = prepare(
    update(CONTEST)
    .where(CONTEST.c.row == bindparam("contest"), CONTEST.c.answered_us.is_(None))
    .values(reviewer=bindparam("by"), answered_us=bindparam("now"), upheld=bindparam("right"), answer=bindparam("words"))
)
_CONTEST = prepare(select(*_CONTEST_COLUMNS).where(CONTEST.c.row == bindparam("row")))
_CONTESTS = prepare(
    select(*_CONTEST_COLUMNS)
    .where(or_(CONTEST.c.member_id == bindparam("member"), bindparam("all") == 1), CONTEST.c.row > bindparam("after"))
    .order_by(CONTEST.c.row)
    .limit(bindparam("limit"))
)


_ITEM = prepare(items_query().where(ITEM.c.row == bindparam("row")))
_AUDITS = prepare(
    items_query()
    .where(ITEM.c.audit == 1, ITEM.c.ruled == "", ITEM.c.retracted_us.is_(None), ITEM.c.row > bindparam("after"))
    .order_by(ITEM.c.row)
    .limit(bindparam("limit"))
)


async def find_account(conn: Connection, member: MemberId) -> Held:
    """Return a member's account; an empty one where it has none yet."""
    accounts = await list_accounts(conn, [member])
    return accounts[0] if accounts else Held(member, new=True)


async def list_credited(conn: Connection, member: MemberId, limit: int) -> list[Credited]:
    """Return the latest events of each sort that weigh in a member's account."""
    items = await conn.fetch(_CREDITED_ITEMS, member=member, limit=limit)
    others = await conn.fetch(_CREDITED, member=member, limit=limit)
    return [
        *(Credited(row, EventKind.ITEM, day, credit, stix_id, alias) for row, day, credit, stix_id, alias in items),
        *(
            Credited(row, EventKind(kind), day, credit, stix_id, alias, own=of in (None, member))
            for row, kind, day, credit, stix_id, alias, of in others
        ),
    ]


async def list_history(conn: Connection, member: MemberId, limit: int) -> list[Record]:
    """Return what a member's standing was, the latest first."""
    return [
        Record(MemberId(member_id), at_us, cents, Standing(standing), Ground(ground), Standing(before), why)
        for member_id, at_us, cents, standing, ground, before, why in await conn.fetch(_HISTORY, member=member, limit=limit)
    ]


async def count_entries(conn: Connection, collection_row: int, since_us: int) -> dict[LabelId, int]:
    """Return how many entries each label of a collection got after a date."""
    return {LabelId(label): count for label, count in await conn.fetch(_ENTRIES_SINCE, collection=collection_row, since=since_us)}


async def find_item(conn: Connection, row: int) -> Item | None:
    """Return an item by its row of the ledger."""
    found = await conn.fetch_one(_ITEM, row=row)
    return None if found is None else item_of(found)


async def list_audits(conn: Connection, *, after: int, limit: int) -> list[Item]:
    """Return items that were drawn for a ruling and wait for it, the oldest first."""
    return [item_of(row) for row in await conn.fetch(_AUDITS, after=after, limit=limit)]


async def add_contest(conn: Connection, contest: Contest) -> None:
    """Insert a contest.

    Raises:
        Duplicate: the event was contested before.
    """
    await conn.execute(
        _ADD_CONTEST, row=contest.row, event_row=contest.event, member_id=contest.member, at_us=contest.at_us, reason=contest.reason
    )  # fmt: skip


async def answer_contest(conn: Connection, row: int, *, by: str, now_us: int, upheld: bool, answer: str) -> bool:
    """Write a reviewer's answer; False where there is one already."""
    return await conn.execute(_ANSWER, contest=row, by=by, now=now_us, right=int(upheld), words=answer) == 1


async def find_contest(conn: Connection, row: int) -> Contest | None:
    """Return a contest by its row of the ledger."""
    found = await conn.fetch_one(_CONTEST, row=row)
    return None if found is None else _contest(found)


async def list_contests(conn: Connection, member: MemberId | None, *, after: int, limit: int) -> list[Contest]:
    """Return a member's contests, or (None) everybody's, the oldest first."""
    values = {"member": member or "", "all": int(member is None), "after": after, "limit": limit}
    return [_contest(row) for row in await conn.fetch(_CONTESTS, **values)]


def _contest(row: Row) -> Contest:
    number, event, member, at_us, reason, reviewer, answered_us, upheld, answer = row
    return Contest(number, event, MemberId(member), at_us, reason, reviewer, answered_us, None if upheld is None else bool(upheld), answer)
