"""Reports back: what may be asked for, who was asked, who fetched and reported, and who sees which part of it."""

import pytest

from hub.domain.member import Principal, Role
from hub.domain.taxii import Query
from hub.domain.timestamp import format_timestamp
from hub.errors import NotFound
from hub.service.administer import COMMAND_LINE
from hub.service.admit import push
from hub.service.report_backs import RequestAnswer, get_report_back, list_report_backs
from hub.service.retrieve import list_objects
from tests.standing.world import World, shared_with
from tests.taxii.content import Object, envelope

DAY = "2026-09-02T12:00:00Z"


def advisory(world: World, *, by: str = DAY, asked: tuple[str, ...] = ("everyone",), nil_returns: bool = True, **said: object) -> Object:
    return world.report(**shared_with(report_back={"by": by, "from": list(asked), "nil_returns": nil_returns}, **said))


async def ask(world: World, slug: str | None, role: Role = Role.PUBLISHER) -> list[RequestAnswer]:
    await world.settle()
    principal = COMMAND_LINE if slug is None else await world.principal(slug, role)
    return await list_report_backs(world.hub, await world.hub.directory(), principal, after=0, limit=10)


async def poll(world: World, slug: str) -> list[bytes]:
    await world.settle()
    principal = await world.principal(slug)
    return list((await list_objects(world.hub, await world.hub.directory(), principal, "hub", "shared", Query())).bodies)


async def test_the_picture_grows_from_asked_to_fetched_to_reported_to_overdue(either_world: World):
    world, wanted = either_world, advisory(either_world)
    await world.push("agency", wanted, world.report())
    await poll(world, "energy")
    await poll(world, "energy")
    await poll(world, "water")
    await world.push("water", world.sighting(wanted, count=0))
    await world.push("telecoms", world.sighting(wanted, count=2))
    (answer,) = await ask(world, "agency")
    picture = answer.picture
    assert picture is not None
    assert (picture.asked, picture.received, picture.fetched, picture.overdue) == (4, 4, 2, 0)
    assert (picture.seen, picture.nothing, picture.commented) == (1, 1, 0)
    assert {(member.slug, receipt.outcome) for member, receipt in picture.reporters} == {("water", "nothing"), ("telecoms", "seen")}
    world.pass_time(days=2)
    (answer,) = await ask(world, "agency")
    assert answer.picture is not None
    assert (answer.is_open, answer.picture.overdue) == (False, 2)


async def test_a_member_sees_what_it_is_asked_for_and_not_how_others_answered(world: World):
    await world.push("agency", advisory(world, asked=("sector:energy",)))
    (answer,) = await ask(world, "energy")
    assert (answer.is_open, answer.receipt, answer.picture) == (True, None, None)
    assert answer.asker is not None
    assert answer.asker.slug == "agency"
    assert await ask(world, "water") == []
    assert len(await ask(world, None)) == 1
    directory = await world.hub.directory()
    with pytest.raises(NotFound):
        await get_report_back(world.hub, directory, await world.principal("water"), answer.request.item)
    found = await get_report_back(world.hub, directory, await world.principal("energy"), answer.request.item)
    assert found.request.stix_id == answer.request.stix_id


async def test_nobody_is_asked_about_what_they_may_not_see(world: World):
    await world.push("energy", advisory(world), to="private")
    assert len(await ask(world, "water")) == 1
    assert await ask(world, "telecoms") == []
    (answer,) = await ask(world, "energy")
    assert answer.picture is not None
    assert answer.picture.asked == 1


async def test_a_nil_return_that_was_asked_for_counts_each_time(world: World):
    wanted = [advisory(world) for _ in range(2)]
    await world.push("agency", *wanted)
    await world.push("water", *(world.sighting(one, count=0) for one in wanted))
    await world.settle()
    assert [credit for (credit,) in await world.rows("standing_event", "credit")] == [1_000_000, 1_000_000]


async def test_having_seen_it_outweighs_having_seen_nothing_whatever_came_first(world: World):
    wanted = advisory(world)
    await world.push("agency", wanted)
    for count in (0, 3, 0):
        await world.push("water", world.sighting(wanted, count=count))
    (answer,) = await ask(world, "water")
    assert answer.receipt is not None
    assert answer.receipt.outcome == "seen"


async def test_a_later_version_may_ask_until_later(world: World):
    wanted = advisory(world)
    await world.push("agency", wanted)
    later = advisory(world, by="2026-12-01T00:00:00Z") | {"id": wanted["id"], "created": wanted["created"]}
    world.now_us += 1_000_000
    await world.push("agency", later | {"modified": world.moment()})
    (answer,) = await ask(world, "agency")
    assert format_timestamp(answer.request.wanted.by_us) == "2026-12-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("tomorrow", 'must be an object with "by", "from"'),
        ({"by": DAY}, 'must be an object with "by", "from"'),
        ({"by": DAY, "from": ["everyone"], "till": DAY}, 'must be an object with "by", "from"'),
        ({"by": "tomorrow", "from": ["everyone"]}, "by must be a timestamp such as"),
        ({"by": 7, "from": ["everyone"]}, "by must be a timestamp such as"),
        ({"by": DAY, "from": []}, "from must be a list of 1 to 100"),
        ({"by": DAY, "from": ["sector:gardening"]}, "from must hold everyone"),
        ({"by": DAY, "from": ["kind:friend"]}, "from must hold everyone"),
        ({"by": DAY, "from": ["member:water"]}, "from must hold everyone"),
        ({"by": DAY, "from": [7]}, "from must hold everyone"),
        ({"by": DAY, "from": ["everyone"], "nil_returns": "yes"}, "nil_returns must be true or false"),
    ],
)
async def test_a_request_that_is_not_understood_is_refused_with_what_to_write(world: World, asked: object, reason: str):
    body = envelope(world.report(**shared_with(report_back=asked)))
    directory, member = await world.hub.directory(), await world.member("agency")
    status = await push(world.hub, directory, Principal("person:agency", Role.PUBLISHER, member), "hub", "shared", body)
    assert reason in str(status.failures[0].failure)
