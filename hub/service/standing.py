"""Standing, explained: score, tier, what raised and lowered it, the next step, what the next tier would open, and what it was before.

A member sees its own; coordinators and administrators see all; everybody sees what sectors of several members have on the whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from hub.domain.directory import Directory, HeldCollection
from hub.domain.ids import LabelId
from hub.domain.ledger import Credited, Held, LedgerKind
from hub.domain.member import SECTORS, Member, Principal, Role, Standing
from hub.domain.placing import Placed, open_account, place
from hub.domain.policy import Decision
from hub.domain.standing import DAY_US, Aggregate, Event, aggregate, day_of
from hub.domain.standing_explain import Line, Step, explain, next_steps
from hub.domain.standing_rules import EventKind, StandingRules
from hub.errors import Invalid, Withheld
from hub.service.administer import Change, change, get_any_member, require_active, require_role
from hub.service.context import Hub
from hub.service.members import get_member
from hub.service.view import decide, rights
from hub.store.assessment import Record, list_accounts, read_joined
from hub.store.feed import StoredLabel, list_labels
from hub.store.ledger import add_event
from hub.store.standing import count_entries, find_account, list_credited, list_history

_EVENTS_MAX = 200  # of each sort are told one by one
_HISTORY_MAX = 100
_PRACTICES = (EventKind.EXERCISE, EventKind.LESSON, EventKind.REUSE, EventKind.CAPABILITY)


@dataclass(frozen=True, slots=True)
class Opened:
    """What the next tier would open in a collection, counted on what came since midnight."""

    collection: HeldCollection
    more: int  # entries that would be seen, and are not
    sooner: int  # entries that would be seen sooner


@dataclass(frozen=True, slots=True)
class Explained:
    """A member's standing with all that it comes from."""

    member: Member
    placed: Placed
    lines: list[Line]
    events: Mapping[str, Credited]  # what the lines are about, by their `ref`; without those that would tell who gave something
    steps: list[Step]
    opens: list[Opened]
    history: list[Record]  # the latest first
    rules: StandingRules


async def get_standing(hub: Hub, directory: Directory, principal: Principal, name: str | None = None) -> Explained:
    """Return a member's standing, explained.

    Args:
        name: slug or id; None: the caller's own member.
    Raises:
        NotFound: there is no such member, or none that the caller may ask about.
        Withheld: no member is named, and the caller belongs to none.
    """
    require_active(principal)
    if name is None and principal.member is None:
        raise Withheld("you belong to no member; ask for the standing of one")
    member = get_member(directory, principal, name) if name is not None else directory.members[principal.member.id]  # type: ignore[union-attr]
    rules = (await hub.policies(directory)).standing
    async with hub.db.snapshot() as conn:
        held = await find_account(conn, member.id)
        if held.new:
            open_account(held, member, rules, (await read_joined(conn))[member.id])
        credited = await list_credited(conn, member.id, _EVENTS_MAX)
        history = await list_history(conn, member.id, _HISTORY_MAX)
    day = max([day_of(hub.now_us()), *(event.day for event in credited)])
    placed = place(held, member, rules, day)
    events = [Event(one.kind, one.day, one.credit, str(one.row)) for one in credited]
    return Explained(
        member=member,
        placed=placed,
        lines=explain(placed.score, held.sums, events, rules),
        events={str(one.row): known for one in credited if (known := _known(one, principal, member)) is not None},
        steps=next_steps(held.sums, member.band, rules, day, placed.standing),
        opens=await _opened(hub, directory, replace(member, standing=placed.standing)),
        history=history,
        rules=rules,
    )


async def list_standings(hub: Hub, directory: Directory, principal: Principal) -> list[tuple[Member, Placed]]:
    """Return score and tier of every member, by slug, for coordinators and administrators only."""
    require_role(principal, Role.COORDINATOR)
    rules = (await hub.policies(directory)).standing
    async with hub.db.snapshot() as conn:
        accounts = {held.member: held for held in await list_accounts(conn)}
        joined = await read_joined(conn)
    day = day_of(hub.now_us())
    found = []
    for member in sorted(directory.members.values(), key=lambda member: member.slug):
        held = accounts.get(member.id)
        if held is None:
            held = Held(member.id)
            open_account(held, member, rules, joined[member.id])
        found.append((member, place(held, member, rules, day)))
    return found


async def list_sectors(hub: Hub, directory: Directory, principal: Principal) -> dict[str, Aggregate]:
    """Return what sectors have on the whole; a sector of few members is left out, as it would tell of each of them."""
    require_active(principal)
    rules = (await hub.policies(directory)).standing
    async with hub.db.read() as conn:
        cents = {held.member: held.cents for held in await list_accounts(conn)}
    found = {}
    for sector in sorted(SECTORS):
        members = [member for member in directory.members.values() if sector in member.sectors and not member.suspended]
        known = aggregate([(Decimal(cents.get(member.id, 0)) / 100, member.standing) for member in members], rules)
        if known is not None:
            found[sector] = known
    return found


async def record_practice(hub: Hub, principal: Principal, name: str, kind: EventKind, reason: str) -> int:
    """Enter that a member attended an exercise, published a lesson, had one reused, or kept its capabilities current; return the event.

    Raises:
        Withheld: `principal` is no administrator.
        NotFound: there is no such member.
        Invalid: it is no kind of joint practice.
    """
    require_role(principal, Role.ADMIN)
    if kind not in _PRACTICES:
        raise Invalid(f"kind: it must be one of {', '.join(_PRACTICES)}")

    async def work(c: Change) -> int:
        member = get_any_member(c.directory, name)
        detail = {"kind": kind, "reason": reason, "by": principal.credential}
        row = await add_event(c.conn, LedgerKind.PRACTISED, member.id, at_us=c.now_us, detail=detail)
        await c.record("standing.practice", member.slug, kind=kind, reason=reason, event=row)
        return row

    return await change(hub, principal, work)


def _known(event: Credited, principal: Principal, member: Member) -> Credited | None:
    """Return an event as the caller may know it; None where it would tell that `member` gave what nobody may know to be its own."""
    if event.alias is None or (event.own and principal.member is not None and principal.member.id == member.id):
        return event
    return None if event.own else replace(event, stix_id=event.alias)


async def _opened(hub: Hub, directory: Directory, member: Member) -> list[Opened]:
    """Count on today's feed what the next tier would open, by asking policy about the member as it would be then."""
    if member.standing.rank == len(Standing) - 1:
        return []
    raised = replace(member, standing=list(Standing)[member.standing.rank + 1])
    since_us = hub.now_us() // DAY_US * DAY_US
    found = []
    for held in directory.collections.values():
        principal = Principal("", Role.READER, directory.members[member.id])
        if not (await rights(hub, directory, principal, held.collection)).can_see:
            continue
        async with hub.db.read() as conn:
            counts = await count_entries(conn, held.row, since_us)
            labels = await list_labels(conn, held.row) if counts else []
        now = await decide(hub, directory, member, held.collection, labels)
        then = await decide(hub, directory, raised, held.collection, labels)
        more = sooner = 0
        for label in labels:
            before, after = _delay_s(label, now), _delay_s(label, then)
            if after is not None and before is None:
                more += counts.get(label.id, 0)
            elif after is not None and before is not None and after < before:
                sooner += counts.get(label.id, 0)
        if more or sooner:
            found.append(Opened(held, more, sooner))
    return found


def _delay_s(label: StoredLabel, decisions: Mapping[LabelId, Decision]) -> int | None:
    """Return how much later a label is seen; None where it is not."""
    parts = [decisions[part] for part in label.parts]
    return max(part.delay_s for part in parts) if all(part.allowed for part in parts) else None
