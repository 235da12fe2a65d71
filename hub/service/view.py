"""What a member may see of a collection at this moment.

Policy is asked once per (member, label) and its answers are kept by what they depend on: the member's attributes, the label,
the collection's rights and the digest of the bundle. What a principal may do with a collection is kept for one directory. A poll
reads the collection's head; while directory, labels and observation are those of the kept view, nothing else has to be asked.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.domain.directory import Directory, HeldCollection
from hub.domain.feed import Granted, Observed, View, delay_us
from hub.domain.ids import LabelId
from hub.domain.label import Label
from hub.domain.member import Member, Principal, Role
from hub.domain.policy import CollectionDecision, Decision, PolicyBundle
from hub.domain.policy_classes import ANYBODY, for_any_other
from hub.domain.taxii import Collection
from hub.errors import Unavailable
from hub.service.context import Hub, Moved
from hub.service.kept import Kept, KeptDecisions, KeptRights, KeptView
from hub.service.shadow import compare, shadow_of
from hub.store.feed import Head, StoredLabel, list_labels, plan_for, read_head
from hub.store.views import record_observation

_TRIES_MAX = 50
_DECISIONS_MAX = 1_000_000
_ANY_CREDENTIAL = "member"
_STATISTICS_KEEP_US = 10_000_000  # a plan rests on counts and sizes that are at most this old


@dataclass(frozen=True, slots=True)
class Seen:
    """A member's view of a collection, the clock up to which it goes, and how to read it."""

    view: View
    plan: str
    clock_us: int
    bytes_max: int  # of the largest object in the collection


async def see(hub: Hub, directory: Directory, member: Member, held: HeldCollection, *, is_assumed: bool = False) -> Seen:
    """Return what `member` may see of a collection now.

    Where its rights differ from what its polls observed last, that is recorded first: a grant comes in front of every cursor.

    Args:
        is_assumed: nobody has asked for this request whether the directory is the one in force.
    Raises:
        Moved: it is not, and was only assumed to be.
    """
    for _ in range(_TRIES_MAX):
        async with hub.db.read() as conn:
            head = await read_head(conn, held.row, member.id)
        if head.revision != directory.revision or not directory.holds_at(hub.now_us()):
            if is_assumed:
                raise Moved
            # Changed since this request began: it is judged by what is in force now.
            directory = await hub.directory_since(head.revision)
            member = directory.members[member.id]
            held = directory.collections[held.collection.id]
            if head.revision != directory.revision:
                continue
        seen = _keep_using(hub, directory, member, held, head)
        if seen is not None:
            return seen
        async with hub.db.read() as conn:
            labels = (await list_labels(conn, held.row))[: head.labels]
        grants = await granted(hub, directory, member, held.collection, labels)
        observed = Observed.from_json(head.labels_seen, head.state) if head.edition >= 0 else Observed()
        if head.edition < 0 or _differs(observed, grants):
            await hub.db.write(record_observation, held.row, member.id, grants)
            continue
        return _keep(hub, directory, member, held, head, View.of(observed, [(lb.number, lb.id) for lb in labels]), labels)
    raise Unavailable("rights keep changing; try again")


async def rights(hub: Hub, directory: Directory, principal: Principal, collection: Collection) -> CollectionDecision:
    """Return what `principal` may do with a collection."""
    kept = hub.kept.of(directory)
    member = principal.member
    key = (principal.credential, principal.role, None if member is None else member.id, collection.id)
    known = kept.rights.get(key)
    if known is None or known.member is not member or known.collection is not collection:
        decision = (await hub.policies(directory)).decide_collection(principal, collection)
        known = KeptRights(member, collection, decision)
        kept.keep_rights(key, known)
    return known.decision


async def may_read(hub: Hub, directory: Directory, member: Member, collection: Collection) -> bool:
    """Return whether a member may read a collection, by one of its credentials."""
    return (await rights(hub, directory, Principal(_ANY_CREDENTIAL, Role.READER, member), collection)).can_read


async def decide(
    hub: Hub, directory: Directory, member: Member, collection: Collection, labels: list[StoredLabel]
) -> dict[LabelId, Decision]:
    """Return policy's decision for every plain label in `labels` and every part of a narrowed one."""
    bundle = await hub.policies(directory)
    known = _decisions(hub.kept, (bundle.digest, member, collection))
    for label in labels:
        if label.canonical and label.id not in hub.kept.labels:
            hub.kept.labels[label.id] = Label.from_canonical(label.canonical)
    missing = [label.id for label in labels if label.canonical and label.id not in known.by_id]
    if missing:
        _ask(known, bundle, member, collection, {label: hub.kept.labels[label] for label in missing})
        hub.kept.decision_count += len(missing)
    shadow = await shadow_of(hub, directory)
    if shadow is not None:
        compared = _decisions(hub.kept, (shadow.digest, member, collection))
        fresh = [label.id for label in labels if label.canonical and label.id not in compared.by_id]
        if fresh:
            asked = [(id, hub.kept.labels[id], known.by_id[id]) for id in fresh]
            compared.by_id.update(await compare(hub, shadow, member, asked, collection))
            hub.kept.decision_count += len(fresh)
    return known.by_id


def _ask(known: KeptDecisions, bundle: PolicyBundle, member: Member, collection: Collection, labels: Mapping[LabelId, Label]) -> None:
    """Ask policy about labels; of those that differ only in a producer whom it cannot tell from others, about one for all time."""
    kinds = {id: for_any_other(label, member, bundle.named) for id, label in labels.items()}
    asked = {kind: labels[id] for id, kind in kinds.items() if kind not in known.by_open_label}
    decided = dict(zip(asked, bundle.decide_labels(member, [(label, collection) for label in asked.values()]), strict=True))
    known.by_open_label.update({kind: decision for kind, decision in decided.items() if kind.producer == ANYBODY})
    known.by_id.update({id: decided[kind] if kind in decided else known.by_open_label[kind] for id, kind in kinds.items()})


def _decisions(kept: Kept, key: tuple[str, Member, Collection]) -> KeptDecisions:
    known = kept.decisions.setdefault(key, KeptDecisions())
    kept.decisions.move_to_end(key)
    while kept.decision_count > _DECISIONS_MAX and len(kept.decisions) > 1:
        kept.decision_count -= len(kept.decisions.popitem(last=False)[1].by_id)
    return known


async def granted(hub: Hub, directory: Directory, member: Member, collection: Collection, labels: list[StoredLabel]) -> list[Granted]:
    """Return what policy says of each of `labels`, which hold the parts of those that are narrowed."""
    decisions = await decide(hub, directory, member, collection, labels)
    grants: list[Granted] = []
    for label in labels:
        parts = [decisions[part] for part in label.parts]
        delay = max(delay_us(d.delay_s) for d in parts) if all(d.allowed for d in parts) else None
        grants.append(Granted(label.id, label.number, delay))
    return grants


def _differs(observed: Observed, grants: list[Granted]) -> bool:
    if len(grants) > observed.labels_seen:
        return True
    for grant in grants:
        segments = observed.segments.get(grant.label)
        if segments is None:
            if grant.delay_us != 0:
                return True
        elif (segments[-1].delay_us if segments else None) != grant.delay_us:  # type: ignore[union-attr]
            return True
    return False


def _keep_using(hub: Hub, directory: Directory, member: Member, held: HeldCollection, head: Head) -> Seen | None:
    kept = hub.kept.of(directory).views.get((member.id, held.row))
    if kept is None or kept.labels != head.labels or kept.edition != head.edition or hub.now_us() - kept.made_us > _STATISTICS_KEEP_US:
        return None
    return Seen(kept.view, kept.plan, head.clock_us, kept.bytes_max)


def _keep(hub: Hub, directory: Directory, member: Member, held: HeldCollection, head: Head, view: View, labels: list[StoredLabel]) -> Seen:
    bytes_max = max((label.bytes_max for label in labels), default=0)
    kept = KeptView(head.labels, head.edition, hub.now_us(), view, plan_for(view, labels), bytes_max)
    hub.kept.of(directory).keep_view((member.id, held.row), kept)
    return Seen(view, kept.plan, head.clock_us, bytes_max)
