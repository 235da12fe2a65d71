"""What a change of policies would give and take: both bundles are asked about all that came into the feed lately.

Members that neither bundle can tell apart are asked about once. The answer names objects and members, so it is for administrators.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from hub.domain.directory import Directory, HeldCollection
from hub.domain.ids import LabelId
from hub.domain.label import Label
from hub.domain.member import Member, Principal, Role
from hub.domain.policy import Decision, PolicyBundle, Rule
from hub.domain.policy_classes import classes_of
from hub.domain.policy_entities import LabelSet
from hub.errors import ConfigError, Invalid, NotFound
from hub.service.administer import require_role
from hub.service.context import Hub
from hub.store.directory import load_policy_files
from hub.store.feed import StoredLabel, list_labels
from hub.store.policies import PROPOSED, list_bundles, list_candidates
from hub.store.recent import Recent, count_recent

REPLAYED_US = 30 * 86_400 * 1_000_000  # how far back the feed is looked at
IN_FORCE = "active"
_DIGITS_MIN = 8  # of a digest that names a bundle
_EXAMPLES_MAX = 3


class Effect(StrEnum):
    """What a change does to a member's sight of something."""

    GAINED = "gained"
    LOST = "lost"
    SOONER = "sooner"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class Difference:
    """What would change for one member in one collection, by the same rules."""

    member: Member
    collection: HeldCollection
    effect: Effect
    before_s: int | None  # the delay; None: not seen
    after_s: int | None
    rules: tuple[Rule, ...]  # of the new bundle: what permits, what makes it wait, or what refuses; empty: no policy permits
    entries: int  # of the last 30 days
    examples: tuple[str, ...]  # STIX ids, at most three


@dataclass(frozen=True, slots=True)
class PolicyDiff:
    """What a change of policies would give and take, by member."""

    old: str  # digests
    new: str
    differences: tuple[Difference, ...]


async def diff_policies(
    hub: Hub, directory: Directory, principal: Principal, old: str | Mapping[str, bytes], new: str | Mapping[str, bytes]
) -> PolicyDiff:
    """Replay what came into the feed in the last 30 days, and return member by member what `new` gives and takes that `old` did not.

    Args:
        old, new: "active", the digest of a bundle that is or was in force or is proposed (or its first digits), or a bundle's files.
    Raises:
        Withheld: `principal` is no administrator.
        NotFound: no such bundle.
        Invalid: a fault in the files.
    """
    require_role(principal, Role.ADMIN)
    before, after = await _bundle(hub, directory, old), await _bundle(hub, directory, new)
    found: list[Difference] = []
    for held in directory.collections.values():
        async with hub.db.read() as conn:
            recent = await count_recent(conn, held.row, after_us=hub.now_us() - REPLAYED_US)
            labels = await list_labels(conn, held.row) if recent else []
        if recent:
            replay = _Replay(held, labels, recent)
            found += await asyncio.to_thread(replay.differences, list(directory.members.values()), before, after)
    return PolicyDiff(before.digest, after.digest, tuple(sorted(found, key=_place)))


def _place(difference: Difference) -> tuple[str, str, str, int]:
    return difference.member.slug, difference.collection.collection.id, difference.effect, -difference.entries


async def _bundle(hub: Hub, directory: Directory, named: str | Mapping[str, bytes]) -> PolicyBundle:
    if named == IN_FORCE:
        return await hub.policies(directory)
    try:
        files = await _files(hub, named) if isinstance(named, str) else named
        return await asyncio.to_thread(PolicyBundle.from_files, files)
    except ConfigError as e:
        raise Invalid(e.detail) from e


async def _files(hub: Hub, name: str) -> Mapping[str, bytes]:
    async with hub.db.read() as conn:
        known = [bundle.digest for bundle in await list_bundles(conn)]
        proposed = {candidate.digest: candidate.files for candidate in await list_candidates(conn, PROPOSED)}
        found = {digest for digest in (*known, *proposed) if len(name) >= _DIGITS_MIN and digest.startswith(name)}
        if len(found) != 1:
            raise NotFound("there are no policies of that digest")
        digest = found.pop()
        return proposed[digest] if digest in proposed else await load_policy_files(conn, digest)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a bundle says of a label, all of its parts together."""

    delay_s: int | None  # None: not seen
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class _Replay:
    """One collection's labels, and what came in under them lately."""

    held: HeldCollection
    labels: Sequence[StoredLabel]
    recent: Mapping[LabelId, Recent]

    def differences(self, members: Sequence[Member], before: PolicyBundle, after: PolicyBundle) -> list[Difference]:
        plain = {label.id: Label.from_canonical(label.canonical) for label in self.labels if label.canonical}
        pairs = [(label, self.held.collection) for label in plain.values()]
        both = replace(after.source, policies=(*before.source.policies, *after.source.policies))
        asked = LabelSet.of(pairs)
        found = []
        for alike in classes_of(members, both, pairs):
            old, new = (self._answers(bundle, alike[0], list(plain), asked) for bundle in (before, after))
            found += [difference for member in alike for difference in self._told(member, old, new)]
        return found

    def _answers(self, bundle: PolicyBundle, member: Member, ids: Sequence[LabelId], asked: LabelSet) -> dict[LabelId, _Answer]:
        reads = bundle.decide_readers([member], self.held.collection)[0]
        if not reads.allowed:
            return {label.id: _Answer(None, reads.rules) for label in self.labels}
        decided = dict(zip(ids, bundle.decide_labels(member, asked), strict=True))
        return {label.id: _together([decided[part] for part in label.parts]) for label in self.labels}

    def _told(self, member: Member, before: Mapping[LabelId, _Answer], after: Mapping[LabelId, _Answer]) -> Iterator[Difference]:
        parts: dict[tuple[int | None, int | None, tuple[Rule, ...]], list[Recent]] = {}
        for label, recent in self.recent.items():
            old, new = before[label], after[label]
            if old.delay_s != new.delay_s:
                parts.setdefault((old.delay_s, new.delay_s, new.rules), []).append(recent)
        for (before_s, after_s, rules), alike in parts.items():
            examples = dict.fromkeys(example for recent in alike for example in recent.examples)
            entries = sum(recent.entries for recent in alike)
            effect = _effect(before_s, after_s)
            yield Difference(member, self.held, effect, before_s, after_s, rules, entries, tuple(examples)[:_EXAMPLES_MAX])


def _together(decisions: Sequence[Decision]) -> _Answer:
    denied = [decision for decision in decisions if not decision.allowed]
    if denied:
        return _Answer(None, tuple(dict.fromkeys(rule for decision in denied for rule in decision.rules)))
    slowest = max(decisions, key=lambda decision: decision.delay_s)
    return _Answer(slowest.delay_s, slowest.waits or slowest.rules)


def _effect(before_s: int | None, after_s: int | None) -> Effect:
    if before_s is None:
        return Effect.GAINED
    if after_s is None:
        return Effect.LOST
    return Effect.SOONER if after_s < before_s else Effect.LATER
