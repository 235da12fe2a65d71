"""Who may see what, decided by the site's Cedar policies; nothing here knows a rule.

* Default deny: where no policy permits, the answer is no. A refusal wins over any permission.
* An evaluation error refuses. (Cedar by itself skips a `forbid` that fails and goes on to allow.)
* A delay is asked for as an action of its own (`readAfter24h`); the soonest that is allowed counts. A decision to wait names also what
  refused the sooner ones.
* Every decision names the policies that made it, with their reasons.

A bundle is immutable. `digest` names it: equal digests, equal decisions.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import cedarpy

from hub.domain.label import Label
from hub.domain.member import Member, Principal, Role
from hub.domain.policy_check import POLICY_SUFFIX, SCENARIOS, SCHEMA_FILE, Source, SourcePolicy, check_source
from hub.domain.policy_classes import ids_named
from hub.domain.policy_entities import (
    COLLECTION_ACTIONS,
    DELAYS_S,
    READ,
    READ_COLLECTION,
    Entity,
    LabelSet,
    Request,
    action_entities,
    collection_entities,
    collection_request,
    label_request,
)
from hub.domain.policy_probe import NearMiss, Probe, policy_set
from hub.domain.policy_vocabulary import refuse_unfit
from hub.domain.standing_rules import STANDING_FILE, StandingRules
from hub.domain.taxii import Collection
from hub.errors import ConfigError

NO_POLICY = "No policy permits it."
FAILED = "A policy could not be evaluated, so it is refused."


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy that made a decision. `reason` is fit to show to the member concerned."""

    id: str
    effect: str  # "permit" or "forbid"
    reason: str
    source: str  # "tlp.cedar:12"


@dataclass(frozen=True, slots=True)
class Decision:
    """An answer with the policies that made it."""

    allowed: bool
    delay_s: int = 0  # where allowed: how long after its date; 0 is at once
    rules: tuple[Rule, ...] = ()  # the permits where allowed, the refusals where denied; empty: no policy permits it
    errors: tuple[str, ...] = ()  # evaluation errors, each of which refuses; for the log, not for the member
    waits: tuple[Rule, ...] = ()  # where allowed later: the refusals that keep it from being seen at once
    nearest: tuple[NearMiss, ...] = ()  # where explained and no policy permits it: the permits that came nearest

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in sentences fit to show; never empty."""
        if self.errors:
            return (FAILED,)
        return tuple(rule.reason for rule in (*self.rules, *self.waits)) or (NO_POLICY,)


@dataclass(frozen=True, slots=True)
class CollectionDecision:
    """What a principal may do with a collection; each answer has its own reasons."""

    see: Decision  # whether the collection exists for it at all
    read: Decision
    write: Decision
    delete: Decision

    @property
    def can_see(self) -> bool:
        """Whether the collection shows up for the principal."""
        return self.see.allowed

    @property
    def can_read(self) -> bool:
        """TAXII 2.1 §5.2.1 `can_read`; what is in it is decided label by label."""
        return self.read.allowed

    @property
    def can_write(self) -> bool:
        """TAXII 2.1 §5.2.1 `can_write`."""
        return self.write.allowed

    @property
    def can_delete(self) -> bool:
        """Whether the principal may delete from the collection what is its own."""
        return self.delete.allowed


@dataclass(frozen=True, slots=True)
class Candidate:
    """A bundle that decides nothing: it waits for a second person, or lies in the shadow of the one in force."""

    digest: str
    at_us: int
    actor: str  # the credential that brought it
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, eq=False)
class PolicyBundle:
    """A site's policies, parsed once. Made by `load` or `from_files`."""

    digest: str  # SHA-256 over names and contents of the files, in hex
    files: Mapping[str, bytes]  # what `from_files` was given
    rules: Mapping[str, Rule]  # by id, in the order of the files
    source: Source  # the policies as they were checked
    named: frozenset[str]  # ids of the entities that they name
    standing: StandingRules  # how standing is computed, and what it opens
    _schema: cedarpy.Schema
    _actions: tuple[Entity, ...]
    _label_policies: cedarpy.PolicySet
    _collection_policies: cedarpy.PolicySet
    _delayed: tuple[str, ...]  # the delayed actions that some permit may allow, soonest first
    _probe: Probe

    @staticmethod
    def shipped_directory() -> Path:
        """Return where the policies lie that come with the hub: inside the installed package, or beside it in a checkout."""
        package = Path(__file__).resolve().parent.parent
        installed = package / "_policies"
        return installed if installed.is_dir() else package.parent / "policies"

    @classmethod
    def load(cls, directory: Path) -> "PolicyBundle":
        """Return the checked bundle in a directory; files of other names are not part of it.

        Raises:
            ConfigError: no such directory, or a fault in a file.
        """
        if not directory.is_dir():
            raise ConfigError(f"{directory}: there is no such directory of policies")
        paths = [path for path in directory.iterdir() if path.name in (SCHEMA_FILE, STANDING_FILE) or path.suffix == POLICY_SUFFIX]
        paths += (directory / SCENARIOS).glob("*.toml")
        return cls.from_files({path.relative_to(directory).as_posix(): path.read_bytes() for path in paths})

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "PolicyBundle":
        """Return the checked bundle with these contents by file name.

        Raises:
            ConfigError: a fault in a file (see `check_source`).
        """
        return _made(tuple(sorted(files.items())))

    @classmethod
    def of(cls, source: Source, standing: StandingRules, files: Mapping[str, bytes]) -> "PolicyBundle":
        """Return the bundle of policies that `check_source` passed, of the files that they stand in."""
        actions = action_entities(source.schema)
        on_labels = concerning(source.policies, DELAYS_S, actions)
        on_collections = concerning(source.policies, COLLECTION_ACTIONS, actions)
        permits = [policy for policy in on_labels if policy.effect == "permit"]
        return cls(
            digest=_digest(files),
            files=MappingProxyType(dict(files)),
            rules=MappingProxyType({p.id: Rule(p.id, p.effect, p.reason, p.source) for p in source.policies}),
            source=source,
            named=ids_named(source),
            standing=standing,
            _schema=source.schema,
            _actions=tuple(actions),
            _label_policies=policy_set({policy.id: policy.parsed for policy in on_labels}),
            _collection_policies=policy_set({policy.id: policy.parsed for policy in on_collections}),
            _delayed=tuple(action for action in DELAYS_S if action != READ and concerning(permits, [action], actions)),
            _probe=Probe(permits, source.schema),
        )

    def decide_label(self, member: Member, label: Label, collection: Collection) -> Decision:
        """Return whether, and how much later, `member` may see what is labelled so in `collection`."""
        return self.decide_labels(member, [(label, collection)])[0]

    def decide_labels(self, member: Member, labels: LabelSet | Sequence[tuple[Label, Collection]]) -> list[Decision]:
        """Return a decision for each label, in order. For many members make the `LabelSet` once: the rest is a third of the cost."""
        label_set = labels if isinstance(labels, LabelSet) else LabelSet.of(labels)
        return self._decide([(member, index) for index in range(len(label_set.pairs))], label_set.asked_by([member], self._actions))

    def decide_members(self, members: Sequence[Member], label: Label, collection: Collection) -> list[Decision]:
        """Return the decision on one label for each member, in order."""
        entities = LabelSet.of([(label, collection)]).asked_by(members, self._actions)
        return self._decide([(member, 0) for member in members], entities)

    def decide_readers(self, members: Sequence[Member], collection: Collection) -> list[Decision]:
        """Return for each member, in order, whether it may read `collection`."""
        entities = collection_entities(collection, members, self._actions)
        requests = [collection_request(Principal("", Role.READER, member), READ_COLLECTION, collection) for member in members]
        return self._ask(self._collection_policies, requests, entities)

    def explain_label(self, member: Member, label: Label, collection: Collection) -> Decision:
        """Return `decide_label`'s decision; where no policy permits, with the permits that came nearest and what they missed."""
        decision = self.decide_label(member, label, collection)
        if decision.allowed or decision.rules or decision.errors:
            return decision
        entities = LabelSet.of([(label, collection)]).asked_by([member], self._actions)
        return replace(decision, nearest=self._probe.nearest(label_request(member, READ, 0), entities))

    def decide_collection(self, principal: Principal, collection: Collection) -> CollectionDecision:
        """Return what `principal` may do with `collection`."""
        entities = collection_entities(collection, [principal.member] if principal.member is not None else [], self._actions)
        requests = [collection_request(principal, action, collection) for action in COLLECTION_ACTIONS]
        see, read, write, delete = self._ask(self._collection_policies, requests, entities)
        return CollectionDecision(see, read, write, delete)

    def _decide(self, asked: Sequence[tuple[Member, int]], entities: cedarpy.Entities) -> list[Decision]:
        """Return a decision for each member and label, given by its number: at once, or after the soonest delay that is allowed."""
        decisions = self._ask(self._label_policies, [label_request(member, READ, label) for member, label in asked], entities)
        for action in self._delayed:
            denied = [index for index, decision in enumerate(decisions) if not decision.allowed and not decision.errors]
            requests = [label_request(asked[index][0], action, asked[index][1]) for index in denied]
            for index, answer in zip(denied, self._ask(self._label_policies, requests, entities), strict=True):
                if answer.allowed:
                    decisions[index] = replace(answer, delay_s=DELAYS_S[action], waits=decisions[index].rules)
                elif answer.errors:
                    decisions[index] = answer
        return decisions

    def _ask(self, policies: cedarpy.PolicySet, requests: list[Request], entities: cedarpy.Entities) -> list[Decision]:
        return [self._decision(result) for result in cedarpy.is_authorized_batch(requests, policies, entities, self._schema)]

    def _decision(self, result: cedarpy.AuthzResult) -> Decision:
        errors = tuple(result.diagnostics.errors)
        if errors or result.decision is cedarpy.Decision.NoDecision:
            return Decision(allowed=False, errors=errors or ("the request could not be evaluated",))
        rules = (self.rules[policy_id] for policy_id in sorted(result.diagnostics.reasons))
        return Decision(allowed=result.allowed, rules=tuple(rules))


@lru_cache(maxsize=8)
def _made(items: tuple[tuple[str, bytes], ...]) -> PolicyBundle:
    """Make a bundle. One is immutable, and costs tens of milliseconds to parse: who asks for the same again gets the same."""
    files = dict(items)
    source = check_source(files)
    refuse_unfit(files[SCHEMA_FILE].decode())
    if STANDING_FILE not in files:
        raise ConfigError(f"{STANDING_FILE}:1: there is no such file; a bundle says how standing is computed: copy it from the shipped one")
    return PolicyBundle.of(source, StandingRules.parse(files[STANDING_FILE].decode()), files)


def concerning(policies: Iterable[SourcePolicy], asked: Iterable[str], actions: Iterable[Entity]) -> list[SourcePolicy]:
    """Return the policies whose scope takes in one of the actions `asked`: no others can have a part in the answer."""
    parents = {action["uid"]["id"]: [parent["id"] for parent in action["parents"]] for action in actions}
    reached: set[str] = set()
    frontier = set(asked)
    while frontier:
        reached |= frontier
        frontier = {parent for action in frontier for parent in parents.get(action, [])} - reached
    return [policy for policy in policies if not (named := _named_actions(policy)) or named & reached]


def _named_actions(policy: SourcePolicy) -> set[str]:
    scope = policy.parsed["action"]
    return {entity["id"] for entity in scope.get("entities", [scope["entity"]] if "entity" in scope else [])}


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.hexdigest()
