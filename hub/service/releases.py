"""Requests for wider release: a member asks the source of what it sees, and the source answers yes or no.

* Who may not see an object cannot ask about it: to it, the object is not there.
* A request is between its asker and the source; nobody else learns of it. Whom the source does not want to be known to does not learn its
  name here either, and of a request about a rendition neither the store nor the audit trail says whom it went to.
* A yes loosens nothing. The source says what it is going to publish the object under, and pushes a newer version itself; once a looser one
  is in the collection, the request is done.
"""

from dataclasses import dataclass

from hub.domain.directory import Directory, HeldCollection
from hub.domain.ids import LabelId, MemberId, ReleaseId, new_uuid
from hub.domain.label import Label
from hub.domain.member import Member, Principal, Role
from hub.domain.naming import checked_description, checked_member_id, checked_name
from hub.domain.pseudonym import Pseudonyms
from hub.domain.release import AskedVersion, ReleaseAnswer, ReleaseRequest, ReleaseState, is_looser, may_know_source, source_key
from hub.domain.taxii import Grantee, GranteeKind
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.administer import require_active, require_role
from hub.service.collections import grantee
from hub.service.context import Hub
from hub.service.groups import get_group
from hub.service.members import get_member
from hub.service.view import rights, see
from hub.store import releases as store
from hub.store.anonymity import find_renditions
from hub.store.audit import add_audit
from hub.store.database import Connection
from hub.store.feed import StoredEntry, entries_of, list_labels

_NOT_THERE = "no such object, or none that you may see"


@dataclass(frozen=True, slots=True)
class Release:
    """A request with what became of it."""

    request: ReleaseRequest
    released_us: int | None  # when the source published a looser version; None: it has not
    original: str | None = None  # where the caller is the source: the object by the id that it gave it

    @property
    def state(self) -> ReleaseState:
        """Where the request stands."""
        return self.request.state(self.released_us)


async def ask_release(hub: Hub, directory: Directory, principal: Principal, object_id: str, *, to: str, reason: str) -> Release:
    """Ask the source of an object to release it wider.

    Args:
        to: to whom: `everyone`, `kind:operator`, `sector:energy`, `group:SLUG` of a group of one's own, or `member:ID`.
        reason: why; the source reads it.
    Raises:
        Withheld: the caller may not publish for its member.
        NotFound: no such object, or none that the caller's member may see.
        Invalid: `to` or `reason` is not as it should be, or the object is the caller's own.
        Conflict: the same was asked and is not answered yet, or too many requests of the member wait for an answer.
    """
    require_role(principal, Role.PUBLISHER)
    if not reason.strip():
        raise Invalid("reason: say why; the source decides by it")
    checked_description(reason, "reason")
    member = principal.member
    found = await _find_seen(hub, directory, member, object_id) if member is not None else None
    if member is None or found is None:
        raise NotFound(_NOT_THERE)
    held, entry, labels = found
    anonymous = any(label.anonymous for label in labels)
    async with hub.db.read() as conn:
        source = (await _original(hub, conn, object_id))[0] if anonymous else await store.find_producer(conn, entry.version_row)
    if source == member.id:
        raise Invalid("the object is your own: publish a newer version under the wider marking")
    about = AskedVersion(held.row, entry.object_row, object_id, entry.version_us, entry.label)
    request = ReleaseRequest(
        ReleaseId(new_uuid()), hub.now_us(), member.id, source_key(hub.secret, source, anonymous=anonymous),
        may_know_source(member, labels), about, _audience(directory, principal, to), reason,
    )  # fmt: skip
    await hub.db.write(_add, request, principal, hub.config.release_requests_max)
    return Release(request, None)


async def answer_release(hub: Hub, principal: Principal, request: str, *, agreed: bool, reason: str, marking: str | None = None) -> Release:
    """Answer a request as the source.

    Args:
        reason: why, or why not; the asker reads it.
        marking: with a yes, and only then: what the source is going to publish the object under.
    Raises:
        Withheld: the caller may not publish for its member, or it is the asker.
        NotFound: no such request, or none of the caller's member.
        Invalid: `reason` or `marking` is not as it should be.
        Conflict: it was answered before, or the asker has taken it back.
    """
    require_role(principal, Role.PUBLISHER)
    held = await get_release(hub, principal, request)
    if held.original is None:
        raise Withheld("only the source of the object answers the request")
    if not reason.strip():
        raise Invalid("reason: say why, or why not; the asker reads it")
    checked_description(reason, "reason")
    if agreed != (marking is not None):
        raise Invalid("marking: say with a yes, and only with a yes, what you are going to publish the object under")
    if marking is not None:
        checked_name(marking, "marking")
    await hub.db.write(_answer, held.request, principal, ReleaseAnswer(agreed, reason, marking, hub.now_us()))
    return await get_release(hub, principal, request)


async def withdraw_release(hub: Hub, principal: Principal, request: str) -> Release:
    """Take back a request that the caller's member made and that is not answered yet. One that was taken back stays as it is.

    Raises:
        Withheld: the caller may not publish for its member.
        NotFound: the caller's member made no such request.
        Conflict: it was answered.
    """
    require_role(principal, Role.PUBLISHER)
    held = await get_release(hub, principal, request)
    if principal.member is None or held.request.asker != principal.member.id:
        raise NotFound("your member made no such request")
    if held.state is not ReleaseState.WITHDRAWN:
        await hub.db.write(_withdraw, held.request, principal, hub.now_us())
    return await get_release(hub, principal, request)


async def get_release(hub: Hub, principal: Principal, request: str) -> Release:
    """Return a request that the caller's member made, or is the source for.

    Raises:
        NotFound: there is none, or it is between others.
    """
    require_active(principal)
    async with hub.db.read() as conn:
        held = await store.find_request(conn, request)
    keys = _keys(hub, principal.member)
    if held is None or principal.member is None or not (held.asker == principal.member.id or held.source_key in keys):
        raise NotFound("there is no such request")
    return await _with_outcome(hub, held, keys)


async def list_releases(hub: Hub, principal: Principal) -> list[Release]:
    """Return the requests that the caller's member made, and those that it is the source for, by id."""
    require_active(principal)
    if principal.member is None:
        return []
    async with hub.db.read() as conn:
        held = await store.list_requests(conn, principal.member.id, keys := _keys(hub, principal.member))
    return [await _with_outcome(hub, request, keys) for request in held]


def _keys(hub: Hub, member: Member | None) -> list[str]:
    """Return what requests keep of a member as their source: of what it is known for, and of renditions."""
    return [source_key(hub.secret, member.id, anonymous=anonymous) for anonymous in (False, True)] if member is not None else []


async def _original(hub: Hub, conn: Connection, rendition: str) -> tuple[MemberId, str]:
    """Return who is behind a rendition, and the id of the object that it was made from."""
    held = (await find_renditions(conn, [rendition]))[rendition]
    source = Pseudonyms.of(hub.secret).unseal(rendition, held.sealed)
    return source.producer, source.stix_id


async def _find_seen(
    hub: Hub, directory: Directory, member: Member, object_id: str
) -> tuple[HeldCollection, StoredEntry, list[Label]] | None:
    """Return the latest version of an object that a member sees, in the first collection in which it sees it."""
    found: list[tuple[HeldCollection, StoredEntry]] = []
    for _, held in sorted(directory.collections.items()):
        async with hub.db.read() as conn:
            entries = await entries_of(conn, held.row, [object_id])
        if entries and (await rights(hub, directory, Principal("", Role.READER, member), held.collection)).can_read:
            seen = await see(hub, directory, member, held)
            dates = ((entry, seen.view.effective_us(entry.label, entry.date_us, entry.ordinal, seen.clock_us)) for entry in entries)
            found += [(held, entry) for entry, date_us in dates if date_us is not None and date_us <= seen.clock_us]
    if not found:
        return None
    held, entry = max(found, key=lambda one: one[1].version_us)
    async with hub.db.read() as conn:
        return held, entry, await _labels(conn, held.row, entry.label)


def _audience(directory: Directory, principal: Principal, text: str) -> Grantee:
    """Return whom `text` names. Only of what the caller may know does it say whether it is there."""
    kind, _, value = text.partition(":")
    if kind == GranteeKind.GROUP:
        return Grantee(GranteeKind.GROUP, get_group(directory, principal, value).id)
    if kind == GranteeKind.MEMBER and value.startswith("identity--"):
        return Grantee(GranteeKind.MEMBER, checked_member_id(value))
    if kind == GranteeKind.MEMBER:
        return Grantee(GranteeKind.MEMBER, get_member(directory, principal, value).id)
    return grantee(directory, text)


async def _add(conn: Connection, request: ReleaseRequest, principal: Principal, open_max: int) -> None:
    await store.lock_asker(conn, request.asker)
    if await store.is_asked(conn, request.asker, request.about.stix_id, request.to):
        raise Conflict("you have asked this already; the source has not answered yet")
    if await store.count_open(conn, request.asker) >= open_max:
        raise Conflict(f"{open_max} of your requests wait for an answer, and no more may at a time")
    await store.add_request(conn, request)
    await _record(conn, principal, request, request.asked_us, "release.ask", to=str(request.to))


async def _answer(conn: Connection, request: ReleaseRequest, principal: Principal, answer: ReleaseAnswer) -> None:
    if not await store.answer_request(conn, request.id, answer):
        raise Conflict("the request was answered before, or is withdrawn")
    if not request.is_about_rendition:  # whoever answers is its source
        await _record(conn, principal, request, answer.answered_us, "release.answer", agreed=answer.agreed, marking=answer.marking)


async def _withdraw(conn: Connection, request: ReleaseRequest, principal: Principal, now_us: int) -> None:
    if not await store.withdraw_request(conn, request.id, now_us=now_us):
        raise Conflict("the request was answered before")
    await _record(conn, principal, request, now_us, "release.withdraw", to=str(request.to))


async def _record(conn: Connection, principal: Principal, request: ReleaseRequest, at_us: int, action: str, **detail: object) -> None:
    await add_audit(conn, at_us=at_us, actor=principal.credential, action=action, target=request.about.stix_id, detail=detail)


async def _with_outcome(hub: Hub, request: ReleaseRequest, keys: list[str]) -> Release:
    """Return a request as its asker, or who goes by one of `keys` as its source, sees it."""
    original: str | None = None
    if request.source_key in keys:
        original = request.about.stix_id
        if request.is_about_rendition:
            async with hub.db.read() as conn:
                original = (await _original(hub, conn, request.about.stix_id))[1]
    return Release(request, await _released_us(hub, request), original)


async def _released_us(hub: Hub, request: ReleaseRequest) -> int | None:
    """Look for a looser version where the source has agreed to publish one: pushes do nothing for requests."""
    if request.answer is None or not request.answer.agreed:
        return None
    about = request.about
    async with hub.db.read() as conn:
        entries = await entries_of(conn, about.collection_row, [about.stix_id])
        newer = [entry for entry in entries if entry.object_row == about.object_row and entry.version_us > about.version_us]
        if not newer:
            return None
        asked = await _labels(conn, about.collection_row, about.label)
        looser = [entry.date_us for entry in newer if is_looser(await _labels(conn, about.collection_row, entry.label), asked)]
    return min(looser, default=None)


async def _labels(conn: Connection, collection_row: int, label: LabelId) -> list[Label]:
    """Return the plain labels that all have to be visible for one."""
    stored = {one.id: one for one in await list_labels(conn, collection_row)}
    return [Label.from_canonical(stored[part].canonical) for part in stored[label].parts]
