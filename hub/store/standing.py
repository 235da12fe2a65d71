"""Reading what standings come from: events, histories, items that wait for a ruling."""

from sqlalchemy import bindparam, func, select

from hub.domain.ids import LabelId, MemberId
from hub.domain.ledger import Credited, Held, Item
from hub.domain.member import Standing
from hub.domain.standing import Ground
from hub.domain.standing_rules import EventKind
from hub.store.assessment import COUNTED, HISTORY, ITEM, Record, item_of, items_query, list_accounts
from hub.store.database import Connection, prepare, unsought
from hub.store.feed_statements import ENTRY
from hub.store.tables import table

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
_LABEL = unsought(ENTRY.c.label_id)  # else the index by label would be read whole, of however long a history
_ENTRIES_SINCE = prepare(
    select(_LABEL, func.count())
    .where(ENTRY.c.collection_row == bindparam("collection"), ENTRY.c.date_us > bindparam("since"))
    .group_by(_LABEL)
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
