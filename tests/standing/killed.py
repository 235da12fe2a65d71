"""A hub in a process of its own that is killed while the ledger is taken into account. Run by test_kill.

    python -m tests.standing.killed URL POINT PART

It finishes what the last one left, lives a part of the community's days, and kills itself (SIGKILL) at POINT of their assessment.
"""

import asyncio
import sys
import uuid

from hub.config import Config
from hub.domain.standing import DAY_US
from hub.service.assess import assess
from hub.service.context import open_hub
from hub.store.database import open_database
from tests.killing import Killing
from tests.standing.world import START_US, World
from tests.taxii.content import Object

POINTS = ("before the transaction", "inside the transaction", "after the commit")  # one for each part
DAYS = 5  # of each part; in the second one, `water` rises
LINES = 9 * DAYS


def report(world: World, day: int, number: int) -> Object:
    """Return a report that is the same in every run."""
    id = f"indicator--{uuid.uuid5(uuid.NAMESPACE_OID, f'{day}.{number}')}"
    return world.report(id=id, pattern=f"[ipv4-addr:value = '203.0.113.{10 * day + number}']")


async def live(world: World, part: int) -> None:
    """Let `energy` report day by day, and `water` confirm it and say what it thinks."""
    for day in range(part * DAYS, (part + 1) * DAYS):
        world.now_us = START_US + day * DAY_US
        reports = [report(world, day, number) for number in range(4)]
        await world.push("energy", *reports)
        await world.push("water", *map(world.sighting, reports), world.opinion(reports[0], "agree"))


async def open_world(url: str, part: int) -> tuple[World, Killing]:
    """Open the hub as it is when a part has been lived."""
    db = Killing(await open_database(url))
    world = World(await open_hub(Config(database_url=url), db), START_US + ((part + 1) * DAYS - 1) * DAY_US + 2_000)
    world.hub.now_us = lambda: world.now_us
    return world, db


async def main(url: str, point: str, part: int) -> None:
    world, db = await open_world(url, part - 1)
    await world.settle()
    await live(world, part)
    db.point = point
    await assess(world.hub)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
