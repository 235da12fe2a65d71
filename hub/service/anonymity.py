"""What a member sets about being known, and what two officers of the hub do to learn who produced a rendition.

* A member speaks for itself; an administrator of the hub may keep its names, as they only ever hide more.
* Nobody learns a producer alone. One officer of the hub proposes, with a reason; another person approves; then these two see the producer,
  and nobody else. Either has to be a person who signed in, as a token tells nobody's name; whoever runs the command line can propose or
  answer, not both.
* Each step is in the audit trail, and the producer finds in its ledger that it was named, by whom and why.
"""

from collections.abc import Collection as Several
from dataclasses import dataclass

from hub.domain.directory import Directory
from hub.domain.ids import LiftId, new_uuid
from hub.domain.label import Attribution
from hub.domain.ledger import LedgerKind
from hub.domain.lifting import Lift
from hub.domain.member import Member, MemberKind, Principal, Role
from hub.domain.naming import checked_description, checked_name
from hub.domain.pseudonym import Pseudonyms
from hub.domain.taxii import Collection
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.administer import COMMAND_LINE, Change, change, is_admin, require_active, require_role
from hub.service.collections import get_collection
from hub.service.context import Hub
from hub.store import anonymity as store
from hub.store.ledger import add_event

_NAMES_MAX = 100
_NAME_CHARS_MIN = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """To whom a member wants to be known for what it gives to a collection."""

    member: Member
    collection: Collection
    known_to: Attribution


@dataclass(frozen=True, slots=True)
class Lifted:
    """A proposal to learn a producer, and the producer and its object where the asker may know them."""

    lift: Lift
    producer: Member | None = None
    original: str | None = None


async def set_attribution(hub: Hub, principal: Principal, collection: str, known_to: Attribution) -> Wish:
    """Say to whom the caller's member wants to be known for what it gives to a collection, where an object says nothing narrower.

    It counts from the next push on, for objects that the hub does not hold yet.

    Raises:
        Withheld: the caller may not publish for a member.
        NotFound: no such collection, or none that the caller may know of.
    """
    member = _publisher(principal)
    found = await get_collection(hub, await hub.directory(), principal, collection)

    async def work(c: Change) -> Wish:
        await store.set_attribution(c.conn, member.id, found.id, known_to)
        await c.record("attribution.set", found.id, member=member.id, known_to=known_to)
        return Wish(member, found, known_to)

    return await change(hub, principal, work)


def list_attributions(directory: Directory, principal: Principal) -> list[Wish]:
    """Return what the caller's member has set, by collection; where it set nothing it is known to everyone."""
    require_active(principal)
    own = principal.member
    if own is None:
        return []
    found = ((c, known_to) for (member, c), known_to in directory.attributions.items() if member == own.id)
    return [Wish(own, directory.collections[collection].collection, known_to) for collection, known_to in sorted(found)]


async def set_names(hub: Hub, principal: Principal, member: str, names: Several[str]) -> list[str]:
    """Keep the names and domains of a member that no rendition of its objects may hold, beside those that the hub knows already.

    Raises:
        Withheld: the caller may not publish for its member.
        NotFound: no such member, or another than the caller's, which only an administrator may name.
        Invalid: too many, or one that is too short to be told from other words.
    """
    require_role(principal, Role.PUBLISHER)
    if len(names) > _NAMES_MAX:
        raise Invalid(f"names: {_NAMES_MAX} at most")
    checked = sorted({checked_name(name, "names") for name in names})
    if short := next((name for name in checked if len(name) < _NAME_CHARS_MIN), None):
        raise Invalid(f"names: {short} is shorter than {_NAME_CHARS_MIN} characters: it would stand in half of all texts")

    async def work(c: Change) -> list[str]:
        found = _own(c.directory, principal, member)
        await store.set_names(c.conn, found.id, checked)
        await c.record("member.names", found.id, names=len(checked))
        return checked

    return await change(hub, principal, work)


def get_names(directory: Directory, principal: Principal, member: str) -> list[str]:
    """Return the names and domains that are kept of a member.

    Raises:
        NotFound: no such member, or another than the caller's.
    """
    require_active(principal)
    return sorted(directory.names.get(_own(directory, principal, member).id, ()))


async def propose_lift(hub: Hub, principal: Principal, rendition: str, reason: str) -> Lifted:
    """Propose to learn who produced a rendition.

    Raises:
        Withheld: the caller is no officer of the hub, or no person.
        NotFound: there is no such rendition.
        Invalid: no reason is given.
        Conflict: it is proposed already.
    """
    require_role(principal, Role.COORDINATOR)
    if not reason.strip():
        raise Invalid("reason: say why; the second officer decides by it, and the producer reads it")
    checked_description(reason, "reason")

    async def work(c: Change) -> Lift:
        if not await store.find_renditions(c.conn, [rendition]):
            raise NotFound("there is no such rendition")
        _require_officer(principal)
        if await store.is_lift_open(c.conn, rendition):
            raise Conflict("this is proposed already; another officer has to answer")
        lift = Lift(LiftId(new_uuid()), rendition, reason, principal.credential, c.now_us)
        await store.add_lift(c.conn, lift)
        await c.record("anonymity.propose", rendition, lift=lift.id, reason=reason)
        return lift

    return Lifted(await change(hub, principal, work))


async def answer_lift(hub: Hub, principal: Principal, id: str, *, approved: bool) -> Lifted:
    """Approve or refuse a proposal, as another officer; with a yes both may see the producer, which is told.

    Raises:
        Withheld: the caller is no officer of the hub, no person, or proposed it.
        NotFound: there is no such proposal.
        Conflict: it was answered before.
    """
    require_role(principal, Role.COORDINATOR)

    async def work(c: Change) -> None:
        lift = await store.find_lift(c.conn, id)
        if lift is None:
            raise NotFound("there is no such proposal")
        _require_officer(principal)
        if lift.proposed_by == principal.credential:
            raise Withheld("you proposed this yourself; another officer has to answer")
        if not await store.answer_lift(c.conn, lift.id, principal.credential, approved=approved, now_us=c.now_us):
            raise Conflict("it was answered before")
        await c.record("anonymity.lift" if approved else "anonymity.refuse", lift.rendition, lift=lift.id, proposed_by=lift.proposed_by)
        if approved:
            stored = await store.find_renditions(c.conn, [lift.rendition])
            source = Pseudonyms.of(hub.secret).unseal(lift.rendition, stored[lift.rendition].sealed)
            detail = {"object": source.stix_id, "reason": lift.reason, "by": [lift.proposed_by, principal.credential]}
            await add_event(c.conn, LedgerKind.LIFTED, source.producer, at_us=c.now_us, detail=detail)

    await change(hub, principal, work)
    return await get_lift(hub, await hub.directory(), principal, id)


async def get_lift(hub: Hub, directory: Directory, principal: Principal, id: str) -> Lifted:
    """Return a proposal: to an officer of the hub; once it is approved, also to the producer that it names.

    Raises:
        NotFound: there is none, or none for the caller to see.
    """
    found = next((one for one in await list_lifts(hub, directory, principal) if one.lift.id == id), None)
    if found is None:
        raise NotFound("there is no such proposal")
    return found


async def list_lifts(hub: Hub, directory: Directory, principal: Principal) -> list[Lifted]:
    """Return the proposals that the caller may see, by id: an officer all, a producer those that named it."""
    require_active(principal)
    async with hub.db.snapshot() as conn:
        lifts = await store.list_lifts(conn)
        stored = await store.find_renditions(conn, {lift.rendition for lift in lifts if lift.approved})
    found: list[Lifted] = []
    for lift in lifts:
        source = Pseudonyms.of(hub.secret).unseal(lift.rendition, stored[lift.rendition].sealed) if lift.approved else None
        own = source is not None and principal.member is not None and principal.member.id == source.producer
        if source is not None and (own or lift.is_known_to(principal.credential)):
            found.append(Lifted(lift, directory.members[source.producer], source.stix_id))
        elif is_officer(principal):
            found.append(Lifted(lift))
    return found


def is_officer(principal: Principal) -> bool:
    """Whether a principal acts for the hub: an administrator, or a coordinator of no member or of an agency."""
    of_hub = principal.member is None or principal.member.kind is MemberKind.AGENCY
    return is_admin(principal) or (principal.role.includes(Role.COORDINATOR) and of_hub)


def _require_officer(principal: Principal) -> None:
    if not is_officer(principal):
        raise Withheld("this is for officers of the hub: administrators, and coordinators of agencies")
    if not (principal.credential.startswith("person:") or principal == COMMAND_LINE):
        raise Withheld("two people lift anonymity: sign in with your own name, as a token or a certificate tells nobody's")


def _publisher(principal: Principal) -> Member:
    require_role(principal, Role.PUBLISHER)
    if principal.member is None:
        raise Withheld("only a member is known to anybody; you act for none")
    return principal.member


def _own(directory: Directory, principal: Principal, name: str) -> Member:
    member = directory.find_member(name)
    own = member is not None and principal.member is not None and principal.member.id == member.id
    if member is None or not (own or is_admin(principal)):
        raise NotFound("no such member, or none whose names you may see")
    return member
