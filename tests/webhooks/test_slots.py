"""Slots: who may send at a time, so that what hangs holds up nobody else."""

import asyncio
from functools import partial

from hub.service.deliver import IN_FLIGHT_MAX, LINGERING_MAX, Slots
from tests.web.hubs import until


async def test_what_hangs_makes_room_for_others_as_far_as_it_may_and_never_holds_up_what_is_urgent():
    slots, let_go, one = Slots(IN_FLIGHT_MAX, moment_s=0.001), asyncio.Event(), asyncio.Event()
    lasting = [slots.run(let_go.wait, is_old=False) for _ in range(LINGERING_MAX - 1)] + [slots.run(one.wait, is_old=False)]
    tasks = [asyncio.ensure_future(each) for each in lasting]
    await until(lambda: slots.lingering == LINGERING_MAX)
    tasks += [asyncio.ensure_future(slots.run(let_go.wait, is_old=False)) for _ in range(IN_FLIGHT_MAX)]
    await asyncio.sleep(0.05)  # so that all have lasted
    done: list[str] = []
    healthy = asyncio.ensure_future(slots.run(partial(_note, done, "healthy"), is_old=False))
    await slots.run(partial(_note, done, "urgent"), is_old=False, is_urgent=True)
    assert done == ["urgent"]
    one.set()  # there is room for one more to linger, and then for each that ends
    let_go.set()
    await healthy
    await asyncio.gather(*tasks)
    assert slots.lingering == 0


async def _note(done: list[str], what: str) -> None:
    done.append(what)
