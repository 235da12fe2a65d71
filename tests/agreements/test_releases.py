"""Requests for wider release: between who sees an object and its source, and nobody else."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from hub.config import Config
from hub.domain.ids import CollectionId, MemberId
from hub.domain.label import Attribution, Label, Tlp
from hub.domain.marking import SHARING_EXTENSION, TLP2_IDS
from hub.domain.member import Member, MemberKind, Principal, Role
from hub.domain.release import ReleaseState, is_looser, may_know_source
from hub.domain.taxii import Grantee, GranteeKind, Query
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.administer import COMMAND_LINE
from hub.service.admit import push
from hub.service.audit import list_audit
from hub.service.collections import add_collection
from hub.service.context import Hub, open_hub
from hub.service.groups import add_group
from hub.service.members import add_member, suspend_member
from hub.service.releases import answer_release, ask_release, get_release, list_releases, withdraw_release
from hub.service.renditions import publish_renditions
from hub.service.retrieve import list_objects
from hub.store.database import prepare
from hub.store.tables import table
from hub.web.api.releases import shown
from tests.agreements.world import MINUTE_US, Site
from tests.taxii.content import DAY_2, DAY_3, Object, envelope, indicator, version_of

AMBER, GREEN, RED = (TLP2_IDS[tlp] for tlp in (Tlp.AMBER, Tlp.GREEN, Tlp.RED))


@dataclass
class Community:
    """`source` brings what `energy` and `soc` read in the collection `shared`."""

    site: Site

    @property
    def hub(self) -> Hub:
        return self.site.nodes[0]

    async def principal(self, member: str, role: Role = Role.PUBLISHER) -> Principal:
        return Principal("test", role, (await self.hub.directory()).find_member(member))

    async def push(self, *objects: Object) -> None:
        status = await push(self.hub, await self.hub.directory(), await self.principal("source"), "hub", "shared", envelope(*objects))
        assert not status.failures

    async def ask(
        self, member: str, object_id: str, to: str = "everyone", reason: str = "All are hit.", role: Role = Role.PUBLISHER
    ) -> str:
        directory = await self.hub.directory()
        asked = await ask_release(self.hub, directory, await self.principal(member, role), object_id, to=to, reason=reason)
        return asked.request.id

    async def answer(self, request: str, *, agreed: bool, marking: str | None, member: str = "source", reason: str = "Because.") -> None:
        await answer_release(self.hub, await self.principal(member), request, agreed=agreed, reason=reason, marking=marking)

    async def state(self, request: str, member: str = "energy") -> ReleaseState:
        return (await get_release(self.hub, await self.principal(member), request)).state


@pytest.fixture
async def community(database_url: str) -> AsyncIterator[Community]:
    site = await Site.open(database_url)
    everyone = ["everyone"]
    await add_collection(site.nodes[0], COMMAND_LINE, title="Shared", alias="shared", readers=everyone, writers=everyone)
    yield Community(site)
    await site.db.close()


async def test_a_request_is_agreed_to_and_done_once_a_looser_version_is_there(community: Community):
    await community.push(shared := indicator(object_marking_refs=[AMBER]))
    request = await community.ask("energy", shared["id"], "sector:water", "Our suppliers are hit, too.")
    assert await community.state(request) is await community.state(request, "source") is ReleaseState.OPEN
    await community.answer(request, agreed=True, marking="TLP:GREEN", reason="It is known by now.")
    await community.push(version_of(shared, DAY_2, object_marking_refs=[AMBER], name="No looser"))
    assert await community.state(request) is ReleaseState.AGREED
    await community.push(version_of(shared, DAY_3, object_marking_refs=[GREEN]))
    done = await get_release(community.hub, await community.principal("energy"), request)
    assert (done.state, done.request.to) == (ReleaseState.DONE, Grantee(GranteeKind.SECTOR, "water"))
    assert done.request.answer is not None
    assert (done.request.answer.marking, done.request.answer.reason) == ("TLP:GREEN", "It is known by now.")


async def test_a_request_that_is_taken_back_is_answered_no_more_and_may_be_made_again(community: Community):
    await community.push(shared := indicator(object_marking_refs=[AMBER]))
    hub, energy, request = community.hub, await community.principal("energy"), await community.ask("energy", shared["id"])
    with pytest.raises(NotFound, match="your member made no such request"):
        await withdraw_release(hub, await community.principal("source"), request)
    with pytest.raises(Withheld):
        await withdraw_release(hub, await community.principal("energy", Role.READER), request)
    withdrawn = await withdraw_release(hub, energy, request)
    assert (withdrawn.state, withdrawn.request.withdrawn_us) == (ReleaseState.WITHDRAWN, community.site.now_us)
    assert await withdraw_release(hub, energy, request) == withdrawn
    assert await community.state(request, "source") is ReleaseState.WITHDRAWN
    with pytest.raises(Conflict, match="or is withdrawn"):
        await community.answer(request, agreed=False, marking=None)
    again = await community.ask("energy", shared["id"])
    await community.answer(again, agreed=False, marking=None)
    with pytest.raises(Conflict, match="answered before"):
        await withdraw_release(hub, energy, again)
    traces = [entry.action for entry in await list_audit(hub, COMMAND_LINE, limit=4)]
    assert traces == ["release.answer", "release.ask", "release.withdraw", "release.ask"]


async def test_a_no_stays_a_no_whatever_is_published_later(community: Community):
    await community.push(shared := indicator(object_marking_refs=[AMBER]))
    request = await community.ask("energy", shared["id"])
    await community.answer(request, agreed=False, marking=None, reason="It would warn the attacker.")
    await community.push(version_of(shared, DAY_2, object_marking_refs=[GREEN]))
    assert await community.state(request) is ReleaseState.REFUSED
    with pytest.raises(Conflict, match="answered before"):
        await community.answer(request, agreed=True, marking="TLP:GREEN")


async def test_what_one_may_not_see_is_as_absent_as_what_is_not_there(community: Community):
    await community.push(hidden := indicator(object_marking_refs=[RED]))
    told = []
    for object_id in (hidden["id"], indicator()["id"], "nonsense"):
        with pytest.raises(NotFound) as refused:
            await community.ask("energy", object_id)
        told.append(refused.value.detail)
    assert told == ["no such object, or none that you may see"] * 3
    directory = await community.hub.directory()
    with pytest.raises(NotFound):
        await ask_release(community.hub, directory, COMMAND_LINE, hidden["id"], to="everyone", reason="I administer.")


async def test_nobody_but_asker_and_source_learns_of_a_request_and_only_the_source_answers(community: Community):
    await community.push(shared := indicator(object_marking_refs=[GREEN]))
    request = await community.ask("energy", shared["id"])
    same = await community.ask("soc", shared["id"])
    for stranger in (await community.principal("soc", Role.COORDINATOR), COMMAND_LINE):
        with pytest.raises(NotFound, match="there is no such request"):
            await get_release(community.hub, stranger, request)
    assert [one.request.id for one in await list_releases(community.hub, await community.principal("soc"))] == [same]
    assert {one.request.id for one in await list_releases(community.hub, await community.principal("source"))} == {request, same}
    assert await list_releases(community.hub, COMMAND_LINE) == []
    with pytest.raises(NotFound):
        await community.answer(request, agreed=False, marking=None, member="soc")
    with pytest.raises(Withheld, match="only the source"):
        await community.answer(request, agreed=True, marking="TLP:CLEAR", member="energy")


async def test_a_reader_asks_nothing_and_a_suspended_member_neither_asks_nor_answers(community: Community):
    await community.push(shared := indicator(object_marking_refs=[GREEN]))
    with pytest.raises(Withheld):
        await community.ask("energy", shared["id"], role=Role.READER)
    request = await community.ask("energy", shared["id"])
    await suspend_member(community.hub, COMMAND_LINE, "source")
    with pytest.raises(Withheld, match="suspended"):
        await community.answer(request, agreed=False, marking=None)


async def test_one_s_own_and_the_same_again_are_refused_and_so_is_one_too_many(community: Community, database_url: str):
    objects = [indicator(object_marking_refs=[GREEN]) for _ in range(3)]
    await community.push(*objects)
    with pytest.raises(Invalid, match="your own"):
        await community.ask("source", objects[0]["id"])
    first = await community.ask("energy", objects[0]["id"])
    with pytest.raises(Conflict, match="asked this already"):
        await community.ask("energy", objects[0]["id"])
    strict = await open_hub(Config(database_url=database_url, release_requests_max=2), community.site.db)
    community.site.nodes = (strict, community.site.nodes[1])
    await community.ask("energy", objects[1]["id"])
    with pytest.raises(Conflict, match="2 of your requests wait"):
        await community.ask("energy", objects[2]["id"])
    await community.answer(first, agreed=False, marking=None)
    await community.ask("energy", objects[2]["id"])


@pytest.mark.parametrize(
    ("to", "error", "said"),
    [
        ("all", Invalid, "grantee: write everyone"),
        ("group:secret", NotFound, "there is no such sharing group"),
        ("group:nothing", NotFound, "there is no such sharing group"),
        ("member:soc", NotFound, "there is no such member"),
        ("member:nothing", NotFound, "there is no such member"),
        ("member:identity--x", Invalid, "id: write identity--"),
    ],
)
async def test_an_audience_tells_nothing_of_what_the_asker_may_not_know(community: Community, to: str, error: type[Exception], said: str):
    await add_group(community.hub, COMMAND_LINE, slug="secret", name="Secret", members=["soc"])
    await community.push(shared := indicator(object_marking_refs=[GREEN]))
    with pytest.raises(error, match=said):
        await community.ask("energy", shared["id"], to)


async def test_an_answer_says_why_and_under_which_marking(community: Community):
    await community.push(shared := indicator(object_marking_refs=[GREEN]))
    with pytest.raises(Invalid, match="reason: say why"):
        await community.ask("energy", shared["id"], reason=" ")
    request = await community.ask("energy", shared["id"])
    for agreed, marking in ((True, None), (False, "TLP:CLEAR")):
        with pytest.raises(Invalid, match="marking: say with a yes, and only with a yes"):
            await community.answer(request, agreed=agreed, marking=marking)
    with pytest.raises(Invalid, match="reason: say why, or why not"):
        await community.answer(request, agreed=False, marking=None, reason="")


async def test_the_trail_keeps_who_asked_and_answered_and_not_whom(community: Community):
    await community.push(shared := indicator(object_marking_refs=[GREEN]))
    request = await community.ask("energy", shared["id"])
    await community.answer(request, agreed=True, marking="TLP:CLEAR")
    answered, asked = (await list_audit(community.hub, COMMAND_LINE, before=None, limit=2))[:2]
    assert (asked.action, asked.target, asked.detail) == ("release.ask", shared["id"], {"to": "everyone"})
    assert (answered.action, answered.detail) == ("release.answer", {"agreed": True, "marking": "TLP:CLEAR"})
    source = (await community.principal("source")).member
    assert source is not None
    assert source.id not in json.dumps([asked.detail, answered.detail])


async def test_the_source_of_a_rendition_is_asked_without_anybody_learning_who_it_is(community: Community):
    for slug in ("rail", "port"):  # so that there are enough to hide among
        await add_member(community.hub, COMMAND_LINE, slug=slug, name=f"The {slug}", kind=MemberKind.OPERATOR)
    sharing = {"extension_type": "property-extension", "attribution": "hub"}
    await community.push(given := indicator(name="Beacon", object_marking_refs=[GREEN], extensions={SHARING_EXTENSION: sharing}))
    community.site.now_us += 2 * MINUTE_US
    assert await publish_renditions(community.hub)
    directory = await community.hub.directory()
    page = await list_objects(community.hub, directory, await community.principal("energy"), "hub", "shared", Query())
    (rendition,) = (obj for obj in map(json.loads, page.bodies) if obj["type"] == "indicator")
    request = await community.ask("energy", rendition["id"])
    asked = shown(directory, await get_release(community.hub, await community.principal("energy"), request))
    found = shown(directory, await get_release(community.hub, await community.principal("source"), request))
    assert (asked.source, asked.object, found.source, found.object) == (None, rendition["id"], None, given["id"])
    with pytest.raises(NotFound):
        await community.ask("energy", given["id"])
    await community.answer(request, agreed=False, marking=None)
    (source,) = (member for member in directory.members.values() if member.slug == "source")
    async with community.site.db.read() as conn:
        stored = str(await conn.fetch(prepare(table("release_request").select())))
    trail = [entry for entry in await list_audit(community.hub, COMMAND_LINE, before=None, limit=50) if entry.action.startswith("release")]
    assert [(entry.action, entry.target) for entry in trail] == [("release.ask", rendition["id"])]
    for told in (stored, asked.model_dump_json(), str(trail)):
        assert source.id not in told
        assert given["id"] not in told


def label(**said: object) -> Label:
    return Label(CollectionId("c"), said.pop("tlp", Tlp.AMBER), MemberKind.OPERATOR, **said)  # type: ignore[arg-type]


def test_the_source_is_named_only_to_whom_every_label_lets_know_it():
    operator, agency = (Member(MemberId(kind), kind, kind, kind) for kind in (MemberKind.OPERATOR, MemberKind.AGENCY))
    expected = {Attribution.EVERYONE: (True, True), Attribution.AGENCIES: (False, True), Attribution.HUB: (False, False)}
    for attribution, known in expected.items():
        labels = [label(), label(attribution=attribution)]
        assert (may_know_source(operator, labels), may_know_source(agency, labels)) == known
    assert not may_know_source(agency, [label(anonymous=True)])


def test_a_version_is_looser_where_all_of_its_labels_are():
    amber, green, grouped = label(), label(tlp=Tlp.GREEN), label(tlp=Tlp.GREEN, groups=frozenset({"g"}))
    assert is_looser([green], [amber])
    assert not is_looser([amber], [green])
    assert not is_looser([green, amber], [amber])
    assert is_looser([grouped], [amber, green]), "whom the colour left out, the group may let in"
