"""What was sent to an endpoint and what came back, and sending it again."""

from typing import NamedTuple

from hub.domain.ids import DeliveryId
from hub.domain.member import Principal, Role
from hub.domain.naming import is_uuid
from hub.domain.webhooks.delivery import DeliveryState
from hub.errors import Conflict, Invalid, NotFound
from hub.service.context import Hub
from hub.service.subscriptions import get_subscription, row_with_log
from hub.store import deliveries as store
from hub.store.audit import add_audit
from hub.store.database import Connection
from hub.store.deliveries import LoggedDelivery

REPLAY_MAX = 10_000  # deliveries that are put in line at a time


class Replayed(NamedTuple):
    """What was put in line again."""

    deliveries: int
    next: int | None  # with which the rest is asked for; None: there is none


async def list_deliveries(
    hub: Hub, principal: Principal, subscription: str, *, before: int | None, limit: int, state: DeliveryState | None = None
) -> list[LoggedDelivery]:
    """Return deliveries of a subscription with their attempts, from below the row `before`, the latest first; also of one that was removed.

    Raises:
        NotFound: there is no such subscription, or none that `principal` may know of.
    """
    row = await row_with_log(hub, principal, subscription)
    async with hub.db.read() as conn:
        return await store.list_deliveries(conn, row, before=2**62 if before is None else before, limit=limit, state=state)


async def replay_deliveries(
    hub: Hub, principal: Principal, subscription: str, *, id: str | None = None, since_us: int | None = None,
    until_us: int | None = None, state: DeliveryState | None = None, after: int | None = None,
) -> Replayed:  # fmt: skip
    """Put deliveries in line again that are delivered, given up or withheld: one, or all that were made in a time, the oldest first.

    They keep their ids, and policy is asked again as each is sent.

    Args:
        since_us: from then on; it or `id` is needed.
        state: only those of which this became; None: whatever did.
        after: the `next` of the call before, to go on from there.
    Raises:
        NotFound: there is no such subscription or delivery.
        Conflict: the delivery is in line already.
        Invalid: neither `id` nor `since_us` is given, or an argument is not as it should be.
    """
    found = await get_subscription(hub, principal, subscription, Role.PUBLISHER)
    if id is None and since_us is None:
        raise Invalid("say which delivery, or since when")
    if id is not None and not is_uuid(id):
        raise NotFound("there is no such delivery")
    if state is DeliveryState.WAITING:
        raise Invalid("state: those that wait are in line already")
    now_us = hub.now_us()

    async def work(conn: Connection) -> Replayed:
        rows = await store.replay(
            conn, found.row, now_us=now_us, limit=REPLAY_MAX, id=DeliveryId(id) if id is not None else None, since_us=since_us or 0,
            until_us=now_us if until_us is None else until_us, state=state, after=after or 0,
        )  # fmt: skip
        if id is not None and not rows:
            if await store.is_waiting(conn, found.row, DeliveryId(id)):
                raise Conflict("the delivery is in line already")
            raise NotFound("there is no such delivery")
        detail = {"delivery": id, "since_us": since_us, "until_us": until_us, "after": after, "count": len(rows)}
        await add_audit(conn, at_us=now_us, actor=principal.credential, action="subscription.replay", target=found.id, detail=detail)
        return Replayed(len(rows), rows[-1] if id is None and len(rows) == REPLAY_MAX else None)

    replayed = await hub.db.write(work)
    hub.deliveries_waiting.set()
    return replayed
