"""The audience of a draft: as policy decides about each member, told only as far as the asker may know."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.anonymity import label_of_rendition
from hub.domain.ids import MemberId
from hub.domain.label import Label
from hub.domain.marking import SHARING_EXTENSION, TLP2_IDS, Tlp
from hub.domain.member import Member, MemberKind, Standing
from hub.domain.policy import PolicyBundle
from hub.domain.taxii import Collection
from hub.service.administer import COMMAND_LINE
from hub.service.members import add_member
from hub.service.preview import decide_all
from tests.policies.bundles import files_with
from tests.policies.test_policy_floor import site_policies
from tests.policies.test_policy_reference import collections, labels, members
from tests.taxii.content import indicator
from tests.web.administered import Administered, administered


@settings(max_examples=10, deadline=None)
@given(site=site_policies(), others=st.lists(members, min_size=1, max_size=30), label=labels, collection=collections)
def test_members_that_are_asked_about_together_are_decided_about_alike(
    site: str, others: list[Member], label: Label, collection: Collection
):
    bundle = PolicyBundle.from_files(files_with(site))
    by_id = {member.id: member for member in others}  # some of them are named by the label or the collection, the rest by nobody
    by_id |= {(id := MemberId(f"{number}")): replace(member, id=id) for number, member in enumerate(others)}
    for member, decision in decide_all(bundle, list(by_id.values()), label, collection):
        if bundle.decide_readers([member], collection)[0].allowed:
            original = bundle.decide_label(member, label, collection)
            rendition = bundle.decide_label(member, label_of_rendition(label, label.recipients), collection)
            assert decision == (rendition if label.attribution != "everyone" and not original.allowed else original)
        else:
            assert not decision.allowed


@pytest.fixture
async def site(sqlite_url: str) -> AsyncIterator[Administered]:
    async with administered(sqlite_url) as site:
        for number in range(6):
            await add_member(
                site.hub, COMMAND_LINE, slug=f"dam-{number}", name=f"Dam {number}", kind=MemberKind.OPERATOR, sectors=["dams"],
                standing=Standing.OBSERVER,
            )  # fmt: skip
        await add_member(site.hub, COMMAND_LINE, slug="cert", name="The Agency", kind=MemberKind.AGENCY, sectors=["government"])
        yield site


def draft(tlp: Tlp = Tlp.GREEN, **said: object) -> dict[str, object]:
    extension = {SHARING_EXTENSION: {"extension_type": "property-extension", **said}}
    return {"collection": "shared", "objects": [indicator() | {"object_marking_refs": [TLP2_IDS[tlp]], "extensions": extension}]}


async def test_a_coordinator_learns_who_sees_a_draft_now_later_and_never_and_by_which_rule(site: Administered):
    (audience,) = (await site.ask("coordinator", "POST", "/preview", draft(release="reciprocal"))).json["audiences"]
    told = {(s["seen"], s["delay_h"], s["rules"][0]["id"]): s["names"] for s in audience["shares"]}
    assert told[True, 72, "observers-wait"] == [f"dam-{number}" for number in range(6)]
    assert told[True, 0, "own-content"] == ["energy"]
    assert "cert" in told[True, 0, "tlp-green"]
    assert told[False, 0, "suspended-member"] == ["gone"]
    assert sum(s["members"] for s in audience["shares"]) == len((await site.hub.directory()).members)


async def test_a_publisher_learns_numbers_of_five_and_more_and_no_names(site: Administered):
    (audience,) = (await site.ask("publisher", "POST", "/preview", draft(release="reciprocal"))).json["audiences"]
    told = {s["rules"][0]["id"]: s for s in audience["shares"]}
    assert {s["names"] for s in audience["shares"]} == {None}
    assert (told["observers-wait"]["members"], told["observers-wait"]["sectors"]) == (6, {"dams": 6})
    assert (told["suspended-member"]["members"], told["suspended-member"]["sectors"]) == (None, {"transport": None})


async def test_what_would_be_refused_is_told_with_its_reason_and_nothing_is_kept(site: Administered):
    refused = (await site.ask("publisher", "POST", "/preview", draft(topic="Not a topic"))).json
    assert refused["audiences"] == []
    assert "topic must be" in refused["refused"][0]["reason"]
    assert (await site.ask("publisher", "POST", "/preview", {**draft(), "collection": "nowhere"})).status == 404
    (audience,) = (await site.ask("publisher", "POST", "/preview", draft())).json["audiences"]
    assert (await site.get("admin", f"/explain?member=energy&object={audience['objects'][0]}")).status == 404
