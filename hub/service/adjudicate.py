"""Adjudication: items are ruled true or false, a share of them drawn at random; members contest events, and a reviewer answers.

* Coordinators and agencies rule, on what their own member may see and did not give. Nobody rules on an owner's own items.
* The name of an item's producer is shown as far as the producer is known to the member that rules.
* A contest is answered by a coordinator of another owner, or an administrator; never by who made the ruling.
"""

from dataclasses import dataclass

from hub.domain.directory import Directory
from hub.domain.ids import MemberId
from hub.domain.label import Attribution, Label
from hub.domain.ledger import Contest, Item, LedgerEvent, LedgerKind, owner_of
from hub.domain.member import Member, MemberKind, Principal, Role
from hub.domain.naming import checked_name
from hub.domain.scoring import Rating, Verdict, rate
from hub.domain.standing_rules import StandingRules
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.administer import COMMAND_LINE, Change, change, require_active, require_role
from hub.service.context import Hub
from hub.store.database import Duplicate
from hub.store.feed import labels_named
from hub.store.ledger import add_event, find_event
from hub.store.standing import add_contest, answer_contest, find_contest, find_item, list_audits, list_contests

REASON_CHARS_MAX = 500
_LOOKED_AT_MAX = 1_000  # items for one page of those that somebody may rule on


@dataclass(frozen=True, slots=True)
class ItemAnswer:
    """An item, as somebody may see it."""

    item: Item
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
    if not _is_judge(principal) or _is_related(directory, principal, answer.item.member):
        raise Withheld("items are ruled upon by coordinators and agencies, and not by their own producers")

    async def work(c: Change) -> int:
        detail = {"verdict": verdict, "reason": reason, "by": principal.credential, "of": _side(principal)}
        event = await add_event(c.conn, LedgerKind.RULED, answer.item.member, at_us=c.now_us, subject=row, detail=detail)
        await c.record("item.rule", str(row), verdict=verdict, reason=reason, event=event)
        return event

    return await change(hub, principal, work)


async def contest_event(hub: Hub, principal: Principal, event: int, reason: str) -> Contest:
    """Contest a ruling on an item of the caller's member, or how new an item was taken to be.

    Raises:
        Withheld: `principal` may not speak for its member.
        NotFound: there is no such event, or it is another member's.
        Invalid: the event cannot be contested, or the reason is empty or too long.
        Conflict: it was contested before.
    """
    require_role(principal, Role.PUBLISHER)
    checked_name(reason, "reason", chars_max=REASON_CHARS_MAX)
    async with hub.db.read() as conn:
        held = await find_event(conn, event)
    if held is None or not (principal == COMMAND_LINE or (principal.member is not None and principal.member.id == held.member)):
        raise NotFound("there is no such event of your member")
    if held.kind not in (LedgerKind.RULED, LedgerKind.ACCEPTED):
        raise Invalid("event: only a ruling, or an item, can be contested")

    async def work(c: Change) -> Contest:
        row = await add_event(c.conn, LedgerKind.CONTESTED, held.member, at_us=c.now_us, subject=event, detail={"reason": reason})
        contest = Contest(row, event, held.member, c.now_us, reason, None, None, None, None)
        await add_contest(c.conn, contest)
        await c.record("standing.contest", str(event), contest=row)
        return contest

    try:
        return await change(hub, principal, work)
    except Duplicate as e:
        raise Conflict("this event was contested before; `contests` has the answer") from e


async def answer(hub: Hub, directory: Directory, principal: Principal, row: int, *, upheld: bool, reason: str) -> Contest:
    """Answer a contest by name: where it is upheld, what the event did is undone.

    Raises:
        Withheld: the caller is no coordinator, has the same owner as who contests, or made the ruling.
        NotFound: there is no such contest.
        Conflict: it was answered before.
    """
    require_role(principal, Role.COORDINATOR)
    checked_name(reason, "reason", chars_max=REASON_CHARS_MAX)
    async with hub.db.read() as conn:
        contest = await find_contest(conn, row)
        event = await find_event(conn, contest.event) if contest is not None else None
    if contest is None or event is None:
        raise NotFound("there is no such contest")
    _refuse_interested(directory, principal, contest, event)

    async def work(c: Change) -> Contest:
        if not await answer_contest(c.conn, row, by=principal.credential, now_us=c.now_us, upheld=upheld, answer=reason):
            raise Conflict("this contest was answered before")
        detail = {"upheld": upheld, "reason": reason, "by": principal.credential, "of": _side(principal)}
        await add_event(c.conn, LedgerKind.ANSWERED, contest.member, at_us=c.now_us, subject=contest.event, detail=detail)
        await c.record("standing.answer", str(row), upheld=upheld, reason=reason)
        answered = await find_contest(c.conn, row)
        assert answered is not None, "it was found before, and contests stay"
        return answered

    return await change(hub, principal, work)


async def list_all_contests(hub: Hub, principal: Principal, *, after: int, limit: int) -> list[Contest]:
    """Return contests, the oldest first: everybody's for coordinators and administrators, the caller's member's for others."""
    require_active(principal)
    if principal.member is None and not principal.role.includes(Role.COORDINATOR):
        return []
    of = None if principal.role.includes(Role.COORDINATOR) else principal.member
    async with hub.db.read() as conn:
        return await list_contests(conn, None if of is None else of.id, after=after, limit=limit)


def _is_judge(principal: Principal) -> bool:
    agency = principal.member is not None and principal.member.kind is MemberKind.AGENCY
    return principal.role.includes(Role.COORDINATOR) or (agency and principal.role.includes(Role.PUBLISHER))


async def _may_judge(hub: Hub, directory: Directory, principal: Principal, item: Item, label: Label) -> bool:
    """Whether a judge's member sees an item and has no part in it; an administrator without a member sees only that there is one."""
    if principal.member is None:
        return True
    if _is_related(directory, principal, item.member):
        return False
    held = next((held for held in directory.collections.values() if held.row == item.collection_row), None)
    bundle = await hub.policies(directory)
    return held is not None and bundle.decide_label(principal.member, label, held.collection).allowed


def _is_related(directory: Directory, principal: Principal, member: MemberId) -> bool:
    return principal.member is not None and owner_of(principal.member) == owner_of(directory.members[member])


async def _answer(hub: Hub, directory: Directory, principal: Principal, item: Item, label: Label) -> ItemAnswer:
    rules = (await hub.policies(directory)).standing
    own = principal.member is not None and principal.member.id == item.member
    agency = principal.member is not None and principal.member.kind is MemberKind.AGENCY
    named = own or label.attribution is Attribution.EVERYONE or (agency and label.attribution is Attribution.AGENCIES)
    producer = directory.members[item.member] if named else None
    rating = rate(item.facts(rules), rules) if own or principal == COMMAND_LINE else None
    return ItemAnswer(item, producer, label.collection, rating, rules)


def _refuse_interested(directory: Directory, principal: Principal, contest: Contest, event: LedgerEvent) -> None:
    if _is_related(directory, principal, contest.member):
        raise Withheld("a contest is answered by somebody of another organisation")
    ruled_by = (event.detail.get("by"), event.detail.get("of"))
    if event.kind is LedgerKind.RULED and (principal.credential == ruled_by[0] or (principal.member and _side(principal) == ruled_by[1])):
        raise Withheld("a contest is answered by somebody who did not make the ruling")


def _side(principal: Principal) -> str | None:
    return principal.member.id if principal.member is not None else None
