"""Reports back: who was asked, who received, fetched and reported; each member sees what is asked of it, a producer its own picture.

* Who is asked: the members of the audience that the producer named who may see the item, but the producer itself.
* A reporter is named to the producer where its report names it to everyone; all others are counted only, so that nobody is found by what is
  left over.
"""

from dataclasses import dataclass
from functools import lru_cache

import orjson

from hub.domain.anonymity import label_of_rendition
from hub.domain.directory import Directory, HeldCollection
from hub.domain.handle import Handles
from hub.domain.ids import CollectionId, MemberId
from hub.domain.label import Attribution, Label
from hub.domain.member import Member, Principal, Role
from hub.domain.pseudonym import Pseudonyms
from hub.domain.release import may_know_source
from hub.domain.reporting import Receipt, ReportRequest
from hub.domain.taxii import ObjectPage
from hub.errors import HubError, NotFound
from hub.service.administer import require_active
from hub.service.context import Hub
from hub.store.database import Duplicate
from hub.store.feed import labels_named
from hub.store.reporting import list_all_receipts, list_open_requests, list_receipts, page_of_requests, record_fetched

_LOOKED_AT_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Picture:
    """How a request for reports back stands."""

    asked: int  # members of the audience who may see the item by now, or will
    received: int  # of those, in whose view it is by now
    fetched: int
    seen: int
    nothing: int
    commented: int
    overdue: int  # had to answer, and did not in time
    reporters: tuple[tuple[Member, Receipt], ...]  # those that may be named


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    """A request for reports back, as somebody may see it."""

    request: ReportRequest
    handle: str  # of the item
    stix_id: str  # of the object, or of its rendition, as the caller knows it
    collection: CollectionId
    asker: Member | None  # None: its producer is not known to everyone
    receipt: Receipt | None  # what the caller's member did about it
    is_open: bool
    picture: Picture | None  # for who asks, and for the hub's officers


async def list_report_backs(hub: Hub, directory: Directory, principal: Principal, *, after: int, limit: int) -> list[RequestAnswer]:
    """Return what the caller's member is asked for, and what it asks for itself, the oldest first; officers see all."""
    require_active(principal)
    found: list[RequestAnswer] = []
    looked_at = 0
    while len(found) < limit and looked_at < _LOOKED_AT_MAX:
        async with hub.db.read() as conn:
            requests = await page_of_requests(conn, after=after, limit=limit)
        answers = [await _answer(hub, directory, principal, request) for request in requests]
        found += [answer for answer in answers if answer is not None]
        if len(requests) < limit:
            break
        looked_at += len(requests)
        after = requests[-1].item
    return found[:limit]


async def get_report_back(hub: Hub, directory: Directory, principal: Principal, item: int) -> RequestAnswer:
    """Return a request by its item.

    Raises:
        NotFound: there is none, or none that the caller may know of.
    """
    require_active(principal)
    async with hub.db.read() as conn:
        requests = await page_of_requests(conn, after=item - 1, limit=1)
    answer = await _answer(hub, directory, principal, requests[0]) if requests and requests[0].item == item else None
    if answer is None:
        raise NotFound("there is no such request for reports back")
    return answer


async def note_fetched(hub: Hub, directory: Directory, member: Member, held: HeldCollection, page: ObjectPage) -> None:
    """Keep that a page held an item on which reports are wanted from the member, the first time. Without open requests it costs nothing."""
    kept = hub.kept.of(directory)
    if kept.requests is None:
        async with hub.db.read() as conn:
            kept.requests = {}
            for request in await list_open_requests(conn, hub.now_us()):
                kept.requests.setdefault(request.collection_row, []).append(request)
    wanted = [
        request.item
        for request in kept.requests.get(held.row, ())
        if (request.item, member.id) not in kept.fetched
        and request.is_open(hub.now_us())
        and request.asks(member)
        and any(_is_in(id, page) for id in _known_as(hub.secret, request.member, request.stix_id))
    ]
    if wanted:
        kept.fetched.update((item, member.id) for item in wanted)
        try:
            await hub.db.write(record_fetched, wanted, member.id, hub.now_us())
        except HubError as e:
            # Another node, or a report, was first, or the database is away: the next page tells.
            kept.fetched.difference_update((item, member.id) for item in wanted)
            if not isinstance(e, Duplicate):
                raise


@lru_cache(maxsize=10_000)
def _known_as(secret: bytes, producer: MemberId, stix_id: str) -> tuple[str, str]:
    """Return the id of an object and that of its rendition, whether it has one or not."""
    return stix_id, Pseudonyms.of(secret).id_of(producer, stix_id)


def _is_in(stix_id: str, page: ObjectPage) -> bool:
    """Whether an object is in a page, itself and not only a reference to it."""
    sought = stix_id.encode()
    return sought in page.objects and any(sought in body and orjson.loads(body)["id"] == stix_id for body in page.bodies)


async def _answer(hub: Hub, directory: Directory, principal: Principal, request: ReportRequest) -> RequestAnswer | None:
    member = principal.member
    held = next((held for held in directory.collections.values() if held.row == request.collection_row), None)
    if held is None:
        return None
    async with hub.db.read() as conn:
        label = (await labels_named(conn, [request.label]))[request.label]
        receipts = await list_receipts(conn, [request.item], [member.id]) if member is not None else []
    now_us = hub.now_us()
    officer = principal.role.includes(Role.ADMIN)
    own = member is not None and member.id == request.member
    asked = member is not None and request.asks(member) and await _sees(hub, directory, member, held, label, now_us - request.at_us)
    if not (officer or own or asked):
        return None
    named = own or label.attribution is Attribution.EVERYONE
    sees_original = named or (member is not None and may_know_source(member, [label]))
    return RequestAnswer(
        request=request,
        handle=Handles.of(hub.secret).of_row(request.item),
        stix_id=_known_as(hub.secret, request.member, request.stix_id)[not sees_original],
        collection=held.collection.id,
        asker=directory.members[request.member] if named else None,
        receipt=receipts[0] if receipts else None,
        is_open=request.is_open(now_us),
        picture=await _picture(hub, directory, request, held, label) if own or officer else None,
    )


async def _picture(hub: Hub, directory: Directory, request: ReportRequest, held: HeldCollection, label: Label) -> Picture:
    now_us = hub.now_us()
    members = [member for member in directory.members.values() if not member.suspended and request.asks(member)]
    asked = [member.id for member in members if await _sees(hub, directory, member, held, label, None)]
    received = {member.id for member in members if await _sees(hub, directory, member, held, label, now_us - request.at_us)}
    async with hub.db.read() as conn:
        receipts = {receipt.member: receipt for receipt in await list_all_receipts(conn, request.item)}
    reported = [receipt for receipt in receipts.values() if receipt.reported_us is not None]
    outcomes = [receipt.outcome for receipt in reported]
    silent = [id for id in asked if id in received and (id not in receipts or receipts[id].reported_us is None)]
    return Picture(
        asked=len(asked),
        received=len(received),
        fetched=sum(receipt.fetched_us is not None for receipt in receipts.values()),
        seen=outcomes.count("seen"),
        nothing=outcomes.count("nothing"),
        commented=outcomes.count("commented"),
        overdue=0 if request.is_open(now_us) else len(silent),
        reporters=tuple((directory.members[receipt.member], receipt) for receipt in reported if receipt.named),
    )


async def _sees(hub: Hub, directory: Directory, member: Member, held: HeldCollection, label: Label, age_us: int | None) -> bool:
    """Whether a member may see the item, as it is shown to that member; after `age_us` where that is given, else ever."""
    bundle = await hub.policies(directory)
    shown = [label] if label.attribution is Attribution.EVERYONE else [label, label_of_rendition(label, label.recipients)]
    for decision in bundle.decide_labels(member, [(one, held.collection) for one in shown]):
        if decision.allowed and (age_us is None or decision.delay_s * 1_000_000 <= age_us):
            return True
    return False
