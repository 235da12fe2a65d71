"""A node that is killed between the ledger and what follows from it loses nothing of that, and counts nothing twice."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.processes import start
from tests.scratch import copy_database
from tests.standing.killed import LINES, POINTS, live, open_world
from tests.standing.world import World, world_on

SUMS = ("contribution", "feedback", "practice", "good", "bad", "feedback_day", "feedback_count", "earned", "ground", "cents")
Outcome = dict[str, list[Any]]


async def outcome(world: World) -> Outcome:
    """Return what follows from the ledger, by names that are the same in every run."""
    names = {member.id: member.slug for member in (await world.hub.directory()).members.values()}
    objects = dict(await world.rows("object", "row", "stix_id"))

    async def of_members(table: str, *columns: str) -> list[Any]:
        return sorted((names[member], *rest) for member, *rest in await world.rows(table, "member_id", *columns))

    return {
        "accounts": await of_members("account", *SUMS),
        "items": sorted((objects[row], *rest) for row, *rest in await world.rows("item", "object_row", "vouched", "quality", "credit")),
        "votes": [weight for (weight,) in await world.rows("voucher", "weight")],
        "counted": await of_members("standing_event", "kind", "day", "credit"),
        "history": await of_members("standing_history", "at_us", "cents", "before", "standing"),
        "standings": sorted([(slug, (await world.member(slug)).standing) for slug in names.values()]),
    }


@pytest.fixture
async def undisturbed(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What follows where nobody is killed."""
    async with world_on(f"sqlite:///{copy_database(_sqlite_template, tmp_path_factory.mktemp('undisturbed'))}") as world:
        for part in range(len(POINTS)):
            await live(world, part)
            await world.settle()
        return await outcome(world)


async def open_lines(url: str) -> int:
    world, db = await open_world(url, len(POINTS) - 1)
    lines = await world.rows("ledger", "assessed")
    await db.close()
    return len(lines) - sum(assessed for (assessed,) in lines)


async def test_each_event_counts_once_wherever_in_its_assessment_the_node_is_killed(database_url: str, undisturbed: Outcome) -> None:
    async with world_on(database_url):
        pass  # others work on its database
    for part, point in enumerate(POINTS):
        process = await start("tests.standing.killed", database_url, point, str(part))
        assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
        assert await open_lines(database_url) == (0 if point == "after the commit" else LINES), point

    world, db = await open_world(database_url, len(POINTS) - 1)
    await world.settle()
    assert {assessed for (assessed,) in await world.rows("ledger", "assessed")} == {1}
    found = await outcome(world)
    await db.close()
    assert ("water", "contributor") in undisturbed["standings"], "somebody rises, so that the assessment moves the directory, too"
    assert found == undisturbed
