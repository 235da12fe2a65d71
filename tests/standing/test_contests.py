"""Rulings and contests: who may make which, what they show, and what an upheld one puts right."""

import pytest

from hub.domain.ledger import LedgerKind
from hub.domain.member import Role
from hub.domain.scoring import MICRO, Verdict
from hub.domain.standing import Part
from hub.domain.standing_rules import EventKind
from hub.domain.taxii import ALL_VERSIONS, Query
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.adjudicate import get_item, list_open_audits, rule_item
from hub.service.administer import COMMAND_LINE
from hub.service.contests import answer, contest_event, list_appeals, list_own_events
from hub.service.remove import delete_object
from hub.service.standing import record_practice
from tests.standing.test_assessment import points, rule
from tests.standing.world import World
from tests.taxii.content import version_of


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
    appeal = await contest_event(world.hub, await world.principal("energy"), event, "The address was ours to check.")
    reviewer = await world.principal("telecoms", Role.COORDINATOR)
    directory = await world.hub.directory()
    answered = await answer(world.hub, directory, reviewer, appeal.contest.row, upheld=True, reason="The log bears it out.")
    assert (answered.contest.upheld, answered.contest.reviewer) == (True, reviewer.credential)
    await world.settle()
    assert (await world.rows("account"), await world.rows("item")) == before
    kinds = [kind for (kind,) in await world.rows("ledger", "kind")]
    assert {"contested", "answered", "ruled"} <= set(kinds)


async def test_a_rejected_contest_changes_nothing(world: World):
    _, event = await ruled(world)
    before = await world.rows("account")
    appeal = await contest_event(world.hub, await world.principal("energy"), event, "It was true.")
    await answer(world.hub, await world.hub.directory(), COMMAND_LINE, appeal.contest.row, upheld=False, reason="It was not.")
    await world.settle()
    assert await world.rows("account") == before
    with pytest.raises(Conflict, match="answered before"):
        await answer(world.hub, await world.hub.directory(), COMMAND_LINE, appeal.contest.row, upheld=True, reason="Once more")


async def test_an_item_held_to_be_old_can_be_contested(world: World):
    await world.push("energy", world.report(pattern="[ipv4-addr:value = '203.0.113.9']"))
    again = world.report(pattern="[ipv4-addr:value = '203.0.113.9']")
    await world.push("water", again)
    item = await world.item(again)
    appeal = await contest_event(world.hub, await world.principal("water"), item["row"], "We reported it by telephone first.")
    await answer(world.hub, await world.hub.directory(), COMMAND_LINE, appeal.contest.row, upheld=True, reason="So it was.")
    assert (await world.item(again))["novelty"] > item["novelty"]


async def test_only_the_member_itself_contests_and_only_once_what_can_be(world: World):
    _, event = await ruled(world)
    with pytest.raises(NotFound):
        await contest_event(world.hub, await world.principal("water"), event, "Not ours")
    with pytest.raises(Withheld):
        await contest_event(world.hub, await world.principal("energy", Role.READER), event, "A reader")
    appeal = await contest_event(world.hub, await world.principal("energy"), event, "It was true.")
    with pytest.raises(Conflict, match="contested before"):
        await contest_event(world.hub, await world.principal("energy"), event, "Again")
    with pytest.raises(Invalid, match="the answer is final"):
        await contest_event(world.hub, await world.principal("energy"), appeal.contest.row, "The contest itself")


async def test_nobody_answers_in_a_matter_of_their_own(world: World):
    _, event = await ruled(world)
    appeal = await contest_event(world.hub, await world.principal("energy"), event, "It was true.")
    directory = await world.hub.directory()
    own = [await world.principal(slug, Role.COORDINATOR) for slug in ("energy", "sister", "agency")]
    for principal in (*own, await world.principal("water")):
        with pytest.raises(Withheld):
            await answer(world.hub, directory, principal, appeal.contest.row, upheld=True, reason="We say so.")


async def test_contests_are_seen_by_their_member_and_by_coordinators(world: World):
    _, event = await ruled(world)
    await contest_event(world.hub, await world.principal("energy"), event, "It was true.")
    seen = {
        slug: len(await list_appeals(world.hub, await world.hub.directory(), await world.principal(slug, role), after=0, limit=10))
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


async def appeal_of_last(world: World, slug: str, kind: LedgerKind) -> None:
    """Let a member contest the last event of a kind that its ledger tells, and a reviewer uphold that."""
    principal = await world.principal(slug)
    events = [event for event, _ in await list_own_events(world.hub, principal, limit=20) if event.kind is kind]
    appeal = await contest_event(world.hub, principal, events[0].row, "It was not as you think.")
    await answer(world.hub, await world.hub.directory(), COMMAND_LINE, appeal.contest.row, upheld=True, reason="So it was.")
    await world.settle()


async def test_feedback_beyond_what_counts_a_day_counts_in_full_where_its_contest_is_upheld(either_world: World):
    world, items = either_world, [either_world.report() for _ in range(3)]
    await world.push("energy", *items)
    await world.push("water", *map(world.sighting, items))
    await world.settle()
    assert sorted(await world.rows("standing_event", "credit")) == [(0,), (MICRO,), (MICRO,)]
    await appeal_of_last(world, "water", LedgerKind.ACCEPTED)
    assert await world.rows("standing_event", "credit") == [(MICRO,)] * 3


async def test_feedback_that_was_not_counted_at_all_counts_where_its_contest_is_upheld(world: World):
    given = world.report()
    await world.push("energy", given)
    await world.push("water", world.sighting(given))
    await world.push("water", world.sighting(given))
    await world.settle()
    before = await points(world, "water", Part.FEEDBACK)
    await appeal_of_last(world, "water", LedgerKind.ACCEPTED)
    assert await points(world, "water", Part.FEEDBACK) > before
    assert await world.rows("standing_event", "credit") == [(MICRO,)] * 2


@pytest.mark.parametrize("deleted", [False, True])
async def test_an_item_that_was_taken_back_stands_where_the_contest_of_that_is_upheld(world: World, *, deleted: bool):
    given, directory = world.report(), await world.hub.directory()
    await world.push("energy", given)
    before = await world.item(given)
    account = await world.rows("account")
    world.pass_time(hours=1)
    if deleted:
        await delete_object(
            world.hub, directory, await world.principal("energy"), "hub", "shared", given["id"], Query(versions=ALL_VERSIONS)
        )
    else:
        await world.push("energy", version_of(given, world.moment(), revoked=True))
    assert (await world.item(given))["quality"] == 0
    await appeal_of_last(world, "energy", LedgerKind.DELETED if deleted else LedgerKind.ACCEPTED)
    assert (await world.item(given), await world.rows("account")) == (before, account)


async def test_an_item_that_stands_again_bears_the_ruling_that_it_was_spared(world: World):
    given = world.report()
    await world.push("energy", given)
    world.pass_time(hours=1)
    await world.push("energy", version_of(given, world.moment(), revoked=True))
    await rule(world, (await world.item(given))["row"], Verdict.FALSE)
    spared = (await world.standing("energy")).placed.score.reliability
    await appeal_of_last(world, "energy", LedgerKind.ACCEPTED)
    assert (await world.standing("energy")).placed.score.reliability < spared


async def test_what_an_upheld_contest_cannot_undo_is_heard_all_the_same(world: World):
    before = (await world.standing("energy")).placed
    await appeal_of_last(world, "energy", LedgerKind.JOINED)
    assert (await world.standing("energy")).placed == before
    (appeal,) = await list_appeals(world.hub, await world.hub.directory(), await world.principal("energy"), after=0, limit=10)
    assert (appeal.kind, appeal.contest.upheld, appeal.contest.answer) == (LedgerKind.JOINED, True, "So it was.")


async def test_joint_practice_counts_no_more_where_its_contest_is_upheld_by_somebody_who_did_not_enter_it(world: World):
    await record_practice(world.hub, COMMAND_LINE, "energy", EventKind.EXERCISE, "The winter exercise")
    assert await points(world, "energy", Part.PRACTICE) > 0
    with pytest.raises(Withheld, match="did not make the entry"):
        await appeal_of_last(world, "energy", LedgerKind.PRACTISED)
    reviewer = await world.principal("telecoms", Role.COORDINATOR)
    (appeal,) = await list_appeals(world.hub, await world.hub.directory(), reviewer, after=0, limit=10)
    await answer(world.hub, await world.hub.directory(), reviewer, appeal.contest.row, upheld=True, reason="It was not there.")
    assert await points(world, "energy", Part.PRACTICE) == 0
