"""Jobs that one node at a time may do."""

from sqlalchemy import bindparam, insert, or_, select, update

from hub.store.database import Connection, prepare
from hub.store.tables import table

LEASE = table("lease")

_FIND = prepare(select(LEASE.c.holder, LEASE.c.until_us).where(LEASE.c.name == bindparam("job")))
_ADD = prepare(insert(LEASE))
_TAKE = prepare(
    update(LEASE)
    .where(LEASE.c.name == bindparam("job"), or_(LEASE.c.holder == bindparam("by"), LEASE.c.until_us < bindparam("now")))
    .values(holder=bindparam("by"), until_us=bindparam("until"))
)


async def take_lease(conn: Connection, job: str, holder: str, *, now_us: int, until_us: int) -> bool:
    """Take or keep the lease of a job; False while another holds it.

    Raises:
        Duplicate: another node took a lease that nobody had at the same moment.
    """
    if await conn.fetch_one(_FIND, job=job) is None:
        await conn.execute(_ADD, name=job, holder=holder, until_us=until_us)
        return True
    return await conn.execute(_TAKE, job=job, by=holder, now=now_us, until=until_us) == 1
