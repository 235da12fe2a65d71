"""A node in a process of its own that pushes what standard input holds: a JSON list of envelopes' objects.

python -m tests.feed.writer URL ALIAS MEMBER SKEW_US
"""

import asyncio
import json
import sys

from hub.config import load_config
from hub.domain.ids import MemberId
from hub.domain.member import Principal, Role
from hub.service.admit import push
from hub.service.context import now_us, open_hub
from hub.store.database import open_database


async def main(url: str, alias: str, member: str, skew_us: int) -> None:
    db = await open_database(url)
    hub = await open_hub(load_config(environ={}, database_url=url), db)
    hub.now_us = lambda: now_us() + skew_us
    principal = Principal("test", Role.PUBLISHER, (await hub.directory()).members[MemberId(member)])
    for objects in json.load(sys.stdin):
        status = await push(hub, await hub.directory(), principal, "hub", alias, json.dumps({"objects": objects}).encode())
        assert not status.failures, status.failures
    await db.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
