"""What an agreement does to a hub at work: it starts and ends by itself, is ended on all nodes at once, and keeps out what is not in it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from hub.domain.agreement import REVIEW_AHEAD_US
from hub.domain.label import Tlp
from hub.domain.marking import TLP2_IDS
from hub.domain.member import MemberKind, Principal, Role
from hub.domain.signing.extension import definition_ids
from hub.domain.standing import DAY_US
from hub.domain.taxii import Query, Status
from hub.domain.timestamp import format_timestamp
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.administer import COMMAND_LINE
from hub.service.admit import finish_push, push
from hub.service.agreements import (
    Signature,
    add_agreement,
    change_agreement,
    end_agreement,
    get_agreement,
    list_agreements,
    note_reviews,
)
from hub.service.audit import list_audit
from hub.service.collections import add_collection, change_collection
from hub.service.context import Hub
from hub.service.explain import explain
from hub.service.members import add_member
from hub.service.retrieve import list_objects
from hub.store.pushes import lease_push
from hub.work.reviews import remind
from tests.agreements.world import MINUTE_US, SKEW_US, START_US, Site
from tests.taxii.content import DAY_3, Object, envelope, indicator, version_of

START, END = START_US + 10 * MINUTE_US, START_US + 60 * MINUTE_US


@dataclass
class Community:
    """Two nodes; `energy` and `soc` read what `source` brings; the collection `shared` rests on the agreement `cni`."""

    site: Site

    @property
    def hub(self) -> Hub:
        return self.site.nodes[0]

    async def principal(self, member: str, hub: Hub | None = None) -> Principal:
        return Principal("test", Role.PUBLISHER, (await (hub or self.hub).directory()).find_member(member))

    async def push(self, *objects: Object, member: str = "source") -> Status:
        directory = await self.hub.directory()
        return await push(self.hub, directory, await self.principal(member), "hub", "shared", envelope(*objects))

    async def named(self) -> str:
        """Return how statuses name the agreement."""
        agreement = get_agreement(await self.hub.directory(), COMMAND_LINE, "cni")
        return f"the sharing agreement cni (CNI arrangement, {agreement.id}), on which this collection rests,"

    async def poll(self, member: str, after_us: int | None = None, *, hub: Hub | None = None) -> tuple[list[str], int | None]:
        """Return the ids of what a member sees after a date but for the hub's own definitions, and the last date if there are any."""
        hub = hub or self.hub
        page = await list_objects(
            hub, await hub.directory(), await self.principal(member, hub), "hub", "shared", Query(added_after_us=after_us)
        )
        ids = [id for body in page.bodies if (id := json.loads(body)["id"]) not in definition_ids()]
        return ids, page.last_us if ids else None


def terms(**changes: Any) -> dict[str, Any]:
    return {
        "title": "CNI arrangement", "parties": ["kind:operator"], "legal_basis": "A memorandum", "purpose": "Defence of networks",
        "starts_us": START, "ends_us": END, "review_us": END, "signatories": [Signature("energy", "Ann", "Director", START_US)], **changes,
    }  # fmt: skip


@pytest.fixture
async def community(database_url: str) -> AsyncIterator[Community]:
    site = await Site.open(database_url)
    await add_agreement(site.nodes[0], COMMAND_LINE, slug="cni", **terms())
    everyone = ["everyone"]
    await add_collection(
        site.nodes[0], COMMAND_LINE, title="Shared", alias="shared", readers=everyone, writers=everyone, default_tlp=Tlp.GREEN
    )  # fmt: skip
    await change_collection(site.nodes[0], COMMAND_LINE, "shared", agreement="cni")
    yield Community(site)
    await site.db.close()


async def test_what_came_before_the_start_is_in_front_of_every_cursor_once_it_starts(community: Community):
    site, early = community.site, indicator()
    await change_collection(community.hub, COMMAND_LINE, "shared", agreement=None)
    await community.push(first := indicator())
    seen, cursor_us = await community.poll("energy")
    assert seen == [first["id"]]
    await change_collection(community.hub, COMMAND_LINE, "shared", agreement="cni")
    await community.push(early)
    site.now_us = START - 1
    assert await community.poll("energy", cursor_us) == ([], None)
    assert await community.poll("energy") == ([], None)
    site.now_us = START
    assert (await community.poll("energy", cursor_us))[0] == [first["id"], early["id"]]
    assert await community.poll("soc", cursor_us) == ([], None), "no operator, so no party"


async def test_nothing_is_served_from_the_microsecond_of_its_end_on(community: Community):
    site, shared = community.site, indicator()
    site.now_us = START
    await community.push(shared)
    site.now_us = END - 1
    assert (await community.poll("energy"))[0] == [shared["id"]]
    site.now_us = END
    assert await community.poll("energy") == ([], None)
    assert (await community.poll("source"))[0] == [shared["id"]], "one's own content stays one's own"
    site.now_us = END - 1
    assert await community.poll("energy") == ([], None), "a clock that steps back revives no agreement"


async def test_each_node_ends_it_by_its_own_clock_but_an_administrator_ends_it_on_all_at_once(community: Community):
    site, shared = community.site, indicator()
    behind = site.nodes[1]
    site.now_us = START + SKEW_US
    await community.push(shared)
    assert (await community.poll("energy", hub=behind))[0] == [shared["id"]]
    await end_agreement(community.hub, COMMAND_LINE, "cni", reason="The memorandum was withdrawn.")
    assert await community.poll("energy", hub=behind) == ([], None)
    assert await community.poll("energy") == ([], None)


async def test_who_becomes_a_party_gets_the_backlog_and_who_is_one_no_longer_gets_nothing(community: Community):
    site, shared = community.site, indicator()
    site.now_us = START
    await community.push(shared)
    _, cursor_us = await community.poll("energy")
    assert await community.poll("soc") == ([], None)
    signature = Signature("soc", "Bob", "Analyst", START_US)
    await change_agreement(community.hub, COMMAND_LINE, "cni", parties=["kind:partner", "member:source"], signatories=[signature])
    assert (await community.poll("soc", cursor_us))[0] == [shared["id"]]
    assert await community.poll("energy") == ([], None)


async def test_content_that_it_does_not_cover_is_refused_alone_naming_it(community: Community):
    await change_agreement(community.hub, COMMAND_LINE, "cni", topics=["threat"], tlp_max=Tlp.AMBER)
    amber, red = (indicator(object_marking_refs=[TLP2_IDS[tlp]]) for tlp in (Tlp.AMBER, Tlp.AMBER_STRICT))
    sharing = {"extension_type": "property-extension", "topic": "ip-protection"}
    advice = indicator(extensions={"extension-definition--b1f1a0c2-6d0e-4c5b-9f57-2f1d7c3e8a41": sharing})
    status = await community.push(amber, red, advice)
    assert [outcome.id for outcome in status.successes] == [amber["id"]]
    named = f"{await community.named()} covers"
    assert {outcome.id: outcome.failure for outcome in status.failures} == {
        red["id"]: f"marking: {named} content up to TLP:AMBER, not TLP:AMBER+STRICT",
        advice["id"]: f"topic: {named} threat, not ip-protection",
    }


async def test_nothing_comes_in_from_who_is_no_party_nor_after_the_end(community: Community):
    (refused,) = (await community.push(indicator(), member="soc")).failures
    assert refused.failure == "this collection rests on a sharing agreement, and your organisation is not a party to it"
    community.site.now_us = END
    (refused,) = (await community.push(indicator())).failures
    assert refused.failure == f"{await community.named()} has ended; nothing is shared under it any more"


async def test_what_comes_before_the_start_is_taken_with_a_warning_that_names_the_basis(community: Community):
    status = await community.push(indicator())
    assert [outcome.warning for outcome in status.successes] == [
        f"{await community.named()} starts at {format_timestamp(START)}: only then do others see what flows under it"
    ]
    community.site.now_us = START
    assert [outcome.warning for outcome in (await community.push(indicator())).successes] == [None]


@pytest.mark.parametrize("in_background", [False, True])
async def test_the_trace_of_a_lowered_marking_names_the_basis(community: Community, *, in_background: bool):
    hub, amber = community.hub, indicator(object_marking_refs=[TLP2_IDS[Tlp.AMBER]])
    hub.config = replace(hub.config, push_inline_objects_max=1 if in_background else 100)
    agreement = get_agreement(await hub.directory(), COMMAND_LINE, "cni")
    lowered = version_of(amber, DAY_3, object_marking_refs=[TLP2_IDS[Tlp.GREEN]])
    await community.push(amber, indicator())
    await community.push(lowered, indicator())
    for _ in range(2 * in_background):
        waiting = await hub.db.write(lease_push, now_us=community.site.now_us, until_us=community.site.now_us + MINUTE_US)
        assert waiting is not None
        await finish_push(hub, waiting, asyncio.Event())
    traces = [entry for entry in await list_audit(hub, COMMAND_LINE, limit=10) if entry.action == "marking.lowered"]
    assert [(entry.target, entry.detail["agreement"]) for entry in traces] == [(amber["id"], agreement.id)]


async def test_a_collection_cannot_rest_on_what_its_own_defaults_would_break_nor_on_what_has_ended(community: Community):
    hub = community.hub
    await add_agreement(hub, COMMAND_LINE, slug="ip", **terms(topics=["ip-protection"]))
    with pytest.raises(Invalid, match="by default the collection's content would be refused: topic"):
        await change_collection(hub, COMMAND_LINE, "shared", agreement="ip")
    await change_collection(hub, COMMAND_LINE, "shared", agreement="ip", topic="ip-protection")
    await end_agreement(hub, COMMAND_LINE, "cni", reason="Replaced.")
    with pytest.raises(Invalid, match="cni has ended"):
        await change_collection(hub, COMMAND_LINE, "shared", agreement="cni")
    with pytest.raises(NotFound):
        await change_collection(hub, COMMAND_LINE, "shared", agreement="nothing")


async def test_an_agreement_that_has_ended_stays_as_it_is(community: Community):
    hub = community.hub
    ended = await end_agreement(hub, COMMAND_LINE, "cni", reason="It is over.")
    assert await end_agreement(hub, COMMAND_LINE, "cni", reason="Again.") == ended
    with pytest.raises(Conflict, match="has ended; add another in its place"):
        await change_agreement(hub, COMMAND_LINE, "cni", title="Revived")
    with pytest.raises(Conflict, match="cni already"):
        await add_agreement(hub, COMMAND_LINE, slug="cni", **terms())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"parties": ["kind:king"]}, "parties: 'kind:king': write everyone"),
        ({"parties": ["member:nobody"]}, "parties: 'member:nobody': there is no such member"),
        ({"signatories": [Signature("nobody", "Ann", "Director", 0)]}, "signatories: 'nobody': there is no such member"),
        ({"signatories": [Signature("soc", "Bob", "Analyst", 0)]}, "signatories: soc is not a party; add it to parties"),
        ({"ends_us": START}, "ends_at: it ends before it has started"),
    ],
)
async def test_a_term_that_is_wrong_is_told_with_its_field_and_changes_nothing(community: Community, changes: dict[str, Any], said: str):
    before = await community.hub.directory()
    with pytest.raises(Invalid) as refused:
        await change_agreement(community.hub, COMMAND_LINE, "cni", **changes)
    assert refused.value.detail.startswith(said)
    assert (await community.hub.directory()).agreements == before.agreements


async def test_parties_coordinators_and_administrators_know_of_it_and_nobody_else(community: Community):
    directory = await community.hub.directory()
    known = {
        "party": Principal("test", Role.READER, directory.find_member("energy")),
        "other": Principal("test", Role.PUBLISHER, directory.find_member("soc")),
        "coordinator": Principal("test", Role.COORDINATOR, directory.find_member("soc")),
        "administrator": COMMAND_LINE,
    }
    assert {who for who, principal in known.items() if list_agreements(directory, principal)} == {"party", "coordinator", "administrator"}
    with pytest.raises(NotFound):
        get_agreement(directory, known["other"], "cni")
    for act in (
        add_agreement(community.hub, known["coordinator"], slug="x", **terms()),
        change_agreement(community.hub, known["coordinator"], "cni", title="Mine"),
        end_agreement(community.hub, known["party"], "cni", reason="I say so."),
    ):
        with pytest.raises(Withheld):
            await act


async def test_every_step_is_in_the_audit_trail_with_its_terms(community: Community):
    await change_agreement(community.hub, COMMAND_LINE, "cni", title="Renamed")
    await end_agreement(community.hub, COMMAND_LINE, "cni", reason="It is over.")
    ended, changed, rested = (await list_audit(community.hub, COMMAND_LINE, before=None, limit=3))[:3]
    assert (ended.action, ended.target, ended.detail["reason"]) == ("agreement.end", "cni", "It is over.")
    assert ended.detail["collections"] == [rested.target]
    assert (changed.action, changed.detail["title"], changed.detail["ends_at"]) == ("agreement.change", "Renamed", format_timestamp(END))
    assert (rested.action, rested.detail["agreement"]) == (
        "collection.change",
        get_agreement(await community.hub.directory(), COMMAND_LINE, "cni").id,
    )


async def test_an_explanation_carries_the_basis_of_every_decision(community: Community):
    hub, shared = community.hub, indicator()
    await community.push(shared)
    (version,) = (await explain(hub, await hub.directory(), None, "soc", shared["id"])).versions
    assert not version.seen
    assert version.reasons == ("It is shared under an agreement that is not in force for your organisation.",)
    assert (version.basis.agreement, version.basis.legal_basis, version.basis.review_us) == ("cni", "A memorandum", END)
    await change_collection(hub, COMMAND_LINE, "shared", agreement=None)
    (version,) = (await explain(hub, await hub.directory(), None, "energy", shared["id"])).versions
    assert version.seen
    assert (version.basis.agreement, version.basis.title, version.basis.legal_basis) == (
        None,
        "Terms of membership",
        hub.config.membership_basis,
    )


async def test_a_member_that_joins_a_party_s_kind_is_a_party(community: Community):
    community.site.now_us = START
    await community.push(shared := indicator())
    await add_member(community.hub, COMMAND_LINE, slug="rail", name="Rail", kind=MemberKind.OPERATOR)
    assert (await community.poll("rail"))[0] == [shared["id"]]


async def test_a_review_is_told_of_once_when_it_is_near_and_once_when_it_is_past(community: Community):
    site, hub = community.site, community.hub
    review_us = START_US + 60 * DAY_US
    await change_agreement(hub, COMMAND_LINE, "cni", ends_us=None, review_us=review_us)
    told = []
    for moment in (review_us - REVIEW_AHEAD_US - 1, review_us - REVIEW_AHEAD_US, review_us - 1, review_us, review_us + DAY_US):
        site.now_us = moment
        told.append([(len(found.due), len(found.told)) for found in [await note_reviews(node) for node in (hub, hub)]])
    assert told == [[(0, 0)] * 2, [(1, 1), (1, 0)], [(1, 0)] * 2, [(1, 1), (1, 0)], [(1, 0)] * 2]
    await change_agreement(hub, COMMAND_LINE, "cni", review_us=site.now_us + DAY_US)
    assert len((await note_reviews(hub)).told) == 1, "another date is told of anew"
    traces = [entry for entry in await list_audit(hub, COMMAND_LINE, limit=20) if entry.action == "agreement.review_due"]
    assert [(entry.actor, entry.target, entry.detail["overdue"]) for entry in reversed(traces)] == [
        ("hub", "cni", False), ("hub", "cni", True), ("hub", "cni", False)
    ]  # fmt: skip


async def test_the_loop_shows_how_many_reviews_are_due_and_stops_when_told(community: Community):
    shown: list[float] = []
    stop = asyncio.Event()

    def show(number: float) -> None:
        shown.append(number)
        stop.set()

    await remind(community.hub, stop, show)
    assert shown == [1]
