"""Admission: what a push goes through, object by object, before it stands in the feed.

The steps, in their order (a refusal is that object's failure in the status resource and never its neighbours'):

1. JSON within the limits, and 2. STIX 2.1 (`hub.domain.stix`);
3. ownership and 4. time, version by version (`hub.domain.appending`);
5. signatures, where there are any, and where the collection requires one (`hub.domain.signing.verification`);
6. markings, resolved to a label (`hub.domain.marking`), which the collection's sharing agreement has to permit (`hub.domain.agreement`),
   and where not everyone may know the producer, what others get instead (`hub.service.veil`);
7. privacy: no collection can ask for holds yet; they belong between 6 and 8;
8. appended, together with what became of each object.
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from hub.domain.agreement import Agreement
from hub.domain.anonymity import Draft
from hub.domain.appending import Incoming
from hub.domain.directory import Directory, HeldCollection
from hub.domain.ids import GroupId, MemberId, StatusId, new_uuid
from hub.domain.label import Attribution, Label, Tlp
from hub.domain.labelling import label_of
from hub.domain.lookalike import find_look_alike
from hub.domain.marking import SHARING_EXTENSION, TLP_OF, MarkingMeaning, Resolution, meaning_of, resolve, strictest_colour
from hub.domain.member import Member, Principal, SharingGroup, Standing
from hub.domain.policy import PolicyBundle
from hub.domain.signing.extension import is_definition
from hub.domain.signing.verification import Signed, Verified, Verifier
from hub.domain.stix import Limits, StixObject, describe, read_envelope, read_object
from hub.domain.taxii import Collection, Outcome, Status
from hub.domain.timestamp import format_timestamp
from hub.errors import Invalid, NotFound, NotUnderstood, Unavailable, Withheld
from hub.service.administer import is_suspended
from hub.service.append import KeyEnded, again, append_in_turn, append_stretch
from hub.service.context import Hub, Moved
from hub.service.helping import read_objects
from hub.service.line import Checked, Stretch
from hub.service.retrieve import get_collection, get_root
from hub.service.turns import collect, in_turns
from hub.service.veil import Veil, named_to, veil_of
from hub.service.verifying import verify_all
from hub.store.markings import find_markings
from hub.store.pushes import Push, add_push, find_push, list_outcomes

_DEFINES = b'"marking-definition"'
_MARKING_ID = re.compile(rb"marking-definition--[0-9a-f-]{36}")
_DRAFTS_MAX = 100  # objects of an envelope that is only previewed
_AHEAD_US = 5 * 60 * 1_000_000  # a producer's clock may be so much ahead without a word about it
_UNHURRIED_OBJECTS = 200  # in a stretch of a push in the background: nobody waits for it, but others wait for the event loop


async def push(
    hub: Hub, directory: Directory, principal: Principal, root: str, name: str, body: bytes,
    *, sent_with: str | None = None, is_assumed: bool = False,
) -> Status:  # fmt: skip
    """Take an envelope (TAXII 2.1 §5.5) and return its status; what is said to be accepted is on disk.

    A push of more than `push_inline_objects_max` objects is kept and finished in the background, stretch by stretch; any other is appended
    in one transaction.

    Args:
        sent_with: thumbprint of the member's key whose signature on the message was verified; None: it is not signed.
        is_assumed: nobody has asked for this request whether `directory` is the one in force.
    Raises:
        Moved: it is not, and was only assumed to be; nothing was appended or kept.
        NotUnderstood, Invalid, TooLarge: the envelope as a whole cannot be taken.
        NotFound, Withheld: the caller may not know of the collection, or not write to it.
        Unavailable: the database cannot take it now, or a key that it is signed with ended meanwhile.
    """
    held, decision = await get_collection(hub, directory, principal, root, name)
    if principal.member is None or not decision.can_write:
        raise Withheld("you may not write to this collection")
    raws = read_envelope(body, limits=limits_of(hub))
    now_us, total = hub.now_us(), len(raws)
    sent = (StatusId(new_uuid()), root, held.row, principal.member.id, principal.credential, principal.role, now_us, total)
    if total > hub.config.push_inline_objects_max:
        if is_assumed and await hub.directory() is not directory:
            raise Moved
        kept = Push(*sent, done=0, body=body, sent_with=sent_with)
        await hub.db.write(add_push, kept)
        hub.pushes_waiting.set()
        return Status(kept.id, now_us, complete=False, total=total)
    brought = await _meanings_brought(body, raws, limits_of(hub))
    door = await _door(hub, directory, principal.member, held, body, brought, acknowledged=False, sent_with=sent_with)
    # All is read before anything is appended: what is not JSON (RFC 7493) fails the push whole.
    checked = await _check(hub, door, raws)
    kept = Push(*sent, done=total, completed_us=now_us, sent_with=sent_with)  # once it is appended, whole
    assumed = directory.revision if is_assumed else None
    try:
        outcomes = await append_in_turn(hub, Stretch(kept, checked, directory.owners, held.collection.agreement, assumed))
    except KeyEnded as e:
        raise Unavailable("a key that this is signed with ended while it was taken: send it again", retry_after_s=1) from e
    return _status(kept, outcomes)


async def check_draft(
    hub: Hub, directory: Directory, principal: Principal, root: str, name: str, body: bytes
) -> tuple[HeldCollection, list[Checked]]:
    """Return what admission would make of an envelope, as far as that can be told without the feed: nothing is appended or kept.

    Raises: as `push` does.
    """
    held, decision = await get_collection(hub, directory, principal, root, name)
    if principal.member is None or not decision.can_write:
        raise Withheld("you may not write to this collection")
    raws = read_envelope(body, limits=replace(limits_of(hub), objects_max=_DRAFTS_MAX))
    brought = await _meanings_brought(body, raws, limits_of(hub))
    door = await _door(hub, directory, principal.member, held, body, brought, acknowledged=False)
    return held, await _check(hub, door, raws)


async def get_status(hub: Hub, directory: Directory, principal: Principal, root: str, status_id: str) -> Status:
    """Return the status of a push of the caller's member (TAXII 2.1 §4.3).

    Raises:
        NotFound: there is none, it was forgotten, it is another member's, or the caller's member is suspended.
    """
    get_root(directory, root)
    async with hub.db.snapshot() as conn:  # a stretch may be appended in between: counts and outcomes are of one moment
        push = await find_push(conn, status_id)
        own = push is not None and principal.member is not None and push.member == principal.member.id and not is_suspended(principal)
        if push is None or push.api_root != root or not own:
            raise NotFound("no such status")
        return _status(push, await list_outcomes(conn, push.id))


async def finish_push(hub: Hub, push: Push, stop: asyncio.Event) -> None:
    """Do what is left of a push that was kept for later, stretch by stretch, unless `stop` is set in between."""
    assert push.body is not None, "the envelope is kept while work is left"
    raws = read_envelope(push.body, limits=replace(limits_of(hub), objects_max=push.total))  # which was within the limit when it was taken
    brought = await _meanings_brought(push.body, raws, limits_of(hub))
    while push.done < push.total and not stop.is_set():
        directory = await hub.directory()
        stretch = raws[push.done : push.done + min(hub.config.push_chunk_objects, _UNHURRIED_OBJECTS)]
        held = next((h for h in directory.collections.values() if h.row == push.collection_row), None)
        if not _is_still_vouched(directory, push):
            reason = "the key that signed this push was good no longer when it came: sign what is yours anew, with another"
            checked = [Checked(None, _refused(raw, reason, hub.now_us())) for raw in stretch]
        elif held is not None and await _may_still_write(hub, directory, push, held):
            producer, text = directory.members[push.member], b"\n".join(stretch)
            door = await _door(hub, directory, producer, held, text, brought, acknowledged=True, sent_with=push.sent_with)
            checked = await _check(hub, door, stretch)
        else:
            reason = "you may not write to this collection any more"
            checked = [Checked(None, _refused(raw, reason, hub.now_us())) for raw in stretch]
        basis = held.collection.agreement if held is not None else None
        part = Stretch(push, checked, directory.owners, basis)
        with contextlib.suppress(KeyEnded):  # the stretch comes again, and is checked by the keys as they are now
            push = await again(hub, append_stretch, hub, part, hub.now_us())


def limits_of(hub: Hub) -> Limits:
    """Return the limits on pushed content that the settings give."""
    return Limits(objects_max=hub.config.envelope_objects_max, object_bytes_max=hub.config.object_bytes_max)


@dataclass(frozen=True, slots=True)
class _Door:
    """What the objects of a stretch are checked against."""

    bundle: PolicyBundle
    producer: Member
    collection: Collection
    members: Mapping[MemberId, Member]
    groups: Mapping[GroupId, SharingGroup]
    known: Mapping[str, MarkingMeaning]  # as the producer explains its markings
    at_least: Mapping[str, Tlp]  # of markings that only others have explained
    limits: Limits
    now_us: int
    latest_us: int  # an object may not be modified later
    labels: dict[Label, Label]  # with the producer named where it has to be
    resolutions: dict[tuple[str, ...], Resolution]  # by marking_refs, of objects that say nothing more themselves
    labelled: dict[tuple[str, ...], Label]  # likewise, where nothing can be anonymous
    agreement: Agreement | None  # under which the collection's content flows
    barred: str | None  # why the producer may bring nothing at all under it
    veil: Veil | None  # None: nothing in the push can be anonymous
    verifier: Verifier
    acknowledged: bool  # whether the push was answered already, so that nothing can fail it whole any more
    sent_with: str | None  # of the producer's key that signed the message; None: that is not signed

    def states_colour(self, obj: StixObject) -> bool:
        """Whether an object names a colour of its own, or only has its collection's."""
        ends = (
            resolve(obj, known=self.known, groups=self.groups.keys(), default=end, at_least=self.at_least) for end in (Tlp.CLEAR, Tlp.RED)
        )
        return len({resolution.tlp for resolution in ends}) == 1

    def resolve(self, obj: StixObject) -> Resolution:
        """Return what an object's markings say. Most objects of a push are marked alike."""
        alike = _is_marked_alike(obj)
        resolution = self.resolutions.get(obj.marking_refs) if alike else None
        if resolution is None:
            default = self.collection.default_tlp
            resolution = resolve(obj, known=self.known, groups=self.groups.keys(), default=default, at_least=self.at_least)
            if alike:
                self.resolutions[obj.marking_refs] = resolution
        return resolution

    def label(self, label: Label) -> Label:
        """Return the label, naming its producer where policy would otherwise hold the object back from the producer itself.

        What it has now of standing and agreements it may lose: its own content stays its own.
        """
        found = self.labels.get(label)
        if found is None:
            least = replace(self.producer, standing=Standing.OBSERVER, agreements=frozenset())
            decision = self.bundle.decide_label(least, label, self.collection)
            at_once = decision.allowed and not decision.delay_s
            found = self.labels[label] = label if at_once else replace(label, producer=self.producer.id)
        return found


async def _door(
    hub: Hub, directory: Directory, producer: Member, held: HeldCollection, text: bytes, brought: Mapping[str, MarkingMeaning],
    *, acknowledged: bool, sent_with: str | None = None,
) -> _Door:  # fmt: skip
    named = {match.decode() for match in set(_MARKING_ID.findall(text))} - TLP_OF.keys()
    kept: Mapping[str, Mapping[MemberId, str]] = {}
    if named:
        async with hub.db.read() as conn:
            kept = await find_markings(conn, sorted(named))
    known = {**brought, **{id: MarkingMeaning.from_json(said[producer.id]) for id, said in kept.items() if producer.id in said}}
    at_least = {id: strictest_colour(map(MarkingMeaning.from_json, said.values())) for id, said in kept.items() if id not in known}
    now_us = hub.now_us()
    bundle = await hub.policies(directory)
    agreement = directory.agreement_of(held.collection)
    veil = await veil_of(hub, directory, producer, held.collection, text, known, limits_of(hub))
    return _Door(
        bundle, producer, held.collection, directory.members, directory.groups, known, at_least, limits_of(hub),
        now_us, now_us + hub.config.modified_ahead_s * 1_000_000, hub.kept.labels_of((bundle.digest, producer, held.collection)), {}, {},
        agreement, agreement.refusal(producer, directory.at_us) if agreement is not None else None, veil,
        Verifier(directory.keys, producer.id, now_us), acknowledged, sent_with,
    )  # fmt: skip


async def _meanings_brought(body: bytes, raws: Sequence[bytes], limits: Limits) -> dict[str, MarkingMeaning]:
    """Return what the marking definitions of an envelope mean: other objects of it may refer to them from any place."""
    brought: dict[str, MarkingMeaning] = {}
    async for raw in in_turns(raws if _DEFINES in body else ()):
        if _DEFINES in raw:
            try:
                obj = read_object(raw, limits=limits)
                if obj.type == "marking-definition":
                    brought[obj.id] = meaning_of(obj)
            except Invalid:
                continue  # refused where it stands in the envelope
    return brought


async def _check(hub: Hub, door: _Door, raws: Sequence[bytes]) -> list[Checked]:
    """Do for each object what needs no database."""
    objects = await read_objects(hub, raws, door.limits)
    read = await collect(_receive(door, raw, obj) for raw, obj in zip(raws, objects, strict=True))
    verified = iter(await verify_all([one.signed for one in read if isinstance(one, _Read)]))
    return await collect(one if isinstance(one, Checked) else _check_one(door, one, next(verified)) for one in read)


class _Read(NamedTuple):
    """An object whose signatures are not verified yet."""

    raw: bytes
    object: StixObject
    signed: Signed


def _receive(door: _Door, raw: bytes, obj: StixObject | Invalid) -> _Read | Checked:
    try:
        if isinstance(obj, Invalid):
            raise obj
        if obj.id in TLP_OF:
            # The standard's own marking definitions, in the standard's own words: everybody has them.
            return Checked(None, Outcome(obj.id, obj.version or format_timestamp(door.now_us)))
        if is_definition(obj):
            return Checked(None, Outcome(obj.id, obj.version or ""))
        return _Read(raw, obj, door.verifier.read(obj))
    except Invalid as e:
        if isinstance(e, NotUnderstood) and not door.acknowledged:
            raise
        return Checked(None, _refused(raw, e.detail, door.now_us))


def _check_one(door: _Door, read: _Read, verified: Verified | Invalid) -> Checked:
    obj = read.object
    try:
        if isinstance(verified, Invalid):
            raise verified
        _refuse_unsigned(door, verified)
        resolution = door.resolve(obj)
        _refuse_unfit(door, obj, resolution)
        meaning = meaning_of(obj) if obj.type == "marking-definition" else None
        label, draft = _label_one(door, obj, resolution)
    except Invalid as e:
        return Checked(None, _refused(read.raw, e.detail, door.now_us))
    warning = _warning(door, obj, draft, verified)
    incoming = Incoming(obj, label, door.producer.id, verified.kids, door.sent_with)
    return Checked(incoming, Outcome(obj.id, obj.version or "", warning=warning), meaning, draft)


def _label_one(door: _Door, obj: StixObject, resolution: Resolution) -> tuple[Label, Draft | None]:
    """Return the label of an object, and what those get of it who may not know its producer."""
    veil = door.veil
    if veil is None and _is_marked_alike(obj):
        known = door.labelled.get(obj.marking_refs)
        if known is None:
            known = door.labelled[obj.marking_refs] = door.label(label_of(resolution, door.producer, door.collection))
        return known, None
    label = label_of(resolution, door.producer, door.collection)
    known_to = veil.attribution_of(obj, resolution) if veil is not None else Attribution.EVERYONE
    if veil is None or known_to is Attribution.EVERYONE:
        return door.label(label), None
    label = named_to(label, known_to, door.producer.id)
    return label, veil.draft(obj, resolution, label, states_colour=door.states_colour(obj))


def _is_marked_alike(obj: StixObject) -> bool:
    """Whether an object says nothing more of its sharing than the markings that it refers to."""
    return SHARING_EXTENSION not in obj.properties.get("extensions", ())


def _refuse_unsigned(door: _Door, verified: Verified) -> None:
    if door.collection.signature_required and not verified.kids:
        raise Invalid("signature: this collection takes only what its producer has signed with a registered key")


def _refuse_unfit(door: _Door, obj: StixObject, resolution: Resolution) -> None:
    if obj.version_us is not None and obj.version_us > door.latest_us:
        raise Invalid(f"modified: {obj.version} lies in the future; it would stand as the latest version until then")
    if door.agreement is not None:
        refusal = door.barred or door.agreement.refusal_of(resolution.topic or door.collection.topic, resolution.tlp)
        if refusal is not None:
            raise Invalid(refusal)
    if obj.id in door.groups or not resolution.groups <= door.producer.groups:
        raise Invalid("the object names a sharing group that is not yours")
    if obj.type == "identity" and find_look_alike(obj.properties["name"], door.members.values(), but=door.producer.id):
        raise Invalid("name: it looks like that of another member; refer to that member's own identity, or ask the hub's administrators")


def _warning(door: _Door, obj: StixObject, draft: Draft | None, verified: Verified) -> str | None:
    warnings = [verified.warning] if verified.warning is not None else []
    if obj.version_us is not None and obj.version_us > door.now_us + _AHEAD_US:
        ahead = f"modified: {obj.version} lies in the future"
        warnings.append(f"{ahead}: it stands as the latest version until then; is the clock right that wrote it?")
    if door.agreement is not None and (waits := door.agreement.warning(door.now_us)) is not None:
        warnings.append(waits)
    if draft is not None and draft.left_out:
        warnings.append(f"attribution: what others get of it is without {', '.join(draft.left_out)}")
    return "; ".join(warnings) or None


def _refused(raw: bytes, reason: str, now_us: int) -> Outcome:
    id, version = describe(raw)
    return Outcome(id, version or format_timestamp(now_us), reason)


def _is_still_vouched(directory: Directory, push: Push) -> bool:
    """Whether the key that signed the message was good when the push was taken, as far as is known now."""
    return push.sent_with is None or directory.keys[push.sent_with].is_good_at(push.request_us)


async def _may_still_write(hub: Hub, directory: Directory, push: Push, held: HeldCollection) -> bool:
    principal = Principal(push.credential, push.role, directory.members[push.member])
    try:
        _, decision = await get_collection(hub, directory, principal, push.api_root, held.collection.id)
    except NotFound:
        return False
    return decision.can_write


def _status(push: Push, outcomes: Sequence[Outcome]) -> Status:
    return Status(
        push.id,
        push.request_us,
        complete=push.completed_us is not None,
        total=push.total,
        successes=tuple(o for o in outcomes if o.failure is None),
        failures=tuple(o for o in outcomes if o.failure is not None),
    )
