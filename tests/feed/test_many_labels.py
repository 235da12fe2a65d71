"""A view in which very many labels wait alike: one producer names itself in each, so a large community has thousands."""

from dataclasses import replace

import pytest

from hub.config import Config
from hub.domain.appending import Incoming
from hub.domain.feed import Granted, Observed, View, delay_us, observe
from hub.domain.ids import CollectionId, MemberId, new_uuid
from hub.domain.label import Label, Tlp
from hub.domain.member import MemberKind
from hub.domain.taxii import Collection, VersionMatch
from hub.service.context import open_hub
from hub.service.install import DEFAULT_ROOT, install
from hub.store.append import load_batch, write_batch
from hub.store.collections import add_collection
from hub.store.database import Connection, open_database
from hub.store.feed import Selection, list_labels, page_of_keys, plan_for
from tests.bench.content import as_read, indicator

NOW_US = 1_800_000_000_000_000
LABELS = 600
DAY_S = 24 * 3_600


@pytest.mark.parametrize("seen_at_once", [0, 1, 300])
async def test_entries_of_many_labels_that_wait_come_in_the_order_of_their_effective_dates(database_url: str, seen_at_once: int):
    db = await open_database(database_url)
    try:
        await install(db, now_us=NOW_US, title="Test")
        hub = await open_hub(Config(database_url=database_url), db)
        collection = Collection(CollectionId(new_uuid()), DEFAULT_ROOT, "Shared")
        await db.write(lambda conn: add_collection(conn, collection, now_us=NOW_US))
        row = (await hub.directory()).collections[collection.id].row
        label = Label(collection.id, Tlp.GREEN, MemberKind.OPERATOR)
        producer = MemberId("identity--producer")
        incoming = [
            Incoming(as_read(n, indicator(n, ()), ()), replace(label, topic=f"topic-{n % LABELS}"), producer) for n in range(LABELS + 50)
        ]

        async def append(conn: Connection) -> list[int]:
            batch = await load_batch(conn, row, incoming, frozenset({producer}), NOW_US)
            for one in incoming:
                batch.add(one)
            await write_batch(conn, batch)
            return [entry.date_us for _, entry in batch.appended]

        dates = await db.write(append)
        async with db.read() as conn:
            labels = await list_labels(conn, row)
            delays = {held.id: 0 if held.number < seen_at_once else delay_us(DAY_S) for held in labels}
            observed, _ = await _observed([Granted(held.id, held.number, delays[held.id]) for held in labels])
            view = View.of(observed, [(held.number, held.id) for held in labels])
            clock_us = dates[-1] + DAY_S * 1_000_000 - 1  # the last one that waits is not due
            selection = Selection(-1, clock_us, 1_000, VersionMatch(all=True, last=False))
            page = await page_of_keys(conn, row, view, plan_for(view, labels), selection)
        expected = sorted(date + (0 if n % LABELS < seen_at_once else delay_us(DAY_S)) for n, date in enumerate(dates))
        assert [key[0] for key in page] == [date for date in expected if date <= clock_us]
        assert len(page) < len(expected) or seen_at_once
    finally:
        await db.close()


async def _observed(granted: list[Granted]) -> tuple[Observed, int]:
    async def no_backlog(*_: object) -> int:
        return 0

    return await observe(Observed(), granted, NOW_US, no_backlog)
