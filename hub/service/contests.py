"""Contests: a member appeals against what the ledger says of it, and somebody of another organisation answers by name.

* Every event about a member can be contested, once, but for contests and answers themselves: an answer is final.
* Where it is upheld, what follows from the event is put right: a ruling and joint practice no longer count, an item counts as new, a report
  back counts in full, what was taken back counts as standing. A standing that was given, or came about, and a lifted anonymity cannot
  be undone by that: the answer says what is done instead.
* Whoever may not know whose an item is may not know who contests what is about it: it comes from "the producer", about the
  rendition, and leaves no line in the audit trail.
* Nobody answers in a matter of their own: not the same owner, not who made the entry.
"""

from dataclasses import dataclass

from hub.domain.directory import Directory
from hub.domain.ids import MemberId
from hub.domain.label import Attribution
from hub.domain.ledger import Contest, LedgerEvent, LedgerKind, owner_of
from hub.domain.member import Member, MemberKind, Principal, Role
from hub.domain.naming import checked_name
from hub.domain.pseudonym import Pseudonyms
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.adjudicate import REASON_CHARS_MAX, is_related, sees, side_of
from hub.service.administer import COMMAND_LINE, Change, change, require_active, require_role
from hub.service.context import Hub
from hub.store.contests import StoredContest, add_contest, answer_contest, find_contest, list_contests, list_events
from hub.store.database import Duplicate
from hub.store.feed import labels_named
from hub.store.ledger import add_event, find_event

_FINAL = (LedgerKind.CONTESTED, LedgerKind.ANSWERED)


@dataclass(frozen=True, slots=True)
class Appeal:
    """A contest, as somebody may see it."""

    contest: Contest
    kind: LedgerKind  # of the contested event
    member: Member | None  # who contests; None: the producer of an item, who is not named to who asks
    object: str | None  # the STIX id, as who asks knows it, of what the event is about; None: of nothing, or of nothing that they see


async def list_own_events(hub: Hub, principal: Principal, *, before: int | None = None, limit: int) -> list[tuple[LedgerEvent, str | None]]:
    """Return what the ledger says of the caller's member, the latest first, and which of its objects that is about.

    Args:
        before: the last event of the page before; None begins at the latest.
    Raises:
        Withheld: the caller belongs to no member.
    """
    require_active(principal)
    if principal.member is None:
        raise Withheld("you belong to no member; the ledger is about members")
    async with hub.db.read() as conn:
        return await list_events(conn, principal.member.id, before=before, limit=limit)


async def contest_event(hub: Hub, principal: Principal, event: int, reason: str) -> Appeal:
    """Contest an event about the caller's member.

    Raises:
        Withheld: `principal` may not speak for its member.
        NotFound: there is no such event, or it is another member's.
        Invalid: it is a contest or an answer, or the reason is empty or too long.
        Conflict: it was contested before.
    """
    require_role(principal, Role.PUBLISHER)
    checked_name(reason, "reason", chars_max=REASON_CHARS_MAX)
    async with hub.db.read() as conn:
        held = await find_event(conn, event)
    if held is None or not (principal == COMMAND_LINE or (principal.member is not None and principal.member.id == held.member)):
        raise NotFound("there is no such event of your member")
    if held.kind in _FINAL:
        raise Invalid("event: a contest and its answer cannot be contested; the answer is final")

    async def work(c: Change) -> StoredContest:
        row = await add_event(c.conn, LedgerKind.CONTESTED, held.member, at_us=c.now_us, subject=event, detail={"reason": reason})
        await add_contest(c.conn, Contest(row, event, held.member, c.now_us, reason, None, None, None, None))
        stored = await find_contest(c.conn, row)
        assert stored is not None, "it was just added"
        if stored.attribution is Attribution.EVERYONE:
            await c.record("standing.contest", str(event), contest=row)
        return stored

    try:
        stored = await change(hub, principal, work)
    except Duplicate as e:
        raise Conflict("this event was contested before; `contests` has the answer") from e
    return await _shown(hub, await hub.directory(), principal, stored)


async def answer(hub: Hub, directory: Directory, principal: Principal, row: int, *, upheld: bool, reason: str) -> Appeal:
    """Answer a contest by name: where it is upheld, what follows from the event is put right.

    Raises:
        Withheld: the caller is no coordinator, has the same owner as who contests, or made the entry.
        NotFound: there is no such contest, or none that the caller may know of.
        Conflict: it was answered before.
    """
    require_role(principal, Role.COORDINATOR)
    checked_name(reason, "reason", chars_max=REASON_CHARS_MAX)
    async with hub.db.read() as conn:
        stored = await find_contest(conn, row, _relatives(directory, principal))
        event = await find_event(conn, stored.contest.event) if stored is not None else None
    if stored is None or event is None:
        raise NotFound("there is no such contest")
    _refuse_interested(directory, principal, event)

    async def work(c: Change) -> StoredContest:
        if not await answer_contest(c.conn, row, by=principal.credential, now_us=c.now_us, upheld=upheld, answer=reason):
            raise Conflict("this contest was answered before")
        detail = {
            "upheld": upheld, "reason": reason, "by": principal.credential, "of": side_of(principal), "contested": event.kind,
            "contested_us": event.at_us,
        }  # fmt: skip
        await add_event(
            c.conn, LedgerKind.ANSWERED, event.member, at_us=c.now_us, version_row=event.version_row,
            collection_row=event.collection_row, subject=event.row, detail=detail,
        )  # fmt: skip
        await c.record("standing.answer", str(row), upheld=upheld, reason=reason)
        answered = await find_contest(c.conn, row)
        assert answered is not None, "it was found before, and contests stay"
        return answered

    return await _shown(hub, directory, principal, await change(hub, principal, work))


async def list_appeals(hub: Hub, directory: Directory, principal: Principal, *, after: int, limit: int) -> list[Appeal]:
    """Return contests, the oldest first: everybody's for coordinators and administrators, the caller's member's for others."""
    require_active(principal)
    if principal.member is None and not principal.role.includes(Role.COORDINATOR):
        return []
    of = None if principal.role.includes(Role.COORDINATOR) or principal.member is None else principal.member.id
    async with hub.db.read() as conn:
        stored = await list_contests(conn, of, after=after, limit=limit, related=_relatives(directory, principal))
    return [await _shown(hub, directory, principal, one) for one in stored]


def _relatives(directory: Directory, principal: Principal) -> frozenset[MemberId]:
    """Return the other members of the caller's owner: being refused an answer to them would tell whose an item is."""
    if principal.member is None:
        return frozenset()
    owner = owner_of(principal.member)
    return frozenset(m.id for m in directory.members.values() if owner_of(m) == owner and m.id != principal.member.id)


async def _shown(hub: Hub, directory: Directory, principal: Principal, stored: StoredContest) -> Appeal:
    member = directory.members[stored.contest.member]
    own = principal.member is not None and principal.member.id == member.id
    agency = principal.member is not None and principal.member.kind is MemberKind.AGENCY
    named = own or stored.attribution is Attribution.EVERYONE or (agency and stored.attribution is Attribution.AGENCIES)
    object = stored.stix_id
    if object is not None and not (own or await _sees(hub, directory, principal, stored)):
        object = None
    if object is not None and not named:
        object = Pseudonyms.of(hub.secret).id_of(member.id, object)
    return Appeal(stored.contest, stored.kind, member if named else None, object)


async def _sees(hub: Hub, directory: Directory, principal: Principal, stored: StoredContest) -> bool:
    """Whether the caller sees, in one form or the other, what a contest is about; who has no member sees only that there is one."""
    if principal.member is None:
        return True
    if stored.label is None or stored.collection_row is None:
        return False
    async with hub.db.read() as conn:
        label = (await labels_named(conn, [stored.label]))[stored.label]
    return await sees(hub, directory, principal.member, label, stored.collection_row)


def _refuse_interested(directory: Directory, principal: Principal, event: LedgerEvent) -> None:
    if is_related(directory, principal, event.member):
        raise Withheld("a contest is answered by somebody of another organisation")
    by = event.detail.get("by", ())  # one credential, or the two officers who lifted an anonymity
    of = event.detail.get("of")
    if principal.credential in ([by] if isinstance(by, str) else by) or (of is not None and side_of(principal) == of):
        raise Withheld("a contest is answered by somebody who did not make the entry")
