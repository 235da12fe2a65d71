"""The shipped policies agree with a plain reading of the sharing rules, on random members, labels and collections.

`may_see` is written from the rules in policies/README.md, not from the policies: step by step, as a person would go through them.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.ids import CollectionId
from hub.domain.label import Label, Severity, Tlp
from hub.domain.member import Member, MemberKind, Principal, Role, Standing
from hub.domain.policy import PolicyBundle
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


def may_see(member: Member, label: Label, collection: Collection) -> bool:
    if member.suspended:
        return False
    if label.producer == member.id:
        return True
    named = member.id in label.recipients
    if label.recipients and not named:
        return False
    if label.groups - member.groups:
        return False
    chosen = named or bool(label.groups)  # by here the member is in all of the label's groups
    imminent = label.severity is Severity.IMMINENT and label.tlp.rank <= Tlp.AMBER.rank
    if member.kind is MemberKind.REGULATOR and label.tlp.rank > Tlp.GREEN.rank and not chosen:
        return False
    if label.unresolved and member.kind in (MemberKind.PARTNER, MemberKind.REGULATOR) and not chosen and not imminent:
        return False
    concerned = not label.sectors or bool(label.sectors & member.sectors)
    if imminent and concerned:
        return True
    if not has_right(member, collection.readers):
        return False
    if named or label.tlp in (Tlp.CLEAR, Tlp.GREEN):
        return True
    return label.tlp is not Tlp.RED and (concerned or member.kind is MemberKind.AGENCY)


MEMBERS, GROUPS, SECTORS = ("a", "b", "c"), ("grid", "rail"), ("energy", "water", "transport")


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
)
collections = st.builds(
    Collection, id=st.just(CollectionId("here")), api_root=st.just("hub"), title=st.just("Here"), readers=rights, writers=rights
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
)


@pytest.fixture(scope="module")
def bundle() -> PolicyBundle:
    return PolicyBundle.load(PolicyBundle.shipped_directory())


@settings(max_examples=300, deadline=None)
@given(member=members, asked=st.lists(labels, min_size=1, max_size=12), collection=collections)
def test_labels_are_seen_exactly_as_the_rules_read(bundle: PolicyBundle, member: Member, asked: list[Label], collection: Collection):
    decisions = bundle.decide_labels(member, [(label, collection) for label in asked])
    assert [decision.allowed for decision in decisions] == [may_see(member, label, collection) for label in asked]
    assert [decision.errors for decision in decisions] == [()] * len(asked)
    assert [decision.delay_s for decision in decisions] == [0] * len(asked)


@settings(max_examples=300, deadline=None)
@given(member=st.one_of(st.none(), members), role=st.sampled_from(Role), collection=collections)
def test_collections_are_open_exactly_as_the_rights_read(bundle: PolicyBundle, member: Member | None, role: Role, collection: Collection):
    active = member is not None and not member.suspended
    reads = active and has_right(member, collection.readers)
    writes = active and has_right(member, collection.writers) and role is not Role.READER
    decided = bundle.decide_collection(Principal("token:1", role, member), collection)
    can = (decided.can_see, decided.can_read, decided.can_write, decided.can_delete)
    assert can == (reads or writes, reads, writes, reads and writes)


@settings(max_examples=200, deadline=None)
@given(member=members, label=labels, collection=collections)
def test_every_decision_gives_a_reason(bundle: PolicyBundle, member: Member, label: Label, collection: Collection):
    decision = bundle.explain_label(member, label, collection)
    effects = {rule.effect for rule in decision.rules}
    assert decision.reasons
    assert effects == ({"permit"} if decision.allowed else {"forbid"} if decision.rules else set())
    assert bool(decision.nearest) == (not decision.allowed and not decision.rules)
