"""Promises 1 and 2 under agreements: nobody sees what is shared under one that is not in force for it; nobody misses what it may see.

Each example is a history: agreements that are made, change their parties, start, end and are ended; a collection that rests now on one,
now on another; pushes; clocks that jump forwards and back; and clients that poll at two nodes whose clocks differ.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.agreements.world import MINUTE_US, PARTIES, Site, World

WHICH, NODE = st.integers(0, 2), st.integers(0, 1)
PARTY = st.sampled_from(sorted(PARTIES))
AGREE = st.tuples(st.just("agree"), st.tuples(PARTY, st.integers(-60, 60), st.none() | st.integers(20, 100)))
REST_ON = st.tuples(st.just("rest_on"), st.tuples(WHICH))
CHANGE = st.one_of(
    st.tuples(st.just("end_one"), st.tuples(WHICH)),
    st.tuples(st.just("admit_others"), st.tuples(WHICH, PARTY)),
    st.tuples(st.just("rest_on"), st.tuples(st.none() | WHICH)),
)
PUSH = st.tuples(st.just("push"), st.tuples(st.integers(1, 3), NODE))
FOLLOW = st.tuples(st.just("follow"), st.lists(st.tuples(st.integers(0, 5), NODE), min_size=4, max_size=12))
TIME = st.tuples(st.just("time"), st.integers(-20, 50))
# Mostly time passes and clients poll: an agreement has to start and end without anything else happening.
ROUND = st.tuples(st.integers(0, 4), CHANGE, PUSH, TIME, FOLLOW)
BEGINNING = st.tuples(AGREE, AGREE, REST_ON, PUSH, FOLLOW)


@pytest.fixture(scope="module")
def site(module_url: str, runner: asyncio.Runner) -> Iterator[Site]:
    site = runner.run(Site.open(module_url))
    yield site
    runner.run(site.db.close())


@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(beginning=BEGINNING, rounds=st.lists(ROUND, min_size=4, max_size=14))
def test_content_flows_while_its_agreement_is_in_force_and_to_its_parties_only(
    beginning: tuple, rounds: list, site: Site, runner: asyncio.Runner
) -> None:
    steps = list(beginning)
    for dice, change, push, time, follow in rounds:
        steps += [*([change] if dice == 0 else []), *([push] if dice == 1 else []), time, follow]
    assert runner.run(_live(World(site), steps)) == {}


async def _live(world: World, steps: list[tuple[str, Any]]) -> dict[str, set[str]]:
    await world.begin()
    for kind, detail in steps:
        if kind == "follow":
            for reader, node in detail:
                await world.poll(world.readers[reader], node)
        elif kind == "time":
            world.site.now_us += detail * MINUTE_US
        else:
            await getattr(world, kind)(*detail)
    return await world.end()
