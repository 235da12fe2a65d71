"""Promises 1 and 2 as properties: whatever happens, who follows the feed misses nothing that it may see and gets nothing else.

Each example is a history: pushes of versions under changing marks, deletions, rights that come and go, delays by standing,
time that jumps forwards and back, and twelve clients that poll now and then. A plain account of the rules says what is right.
"""

import asyncio
import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.errors import NotFound
from tests.feed.world import HOUR_US, MARKS, Site, World

NUMBERS = st.integers(1, 5)
PUSH = st.tuples(st.just("push"), st.lists(st.tuples(NUMBERS, st.integers(1, 6), st.sampled_from(MARKS)), min_size=1, max_size=5))
CHANGE = st.tuples(
    st.just("change"),
    st.tuples(
        st.integers(0, 2), st.sampled_from(["group", "group", "group", "suspended", "steward", "partner", "contributor", "observer"])
    ),
)
FOLLOW = st.tuples(st.just("follow"), st.lists(st.tuples(st.integers(0, 11), st.integers(1, 4)), min_size=3, max_size=12))
DELETE = st.tuples(st.just("delete"), st.tuples(NUMBERS, st.none() | st.integers(1, 6)))
TIME = st.tuples(st.just("time"), st.sampled_from([-HOUR_US, 1, 1_000_000, 3 * HOUR_US, 7 * HOUR_US, 25 * HOUR_US, 73 * HOUR_US]))
HISTORIES = st.lists(st.one_of(PUSH, PUSH, CHANGE, CHANGE, FOLLOW, FOLLOW, FOLLOW, DELETE, TIME), min_size=8, max_size=40)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(history=HISTORIES)
def test_who_follows_the_feed_misses_nothing_and_gets_nothing_else(history: list, site: Site, runner: asyncio.Runner) -> None:
    assert runner.run(_live(World(site), history)) == {}


async def _live(world: World, history: list) -> dict[str, set[tuple[str, str]]]:
    await world.begin()
    marks: dict[tuple[int, int], str] = {}
    for kind, detail in history:
        if kind == "push":
            # A version keeps the mark that it first came with: other content under the same version is refused.
            wanted = [(number, version, marks.setdefault((number, version), mark)) for number, version, mark in detail]
            if not world.suspended[0] and (world.in_group[0] or all(mark != "group" for _, _, mark in wanted)):
                await world.push(0, [world.indicator(*w) for w in wanted], [mark for _, _, mark in wanted])
        elif kind == "change":
            await world.change(*detail)
        elif kind == "follow":
            for reader, pages in detail:
                for _ in range(pages):
                    await world.poll(world.readers[reader])
        elif kind == "delete" and not world.suspended[0]:
            with contextlib.suppress(NotFound):
                await world.delete(0, *detail)
        elif kind == "time":
            world.site.now_us += detail
            await world.tick()
    return await world.end()
