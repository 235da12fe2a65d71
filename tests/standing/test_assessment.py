"""What a line of the ledger changes: what items are worth, who vouches for whom, what counts as feedback, and what falls again."""

import asyncio

import pytest

from hub.domain.member import Role
from hub.domain.scoring import MICRO, Verdict
from hub.domain.standing import Part
from hub.domain.taxii import ALL_VERSIONS, Query
from hub.service.adjudicate import rule_item
from hub.service.administer import COMMAND_LINE
from hub.service.assess import assess
from hub.service.collections import add_collection
from hub.service.context import open_hub
from hub.service.remove import delete_object
from hub.store.database import open_database
from tests.standing.world import World, shared_with, world_on
from tests.taxii.content import indicator, malware, version_of


async def rule(world: World, item: int, verdict: Verdict, by: str = "agency") -> int:
    directory = await world.hub.directory()
    return await rule_item(world.hub, directory, await world.principal(by, Role.COORDINATOR), item, verdict, "We looked at it.")


async def points(world: World, slug: str, part: Part) -> float:
    return float((await world.standing(slug)).placed.score.points(part))


async def test_a_new_observable_counts_in_full_and_one_that_the_member_could_see_hardly(world: World):
    first = world.report(pattern="[ipv4-addr:value = '203.0.113.1']")
    again = world.report(pattern="[ipv4-addr:value='203.0.113.1/32']")
    await world.push("energy", first)
    await world.push("water", again)
    assert (await world.item(first))["novelty"] == MICRO
    assert (await world.item(again))["novelty"] == MICRO // 10


async def test_what_a_member_could_not_see_is_new_to_it_so_that_its_standing_tells_nothing_of_it(world: World):
    hidden = world.report(pattern="[ipv4-addr:value = '203.0.113.2']")
    own = world.report(pattern="[ipv4-addr:value = '203.0.113.2']")
    await world.push("energy", hidden, to="private")
    await world.push("telecoms", own)
    assert (await world.item(own))["novelty"] == MICRO


async def test_an_independent_finding_bears_the_first_one_out_where_its_producer_may_see_it(world: World):
    hidden = world.report(pattern="[ipv4-addr:value = '203.0.113.3']")
    await world.push("energy", hidden, to="private")
    await world.push("telecoms", world.report(pattern="[ipv4-addr:value = '203.0.113.3']"))
    assert (await world.item(hidden))["vouched"] > 0


async def test_what_comes_to_a_collection_that_is_new_by_then_waits_for_the_next_round(postgresql_url: str):
    async with world_on(postgresql_url) as world:
        await world.settle()
        narrow = await open_database(postgresql_url, connections_max=1)
        try:
            assessing = asyncio.create_task(assess(await open_hub(world.hub.config, narrow)))
            for name in "abcdefgh":  # between each two of its reads
                async with narrow.read():
                    added = await add_collection(world.hub, COMMAND_LINE, title=name, readers=["everyone"], writers=["everyone"])
                    await world.push("energy", given := world.report(), to=added.id)
            await assessing
        finally:
            await narrow.close()
        assert (await world.item(given))["member_id"] == (await world.member("energy")).id


async def test_what_a_public_source_holds_is_worth_nothing(world: World):
    await world.push("agency", world.report(pattern="[ipv4-addr:value = '203.0.113.4']"), to="public")
    late = world.report(pattern="[ipv4-addr:value = '203.0.113.4']")
    await world.push("water", late)
    item = await world.item(late)
    assert (item["novelty"], item["quality"], item["credit"]) == (0, 0, 0)


async def test_content_of_a_public_source_is_no_gift(world: World):
    await world.push("agency", world.report(), to="public")
    await world.settle()
    assert await world.rows("item") == []


async def test_a_sighting_bears_an_item_out_and_is_feedback(world: World):
    given = world.report()
    await world.push("energy", given)
    before = (await world.item(given))["quality"]
    await world.push("water", world.sighting(given))
    assert (await world.item(given))["quality"] > before
    assert await points(world, "water", Part.FEEDBACK) > 0


async def test_an_owner_has_one_vote_and_none_on_its_own_family(world: World):
    given = world.report()
    await world.push("energy", given)
    await world.push("sister", world.sighting(given))
    assert (await world.item(given))["vouched"] == 0
    await world.push("water", world.sighting(given))
    once = (await world.item(given))["vouched"]
    await world.push("water", world.sighting(given))
    assert (await world.item(given))["vouched"] == once > 0


async def test_a_pair_that_vouches_again_and_again_counts_less_each_time(world: World):
    items = [world.report() for _ in range(3)]
    await world.push("energy", *items)
    await world.push("water", *map(world.sighting, items))
    weights = [(await world.item(item))["vouched"] for item in items]
    assert weights[0] > weights[1] > weights[2] > 0


async def test_what_is_said_about_an_object_that_the_member_may_not_see_counts_for_nothing(world: World):
    hidden = world.report()
    await world.push("energy", hidden, to="private")
    await world.push("telecoms", world.sighting(hidden), world.note(hidden), world.sighting(world.report()))
    assert (await world.standing("telecoms")).placed.score.total == 0
    assert (await world.item(hidden))["vouched"] == 0


async def test_feedback_is_counted_twice_a_day(world: World):
    items = [world.report() for _ in range(3)]
    await world.push("energy", *items)
    await world.push("water", *map(world.sighting, items[:2]))
    two = await points(world, "water", Part.FEEDBACK)
    await world.push("water", world.sighting(items[2]))
    assert await points(world, "water", Part.FEEDBACK) == two


async def test_a_nil_return_that_nobody_asked_for_counts_once_a_month(world: World):
    items = [world.report() for _ in range(2)]
    await world.push("energy", *items)
    await world.push("water", world.sighting(items[0], count=0))
    await world.push("water", world.sighting(items[1], count=0))
    await world.settle()
    assert len(await world.rows("standing_event")) == 1
    assert (await world.item(items[0]))["vouched"] == 0, "who saw nothing bears nothing out"


async def test_an_opinion_earns_once_a_ruling_bears_it_out_and_loses_it_when_the_ruling_falls(world: World):
    given = world.report()
    await world.push("energy", given)
    await world.push("water", world.opinion(given, "strongly-disagree"))
    assert await points(world, "water", Part.FEEDBACK) == 0
    row = (await world.item(given))["row"]
    await rule(world, row, Verdict.FALSE)
    assert await points(world, "water", Part.FEEDBACK) > 0
    await rule(world, row, Verdict.TRUE)
    assert await points(world, "water", Part.FEEDBACK) == 0


async def test_a_false_item_is_worth_nothing_and_costs_reliability_and_a_later_ruling_undoes_that_exactly(world: World):
    given = world.report()
    await world.push("energy", given, world.report())
    row = (await world.item(given))["row"]
    before = await world.rows("account")
    await rule(world, row, Verdict.FALSE)
    assert (await world.item(given))["quality"] == 0
    assert (await world.standing("energy")).placed.score.reliability < 0.8
    await rule(world, row, Verdict.TRUE)
    assert (await world.standing("energy")).placed.score.reliability > 0.8
    assert len(before) == len(await world.rows("account"))


@pytest.mark.parametrize(("hours", "spared"), [(72, "spared"), (72.1, "")])
async def test_an_error_taken_back_within_72_hours_costs_nothing(world: World, hours: float, spared: str):
    given = world.report()
    await world.push("energy", given)
    world.pass_time(hours=hours)
    world.now_us -= 1_000  # the push itself takes so long
    await world.push("energy", version_of(given, world.moment(), revoked=True))
    item = await world.item(given)
    assert item["quality"] == 0
    await rule(world, item["row"], Verdict.FALSE)
    assert ((await world.standing("energy")).placed.score.reliability < 0.8) is not bool(spared)


async def test_a_deleted_item_is_worth_nothing(either_world: World):
    world, given = either_world, malware()
    await world.push("energy", given)
    assert (await world.item(given))["quality"] > 0
    directory, principal = await world.hub.directory(), await world.principal("energy")
    await delete_object(world.hub, directory, principal, "hub", "shared", given["id"], Query(versions=ALL_VERSIONS))
    assert (await world.item(given))["quality"] == 0


async def test_a_relationship_adds_context_to_the_member_s_own_item_only(world: World):
    given, action = world.report(), malware()
    await world.push("energy", given, action)
    before = (await world.item(given))["context"]

    def tie(by: str) -> dict[str, object]:
        made = world.sighting(given) | {"type": "relationship", "relationship_type": "indicates", "source_ref": given["id"]}
        made = made | {"target_ref": action["id"], "id": made["id"].replace("sighting", "relationship")}
        return {name: value for name, value in made.items() if name != "sighting_of_ref"}

    await world.push("water", tie("water"))
    assert (await world.item(given))["context"] == before
    await world.push("energy", tie("energy"))
    assert (await world.item(given))["context"] > before


async def test_volume_earns_less_and_less(world: World):
    await world.push("energy", *(world.report() for _ in range(60)))
    await world.push("water", world.report())
    many = await points(world, "energy", Part.CONTRIBUTION)
    one = await points(world, "water", Part.CONTRIBUTION)
    assert one < many < 4 * one
    assert sum(credit > 0 for (credit,) in await world.rows("item", "credit")) == 51


async def test_one_of_ten_items_is_drawn_for_a_ruling(world: World):
    for _ in range(4):
        await world.push("energy", *(indicator() for _ in range(500)))
    await world.settle()
    drawn = [audit for (audit,) in await world.rows("item", "audit")]
    assert len(drawn) == 2_000
    assert sum(drawn) >= 200


async def test_an_item_that_says_whom_it_concerns_is_more_relevant_to_those(world: World):
    to_them, to_others, to_nobody_in_particular = (
        world.report(**shared_with(sectors=["water"])),
        world.report(**shared_with(sectors=["healthcare"])),
        world.report(),
    )
    await world.push("energy", to_them, to_others, to_nobody_in_particular)
    found = [(await world.item(one))["relevance"] for one in (to_them, to_nobody_in_particular, to_others)]
    assert found == [MICRO, MICRO // 2, 0]
