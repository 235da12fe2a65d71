"""Hubs, one after another on one database, each of which is killed at another point of building the log. Run by test_kill.

    python -m tests.tlog.keeper URL KEYS

Each is a process of its own. It enters and signs what the one before left, then pushes envelopes, and after each enters and signs what
waits; it writes each checkpoint to standard output once that is published. It kills itself (SIGKILL) at its point of the last time.
"""

import asyncio
import json
import os
import signal
import sys
from typing import Any

from hub.domain.signing.keys import PublicKey, Signer
from hub.keys.held import HubKeys
from hub.service.proofs import get_checkpoint
from tests.feed.pusher import indicators
from tests.killing import KilledAfter, Killing
from tests.tlog.place import give, keep, opened

ENVELOPES = 2  # of each hub
WRITES = ("entering", "publishing")  # the two transactions of a round, in their order; between them it signs, and remembers what it signed
SIGNING = "signing"
POINTS = (
    "entering: inside the transaction", "entering: before the commit", "entering: after the commit", SIGNING,
    "publishing: before the transaction", "publishing: before the commit", "publishing: after the commit",
)  # fmt: skip


class KillingWrite(Killing):
    """A database that is killed with its process at a point of the n-th write from now on."""

    def __init__(self, inner: Any, write: int, point: str) -> None:
        super().__init__(inner)
        self._writes_left, self._at = write, point

    async def write(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        if self._writes_left == 0 and self._at == "inside the transaction":
            return await self.inner.write(lambda conn: work(KilledAfter(conn, 2), *args, **kwargs))
        self.point = self._at if self._writes_left == 0 else None
        self._writes_left -= 1
        return await super().write(work, *args, **kwargs)


class KillingSigner:
    """A signer whose process dies when it is asked to sign."""

    is_prompt = True

    def __init__(self, inner: Signer) -> None:
        self.inner = inner

    @property
    def public(self) -> PublicKey:
        return self.inner.public

    def sign(self, data: bytes) -> bytes:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError(f"alive after {len(data)} bytes")


async def live_and_die(url: str, keys: str, point: str, first: int) -> None:
    async with opened(url, keys_dir=keys) as hub:
        await keep(hub)
        for number in range(first, first + ENVELOPES):
            await give(hub, *indicators(number))
            if number == first + ENVELOPES - 1:
                write, _, at = point.partition(": ")
                if write in WRITES:
                    hub.db = KillingWrite(hub.db, WRITES.index(write), at)
                else:
                    hub.hold_keys(HubKeys(hub.keys.object, KillingSigner(hub.keys.log), hub.keys.response))
            await keep(hub)
            say(checkpoint=await get_checkpoint(hub))


def say(**said: object) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def main(url: str, keys: str) -> None:
    for number, point in enumerate(POINTS):
        process = os.fork()  # before there is any thread or event loop
        if process == 0:
            asyncio.run(live_and_die(url, keys, point, number * ENVELOPES))
            os._exit(1)
        _, status = os.waitpid(process, 0)
        say(point=point, killed=os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:3])
