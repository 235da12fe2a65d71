"""A bundle decides by its policies alone: refusals win, errors refuse, the soonest delay counts, every answer has its reasons."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hub.domain.ids import CollectionId, GroupId, MemberId
from hub.domain.label import Label, Tlp
from hub.domain.member import Member, MemberKind, Principal, Role, Standing
from hub.domain.policy import NO_POLICY, PolicyBundle
from hub.domain.policy_entities import LabelSet
from hub.domain.taxii import Collection, Grantee, GranteeKind

SHIPPED = PolicyBundle.shipped_directory()
HERE = Collection(CollectionId("here"), "hub", "Here", readers=frozenset({Grantee(GranteeKind.EVERYONE)}))
ENERGY = Member(MemberId("identity--energy"), "energy", "Energy", MemberKind.OPERATOR, frozenset({"energy"}))
OVERFLOW = "9223372036854775807 + 1 > 0"  # passes the schema, and fails whenever it is evaluated


def _label(tlp: Tlp = Tlp.GREEN, sectors: Sequence[str] = (), **more: object) -> Label:
    return Label(HERE.id, tlp, MemberKind.AGENCY, sectors=frozenset(sectors), **more)  # type: ignore[arg-type]


def _bundle(*policies: str) -> PolicyBundle:
    """Return a bundle of a site's own policies under the shipped schema: each is `id: policy`."""
    heads = (policy.partition(": ") for policy in policies)
    text = "\n".join(f'@id("{name}")\n@reason("Because of {name}.")\n{body};' for name, _, body in heads)
    shipped = {name: (SHIPPED / name).read_bytes() for name in ("schema.cedarschema", "standing.toml")}
    return PolicyBundle.from_files({**shipped, "site.cedar": text.encode()})


def _permit(name: str, action: str, condition: str = "true") -> str:
    return f'{name}: permit (principal is Member, action == Action::"{action}", resource) when {{ {condition} }}'


def _forbid(name: str, action: str, condition: str = "true") -> str:
    return f'{name}: forbid (principal is Member, action in Action::"{action}", resource) when {{ {condition} }}'


def test_without_a_permit_the_answer_is_no_and_says_so():
    decision = _bundle().decide_label(ENERGY, _label(Tlp.CLEAR), HERE)
    assert (decision.allowed, decision.rules, decision.reasons) == (False, (), (NO_POLICY,))


def test_decision_names_the_policies_that_made_it_with_reason_and_place():
    (rule,) = _bundle(_permit("open", "read")).decide_label(ENERGY, _label(), HERE).rules
    assert (rule.id, rule.effect, rule.reason, rule.source) == ("open", "permit", "Because of open.", "site.cedar:1")


def test_refusal_wins_over_permission():
    decision = _bundle(_permit("open", "read"), _forbid("closed", "read")).decide_label(ENERGY, _label(), HERE)
    assert (decision.allowed, decision.reasons) == (False, ("Because of closed.",))


def test_refusal_of_an_action_group_refuses_each_of_its_actions():
    # Cedar knows an action's groups only where they are among the entities: without them this forbid would forbid nothing.
    delayed = [_permit(f"after-{hours}", f"readAfter{hours}h") for hours in (6, 24, 72)]
    decision = _bundle(_permit("open", "read"), *delayed, _forbid("closed", "see")).decide_label(ENERGY, _label(), HERE)
    assert (decision.allowed, decision.reasons) == (False, ("Because of closed.",))


@pytest.mark.parametrize("group", ["anything", "seeCollection"])
def test_refusal_of_an_action_group_that_a_site_declares_refuses_its_actions(group: str):
    # A forbid on an action of collections may concern labels too, where the site's schema says so.
    schema = (
        (SHIPPED / "schema.cedarschema").read_text(encoding="utf-8").replace("action see;", f'action anything;\naction see in ["{group}"];')
    )
    site = f'@id("open") @reason("Open.") {_permit("", "read")[2:]};\n@id("closed") @reason("Closed.") {_forbid("", group)[2:]};'
    standing = (SHIPPED / "standing.toml").read_bytes()
    bundle = PolicyBundle.from_files({"schema.cedarschema": schema.encode(), "standing.toml": standing, "site.cedar": site.encode()})
    assert bundle.decide_label(ENERGY, _label(), HERE).reasons == ("Closed.",)


def test_forbid_that_cannot_be_evaluated_refuses():
    decision = _bundle(_permit("open", "read"), _forbid("broken", "read", OVERFLOW)).decide_label(ENERGY, _label(), HERE)
    assert (decision.allowed, decision.rules) == (False, ())
    assert "`broken`" in decision.errors[0]
    assert "9223372036854775807" not in " ".join(decision.reasons)


def test_permit_that_cannot_be_evaluated_refuses_though_another_permits():
    decision = _bundle(_permit("open", "read"), _permit("broken", "read", OVERFLOW)).decide_label(ENERGY, _label(), HERE)
    assert (decision.allowed, len(decision.errors)) == (False, 1)


def test_error_at_once_is_not_outdone_by_a_delay_that_is_allowed():
    bundle = _bundle(_forbid("broken", "read", OVERFLOW), _permit("later", "readAfter6h"))
    assert not bundle.decide_label(ENERGY, _label(), HERE).allowed


def test_error_in_a_delay_is_not_outdone_by_a_longer_one():
    bundle = _bundle(_permit("broken", "readAfter6h", OVERFLOW), _permit("later", "readAfter24h"))
    decision = bundle.decide_label(ENERGY, _label(), HERE)
    assert (decision.allowed, decision.delay_s, len(decision.errors)) == (False, 0, 1)


def test_error_in_a_collection_policy_refuses():
    bundle = _bundle(
        _permit("open", "readCollection"),
        'broken: forbid (principal is Member, action == Action::"readCollection", resource) when { ' + OVERFLOW + " }",
    )
    assert not bundle.decide_collection(Principal("token:1", Role.ADMIN, ENERGY), HERE).can_read


@pytest.mark.parametrize(
    ("permitted", "delay_h"), [(("read", "readAfter72h"), 0), (("readAfter24h", "readAfter6h"), 6), (("readAfter72h",), 72)]
)
def test_the_soonest_delay_that_is_allowed_counts(permitted: Sequence[str], delay_h: int):
    bundle = _bundle(*(_permit(f"permit-{number}", action) for number, action in enumerate(permitted)))
    decision = bundle.decide_label(ENERGY, _label(), HERE)
    assert (decision.allowed, decision.delay_s) == (True, delay_h * 3600)


def test_a_site_delays_by_standing_and_only_what_it_delays():
    observer = 'principal.standing == Standing::"observer"'
    bundle = _bundle(
        _permit("open", "read"),
        'not-at-once: forbid (principal is Member, action == Action::"read", resource) '
        f'when {{ {observer} && resource.topic == "ip-protection" }}',
        _permit("after-a-day", "readAfter24h", observer),
    )
    contributor = Member(ENERGY.id, "energy", "Energy", MemberKind.OPERATOR, standing=Standing.CONTRIBUTOR)
    labels = [(_label(topic=topic), HERE) for topic in ("ip-protection", "threat")]
    decisions = bundle.decide_labels(ENERGY, labels)
    assert [decision.delay_s for decision in decisions] == [24 * 3600, 0]
    assert [[rule.id for rule in decision.waits] for decision in decisions] == [["not-at-once"], []]
    assert decisions[0].reasons == ("Because of after-a-day.", "Because of not-at-once.")
    assert [decision.delay_s for decision in bundle.decide_labels(contributor, labels)] == [0, 0]


@pytest.mark.parametrize("scope", ["action", 'action in Action::"see"', 'action in [Action::"readAfter6h", Action::"read"]'])
def test_a_delay_is_found_however_the_permit_names_its_actions(scope: str):
    bundle = _bundle(f"open: permit (principal is Member, {scope}, resource is Label)", _forbid("not-at-once", "read"))
    assert bundle.decide_label(ENERGY, _label(), HERE).delay_s == 6 * 3600


def test_a_batch_answers_each_label_as_if_asked_alone():
    bundle = PolicyBundle.load(SHIPPED)
    labels = [(_label(tlp, sectors), HERE) for tlp in Tlp for sectors in ((), ("energy",), ("water",))]
    assert bundle.decide_labels(ENERGY, labels) == [bundle.decide_label(ENERGY, label, HERE) for label, _ in labels]


def test_a_label_set_serves_every_member_and_every_bundle():
    labels = LabelSet.of([(_label(Tlp.AMBER, ["energy"]), HERE), (_label(Tlp.AMBER, ["water"]), HERE)])
    water = Member(MemberId("identity--water"), "water", "Water", MemberKind.OPERATOR, frozenset({"water"}))
    shipped, closed = PolicyBundle.load(SHIPPED), _bundle()
    assert [d.allowed for d in shipped.decide_labels(ENERGY, labels)] == [True, False]
    assert [d.allowed for d in shipped.decide_labels(water, labels)] == [False, True]
    assert [d.allowed for d in closed.decide_labels(water, labels)] == [False, False]


def test_no_labels_have_no_decisions():
    assert _bundle().decide_labels(ENERGY, []) == []


def test_a_policy_may_name_a_member_a_group_and_a_collection():
    bundle = _bundle(
        _permit("one", "read", 'principal == Member::"identity--energy" && resource.collection == Collection::"here"'),
        _permit("circle", "readCollection", 'principal in Audience::"group:marking-definition--grid"'),
    )
    in_grid = Member(MemberId("identity--g"), "g", "G", MemberKind.OPERATOR, groups=frozenset({GroupId("marking-definition--grid")}))
    assert [bundle.decide_label(member, _label(), HERE).allowed for member in (ENERGY, in_grid)] == [True, False]
    reads = [bundle.decide_collection(Principal("t", Role.READER, member), HERE).can_read for member in (ENERGY, in_grid)]
    assert reads == [False, True]


@pytest.mark.parametrize("name", ['a"b\\c', "naïve ☃", "x\ny", "", 'Member::"x"'])
def test_any_text_may_be_an_id(name: str):
    member = Member(MemberId(name), "m", "M", MemberKind.OPERATOR)
    label = _label(Tlp.RED, recipients=frozenset({MemberId(name)}))
    assert PolicyBundle.load(SHIPPED).decide_label(member, label, HERE).allowed


def test_a_sector_outside_the_vocabulary_refuses_no_more_than_it_must():
    bundle = PolicyBundle.load(SHIPPED)
    assert bundle.decide_label(ENERGY, _label(Tlp.AMBER, ["moon-mining", "energy"]), HERE).allowed
    assert not bundle.decide_label(ENERGY, _label(Tlp.AMBER, ["moon-mining"]), HERE).allowed


def test_explanation_names_the_nearest_permit_and_what_it_missed():
    closed = replace(HERE, readers=frozenset({Grantee(GranteeKind.KIND, MemberKind.AGENCY)}))
    (miss,) = PolicyBundle.load(SHIPPED).explain_label(ENERGY, _label(Tlp.GREEN, ["water"]), closed).nearest
    assert (miss.id, miss.missing) == ("tlp-green", ("principal in resource.collection.readers",))


def test_explanation_of_an_unless_says_what_stood_in_the_way():
    bundle = _bundle(_permit("open", "read") + " unless { principal.suspended || resource.unresolved }")
    (miss,) = bundle.explain_label(ENERGY, _label(unresolved=True), HERE).nearest
    assert miss.missing == ("not (resource.unresolved)",)


def test_explanation_leaves_out_permits_for_other_actions():
    bundle = _bundle(_permit("later", "readAfter24h", "false"), _permit("now", "read", "resource.unresolved"))
    assert [miss.id for miss in bundle.explain_label(ENERGY, _label(), HERE).nearest] == ["now"]


def test_a_refusal_needs_no_nearest_permit():
    decision = _bundle(_permit("open", "read"), _forbid("closed", "read")).explain_label(ENERGY, _label(), HERE)
    assert ([rule.id for rule in decision.rules], decision.nearest) == (["closed"], ())


def test_what_may_be_done_with_a_collection_comes_with_reasons():
    decided = PolicyBundle.load(SHIPPED).decide_collection(Principal("token:1", Role.PUBLISHER, ENERGY), HERE)
    assert (decided.can_see, decided.can_read, decided.can_write, decided.can_delete) == (True, True, False, False)
    assert decided.read.reasons == ("Your organisation may read the collection.",)
    assert decided.write.reasons == (NO_POLICY,)


def test_an_administrator_without_a_member_may_do_nothing_with_a_collection():
    decided = PolicyBundle.load(SHIPPED).decide_collection(Principal("person:root", Role.ADMIN), HERE)
    assert not any((decided.can_see, decided.can_read, decided.can_write, decided.can_delete))
    assert [rule.id for rule in decided.see.rules] == ["administrator-without-member"]


def test_digest_names_the_content_and_not_the_place(tmp_path: Path):
    files = dict(PolicyBundle.load(SHIPPED).files)
    (tmp_path / "scenarios").mkdir()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "README.md").write_text("not a part", encoding="utf-8")
    same, shipped = PolicyBundle.load(tmp_path), PolicyBundle.load(SHIPPED)
    assert same.digest == shipped.digest == PolicyBundle.from_files(files).digest
    for name in ("tlp.cedar", "standing.toml", "scenarios/tlp.toml"):
        assert PolicyBundle.from_files({**files, name: files[name] + b"\n"}).digest != shipped.digest
    assert len(shipped.digest) == 64


def test_a_bundle_cannot_be_changed():
    bundle = PolicyBundle.load(SHIPPED)
    with pytest.raises(AttributeError):
        bundle.digest = ""  # type: ignore[misc]
    with pytest.raises(TypeError):
        bundle.files["more.cedar"] = b""  # type: ignore[index]
