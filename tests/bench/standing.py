"""Standing: the processor time of all members' scores from all of their events, and of what one accepted object changes.

Computing alone is measured first, then assessment whole, with the reading and writing of the ledger on SQLite. Seconds and microseconds are
processor time of this process.
"""

import gc
import random
import time
from collections.abc import AsyncIterator

from hub.config import Config
from hub.domain.member import Band, Size, Standing
from hub.domain.policy import PolicyBundle
from hub.domain.scoring import MICRO, ItemFacts, day_credits, rate
from hub.domain.standing import DAY_US, EPOCH_DAY, Account, Event, score, tier_of
from hub.domain.standing_rules import STANDING_FILE, EventKind, Kind, StandingRules
from hub.service.assess import LINES_MAX, assess
from hub.service.context import open_hub
from hub.store.database import open_database
from tests.bench.databases import Databases, databases
from tests.bench.report import Finding, Target
from tests.bench.seed import mark_ledger, seed
from tests.bench.settings import Settings

ALL_S = Target(30, at_most=True)
ONE_US = Target(100, at_most=True)
_MEMBERS, _EVENTS = 2_000, 1_000_000
_OBJECTS = 2_000  # accepted in a round
_DAYS = 730
_STORED, _STRETCH = 16_384, 2_048


async def measure(settings: Settings) -> AsyncIterator[Finding]:
    rules = StandingRules.parse((PolicyBundle.shipped_directory() / STANDING_FILE).read_text())
    events = settings.entries or _EVENTS
    against = f"{_MEMBERS:,} members, {events:,} events"
    spent_s = _all_members_s(rules, events)
    yield Finding("all standings from their events, s of CPU", "", [spent_s], ALL_S, f"{spent_s:.1f} s", against)
    for day_items in (1, rules.contribution.items_per_day_max):
        rounds = [_one_object_us(rules, day_items) for _ in range(settings.rounds)]
        name = f"standing after an object, {day_items} that day, µs of CPU"
        yield Finding(name, "", rounds, ONE_US, f"{min(rounds):.0f} µs at best", "rated, its day, the sums, score and tier")
    with databases("sqlite") as place:
        rounds = await _assessed_us(place)
    early, late = rounds[1 : len(rounds) // 2], rounds[len(rounds) // 2 :]
    shown = f"{min(rounds):.0f} µs at best; {min(late) / min(early):.2f} x as long with twice the history"
    yield Finding("assessment of an object, µs of CPU", "sqlite", rounds[1:], ONE_US, shown, "the ledger read, all that follows written")


async def _assessed_us(place: Databases) -> list[float]:
    """Return the time for each object of a growing history: read from the ledger, assessed, and written with all that it changes."""
    url = place.create("standing")
    thresholds = gc.get_threshold()
    await seed(url, _STORED)
    db = await open_database(url)
    try:
        await db.write(mark_ledger, assessed=0)
        hub = await open_hub(Config(database_url=url), db)
        await assess(hub)  # takes up the rules
        gc.collect()
        gc.freeze()  # as `hub serve` does
        gc.set_threshold(50_000, 20, 20)
        rounds = []
        for _ in range(_STORED // _STRETCH):
            began = time.process_time()
            for _ in range(_STRETCH // LINES_MAX):
                await assess(hub)
            rounds.append(1e6 * (time.process_time() - began) / (_STRETCH // LINES_MAX * LINES_MAX))
        return rounds
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        await db.close()


def _all_members_s(rules: StandingRules, count: int) -> float:
    """Return the time that it takes to make every account from its events and score it; making up the events is not in it."""
    chance = random.Random(1)
    kinds = list(EventKind)
    spent = 0.0
    for number in range(_MEMBERS):
        events = [
            Event(chance.choice(kinds), EPOCH_DAY + chance.randrange(_DAYS), chance.randrange(MICRO)) for _ in range(count // _MEMBERS)
        ]
        began = time.process_time()
        score(Account.of(events, rules), Band(list(Size)[number % 3]), rules, EPOCH_DAY + _DAYS)
        spent += time.process_time() - began
    return spent


def _one_object_us(rules: StandingRules, day_items: int) -> float:
    """Return the time for one object on a day with so many items: rated, its day's credits made anew, added, scored, and given a tier."""
    chance = random.Random(2)
    qualities = [chance.randrange(MICRO) for _ in range(day_items - 1)]
    day = EPOCH_DAY + _DAYS
    account = Account.of([Event(EventKind.ITEM, day - age, MICRO) for age in range(_DAYS)], rules)
    facts = ItemFacts(Kind.URL, day * DAY_US - DAY_US // 4, day * DAY_US, vouched=0.4, relevance=0.7, context=0.6, usability=0.9)
    before = sum(day_credits(qualities, rules))
    began = time.process_time()
    for _ in range(_OBJECTS):
        credit = sum(day_credits([*qualities, rate(facts, rules).quality], rules)) - before
        account = account.plus(Event(EventKind.ITEM, day, credit), rules)
        tier_of(score(account, Band(Size.MEDIUM), rules, day), Standing.PARTNER, None, rules)
    return 1e6 * (time.process_time() - began) / _OBJECTS
