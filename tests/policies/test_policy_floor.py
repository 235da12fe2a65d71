"""No bundle that passes the check keeps back what is never held back, nor shows anything beyond a source's marking."""

import json
from pathlib import Path

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.label import Attribution, Label, Severity, Tlp
from hub.domain.member import Member, MemberKind
from hub.domain.policy import PolicyBundle
from hub.domain.policy_floor import FLOOR, KEYSTONES, check_bundle
from hub.domain.taxii import Collection
from hub.errors import ConfigError
from tests.policies.bundles import files_with, shipped_files
from tests.policies.test_policy_reference import collections, has_right, is_for_its_form, is_in_audience, labels, members

HEAD = '@id("own")\n@reason("Because of own.")\n'
SHIPPED = PolicyBundle.load(PolicyBundle.shipped_directory())


def _refusal(files: dict[str, bytes]) -> str:
    with pytest.raises(ConfigError) as refused:
        check_bundle(files)
    return refused.value.detail


# --- what is refused ------------------------------------------------------------------------------------------------------


def test_the_keystones_are_among_the_shipped_policies():
    assert set(KEYSTONES) - SHIPPED.rules.keys() == set()
    assert check_bundle(SHIPPED.files).digest == SHIPPED.digest


def test_the_words_of_the_floor_are_told_where_policies_are_written():
    told = (Path(PolicyBundle.shipped_directory()) / "safety.cedar").read_text(encoding="utf-8").replace("//", "")
    assert " ".join(FLOOR.split()) in " ".join(told.split())


@pytest.mark.parametrize("keystone", KEYSTONES)
def test_a_bundle_without_a_keystone_is_refused(keystone: str):
    file = SHIPPED.rules[keystone].source.partition(":")[0]
    policies = json.loads(cedarpy.policies_to_json_str(SHIPPED.files[file].decode()))["staticPolicies"]
    rest = {name: policy for name, policy in policies.items() if policy["annotations"]["id"] != keystone}
    text = cedarpy.policies_from_json_str(json.dumps({"templates": {}, "staticPolicies": rest, "templateLinks": []}))
    detail = _refusal(shipped_files() | {file: text.encode()})
    assert f'there is no policy "{keystone}"' in detail
    assert detail.startswith(f"{file}:")


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("safety.cedar", 'Tlp::"green", Tlp::"amber"].contains(resource.tlp) &&\n', 'Tlp::"green"].contains(resource.tlp) &&\n'),
        (
            "groups.cedar",
            "principal in resource.recipients ||\n  (resource has producer",
            "principal.tier == 3 ||\n  (resource has producer",
        ),
        ("members.cedar", "resource.mandatory ||\n", "resource.mandatory ||\n  principal.tier == 3 ||\n"),
    ],
)
def test_a_keystone_in_other_words_is_refused(file: str, old: str, new: str):
    files = shipped_files()
    assert old in files[file].decode()
    detail = _refusal(files | {file: files[file].decode().replace(old, new, 1).encode()})
    assert detail.startswith(f"{file}:")
    assert "is not as it is shipped" in detail


def test_the_reason_and_the_layout_of_a_keystone_may_be_a_sites_own():
    files = shipped_files()
    text = files["safety.cedar"].decode().replace("It warns of", "Achtung:").replace(" &&\n  [", " && [")
    assert text != files["safety.cedar"].decode()
    assert check_bundle(files | {"safety.cedar": text.encode()}).rules["safety-floor"].reason.startswith("Achtung")


SEE = 'forbid (principal is Member, action in Action::"see", resource)'
TIER = "when { principal.tier < 1 }"


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        (f"{SEE} {TIER};", "may hold back what is never held back; add to it: unless {"),
        (f'forbid (principal is Member, action == Action::"read", resource) {TIER};', "may hold back"),
        (f'forbid (principal is Member, action == Action::"readAfter72h", resource) {TIER};', "may hold back"),
        (f"forbid (principal, action, resource is Label) {TIER.replace('principal.tier < 1', 'true')};", "may hold back"),
        (f"{SEE} {TIER} unless {{ {FLOOR} && principal.tier > 0 }};", "may hold back"),
        (f"{SEE} {TIER} unless {{ {FLOOR.replace('amber', 'green')} }};", "may hold back"),
        (f'forbid (principal is Member, action == Action::"readCollection", resource) {TIER};', "hides a collection"),
        (f"forbid (principal is Member, action, resource is Collection) {TIER};", "hides a collection"),
        (f"{SEE} when {{ principal.tier + 1 < 2 }} unless {{ {FLOOR} }};", "may fail when it is evaluated, and what fails refuses: +"),
        (f"{SEE} when {{ -principal.tier < -2 }} unless {{ {FLOOR} }};", "may fail when it is evaluated"),
        (
            f"{SEE.replace('forbid', 'permit')} when {{ resource has producer && resource.producer.tier > 1 }};",
            'attribute "tier" of what may',
        ),
        (f'{SEE.replace("forbid", "permit")} when {{ Member::"x".tier > 1 }};', 'attribute "tier" of what may not be there'),
        (
            f"{SEE.replace('forbid', 'permit')} when {{ [1].contains(if true then principal.tier * 2 else 1) }};",
            "* cannot always be computed",
        ),
    ],
)
def test_what_could_break_the_floor_is_refused_with_its_line(policy: str, told: str):
    detail = _refusal(files_with(f"// a comment\n{HEAD}{policy}"))
    assert detail.startswith('site.cedar:2: policy "own" ')
    assert told in detail


def test_a_schema_that_takes_an_action_out_of_reach_of_refusals_is_refused():
    files = shipped_files()
    schema = files["schema.cedarschema"].decode()
    apart = schema.replace(
        "action read, readAfter6h, ", "action read appliesTo { principal: [Member], resource: [Label] };\naction readAfter6h, "
    )
    assert apart != schema
    assert "schema.cedarschema:1: action read is not in see" in _refusal(files | {"schema.cedarschema": apart.encode()})


@pytest.mark.parametrize(
    "policy",
    [
        f"{SEE} {TIER} unless {{ {FLOOR} }};",
        f'{SEE} {TIER} unless {{ resource.severity == Severity::"imminent" }} unless {{\n{FLOOR.replace("||", "|| // or" + chr(10))}}};',
        'forbid (principal is Member, action == Action::"writeCollection", resource) when { principal.tier < 1 };',
        "forbid (principal is Administrator, action, resource);",
        'permit (principal is Member, action, resource is Label) when { resource.topic like "ip-*" && resource.collection has agreement };',
    ],
)
def test_what_cannot_break_the_floor_is_a_sites_to_write(policy: str):
    assert "own" in check_bundle(files_with(f"{HEAD}{policy}")).rules


# --- what follows ---------------------------------------------------------------------------------------------------------


CONDITIONS = """
    principal.tier < 1; principal.tier >= 2; principal.standing == Standing::"contributor"; principal.kind == Kind::"operator";
    principal.kind == Kind::"regulator"; resource.topic == "ip-protection"; resource.reciprocal; resource.unresolved; resource.anonymous;
    resource.tlp == Tlp::"clear"; resource.tlp == Tlp::"red"; resource.severity == Severity::"imminent"; resource.groups.isEmpty();
    principal.sectors.contains(Sector::"energy"); principal in resource.collection.readers; resource.tier_min > principal.tier; true
"""
conditions = st.recursive(
    st.sampled_from([condition.strip() for condition in CONDITIONS.split(";")]),
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner), st.builds("({} || {})".format, inner, inner), st.builds("!({})".format, inner)
    ),
    max_leaves=4,
)
actions = st.sampled_from(
    ['action in Action::"see"', 'action == Action::"read"', 'action in [Action::"readAfter6h", Action::"readAfter24h"]', "action"]
)


@st.composite
def site_policies(draw: st.DrawFn) -> str:
    """Policies as a site may write them: any that the check lets pass."""
    written = []
    for number in range(draw(st.integers(1, 4))):
        effect = draw(st.sampled_from(["permit", "forbid"]))
        scope = f"{effect} (principal is Member, {draw(actions)}, resource is Label)"
        floor = f"\nunless {{ {FLOOR} }}" if effect == "forbid" else ""
        written.append(f'@id("own-{number}")\n@reason("Because.")\n{scope}\nwhen {{ {draw(conditions)} }}{floor};')
    return "\n".join(written)


def _must_see_at_once(member: Member, label: Label, collection: Collection) -> bool:
    """Whether nothing may keep it from the member: what is never held back, where its marking lets the member in."""
    if not _is_within_marking(member, label, collection):
        return False
    if label.producer == member.id:
        return True
    if label.severity is Severity.IMMINENT and label.tlp.rank <= Tlp.AMBER.rank and (not label.sectors or label.sectors & member.sectors):
        return True
    return (label.tlp is Tlp.CLEAR or member.id in label.recipients) and has_right(member, collection.readers)


def _is_within_marking(member: Member, label: Label, collection: Collection) -> bool:
    if member.suspended or not is_for_its_form(member, label, own=label.producer == member.id):
        return False
    if label.producer == member.id:
        return True
    if collection.agreement is not None and collection.agreement not in member.agreements:
        return False
    named = member.id in label.recipients
    never_held_back = named or label.tlp is Tlp.CLEAR or (label.severity is Severity.IMMINENT and label.tlp.rank <= Tlp.AMBER.rank)
    if not never_held_back and member.standing.rank < label.standing_min.rank:
        return False
    cautious = label.unresolved and member.kind in (MemberKind.PARTNER, MemberKind.REGULATOR) and not label.groups
    return (never_held_back or not cautious) and is_in_audience(member, label, named=named)


@settings(max_examples=25, deadline=None)
@given(site=site_policies(), member=members, asked=st.lists(labels, min_size=10, max_size=40), collection=collections)
def test_whatever_a_site_writes_the_floor_holds_and_no_marking_is_widened(
    site: str, member: Member, asked: list[Label], collection: Collection
):
    bundle = check_bundle(files_with(site))
    for label, decision in zip(asked, bundle.decide_labels(member, [(label, collection) for label in asked]), strict=True):
        if _must_see_at_once(member, label, collection):
            assert (decision.allowed, decision.delay_s) == (True, 0), label
        if not _is_within_marking(member, label, collection):
            assert not decision.allowed, label


def test_the_property_looks_at_both_sides():
    told = Attribution.EVERYONE  # of a label that is open to all, and of one that is for nobody else
    member = Member("a", "a", "A", MemberKind.OPERATOR)  # type: ignore[arg-type]
    here = Collection("here", "hub", "Here")  # type: ignore[arg-type]
    imminent = Label(here.id, Tlp.AMBER, MemberKind.OPERATOR, severity=Severity.IMMINENT, attribution=told)
    secret = Label(here.id, Tlp.RED, MemberKind.OPERATOR, attribution=told)
    assert _must_see_at_once(member, imminent, here)
    assert not _is_within_marking(member, secret, here)
