"""Sharing agreements: administrators keep them; a member knows those that it is a party to, coordinators and administrators know all.

Nothing has to be done for an agreement to start or to end by its own terms (`hub.domain.agreement`). One that has ended stays: it is the
basis of what was shared under it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypedDict, Unpack

from hub.domain.agreement import Agreement, Basis, Signatory, basis_of, checked_agreement
from hub.domain.directory import Directory
from hub.domain.ids import AgreementId, new_uuid
from hub.domain.label import Tlp
from hub.domain.member import Principal, Role
from hub.domain.naming import checked_description
from hub.domain.taxii import Collection, Grantee
from hub.domain.timestamp import format_timestamp
from hub.errors import Conflict, Invalid, NotFound
from hub.service.administer import Change, change, get_any_agreement, get_any_member, require_active, require_role
from hub.service.collections import grantee
from hub.service.context import Hub
from hub.store import agreements as store
from hub.store.audit import add_audit
from hub.store.database import Connection


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed, as an administrator writes it."""

    member: str  # slug or id
    person: str
    role: str
    signed_us: int


class Reviews(NamedTuple):
    """Agreements that are to be looked at again."""

    due: list[Agreement]  # their date is past, or at most 30 days ahead
    told: list[Agreement]  # of those, what was not yet in the audit trail


class AgreementChanges(TypedDict, total=False):
    """What may change of an agreement that has not ended. Its slug stays: notes and commands name it."""

    title: str
    parties: Iterable[str]
    legal_basis: str
    purpose: str
    starts_us: int
    ends_us: int | None
    review_us: int
    signatories: Iterable[Signature]
    topics: Iterable[str]
    tlp_max: Tlp | None


def list_agreements(directory: Directory, principal: Principal, *, due_at_us: int | None = None) -> list[Agreement]:
    """Return the agreements that `principal` may know of, by slug.

    Args:
        due_at_us: only those whose review is due at this moment: past, or at most 30 days ahead.
    """
    require_active(principal)
    known = [agreement for agreement in directory.agreements.values() if _may_know(principal, agreement)]
    return sorted((a for a in known if due_at_us is None or a.is_due(due_at_us)), key=lambda agreement: agreement.slug)


def get_agreement(directory: Directory, principal: Principal, name: str) -> Agreement:
    """Return the agreement with this slug or id.

    Raises:
        NotFound: there is none, or none that `principal` may know of.
    """
    require_active(principal)
    agreement = directory.find_agreement(name)
    if agreement is None or not _may_know(principal, agreement):
        raise NotFound("there is no such sharing agreement")
    return agreement


def find_agreement_of(directory: Directory, principal: Principal, collection: Collection) -> Agreement | None:
    """Return the agreement that a collection rests on, if there is one and `principal` may know of it."""
    agreement = directory.agreement_of(collection)
    return agreement if agreement is not None and _may_know(principal, agreement) else None


async def add_agreement(hub: Hub, principal: Principal, *, slug: str, **terms: Unpack[AgreementChanges]) -> Agreement:
    """Add an agreement.

    Args:
        terms: all but `ends_us`, `topics` and `tlp_max` must be given; `parties` are written as rights on collections are
            (`hub.service.collections.grantee`).
    Raises:
        Withheld: `principal` is no administrator.
        Invalid: a term is missing or not as it should be; the detail begins with the field.
        Conflict: the slug is taken.
    """
    require_role(principal, Role.ADMIN)
    given: dict[str, Any] = {"legal_basis": "", "purpose": "", "parties": (), "signatories": (), **terms}
    for needed in ("title", "starts_us", "review_us"):
        if needed not in given:
            raise Invalid(f"{needed.replace('_us', '_at')}: it is missing; an agreement needs one")

    async def work(c: Change) -> Agreement:
        if c.directory.find_agreement(slug) is not None:
            raise Conflict(f"there is a sharing agreement {slug} already")
        terms = _understood(c.directory, given)
        agreement = _checked(c.directory, Agreement(id=AgreementId(new_uuid()), slug=slug, **terms))
        await store.add_agreement(c.conn, agreement, now_us=c.now_us)
        await c.record("agreement.add", slug, id=agreement.id, **_traced(agreement))
        return agreement

    return await change(hub, principal, work)


async def change_agreement(hub: Hub, principal: Principal, name: str, **changes: Unpack[AgreementChanges]) -> Agreement:
    """Change the terms of an agreement, from the next request on.

    Raises:
        Withheld: `principal` is no administrator.
        NotFound: there is no such agreement.
        Invalid: a term is not as it should be; the detail begins with the field.
        Conflict: it has ended.
    """
    require_role(principal, Role.ADMIN)
    given: dict[str, Any] = {**changes}

    async def work(c: Change) -> Agreement:
        held = get_any_agreement(c.directory, name)
        if held.has_ended(c.now_us):
            raise Conflict(f"the sharing agreement {held.slug} has ended; add another in its place")
        agreement = _checked(c.directory, replace(held, **_understood(c.directory, given)))
        await store.set_agreement(c.conn, agreement)
        await c.record("agreement.change", held.slug, **_traced(agreement))
        return agreement

    return await change(hub, principal, work)


async def end_agreement(hub: Hub, principal: Principal, name: str, *, reason: str) -> Agreement:
    """End an agreement before its time: from the next request on, on every node, nothing flows under it. One that has ended stays as it is.

    Raises:
        Withheld: `principal` is no administrator.
        NotFound: there is no such agreement.
        Invalid: the reason is not as it should be.
    """
    require_role(principal, Role.ADMIN)
    checked_description(reason, "reason")

    async def work(c: Change) -> Agreement:
        held = get_any_agreement(c.directory, name)
        if held.has_ended(c.now_us):
            return held
        ended = replace(held, ended_us=c.now_us)
        await store.set_agreement(c.conn, ended)
        stopped = sorted(h.collection.id for h in c.directory.collections.values() if h.collection.agreement == held.id)
        await c.record("agreement.end", held.slug, reason=reason, collections=stopped)
        return ended

    return await change(hub, principal, work)


async def note_reviews(hub: Hub) -> Reviews:
    """Leave a line in the audit trail, once each, where a review is 30 days ahead and where its date has passed; say what is due now."""
    now_us = hub.now_us()
    due = [agreement for agreement in (await hub.directory()).agreements.values() if agreement.is_due(now_us)]
    async with hub.db.read() as conn:
        untold = [one for one in due if not await store.was_told(conn, one.id, _review_of(one, now_us))]
    return Reviews(due, [one for one in untold if await hub.db.write(_tell, one, now_us)])


async def _tell(conn: Connection, agreement: Agreement, now_us: int) -> bool:
    told = await store.tell(conn, agreement.id, _review_of(agreement, now_us))
    if told:
        detail = {"review_at": format_timestamp(agreement.review_us), "overdue": agreement.is_overdue(now_us)}
        await add_audit(conn, at_us=now_us, actor="hub", action="agreement.review_due", target=agreement.slug, detail=detail)
    return told


def _review_of(agreement: Agreement, now_us: int) -> str:
    return f"{agreement.review_us} {'overdue' if agreement.is_overdue(now_us) else 'due'}"


def basis(hub: Hub, directory: Directory, collection: Collection) -> Basis:
    """Return what sharing in a collection rests on."""
    return basis_of(directory.agreement_of(collection), hub.config.membership_basis)


def _may_know(principal: Principal, agreement: Agreement) -> bool:
    return principal.role.includes(Role.COORDINATOR) or (principal.member is not None and agreement.includes(principal.member))


def _understood(directory: Directory, terms: dict[str, Any]) -> dict[str, Any]:
    """Return the terms as an agreement has them: parties and signatories found, lists as sets."""
    understood = dict(terms)
    if "parties" in terms:
        understood["parties"] = frozenset(_party(directory, name) for name in terms["parties"])
    if "signatories" in terms:
        understood["signatories"] = tuple(_signatory(directory, signature) for signature in terms["signatories"])
    if "topics" in terms:
        understood["topics"] = frozenset(terms["topics"])
    return understood


def _party(directory: Directory, name: str) -> Grantee:
    try:
        return grantee(directory, name)
    except (Invalid, NotFound) as e:
        raise Invalid(f"parties: {name!r}: {e.detail.removeprefix('grantee: ')}") from e


def _signatory(directory: Directory, signature: Signature) -> Signatory:
    try:
        member = get_any_member(directory, signature.member)
    except NotFound as e:
        raise Invalid(f"signatories: {signature.member!r}: {e.detail}") from e
    return Signatory(member.id, signature.person, signature.role, signature.signed_us)


def _checked(directory: Directory, agreement: Agreement) -> Agreement:
    checked_agreement(agreement)
    for signatory in agreement.signatories:
        member = directory.members[signatory.member]
        if not agreement.includes(member):
            raise Invalid(f"signatories: {member.slug} is not a party; add it to parties, or leave it out here")
    return agreement


def _traced(agreement: Agreement) -> dict[str, object]:
    return {
        "title": agreement.title,
        "parties": sorted(map(str, agreement.parties)),
        "legal_basis": agreement.legal_basis,
        "purpose": agreement.purpose,
        "topics": sorted(agreement.topics),
        "tlp_max": agreement.tlp_max,
        "starts_at": format_timestamp(agreement.starts_us),
        "ends_at": format_timestamp(agreement.ends_us) if agreement.ends_us is not None else None,
        "review_at": format_timestamp(agreement.review_us),
        "signatories": [[s.member, s.person, s.role, format_timestamp(s.signed_us)] for s in agreement.signatories],
    }
