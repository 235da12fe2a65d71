"""`make bench`: run the benchmarks, or some (`ONLY=poll,push`), and end with one table."""

import argparse
import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable

import uvloop

from tests.bench import log, messages, policy, poll, push, scale, signing, stall, standing, validation, webhooks
from tests.bench.databases import ENGINES, Unmeasured
from tests.bench.load import Refused
from tests.bench.report import Finding, show, table
from tests.bench.settings import Settings

BENCHES: dict[str, Callable[[Settings], AsyncIterator[Finding]]] = {
    "validation": validation.measure,
    "poll": poll.measure,
    "push": push.measure,
    "stall": stall.measure,
    "scale": scale.measure,
    "standing": standing.measure,
    "policy": policy.measure,
    "messages": messages.measure,
    "signing": signing.measure,
    "log": log.measure,
    "webhooks": webhooks.measure,
}


def main() -> None:
    defaults = Settings()
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", default="", help=f"names joined by commas: {', '.join(BENCHES)}")
    parser.add_argument("--engine", choices=ENGINES, help="measure on one engine only")
    parser.add_argument("--entries", type=int, help="stored before measuring; for `scale` the larger of the two sizes")
    parser.add_argument("--rounds", type=int, default=defaults.rounds, help="times that each pair is measured")
    parser.add_argument("--seconds", type=float, default=defaults.seconds, help="of polls in a turn")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else list(BENCHES)
    if unknown := set(names) - BENCHES.keys():
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    engines = (given.engine,) if given.engine else ENGINES
    settings = Settings(engines, given.entries, given.rounds, given.seconds)
    findings = uvloop.run(_measure(names, settings))
    print(f"\n{table(findings)}")


async def _measure(names: list[str], settings: Settings) -> list[Finding]:
    findings: list[Finding] = []
    task = asyncio.current_task()
    assert task is not None, "it runs in one"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)  # so that every server is ended on the way out
    for name in names:
        began = time.monotonic()
        print(f"== {name}", flush=True)
        try:
            async for finding in BENCHES[name](settings):
                show(finding)
                findings.append(finding)
        except Unmeasured as e:
            print(f"skipped: {e}", flush=True)
        except (Refused, TimeoutError) as e:
            # What the hub does not do at all is no reason to leave the rest unmeasured.
            print(f"MISS  {name} broke off: {e!r}", flush=True)
        print(f"   {time.monotonic() - began:.0f} s", flush=True)
    return findings


if __name__ == "__main__":
    main()
