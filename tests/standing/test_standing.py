"""What a member is told of its standing, and how it comes to another one."""

from decimal import Decimal

import pytest

from hub.domain.member import MemberKind, Role, Standing
from hub.domain.scoring import Verdict
from hub.domain.standing import Ground, Part
from hub.domain.standing_rules import EventKind
from hub.errors import Invalid, NotFound, Withheld
from hub.service.administer import COMMAND_LINE
from hub.service.members import add_member, change_member
from hub.service.standing import get_standing, list_sectors, list_standings, record_practice
from tests.standing.test_assessment import rule
from tests.standing.world import World, shared_with


async def test_each_part_adds_up_from_its_lines_and_the_score_from_its_parts(either_world: World):
    world = either_world
    for _ in range(3):
        given = [world.report() for _ in range(3)]
        await world.push("energy", *given)
        await world.push("water", *map(world.sighting, given))
        await world.push("energy", world.sighting(given[0]), world.note(given[1]))
        await world.settle()
        world.pass_time(days=1)
    items = [row for (row,) in await world.rows("item", "row")]
    await rule(world, items[0], Verdict.FALSE)
    await rule(world, items[1], Verdict.TRUE)
    await record_practice(world.hub, COMMAND_LINE, "energy", EventKind.EXERCISE, "Autumn exercise")
    for slug in ("energy", "water", "telecoms"):
        told = await world.standing(slug)
        for part in Part:
            assert sum((line.points for line in told.lines if line.part is part), Decimal()) == told.placed.score.points(part)
        assert sum((line.points for line in told.lines), Decimal()) == told.placed.score.total
    assert (await world.standing("energy")).placed.score.total > 10


async def test_a_member_is_promoted_by_reporting_back_and_told_why_and_sinks_when_it_stops(world: World):
    await promote(world, "water")
    assert (await world.member("water")).standing is Standing.CONTRIBUTOR
    told = next(moment for moment in (await world.standing("water")).history if moment.why)
    assert (told.before, told.standing, told.ground) == (Standing.OBSERVER, Standing.CONTRIBUTOR, Ground.SCORE)
    assert "contributor begins at 12" in told.why
    world.pass_time(days=200)
    await world.settle()
    assert (await world.member("water")).standing is Standing.OBSERVER


async def test_a_change_of_standing_counts_from_the_next_request_on_and_stands_in_the_ledger(either_world: World):
    before = (await either_world.hub.directory()).revision
    await promote(either_world, "water")
    assert (await either_world.hub.directory()).revision > before
    kinds = [kind for (kind,) in await either_world.rows("ledger", "kind")]
    assert kinds.count("moved") == 1


async def promote(world: World, slug: str) -> None:
    """Let a member report back on two items of the agency a day, until that is worth the next tier."""
    for _ in range(12):
        given = [world.report(), world.report()]
        await world.push("agency", *given)
        await world.push(slug, *map(world.sighting, given))
        await world.settle()
        world.pass_time(days=1)


async def test_a_newcomer_has_grace_for_90_days(world: World):
    await newcomer(world, "rail")
    assert (await world.standing("rail")).placed.ground is Ground.GRACE
    assert (await world.member("rail")).standing is Standing.CONTRIBUTOR
    world.pass_time(days=90)
    await world.settle()
    assert (await world.member("rail")).standing is Standing.CONTRIBUTOR
    world.pass_time(days=1)
    await world.settle()
    assert (await world.member("rail")).standing is Standing.OBSERVER


async def newcomer(world: World, slug: str, owner: str | None = None) -> None:
    await add_member(world.hub, COMMAND_LINE, slug=slug, name=f"New {slug}", kind=MemberKind.OPERATOR, sectors=["transport"], owner=owner)


async def test_a_standing_that_an_administrator_gave_is_a_floor_for_90_days(world: World):
    await change_member(world.hub, COMMAND_LINE, "water", standing=Standing.PARTNER)
    assert (await world.standing("water")).placed.ground is Ground.GRANTED
    world.pass_time(days=90)
    await world.settle()
    assert (await world.member("water")).standing is Standing.PARTNER
    world.pass_time(days=1)
    await world.settle()
    assert (await world.member("water")).standing is Standing.OBSERVER


async def test_a_standing_that_is_given_meanwhile_is_not_lost_to_an_assessment(world: World):
    await world.push("water", world.report())
    await change_member(world.hub, COMMAND_LINE, "water", standing=Standing.STEWARD)
    await world.settle()
    assert (await world.member("water")).standing is Standing.STEWARD


async def test_the_next_step_is_the_cheapest_and_leads_there(world: World):
    steps = (await world.standing("water")).steps
    assert steps
    assert [step.cost_h for step in steps] == sorted(step.cost_h for step in steps)
    assert all(step.total >= 12 and step.tier is Standing.CONTRIBUTOR for step in steps)


async def test_what_the_next_tier_opens_is_counted_on_today_s_feed(world: World):
    later = world.report(**shared_with(release="reciprocal"))
    await world.push("energy", later, world.report(), world.report(**shared_with(release="reciprocal")))
    (opened,) = (await world.standing("water")).opens
    assert (opened.collection.collection.alias, opened.more, opened.sooner) == ("shared", 0, 2)
    world.pass_time(days=1)
    assert (await world.standing("water")).opens == []


async def test_a_sector_of_four_is_shown_to_nobody_and_one_of_five_to_everybody(world: World):
    principal = await world.principal("water", Role.READER)
    for number in range(4):
        await newcomer(world, f"rail-{number}")
    await world.settle()
    assert "transport" not in await list_sectors(world.hub, await world.hub.directory(), principal)
    await newcomer(world, "rail-5")
    await world.settle()
    assert (await list_sectors(world.hub, await world.hub.directory(), principal))["transport"].members == 5


async def test_a_member_sees_its_own_standing_and_coordinators_see_all(world: World):
    directory = await world.hub.directory()
    publisher, coordinator = await world.principal("water"), await world.principal("energy", Role.COORDINATOR)
    assert (await get_standing(world.hub, directory, publisher, "water")).member.slug == "water"
    with pytest.raises(NotFound):
        await get_standing(world.hub, directory, publisher, "energy")
    assert (await get_standing(world.hub, directory, coordinator, "water")).member.slug == "water"
    with pytest.raises(Withheld):
        await list_standings(world.hub, directory, publisher)
    assert len(await list_standings(world.hub, directory, coordinator)) == 5
    with pytest.raises(Withheld, match="you belong to no member"):
        await get_standing(world.hub, directory, COMMAND_LINE)


async def test_practice_is_entered_by_administrators_and_counts(world: World):
    with pytest.raises(Withheld):
        await record_practice(world.hub, await world.principal("energy", Role.COORDINATOR), "energy", EventKind.EXERCISE, "We did")
    with pytest.raises(Invalid, match="one of exercise, lesson, reuse, capability"):
        await record_practice(world.hub, COMMAND_LINE, "energy", EventKind.SIGHTING, "We did")
    await record_practice(world.hub, COMMAND_LINE, "energy", EventKind.LESSON, "Lessons of the autumn exercise")
    assert (await world.standing("energy")).placed.score.practice > 0


async def test_grace_is_given_once_to_each_owner(world: World):
    await newcomer(world, "rail", owner="Transit Holdings")
    await newcomer(world, "bus", owner="Transit Holdings")
    await world.settle()
    assert (await world.member("rail")).standing is Standing.CONTRIBUTOR
    assert (await world.member("bus")).standing is Standing.OBSERVER
