"""Who would see a draft: now, later and when, or never and by which rule. Nothing is appended or kept.

* A draft goes through the same checks as a push; what would be refused is told with the same reason.
* Members that policy cannot tell apart are asked about once.
* Whose names the asker learns: coordinators and agencies learn all, as they look after the community. Others learn numbers by kind, sector
  and standing, and of fewer members than a published figure needs (`standing.toml`, `aggregate`) only that they are fewer: a draft is no
  way to ask for one member's standing.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.domain.anonymity import label_of_rendition
from hub.domain.directory import Directory
from hub.domain.label import Attribution, Label
from hub.domain.member import Member, MemberKind, Principal, Role
from hub.domain.policy import Decision, PolicyBundle, Rule
from hub.domain.policy_classes import classes_of
from hub.domain.taxii import Collection, Outcome
from hub.service.administer import require_role
from hub.service.admit import check_draft
from hub.service.context import Hub


@dataclass(frozen=True, slots=True)
class Share:
    """The members to whom one and the same thing happens, for the same reasons."""

    seen: bool
    delay_s: int  # where seen: after how long; 0 is at once
    rules: tuple[Rule, ...]  # what lets them see it, makes them wait, or refuses; empty: no policy permits it
    count: int | None  # None: fewer than `Preview.members_min`
    names: tuple[str, ...] | None  # slugs; None: not for the asker
    kinds: Mapping[str, int | None]
    sectors: Mapping[str, int | None]  # a member counts in each of its own
    standings: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Audience:
    """Who would see the objects that have one label."""

    object_ids: tuple[str, ...]
    label: Label
    shares: tuple[Share, ...]  # at once first, never last


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of a draft."""

    at_us: int
    members_min: int  # a number below this is told to coordinators and agencies only
    audiences: tuple[Audience, ...]
    refused: tuple[Outcome, ...]


async def preview(hub: Hub, directory: Directory, principal: Principal, root: str, name: str, body: bytes) -> Preview:
    """Say who would see the objects of an envelope if it were pushed to a collection.

    Raises:
        Withheld: the caller's credential does not publish, or may not write to the collection.
        NotFound: no such collection, or none that the caller may know of.
        NotUnderstood, Invalid, TooLarge: the envelope as a whole cannot be taken.
    """
    require_role(principal, Role.PUBLISHER)
    held, checked = await check_draft(hub, directory, principal, root, name, body)
    bundle = await hub.policies(directory)
    members_min = bundle.standing.aggregate.members_min
    drafts: dict[Label, list[str]] = {}
    for one in checked:
        if one.incoming is not None:
            drafts.setdefault(one.incoming.label, []).append(one.incoming.object.id)
    teller = _Teller(knows_names=_knows_names(principal), members_min=members_min)
    audiences = []
    for label, ids in drafts.items():
        # Policy is asked about thousands of members: longer than others should wait for the event loop.
        decided = await asyncio.to_thread(decide_all, bundle, list(directory.members.values()), label, held.collection)
        audiences.append(Audience(tuple(ids), label, teller.shares(decided)))
    refused = tuple(one.outcome for one in checked if one.outcome.failure is not None)
    return Preview(hub.now_us(), members_min, tuple(audiences), refused)


def decide_all(bundle: PolicyBundle, members: Sequence[Member], label: Label, collection: Collection) -> list[tuple[Member, Decision]]:
    """Return for each member whether it would see in `collection` what has `label`, in the original or as a rendition.

    Who may not read the collection is denied by what denies that.
    """
    classes = classes_of(members, bundle.source, [(label, collection)])
    asked = [alike[0] for alike in classes]
    decisions = bundle.decide_members(asked, label, collection)
    if label.attribution is not Attribution.EVERYONE:
        renditions = bundle.decide_members(asked, label_of_rendition(label, label.recipients), collection)
        decisions = [own if own.allowed else other for own, other in zip(decisions, renditions, strict=True)]
    reading = bundle.decide_readers(asked, collection)
    answers = [decision if reads.allowed else reads for decision, reads in zip(decisions, reading, strict=True)]
    return [(member, answer) for alike, answer in zip(classes, answers, strict=True) for member in alike]


def _knows_names(principal: Principal) -> bool:
    member = principal.member
    return principal.role.includes(Role.COORDINATOR) or (member is not None and member.kind is MemberKind.AGENCY)


@dataclass(frozen=True, slots=True)
class _Teller:
    """Turns decisions into what the asker may be told."""

    knows_names: bool
    members_min: int

    def shares(self, decided: Sequence[tuple[Member, Decision]]) -> tuple[Share, ...]:
        parts: dict[tuple[bool, int, tuple[Rule, ...]], list[Member]] = {}
        for member, decision in decided:
            rules = decision.waits if decision.allowed and decision.delay_s else decision.rules
            parts.setdefault((decision.allowed, decision.delay_s, rules), []).append(member)
        order = sorted(parts, key=lambda part: (not part[0], part[1], [rule.id for rule in part[2]]))
        return tuple(self._share(*part, parts[part]) for part in order)

    def _share(self, seen: bool, delay_s: int, rules: tuple[Rule, ...], members: Sequence[Member]) -> Share:  # noqa: FBT001
        return Share(
            seen,
            delay_s,
            rules,
            self._told(len(members)),
            tuple(sorted(member.slug for member in members)) if self.knows_names else None,
            self._counts(Counter(member.kind for member in members)),
            self._counts(Counter(sector for member in members for sector in member.sectors)),
            self._counts(Counter(member.standing for member in members)),
        )

    def _counts(self, counter: Mapping[str, int]) -> dict[str, int | None]:
        return {str(name): self._told(counter[name]) for name in sorted(counter)}

    def _told(self, count: int) -> int | None:
        return count if self.knows_names or count >= self.members_min else None
