"""Rows 10 to 13 and 20 of the threat table: who may write which version of what, and what a later one may say."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.domain.directory import AuditEntry
from hub.domain.ids import CollectionId
from hub.domain.label import Label, Severity, Tlp
from hub.domain.labelling import loosens
from hub.domain.marking import SHARING_EXTENSION, TLP2_IDS
from hub.domain.member import MemberKind
from hub.service.administer import COMMAND_LINE
from hub.service.audit import list_audit
from tests.taxii.community import AGENCY, CIRCLE, ENERGY, SHARED, WATER
from tests.taxii.content import DAY_1, DAY_2, DAY_3, Object, domain_name, envelope, indicator, malware, version_of
from tests.taxii.site import Site, serve

CLEAR, GREEN, AMBER, RED = (TLP2_IDS[tlp] for tlp in (Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.RED))
TLP1_RED = "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed"


def sdo(kind: str, **properties: Any) -> Object:
    head = {"type": kind, "spec_version": "2.1", "id": f"{kind}--{uuid.uuid4()}", "created": DAY_1, "modified": DAY_1}
    return {**head, **properties}


def sharing(**said: Any) -> dict[str, Any]:
    return {"extensions": {SHARING_EXTENSION: {"extension_type": "property-extension", **said}}}


async def lowerings(site: Site) -> list[AuditEntry]:
    return [entry for entry in await list_audit(site.hub, COMMAND_LINE, limit=100) if entry.action == "marking.lowered"]


# --- 10: whose it is ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda o: version_of(o, DAY_2, name="mine now"), id="with_the_owners_name_in_it"),
        pytest.param(lambda o: {k: v for k, v in version_of(o, DAY_2).items() if k != "created_by_ref"}, id="without_created_by_ref"),
        pytest.param(lambda o: version_of(o, DAY_2, created_by_ref=ENERGY.id), id="in_the_forgers_name"),
        pytest.param(lambda o: version_of(o, DAY_2, revoked=True), id="as_a_revocation"),
        pytest.param(lambda o: version_of(o, "2025-12-31T00:00:00.000Z", created="2025-12-31T00:00:00.000Z"), id="from_before_the_first"),
        pytest.param(lambda o: {**o, "name": "the same version"}, id="in_place_of_the_same_version"),
        pytest.param(lambda o: o, id="as_an_exact_copy"),
    ],
)
async def test_row_10_an_object_has_one_author_for_ever(either_site: Site, shared: str, forge: Any) -> None:
    site = either_site
    original = malware(created_by_ref=WATER.id)
    await site.water.push(shared, original)
    assert "not-owner" in await site.energy.failure(shared, forge(original), indicator())
    assert (await site.agency.get(f"{shared}objects/{original['id']}/", "match[version]=all")).objects == [original]


@pytest.mark.parametrize(
    ("change", "named"),
    [({"created": DAY_2}, "created"), ({"created_by_ref": "identity--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a55"}, "created_by_ref")],
)
async def test_row_10_not_even_its_author_changes_who_made_an_object_and_when(
    site: Site, shared: str, change: dict[str, str], named: str
) -> None:  # fmt: skip
    original = malware(created_by_ref=ENERGY.id)
    await site.energy.push(shared, original)
    assert named in await site.energy.failure(shared, version_of(original, DAY_3, **change))


async def test_row_10_an_identity_that_a_member_brought_is_nobody_elses_name(site: Site, shared: str) -> None:
    bureau = sdo("identity", name="Bureau of Water", identity_class="organization")
    await site.water.push(shared, bureau)
    assert "not-owner" in await site.energy.failure(shared, version_of(bureau, DAY_2, name="Bureau of Energy"))
    assert "not-owner" in await site.energy.failure(shared, malware(created_by_ref=bureau["id"]))
    await site.water.push(shared, malware(created_by_ref=bureau["id"]))


async def test_row_10_everybody_may_speak_about_anothers_object(site: Site, shared: str) -> None:
    theirs = malware(created_by_ref=WATER.id)
    await site.water.push(shared, theirs)
    mine = indicator(created_by_ref=ENERGY.id)
    related = sdo("relationship", relationship_type="indicates", source_ref=mine["id"], target_ref=theirs["id"])
    seen = sdo("sighting", sighting_of_ref=theirs["id"], count=0, where_sighted_refs=[ENERGY.id])
    doubt = sdo("opinion", opinion="disagree", object_refs=[theirs["id"]])
    await site.energy.push(shared, mine, related, seen, doubt)
    assert {o["id"] for o in (mine, related, seen, doubt)} <= set(await site.water.ids(f"{shared}objects/"))


# --- 11: markings that are lowered ----------------------------------------------------------------------------------------

LOWERED = [
    pytest.param({"object_marking_refs": [RED]}, {"object_marking_refs": [CLEAR]}, "tlp", id="a_colour"),
    pytest.param({"object_marking_refs": [TLP1_RED]}, {"object_marking_refs": [GREEN]}, "tlp", id="a_colour_of_tlp_1"),
    pytest.param({"object_marking_refs": [AMBER]}, {}, "tlp", id="the_marking_taken_away"),
    pytest.param(
        {"granular_markings": [{"selectors": ["name"], "marking_ref": RED}], "object_marking_refs": [GREEN]},
        {"object_marking_refs": [GREEN]}, "tlp", id="of_a_part",
    ),
    pytest.param({"object_marking_refs": [GREEN, CIRCLE.id]}, {"object_marking_refs": [GREEN]}, "groups", id="a_sharing_group"),
    pytest.param(sharing(recipients=[WATER.id]), sharing(recipients=[AGENCY.id]), "recipients", id="other_recipients"),
    pytest.param(sharing(sectors=["energy"]), sharing(sectors=["energy", "water"]), "sectors", id="another_sector"),
    pytest.param(
        {"object_marking_refs": ["marking-definition--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0bff", AMBER]},
        {"object_marking_refs": [AMBER]}, "unresolved", id="a_marking_that_the_hub_does_not_know",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("strict", "loose", "what"), LOWERED)
async def test_row_11_a_lowered_marking_is_its_owners_to_lower_and_leaves_a_trace(
    either_site: Site, shared: str, strict: dict[str, Any], loose: dict[str, Any], what: str
) -> None:
    site = either_site
    base = malware()
    await site.energy.push(shared, {**base, **strict})
    assert "not-owner" in await site.agency.failure(shared, {**version_of(base, DAY_2), **loose})
    assert await lowerings(site) == []
    await site.energy.push(shared, {**version_of(base, DAY_2), **loose})
    (entry,) = await lowerings(site)
    assert (entry.actor, entry.target) == (f"token:{site.credentials['energy'][0]}", base["id"])
    assert entry.detail["collection"] == SHARED.id
    assert entry.detail["member"] == ENERGY.id
    assert entry.detail["version"] == "2026-01-02T00:00:00.000000Z"
    assert what in entry.detail["marking"]  # type: ignore[operator]
    await site.energy.push(shared, {**version_of(base, DAY_3), **loose})
    assert len(await lowerings(site)) == 1, "once, and not with every version that follows"


async def test_row_11_a_lowered_marking_says_from_what_to_what(site: Site, shared: str) -> None:
    base = malware(object_marking_refs=[AMBER])
    await site.energy.push(shared, base, version_of(base, DAY_2, object_marking_refs=[CLEAR]))
    (entry,) = await lowerings(site)
    assert entry.detail["marking"] == {"tlp": {"from": "amber", "to": "clear"}}


async def test_row_11_what_lowers_nothing_leaves_no_trace(either_site: Site, shared: str) -> None:
    site = either_site
    base = malware(object_marking_refs=[GREEN])
    await site.energy.push(shared, base)
    await site.energy.push(shared, version_of(base, DAY_3, object_marking_refs=[RED]))  # stricter
    await site.energy.push(shared, version_of(base, DAY_2, object_marking_refs=[CLEAR]))  # looser, but it comes late and stays narrowed
    await site.energy.push(shared, malware(object_marking_refs=[RED]), malware(object_marking_refs=[CLEAR]))  # two objects
    other = malware(object_marking_refs=[RED])
    await site.energy.push(shared, other, version_of(other, DAY_2, name="renamed"))
    assert await lowerings(site) == []


async def test_row_11_a_push_that_is_refused_leaves_no_trace(site: Site, shared: str) -> None:
    base = malware(object_marking_refs=[RED])
    await site.energy.push(shared, base)
    broken = {**version_of(base, DAY_2, object_marking_refs=[CLEAR]), "is_family": "perhaps"}
    assert "is_family" in await site.energy.failure(shared, broken)
    assert await lowerings(site) == []


def label(**properties: Any) -> Label:
    return Label(**{"collection": CollectionId("c"), "tlp": Tlp.AMBER, "producer_kind": MemberKind.OPERATOR, **properties})


@pytest.mark.parametrize(
    ("earlier", "later", "looser"),
    [
        ({"tlp": Tlp.AMBER_STRICT}, {"tlp": Tlp.AMBER}, True),
        ({"tlp": Tlp.AMBER}, {"tlp": Tlp.AMBER_STRICT}, False),
        ({"groups": {"a", "b"}}, {"groups": {"a"}}, True),
        ({"groups": {"a"}}, {"groups": {"a", "b"}}, False),
        ({"recipients": {"a"}}, {"recipients": frozenset()}, True),
        ({"recipients": frozenset()}, {"recipients": {"a"}}, False),
        ({"recipients": {"a", "b"}}, {"recipients": {"a"}}, False),
        ({"recipients": {"a"}}, {"recipients": {"a", "b"}}, True),
        ({"recipients": {"a"}}, {"recipients": {"b"}}, True),
        ({"sectors": {"water"}}, {"sectors": frozenset()}, True),
        ({"sectors": frozenset()}, {"sectors": {"water"}}, False),
        ({"severity": Severity.ROUTINE}, {"severity": Severity.IMMINENT}, True),
        ({"severity": Severity.IMMINENT}, {"severity": Severity.ROUTINE}, False),
        ({"unresolved": True}, {"unresolved": False}, True),
        ({"unresolved": False}, {"unresolved": True}, False),
        ({"tlp": Tlp.AMBER}, {"tlp": Tlp.RED, "sectors": {"water"}}, False),
        ({"tlp": Tlp.AMBER, "sectors": {"water"}}, {"tlp": Tlp.RED}, True),
        ({}, {}, False),
    ],
)
def test_row_11_looser_is_what_may_let_somebody_in(earlier: dict[str, Any], later: dict[str, Any], looser: bool) -> None:  # noqa: FBT001
    frozen = [{k: frozenset(v) if isinstance(v, set) else v for k, v in said.items()} for said in (earlier, later)]
    assert loosens(label(**frozen[1]), label(**frozen[0])) is looser


# --- 12, 13: time ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [{"name": "something else"}, {"object_marking_refs": [CLEAR]}, {"x_new": 1}, {"revoked": True}])
async def test_row_12_another_content_under_the_same_version_is_a_conflict(either_site: Site, shared: str, content: dict[str, Any]) -> None:
    site = either_site
    original = malware(object_marking_refs=[GREEN])
    await site.energy.push(shared, original)
    assert (await site.energy.failure(shared, {**original, **content}, indicator())).startswith("conflict: ")
    assert (await site.water.get(f"{shared}objects/{original['id']}/", "match[version]=all")).objects == [original]


async def test_row_12_a_version_that_is_dated_back_never_takes_the_place_of_the_latest(either_site: Site, shared: str) -> None:
    site = either_site
    latest = version_of(malware(), DAY_3)
    await site.energy.push(shared, latest)
    await site.energy.push(shared, back := version_of(latest, DAY_2, name="back then", revoked=True))
    assert (await site.water.get(f"{shared}objects/{latest['id']}/")).objects == [latest]
    assert (await site.water.get(f"{shared}objects/", f"match[id]={latest['id']}")).objects == [latest]
    all_versions = (await site.water.get(f"{shared}objects/{latest['id']}/", "match[version]=all")).objects
    assert sorted(all_versions, key=lambda version: version["modified"]) == [back, latest]


def from_now(**ahead: float) -> str:
    return (datetime.now(UTC) + timedelta(**ahead)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("ahead", "accepted", "warned"),
    [
        ({"minutes": -1}, True, False),
        ({"minutes": 4}, True, False),
        ({"minutes": 6}, True, True),
        ({"hours": 23, "minutes": 59}, True, True),
        ({"hours": 24, "minutes": 1}, False, False),
        ({"days": 365_000}, False, False),
    ],
)
async def test_row_13_a_version_from_the_future_is_warned_of_and_beyond_a_day_refused(
    either_site: Site, shared: str, ahead: dict[str, float], accepted: bool, warned: bool  # noqa: FBT001
) -> None:  # fmt: skip
    pushed = (await either_site.energy.push_raw(shared, envelope(malware(modified=from_now(**ahead))))).json
    kept = (await either_site.energy.get(f"/taxii2/hub/status/{pushed['id']}/")).json
    assert kept == pushed, "the status tells it later too"
    assert pushed["success_count"] == int(accepted)
    (told,) = pushed["successes" if accepted else "failures"]
    assert ("future" in told.get("message", "")) == (warned or not accepted)


async def test_row_13_a_warning_reaches_the_author_of_a_push_in_the_background(sqlite_url: str, shared: str) -> None:
    async with serve(sqlite_url, push_inline_objects_max=0) as site:
        pending = (await site.energy.push_raw(shared, envelope(malware(modified=from_now(hours=1))))).json
        status = pending
        for _ in range(10_000):
            status = (await site.energy.get(f"/taxii2/hub/status/{pending['id']}/")).json
            if status["status"] == "complete":
                break
        assert "future" in status["successes"][0]["message"]


# --- 20: references -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "accepted"), [(10_000, True), (10_001, False), (20_000, False)])
async def test_row_20_references_have_a_cap(site: Site, shared: str, count: int, accepted: bool) -> None:  # noqa: FBT001
    refs = [f"malware--3a1f4f3c-6b0e-4a43-8b39-{n:012d}" for n in range(count)]
    reply = await site.energy.push_raw(shared, envelope(sdo("report", name="All", published=DAY_1, object_refs=refs)))
    assert reply.json["success_count"] == int(accepted)
    assert accepted or "10000" in reply.json["failures"][0]["message"]


async def test_row_20_circles_of_references_are_kept_and_never_followed(site: Site, shared: str) -> None:
    one, two = domain_name(), domain_name()
    reports = [sdo("report", name=f"Report {n}", published=DAY_1) for n in range(3)]
    for n, report in enumerate(reports):
        report["object_refs"] = [reports[(n + 1) % 3]["id"], report["id"]]
    circles = [{**one, "resolves_to_refs": [two["id"]]}, {**two, "resolves_to_refs": [one["id"]]}, *reports]
    itself = sdo("relationship", relationship_type="related-to", source_ref=reports[0]["id"], target_ref=reports[0]["id"])
    await site.energy.push(shared, *circles, itself)
    assert (await site.water.get(f"{shared}objects/")).objects == [*circles, itself]


async def test_row_20_markings_that_mark_each_other_are_kept_and_never_followed(site: Site, shared: str) -> None:
    ids = [f"marking-definition--{uuid.uuid4()}" for _ in range(2)]
    head = {"type": "marking-definition", "spec_version": "2.1", "created": DAY_1, "definition_type": "statement"}
    marks = [{**head, "id": ids[n], "definition": {"statement": f"number {n}"}, "object_marking_refs": [ids[1 - n]]} for n in range(2)]
    pushed = [*marks, malware(object_marking_refs=ids)]
    await site.energy.push(shared, *pushed)
    assert (await site.water.get(f"{shared}objects/")).objects == pushed
