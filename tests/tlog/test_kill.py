"""A log whose process is killed while it is built goes on as the same log, and everything acknowledged comes into it once."""

import asyncio
import json
from collections import Counter
from pathlib import Path

from hub.domain.canonical import digest
from hub.domain.tlog.checkpoint import verify_checkpoint
from hub.domain.tlog.note import Note
from hub.keys.remembered import FILE
from hub.service.log_keeping import open_log
from tests.feed.pusher import indicators
from tests.processes import PIPE, start
from tests.taxii.content import indicator
from tests.taxii.site import prepare as install
from tests.tlog.keeper import ENVELOPES, POINTS
from tests.tlog.place import digests, give, keep, look, opened, root_at


async def test_a_kill_at_any_point_of_building_the_log_forks_and_loses_nothing(database_url: str, tmp_path: Path) -> None:
    await install(database_url)
    keys = str(tmp_path / "kept")
    process = await start("tests.tlog.keeper", database_url, keys, stdout=PIPE)
    out = await asyncio.wait_for(process.communicate(), 120)
    said = [json.loads(line) for line in out.splitlines()]
    assert [(one["point"], one["killed"]) for one in said if "point" in one] == [(point, True) for point in POINTS]
    notes = [one["checkpoint"] for one in said if "checkpoint" in one]
    assert len(notes) == len(POINTS) * (ENVELOPES - 1)
    async with opened(database_url, keys_dir=keys) as hub:
        key = await open_log(hub)
        remembered = (Path(keys) / FILE).read_text()
        await keep(hub)
        await give(hub, indicator())
        await keep(hub)
        found = await look(hub)
        for note in (*notes, remembered):
            earlier = verify_checkpoint(Note.parse(note), key)
            assert await root_at(hub, earlier.size) == earlier.root, "what anybody was shown is the beginning of what is shown now"
        entered = Counter(await digests(hub))
        pushed = Counter(digest(obj) for number in range(len(POINTS) * ENVELOPES) for obj in indicators(number))
        assert pushed <= entered
        assert set(entered.values()) == {1}
        assert found.checkpoint.size == entered.total()
