"""Rulings and contests: who may make which, what they show, and what an upheld one undoes."""

import pytest

from hub.domain.member import Role
from hub.domain.scoring import Verdict
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.adjudicate import answer, contest_event, get_item, list_all_contests, list_open_audits, rule_item
from hub.service.administer import COMMAND_LINE
from tests.standing.test_assessment import rule
from tests.standing.world import World


async def ruled(world: World) -> tuple[int, int]:
    """Let energy give an item that the agency rules false; return the item and the ruling."""
    given = world.report()
    await world.push("energy", given)
    item = (await world.item(given))["row"]
    event = await rule(world, item, Verdict.FALSE)
    await world.settle()
    return item, event


async def test_an_upheld_contest_undoes_the_ruling_to_the_last_digit(either_world: World):
    world, given = either_world, either_world.report()
    await world.push("energy", given)
    item = (await world.item(given))["row"]
    before = await world.rows("account"), await world.rows("item")
    event = await rule(world, item, Verdict.FALSE)
    await world.settle()
    contest = await contest_event(world.hub, await world.principal("energy"), event, "The address was ours to check.")
    reviewer = await world.principal("telecoms", Role.COORDINATOR)
    answered = await answer(world.hub, await world.hub.directory(), reviewer, contest.row, upheld=True, reason="The log bears it out.")
    assert (answered.upheld, answered.reviewer) == (True, reviewer.credential)
    await world.settle()
    assert (await world.rows("account"), await world.rows("item")) == before
    kinds = [kind for (kind,) in await world.rows("ledger", "kind")]
    assert {"contested", "answered", "ruled"} <= set(kinds)


async def test_a_rejected_contest_changes_nothing(world: World):
    _, event = await ruled(world)
    before = await world.rows("account")
    contest = await contest_event(world.hub, await world.principal("energy"), event, "It was true.")
    await answer(world.hub, await world.hub.directory(), COMMAND_LINE, contest.row, upheld=False, reason="It was not.")
    await world.settle()
    assert await world.rows("account") == before
    with pytest.raises(Conflict, match="answered before"):
        await answer(world.hub, await world.hub.directory(), COMMAND_LINE, contest.row, upheld=True, reason="Once more")


async def test_an_item_held_to_be_old_can_be_contested(world: World):
    await world.push("energy", world.report(pattern="[ipv4-addr:value = '203.0.113.9']"))
    again = world.report(pattern="[ipv4-addr:value = '203.0.113.9']")
    await world.push("water", again)
    item = await world.item(again)
    contest = await contest_event(world.hub, await world.principal("water"), item["row"], "We reported it by telephone first.")
    await answer(world.hub, await world.hub.directory(), COMMAND_LINE, contest.row, upheld=True, reason="So it was.")
    assert (await world.item(again))["novelty"] > item["novelty"]


async def test_only_the_member_itself_contests_and_only_once_what_can_be(world: World):
    _, event = await ruled(world)
    with pytest.raises(NotFound):
        await contest_event(world.hub, await world.principal("water"), event, "Not ours")
    with pytest.raises(Withheld):
        await contest_event(world.hub, await world.principal("energy", Role.READER), event, "A reader")
    contest = await contest_event(world.hub, await world.principal("energy"), event, "It was true.")
    with pytest.raises(Conflict, match="contested before"):
        await contest_event(world.hub, await world.principal("energy"), event, "Again")
    with pytest.raises(Invalid, match="only a ruling, or an item"):
        await contest_event(world.hub, await world.principal("energy"), contest.row, "The contest itself")


async def test_nobody_answers_in_a_matter_of_their_own(world: World):
    _, event = await ruled(world)
    contest = await contest_event(world.hub, await world.principal("energy"), event, "It was true.")
    directory = await world.hub.directory()
    for slug in ("energy", "sister", "agency"):
        with pytest.raises(Withheld):
            await answer(world.hub, directory, await world.principal(slug, Role.COORDINATOR), contest.row, upheld=True, reason="We say so.")
    with pytest.raises(Withheld):
        await answer(world.hub, directory, await world.principal("water"), contest.row, upheld=True, reason="A publisher")


async def test_contests_are_seen_by_their_member_and_by_coordinators(world: World):
    _, event = await ruled(world)
    await contest_event(world.hub, await world.principal("energy"), event, "It was true.")
    seen = {
        slug: len(await list_all_contests(world.hub, await world.principal(slug, role), after=0, limit=10))
        for slug, role in (("energy", Role.READER), ("water", Role.READER), ("telecoms", Role.COORDINATOR))
    }
    assert seen == {"energy": 1, "water": 0, "telecoms": 1}


async def test_items_are_ruled_upon_by_coordinators_and_agencies_that_have_no_part_in_them(world: World):
    given = world.report()
    await world.push("energy", given)
    item = (await world.item(given))["row"]
    directory = await world.hub.directory()
    for slug, role in (("energy", Role.COORDINATOR), ("sister", Role.COORDINATOR), ("water", Role.PUBLISHER), ("agency", Role.READER)):
        with pytest.raises((Withheld, NotFound)):
            await rule_item(world.hub, directory, await world.principal(slug, role), item, Verdict.TRUE, "It is.")
    assert await rule_item(world.hub, directory, await world.principal("agency"), item, Verdict.TRUE, "It is.")
    assert await rule_item(world.hub, directory, await world.principal("water", Role.COORDINATOR), item, Verdict.TRUE, "It is.")


async def test_the_queue_holds_what_the_judge_may_see_and_loses_what_is_ruled_upon(either_world: World):
    world = either_world
    await world.push("energy", *(world.report() for _ in range(30)), to="private")
    await world.push("energy", *(world.report() for _ in range(30)))
    await world.settle()
    directory, outsider, insider = (
        await world.hub.directory(),
        await world.principal("telecoms", Role.COORDINATOR),
        await world.principal("water", Role.COORDINATOR),
    )
    seen = await list_open_audits(world.hub, directory, outsider, after=0, limit=2)
    assert [len(seen), len(await list_open_audits(world.hub, directory, insider, after=0, limit=100))] == [2, 6]
    assert all(answer.producer is not None and answer.rating is None for answer in seen)
    await rule_item(world.hub, directory, outsider, seen[0].item.row, Verdict.TRUE, "It is.")
    await world.settle()
    assert len(await list_open_audits(world.hub, directory, insider, after=0, limit=100)) == 5


async def test_a_producer_sees_what_its_item_is_worth_and_others_do_not_see_the_item(world: World):
    given = world.report()
    await world.push("energy", given)
    item = (await world.item(given))["row"]
    directory = await world.hub.directory()
    told = await get_item(world.hub, directory, await world.principal("energy", Role.READER), item)
    assert told.rating is not None
    assert told.rating.quality == told.item.quality
    with pytest.raises(NotFound):
        await get_item(world.hub, directory, await world.principal("water", Role.READER), item)
