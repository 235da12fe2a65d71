"""A hub in a process of its own that pushes and is killed at a named point. Run by test_never_lose.

    python -m tests.feed.pusher URL ALIAS MEMBER POINT FIRST COUNT

It pushes envelopes of ten indicators as the first member, and writes the number of an envelope to standard output once that is
acknowledged. The process kills itself (SIGKILL) at POINT of envelope COUNT.
"""

import asyncio
import json
import sys
import uuid

from hub.config import load_config
from hub.domain.member import Principal, Role
from hub.service.admit import push
from hub.service.context import open_hub
from hub.store.database import open_database
from tests.killing import Killing

POINTS = ("before the transaction", "inside the transaction", "before the commit", "after the commit")
ENVELOPE_OBJECTS = 10


def indicators(envelope: int) -> list[dict[str, object]]:
    """The objects of the n-th envelope."""
    return [
        {
            "type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid5(uuid.NAMESPACE_OID, f'{envelope}.{n}')}",
            "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-01T00:00:00.000Z", "pattern_type": "stix",
            "pattern": f"[ipv4-addr:value = '203.0.113.{n}']", "valid_from": "2026-01-01T00:00:00Z",
        }
        for n in range(ENVELOPE_OBJECTS)
    ]  # fmt: skip


async def main(url: str, alias: str, member: str, point: str, first: int, count: int) -> None:
    db = Killing(await open_database(url))
    hub = await open_hub(load_config(environ={}, database_url=url), db)
    directory = await hub.directory()
    principal = Principal("test", Role.PUBLISHER, directory.find_member(member))
    for number in range(first, first + count):
        if number == first + count - 1:
            db.point = point
        status = await push(hub, directory, principal, "hub", alias, json.dumps({"objects": indicators(number)}).encode())
        assert len(status.successes) == ENVELOPE_OBJECTS, status.failures
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:5], int(sys.argv[5]), int(sys.argv[6])))
