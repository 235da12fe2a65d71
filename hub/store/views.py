"""What members' polls observed of their rights, and the clocks that make delayed entries come into view."""

from sqlalchemy import bindparam, func, insert, select, update

from hub.domain.feed import Granted, Observed, OrdinalAfter, View, observe
from hub.domain.ids import LabelId, MemberId
from hub.store.append import lock_collection
from hub.store.database import Connection, prepare
from hub.store.tables import table

MEMBER_VIEW = table("member_view")
ENTRY = table("entry")
CLOCK = table("collection_clock")
LABEL = table("label")

_GET = prepare(
    select(MEMBER_VIEW.c.labels_seen, MEMBER_VIEW.c.edition, MEMBER_VIEW.c.state).where(
        MEMBER_VIEW.c.member_id == bindparam("member"), MEMBER_VIEW.c.collection_row == bindparam("collection")
    )
)
_ADD = prepare(insert(MEMBER_VIEW))
_SET = prepare(
    update(MEMBER_VIEW)
    .where(MEMBER_VIEW.c.member_id == bindparam("member"), MEMBER_VIEW.c.collection_row == bindparam("collection"))
    .values(labels_seen=bindparam("seen"), edition=MEMBER_VIEW.c.edition + 1, delayed=bindparam("is_delayed"), state=bindparam("new_state"))
)
_ORDINAL_AFTER = prepare(
    select(func.min(ENTRY.c.ordinal)).where(
        ENTRY.c.collection_row == bindparam("collection"), ENTRY.c.label_id == bindparam("label"), ENTRY.c.date_us > bindparam("date")
    )
)
_ENTRIES = prepare(select(LABEL.c.entries).where(LABEL.c.id == bindparam("label")))
_MOVE_CLOCK = prepare(update(CLOCK).where(CLOCK.c.collection_row == bindparam("collection")).values(clock_us=bindparam("clock")))
_TICK = prepare(
    update(CLOCK)
    .where(
        CLOCK.c.clock_us < bindparam("now"),
        CLOCK.c.collection_row.in_(select(MEMBER_VIEW.c.collection_row).where(MEMBER_VIEW.c.delayed == 1)),
    )
    .values(clock_us=bindparam("now"))
)


async def record_observation(conn: Connection, collection_row: int, member: MemberId, now: list[Granted]) -> None:
    """Keep what a poll observes of a member's rights, under the collection's clock, and move the clock past what came into view.

    `now` is what policy says of the collection's labels, from number 0 on without a gap.
    """
    clock_us = (await lock_collection(conn, collection_row)).clock_us
    row = await conn.fetch_one(_GET, member=member, collection=collection_row)
    before = Observed.from_json(row[0], row[2]) if row else Observed()
    if len(now) < before.labels_seen:
        return  # another node has seen more labels meanwhile, and what it saw stands
    after, moved_us = await observe(before, now, clock_us, _ordinal_lookup(conn, collection_row))
    if row is not None and after == before:
        return
    view = View.of(after, [(grant.number, grant.label) for grant in now])
    values = {"is_delayed": int(view.delayed()), "new_state": after.to_json(), "seen": after.labels_seen}
    if row is None:
        await conn.execute(
            _ADD, member_id=member, collection_row=collection_row, labels_seen=after.labels_seen, edition=1,
            delayed=values["is_delayed"], state=values["new_state"],
        )  # fmt: skip
    else:
        await conn.execute(_SET, member=member, collection=collection_row, **values)
    if moved_us != clock_us:
        await conn.execute(_MOVE_CLOCK, collection=collection_row, clock=moved_us)


async def tick_clocks(conn: Connection, now_us: int) -> int:
    """Move the clocks of collections in which something is delayed for somebody to `now_us`, never back; return how many moved."""
    return await conn.execute(_TICK, now=now_us)


def _ordinal_lookup(conn: Connection, collection_row: int) -> OrdinalAfter:
    async def ordinal_after(label: LabelId, date_us: int) -> int:
        found = await conn.fetch_value(_ORDINAL_AFTER, collection=collection_row, label=label, date=date_us)
        return int(found) if found is not None else await conn.fetch_value(_ENTRIES, label=label)

    return ordinal_after
