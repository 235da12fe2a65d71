"""The shipped policies agree with a plain reading of the sharing rules, on random members, labels and collections.

`may_see` is written from the rules in policies/README.md, not from the policies: step by step, as a person would go through them.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.ids import CollectionId
from hub.domain.label import Attribution, Label, Severity, Tlp
from hub.domain.member import Member, MemberKind, Principal, Role, Standing
from hub.domain.policy import PolicyBundle
from hub.domain.policy_entities import HOUR_S
from hub.domain.taxii import Collection, Grantee, GranteeKind


def has_right(member: Member, grantees: frozenset[Grantee]) -> bool:
    for grantee in grantees:
        match grantee.kind:
            case GranteeKind.EVERYONE:
                return True
            case GranteeKind.KIND if grantee.value == member.kind:
                return True
            case GranteeKind.SECTOR if grantee.value in member.sectors:
                return True
            case GranteeKind.GROUP if grantee.value in member.groups:
                return True
            case GranteeKind.MEMBER if grantee.value == member.id:
                return True
    return False


def may_see(member: Member, label: Label, collection: Collection) -> int | None:
    """Return after how many hours the member may see the label; None: never."""
    if member.suspended:
        return None
    own, named = label.producer == member.id, member.id in label.recipients
    if not is_for_its_form(member, label, own=own):
        return None
    if own:
        return 0
    if collection.agreement is not None and collection.agreement not in member.agreements:
        return None
    if not is_in_audience(member, label, named=named):
        return None
    concerned = not label.sectors or bool(label.sectors & member.sectors)
    imminent = label.severity is Severity.IMMINENT and label.tlp.rank <= Tlp.AMBER.rank
    if not (named or imminent or label.tlp is Tlp.CLEAR):
        if label.unresolved and member.kind in (MemberKind.PARTNER, MemberKind.REGULATOR) and not label.groups:
            return None
        if member.standing.rank < label.standing_min.rank or not is_of_its_class(member, label):
            return None
        if not has_right(member, collection.readers):
            return None
        return {0: 72, 1: 24, 2: 6, 3: 0}[member.standing.rank] if is_held_back(member, label) else 0
    if imminent and concerned:
        return 0
    return 0 if has_right(member, collection.readers) else None


def is_in_audience(member: Member, label: Label, *, named: bool) -> bool:
    """Whether the source, and the wall before regulators, leave the member in."""
    if not named and (label.recipients or label.tlp is Tlp.RED):
        return False
    if label.groups - member.groups:
        return False
    chosen = named or bool(label.groups)  # by here the member is in all of the label's groups
    if member.kind is MemberKind.REGULATOR and not chosen and not is_for_regulators(label):
        return False
    concerned = not label.sectors or bool(label.sectors & member.sectors)
    return concerned or named or member.kind is MemberKind.AGENCY or label.tlp.rank <= Tlp.GREEN.rank


def is_for_its_form(member: Member, label: Label, *, own: bool) -> bool:
    """Who sees the original, and who the anonymous rendition."""
    agency = member.kind is MemberKind.AGENCY
    if label.anonymous:
        return not own and not (agency and label.attribution is Attribution.AGENCIES)
    return own or label.attribution is Attribution.EVERYONE or (agency and label.attribution is Attribution.AGENCIES)


def is_for_regulators(label: Label) -> bool:
    from_agency = label.tlp is Tlp.GREEN and label.producer_kind is MemberKind.AGENCY
    return label.tlp is Tlp.CLEAR or from_agency or label.mandatory or label.for_regulators


def is_held_back(member: Member, label: Label) -> bool:
    return label.reciprocal and MemberKind.AGENCY not in (member.kind, label.producer_kind)


def is_of_its_class(member: Member, label: Label) -> bool:
    asked = {Tlp.AMBER: Standing.CONTRIBUTOR if label.sectors else Standing.PARTNER, Tlp.AMBER_STRICT: Standing.STEWARD}
    return not is_held_back(member, label) or member.standing.rank >= asked.get(label.tlp, Standing.OBSERVER).rank


MEMBERS, GROUPS, SECTORS, AGREEMENTS = ("a", "b", "c"), ("grid", "rail"), ("energy", "water", "transport"), ("codes", "ports")


def _some(words: tuple[str, ...]) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(words))


grantees = st.one_of(
    st.just(Grantee(GranteeKind.EVERYONE)),
    st.builds(Grantee, st.just(GranteeKind.KIND), st.sampled_from(MemberKind)),
    st.builds(Grantee, st.just(GranteeKind.SECTOR), st.sampled_from(SECTORS)),
    st.builds(Grantee, st.just(GranteeKind.GROUP), st.sampled_from(GROUPS)),
    st.builds(Grantee, st.just(GranteeKind.MEMBER), st.sampled_from(MEMBERS)),
)
rights = st.frozensets(grantees, max_size=2)
members = st.builds(
    Member,
    id=st.sampled_from(MEMBERS),
    slug=st.just("slug"),
    name=st.just("name"),
    kind=st.sampled_from(MemberKind),
    sectors=_some(SECTORS),
    standing=st.sampled_from(Standing),
    suspended=st.sampled_from([False, False, False, True]),
    groups=_some(GROUPS),
    agreements=_some(AGREEMENTS),
)
collections = st.builds(
    Collection,
    id=st.just(CollectionId("here")),
    api_root=st.just("hub"),
    title=st.just("Here"),
    readers=rights,
    writers=rights,
    agreement=st.one_of(st.none(), st.none(), st.sampled_from(AGREEMENTS)),
)
labels = st.builds(
    Label,
    collection=st.just(CollectionId("here")),
    tlp=st.sampled_from(Tlp),
    producer_kind=st.sampled_from(MemberKind),
    groups=st.one_of(st.just(frozenset()), _some(GROUPS)),
    recipients=st.one_of(st.just(frozenset()), _some(MEMBERS)),
    sectors=_some(SECTORS),
    topic=st.sampled_from(["threat", "ip-protection"]),
    severity=st.sampled_from(Severity),
    producer=st.one_of(st.none(), st.sampled_from(MEMBERS)),
    unresolved=st.booleans(),
    reciprocal=st.booleans(),
    standing_min=st.one_of(st.just(Standing.OBSERVER), st.sampled_from(Standing)),
    mandatory=st.booleans(),
    for_regulators=st.booleans(),
    attribution=st.one_of(st.just(Attribution.EVERYONE), st.sampled_from(Attribution)),
    anonymous=st.booleans(),
)


@pytest.fixture(scope="module")
def bundle() -> PolicyBundle:
    return PolicyBundle.load(PolicyBundle.shipped_directory())


@settings(max_examples=80, deadline=None)
@given(
    asking=st.lists(members, min_size=1, max_size=5), asked=st.lists(labels, min_size=1, max_size=6), collection=collections
)  # fmt: skip
def test_labels_are_seen_exactly_as_the_rules_read(bundle: PolicyBundle, asking: list[Member], asked: list[Label], collection: Collection):
    for member in asking:  # each with each label: to make them costs more than to decide
        decisions = bundle.decide_labels(member, [(label, collection) for label in asked])
        answers = [decision.delay_s // HOUR_S if decision.allowed else None for decision in decisions]
        assert answers == [may_see(member, label, collection) for label in asked]
        assert [decision.errors for decision in decisions] == [()] * len(asked)


@settings(max_examples=100, deadline=None)
@given(member=st.one_of(st.none(), members), collection=collections)
def test_collections_are_open_exactly_as_the_rights_read(bundle: PolicyBundle, member: Member | None, collection: Collection):
    active = member is not None and not member.suspended
    reads = active and has_right(member, collection.readers)
    for role in Role:
        writes = active and has_right(member, collection.writers) and role is not Role.READER
        decided = bundle.decide_collection(Principal("token:1", role, member), collection)
        can = (decided.can_see, decided.can_read, decided.can_write, decided.can_delete)
        assert can == (reads or writes, reads, writes, reads and writes)


@settings(max_examples=100, deadline=None)
@given(member=members, label=labels, collection=collections)
def test_every_decision_gives_a_reason(bundle: PolicyBundle, member: Member, label: Label, collection: Collection):
    decision = bundle.explain_label(member, label, collection)
    effects = {rule.effect for rule in decision.rules}
    assert decision.reasons
    assert effects == ({"permit"} if decision.allowed else {"forbid"} if decision.rules else set())
    assert bool(decision.nearest) == (not decision.allowed and not decision.rules)
    assert bool(decision.waits) == bool(decision.delay_s)
