"""Adjudication: items are ruled true or false, a share of them drawn at random. `hub.service.contests` hears who disagrees.

* Coordinators and agencies rule, on what their own member may see, as it is or as a rendition, and did not give. Nobody rules on an
  owner's own items.
* The name of an item's producer is shown as far as the producer is known to the member that rules.
"""

from dataclasses import dataclass

from hub.domain.anonymity import label_of_rendition
from hub.domain.directory import Directory
from hub.domain.handle import Handles
from hub.domain.ids import MemberId
from hub.domain.label import Attribution, Label
from hub.domain.ledger import Item, LedgerKind, owner_of
from hub.domain.member import Member, MemberKind, Principal, Role
from hub.domain.naming import checked_name
from hub.domain.scoring import Rating, Verdict, rate
from hub.domain.standing_rules import StandingRules
from hub.errors import Invalid, NotFound, Withheld
from hub.service.administer import COMMAND_LINE, Change, change, require_active, require_role
from hub.service.context import Hub
from hub.store.feed import labels_named
from hub.store.ledger import add_event
from hub.store.standing import find_item, list_audits

REASON_CHARS_MAX = 500
_LOOKED_AT_MAX = 1_000  # items for one page of those that somebody may rule on


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """An item, as somebody may see it."""

    item: Item
    handle: str  # what it goes by
    producer: Member | None  # None: it is not named to who asks
    collection: str
    rating: Rating | None  # for its producer only
    rules: StandingRules


async def list_open_audits(hub: Hub, directory: Directory, principal: Principal, *, after: int, limit: int) -> list[ItemAnswer]:
    """Return items that were drawn for a ruling and that `principal` may rule on, the oldest first.

    Raises:
        Withheld: `principal` publishes for nobody.
    """
    require_role(principal, Role.PUBLISHER)
    if not _is_judge(principal):
        return []
    found: list[ItemAnswer] = []
    looked_at = 0
    while len(found) < limit and looked_at < _LOOKED_AT_MAX:
        async with hub.db.read() as conn:
            items = await list_audits(conn, after=after, limit=limit)
            labels = await labels_named(conn, sorted({item.label for item in items}))
        judged = [item for item in items if await _may_judge(hub, directory, principal, item, labels[item.label])]
        found += [await _answer(hub, directory, principal, item, labels[item.label]) for item in judged]
        if len(items) < limit:
            break
        looked_at += len(items)
        after = items[-1].row
    return found[:limit]


def row_of(hub: Hub, handle: str) -> int:
    """Return the row of the item that goes by a handle; 0, which no item has, where nothing goes by it."""
    return Handles.of(hub.secret).find_row(handle) or 0


def row_after(hub: Hub, handle: str | None) -> int:
    """Return the row after which a list goes on; 0 where it is to begin.

    Raises:
        Invalid: nothing goes by the handle.
    """
    if handle is None:
        return 0
    row = row_of(hub, handle)
    if not row:
        raise Invalid("after: this is no id that a list ended with")
    return row


async def get_item(hub: Hub, directory: Directory, principal: Principal, row: int) -> ItemAnswer:
    """Return an item of the caller's member with its rating, or one that the caller may rule on.

    Raises:
        NotFound: there is none, or none that the caller may know of.
    """
    require_active(principal)
    async with hub.db.read() as conn:
        item = await find_item(conn, row)
        labels = await labels_named(conn, [item.label] if item is not None else [])
    own = item is not None and principal.member is not None and item.member == principal.member.id
    if item is None or not (own or (_is_judge(principal) and await _may_judge(hub, directory, principal, item, labels[item.label]))):
        raise NotFound("there is no such item")
    return await _answer(hub, directory, principal, item, labels[item.label])


async def rule_item(hub: Hub, directory: Directory, principal: Principal, row: int, verdict: Verdict, reason: str) -> int:
    """Rule an item true or false, and return the event; an earlier ruling falls.

    Raises:
        Withheld: `principal` publishes for nobody, is no judge, or has the same owner as the item's producer.
        NotFound: there is no such item, or none that the caller may know of.
        Invalid: the reason is empty or too long.
    """
    require_role(principal, Role.PUBLISHER)
    checked_name(reason, "reason", chars_max=REASON_CHARS_MAX)
    answer = await get_item(hub, directory, principal, row)
    if not _is_judge(principal) or is_related(directory, principal, answer.item.member):
        raise Withheld("items are ruled upon by coordinators and agencies, and not by their own producers")

    async def work(c: Change) -> int:
        detail = {"verdict": verdict, "reason": reason, "by": principal.credential, "of": side_of(principal)}
        event = await add_event(c.conn, LedgerKind.RULED, answer.item.member, at_us=c.now_us, subject=row, detail=detail)
        await c.record("item.rule", answer.handle, verdict=verdict, reason=reason, event=event)
        return event

    return await change(hub, principal, work)


def _is_judge(principal: Principal) -> bool:
    agency = principal.member is not None and principal.member.kind is MemberKind.AGENCY
    return principal.role.includes(Role.COORDINATOR) or (agency and principal.role.includes(Role.PUBLISHER))


async def _may_judge(hub: Hub, directory: Directory, principal: Principal, item: Item, label: Label) -> bool:
    """Whether a judge's member sees an item and has no part in it; an administrator without a member sees only that there is one."""
    if principal.member is None:
        return True
    if is_related(directory, principal, item.member):
        return False
    return await sees(hub, directory, principal.member, label, item.collection_row)


async def sees(hub: Hub, directory: Directory, member: Member, label: Label, collection_row: int) -> bool:
    """Whether a member sees what stands in a collection under a label, as it is or as a rendition, now or later."""
    held = next((held for held in directory.collections.values() if held.row == collection_row), None)
    if held is None:
        return False
    bundle = await hub.policies(directory)
    if bundle.decide_label(member, label, held.collection).allowed:
        return True
    rendition = label_of_rendition(label, label.recipients)
    return label.attribution is not Attribution.EVERYONE and bundle.decide_label(member, rendition, held.collection).allowed


def is_related(directory: Directory, principal: Principal, member: MemberId) -> bool:
    """Whether somebody speaks for a member of the same owner."""
    return principal.member is not None and owner_of(principal.member) == owner_of(directory.members[member])


async def _answer(hub: Hub, directory: Directory, principal: Principal, item: Item, label: Label) -> ItemAnswer:
    rules = (await hub.policies(directory)).standing
    own = principal.member is not None and principal.member.id == item.member
    agency = principal.member is not None and principal.member.kind is MemberKind.AGENCY
    named = own or label.attribution is Attribution.EVERYONE or (agency and label.attribution is Attribution.AGENCIES)
    producer = directory.members[item.member] if named else None
    rating = rate(item.facts(rules), rules) if own or principal == COMMAND_LINE else None
    return ItemAnswer(item, Handles.of(hub.secret).of_row(item.row), producer, label.collection, rating, rules)


def side_of(principal: Principal) -> str | None:
    """Return the member for which somebody speaks, as the ledger keeps it."""
    return principal.member.id if principal.member is not None else None
