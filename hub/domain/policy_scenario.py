"""Scenario files: tables of cases, each a question with the answer that the policies must give and the policy that must give it.

A file is TOML. Its tables `[member]`, `[label]` and `[collection]` are the defaults of the file; each `[[case]]` says what differs:

    name     the boundary that the case stands on; unique in the file
    action   "read", or one of seeCollection, readCollection, writeCollection, deleteFromCollection
    expect   "allow" or "deny"
    rule     id of a policy that makes the decision, or that makes it wait; left out: no policy permits it
    alone = true   no other policy has a part in the decision
    delay_h  for "read": hours after which it may be seen, 0 if left out
    role     for a collection: the credential's role, "reader" if left out
    administrator = true   for a collection: asked by an administrator who belongs to no member

Ids are plain words: the member's own is "me", the collection's "here". An unmarked label is TLP:AMBER from an agency.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from hub.domain.ids import AgreementId, CollectionId, GroupId, MemberId
from hub.domain.label import Attribution, Label, Severity, Tlp
from hub.domain.member import SECTORS, Member, MemberKind, Principal, Role, Standing
from hub.domain.policy import Decision, PolicyBundle
from hub.domain.policy_check import SCENARIOS
from hub.domain.policy_entities import COLLECTION_ACTIONS, HOUR_S, READ
from hub.domain.taxii import Collection, Grantee, GranteeKind
from hub.errors import ConfigError

_TABLES = {"member", "label", "collection"}  # what a file may give defaults for


@dataclass(frozen=True, slots=True)
class Scenario:
    """One question and the answer that it must have."""

    source: str  # "tlp.toml: name of the case"
    action: str
    principal: Principal
    label: Label  # of no meaning to an action on a collection
    collection: Collection
    allowed: bool
    rule: str | None  # None: no policy permits it
    delay_s: int = 0
    alone: bool = False  # `rule` must be all that decides

    def decide(self, bundle: PolicyBundle) -> Decision:
        """Return the answer that `bundle` gives."""
        if self.action == READ:
            assert self.principal.member is not None  # parsing makes sure of it
            return bundle.explain_label(self.principal.member, self.label, self.collection)
        decided = bundle.decide_collection(self.principal, self.collection)
        return dict(zip(COLLECTION_ACTIONS, (decided.see, decided.read, decided.write, decided.delete), strict=True))[self.action]

    def failure(self, bundle: PolicyBundle) -> str | None:
        """Return what is different from the expected answer, or None where nothing is."""
        decision = self.decide(bundle)
        ids = {rule.id for rule in (*decision.rules, *decision.waits)}
        by_expected_rule = (ids == {self.rule} if self.alone else self.rule in ids) if self.rule else not ids
        same = (decision.allowed, decision.delay_s) == (self.allowed, self.delay_s)
        if same and by_expected_rule and not decision.errors:
            return None
        expected = _told(self.allowed, self.delay_s, self.rule) + (" alone" if self.alone else "")
        return f"{self.source}: expected {expected}, got {_answer(decision)}"


def scenarios_of(files: Mapping[str, bytes]) -> list[Scenario]:
    """Return the cases of a bundle's files, by file name, then in the order of the file.

    Raises:
        ConfigError: no such files, or a case that cannot be understood: says which and what to write.
    """
    names = sorted(name for name in files if name.startswith(SCENARIOS))
    if not names:
        raise ConfigError(f"{SCENARIOS}: there are no scenario files (*.toml); add cases for both sides of each boundary")
    return [scenario for name in names for scenario in parse_scenarios(name.removeprefix(SCENARIOS), files[name])]


def failures_of(bundle: PolicyBundle, scenarios: Sequence[Scenario]) -> list[str]:
    """Return what keeps a bundle from being proven: each case that it answers otherwise, each policy that no case expects to decide."""
    failures = [failure for scenario in scenarios if (failure := scenario.failure(bundle))]
    unexpected = unproven(bundle, scenarios)
    return failures + [f"{bundle.rules[rule_id].source}: no case expects {rule_id} to decide; add one" for rule_id in unexpected]


def parse_scenarios(name: str, content: bytes) -> list[Scenario]:
    """Return the cases of the file called `name`. Raises ConfigError as `load_scenarios`."""
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{name}: it is not TOML: {error}") from error
    cases = document.pop("case", [])
    if not isinstance(cases, list) or not all(isinstance(table, dict) for table in (*cases, *document.values())):
        raise ConfigError(f"{name}: write each case under [[case]], and defaults under [member], [label] and [collection]")
    scenarios: dict[str, Scenario] = {}
    for case in cases:
        source = f"{name}: {case.get('name', 'a case without a name')}"
        if source in scenarios:
            raise ConfigError(f"{source}: the name is used twice; give each case its own")
        tables = {key: {**document.get(key, {}), **case.get(key, {})} for key in _TABLES | document.keys()}
        try:
            scenarios[source] = _Case.model_validate({**case, **tables}).scenario(source)
        except ValidationError as error:
            faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
            raise ConfigError("\n".join(f"{source}: {fault}" for fault in faults)) from error
    return list(scenarios.values())


def unproven(bundle: PolicyBundle, scenarios: Sequence[Scenario]) -> list[str]:
    """Return the policies that no case expects to decide anything, by id in the order of the bundle."""
    expected = {scenario.rule for scenario in scenarios}
    return [rule_id for rule_id in bundle.rules if rule_id not in expected]


def _told(allowed: bool, delay_s: int, rule: str | None) -> str:  # noqa: FBT001  (private, and both callers name it)
    later = f" after {delay_s // HOUR_S} h" if delay_s else ""
    return f"{'allow' if allowed else 'deny'}{later} by {rule or 'no policy'}"


def _answer(decision: Decision) -> str:
    by = ", ".join(rule.id for rule in (*decision.rules, *decision.waits))
    parts = [_told(decision.allowed, decision.delay_s, by), *decision.errors]
    parts += [f"nearest is {miss.id}, which also asks: {' and '.join(miss.missing)}" for miss in decision.nearest]
    return "; ".join(parts)


def _grantee(text: object) -> object:
    if not isinstance(text, str):
        return text
    kind, _, value = text.partition(":")
    return Grantee(GranteeKind(kind), value)


def _known_sector(sector: str) -> str:
    if sector not in SECTORS:
        raise ValueError("not a sector of the schema")
    return sector


_Sectors = frozenset[Annotated[str, AfterValidator(_known_sector)]]
_Grantees = frozenset[Annotated[Grantee, BeforeValidator(_grantee)]]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _MemberTable(_Table):
    id: MemberId = MemberId("me")
    kind: MemberKind
    sectors: _Sectors = frozenset()
    standing: Standing = Standing.OBSERVER
    suspended: bool = False
    groups: frozenset[GroupId] = frozenset()
    agreements: frozenset[AgreementId] = frozenset()


class _LabelTable(_Table):
    tlp: Tlp = Tlp.AMBER
    producer_kind: MemberKind = MemberKind.AGENCY
    groups: frozenset[GroupId] = frozenset()
    recipients: frozenset[MemberId] = frozenset()
    sectors: _Sectors = frozenset()
    topic: str = "threat"
    severity: Severity = Severity.ROUTINE
    producer: MemberId | None = None
    unresolved: bool = False
    reciprocal: bool = False
    standing_min: Standing = Standing.OBSERVER
    mandatory: bool = False
    for_regulators: bool = False
    attribution: Attribution = Attribution.EVERYONE
    anonymous: bool = False


class _CollectionTable(_Table):
    readers: _Grantees = frozenset()
    writers: _Grantees = frozenset()
    topic: str = "threat"
    agreement: AgreementId | None = None


class _Case(_Table):
    name: str
    action: Literal["read", "seeCollection", "readCollection", "writeCollection", "deleteFromCollection"] = "read"
    expect: Literal["allow", "deny"]
    rule: str | None = None
    alone: bool = False
    delay_h: Literal[0, 6, 24, 72] = 0
    role: Role = Role.READER
    administrator: bool = False
    member: _MemberTable
    label: _LabelTable
    collection: _CollectionTable

    @model_validator(mode="after")
    def _only_members_read(self) -> Self:
        if self.administrator and self.action == READ:
            raise ValueError("an administrator without a member cannot be asked about read; ask readCollection")
        return self

    def scenario(self, source: str) -> Scenario:
        member = Member(slug="me", name="Me", **dict(self.member))
        collection = Collection(CollectionId("here"), "root", "Here", **dict(self.collection))
        return Scenario(
            source=source,
            action=self.action,
            principal=Principal("credential", self.role, None if self.administrator else member),
            label=Label(collection=collection.id, **dict(self.label)),
            collection=collection,
            allowed=self.expect == "allow",
            rule=self.rule,
            delay_s=self.delay_h * HOUR_S,
            alone=self.alone,
        )
