"""Hot queries are seeks on an index: their plans name it, and none of them walks the whole feed."""

import json
import re

import pytest

from hub.domain.appending import Incoming
from hub.domain.feed import Base, Shift, View
from hub.domain.ids import CollectionId, LabelId, MemberId
from hub.domain.json import read_items
from hub.domain.label import Label, Tlp
from hub.domain.member import MemberKind
from hub.domain.stix import Limits, read_object
from hub.store import deliveries, lanes
from hub.store.append import load_batch, load_object
from hub.store.assessment import count_open_lines, read_open_lines
from hub.store.database import Connection, open_database
from hub.store.feed import Selection, entries_of, page_of_objects
from hub.store.happened import entries_happened, labels_of
from hub.store.standing import count_entries
from hub.store.tables import table
from tests.taxii.content import indicator

PLAIN = View((LabelId(1), LabelId(2)), {}, everything=False)
SHAPES = {
    "everything": (View((LabelId(1),), {}, everything=True), "everything", (), {"ix_entry_latest", "pk_version"}),
    "a scan": (PLAIN, "scan", (), {"ix_entry_latest", "pk_version"}),
    "label by label": (PLAIN, "seek", (), {"ix_entry_label_latest", "pk_version"}),
    "by type": (PLAIN, "seek", ("x-type-1",), {"ix_entry_type", "pk_version"}),
    "a backlog": (View((), {LabelId(1): (Base(8, 0, 5), Shift(0, 7))}, everything=False), "", (), {"ix_entry_ordinal", "pk_version"}),
}


class Explaining:
    """Runs EXPLAIN in place of statements and keeps their plans; the statements, too, where it is `answering`."""

    def __init__(self, conn, *, answering: bool = False) -> None:  # noqa: ANN001
        self.conn, self.dialect, self.plan, self.answering = conn, conn.dialect, "", answering

    async def fetch(self, statement, **values: object) -> list[object]:  # noqa: ANN001
        text, bound = statement.bound(self.dialect, values)
        if self.dialect == "sqlite":
            self.plan += "\n".join(row[3] for row in self.conn.raw.execute(f"EXPLAIN QUERY PLAN {text}", bound))
        else:
            await self.conn.raw.execute(f"PREPARE explained AS {text}")
            # Of the plan that the hub's sessions keep for all values (EXPLAIN alone would make one for these).
            values_of_any_kind = f"({', '.join(['NULL'] * len(bound))})" if bound else ""
            self.plan += "\n".join(row[0] for row in await self.conn.raw.fetch(f"EXPLAIN EXECUTE explained{values_of_any_kind}"))
            await self.conn.raw.execute("DEALLOCATE explained")
        return await self.conn.fetch(statement, **values) if self.answering else []

    async def fetch_one(self, statement, **values: object) -> object:  # noqa: ANN001
        rows = await self.fetch(statement, **values)
        return rows[0] if rows else None

    async def fetch_value(self, statement, **values: object) -> object:  # noqa: ANN001
        return (await self.fetch(statement, **values))[0][0]


LABELS = 200
ENTRIES = 20_000
COLUMNS = ("collection_row", "date_us", "label_id", "ordinal", "object_row", "version_row", "version_us", "type", "bytes", "superseded_us")


async def _fill(conn: Connection) -> None:
    """A feed in which a label, and a type, are one entry in two hundred; what came last was stored first."""
    entries = [(1, 8 * n, n % LABELS, n // LABELS, n, ENTRIES - n, 1, f"x-type-{n % LABELS}", 100, None) for n in range(ENTRIES)]
    await conn.insert_many(table("entry"), COLUMNS, entries)
    versions = [(ENTRIES - n, n, 1, "1", "2.1", b"", "", 0, b'{"date":%d}'.ljust(900) % (8 * n)) for n in range(ENTRIES)]
    names = ("row", "object_row", "version_us", "version", "spec_version", "digest", "producer_id", "accepted_us", "body")
    await conn.insert_many(table("version"), names, versions)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_page_is_a_seek(database_url: str, shape: str) -> None:
    view, plan, types, indexes = SHAPES[shape]
    db = await open_database(database_url)
    await db.write(_fill)
    async with db.read() as conn:
        if conn.dialect == "postgresql":
            await conn.raw.execute("ANALYZE entry, version")
        explaining = Explaining(conn, answering=True)
        page = await page_of_objects(explaining, 1, view, plan, Selection(0, 10**15, 5, types=types))
    await db.close()
    dates = [json.loads(body)["date"] for body in read_items(b"[%b]" % page.objects)]
    assert len(dates) == 5, dates
    assert dates == sorted(dates), dates
    if database_url.startswith("sqlite"):
        names = {re.sub("pk_version", "INTEGER PRIMARY KEY", name) for name in indexes}
        assert all(name in explaining.plan for name in names), explaining.plan
        if plan in ("everything", "scan"):
            assert all("(collection_row=? AND date_us>? AND date_us<?)" in line for line in explaining.plan.splitlines() if "entry" in line)
        walked = re.findall(r"SCAN (?!bound|wanted|anon|json_each|\(subquery|SUBQUERY|CONSTANT)\w+", explaining.plan)
        assert walked == [], explaining.plan
        assert "(collection_row=?)" not in explaining.plan, explaining.plan  # that would be all there is in the collection
    else:
        assert any(name in explaining.plan for name in indexes - {"pk_version"}), explaining.plan
        assert "Seq Scan" not in explaining.plan
    assert table("entry").name in explaining.plan


async def test_an_object_is_sought_by_its_id_even_by_a_plan_that_is_made_while_tables_are_small(database_url: str) -> None:
    db = await open_database(database_url)

    async def explain(conn: Connection) -> str:
        await conn.insert_many(table("collection_clock"), ("collection_row", "clock_us", "labels"), [(1, 0, 0)])
        objects = [(1, "x--1", "", "x", ""), (2, "x--1", "of a producer", "x", "")]
        await conn.insert_many(table("object"), ("row", "stix_id", "lineage", "type", "owner_id"), objects)
        explaining = Explaining(conn, answering=True)
        await load_object(explaining, 1, "x--1", 0)
        await entries_of(explaining, 1, ["x--1"])
        await labels_of(explaining, 1, ["x--1"])
        return explaining.plan

    plan = await db.write(explain)
    await db.close()
    assert plan.count("ix_entry_object") >= 3, plan
    assert plan.count("equal_copy") >= 2, plan
    assert not re.search(r"Seq Scan|SCAN (?!json_each)|entry USING INDEX (?!ix_entry_object)", plan), plan


async def test_what_a_push_has_to_know_is_sought_by_its_label_and_its_ids(database_url: str) -> None:
    db = await open_database(database_url)
    label, by = Label(CollectionId("c"), Tlp.GREEN, MemberKind.OPERATOR), MemberId("identity--1")
    coming = [Incoming(read_object(json.dumps(indicator()).encode(), limits=Limits()), label, by) for _ in range(2)]

    async def explain(conn: Connection) -> str:
        await conn.insert_many(table("collection_clock"), ("collection_row", "clock_us", "labels"), [(1, 0, 0)])
        explaining = Explaining(conn, answering=True)
        await load_batch(explaining, 1, coming, frozenset(), 0)
        return explaining.plan

    plan = await db.write(explain)
    await db.close()
    assert not re.search(r"Seq Scan|SCAN (?!json_each|CONSTANT)", plan), plan
    for sought in ("(collection_row=? AND digest=?)", "(stix_id=?)") if database_url.startswith("sqlite") else ("digest", "stix_id"):
        assert sought in plan, plan


async def test_open_lines_of_the_ledger_are_sought_among_the_open_ones(database_url: str) -> None:
    db = await open_database(database_url)
    async with db.read() as conn:
        counting, reading = Explaining(conn, answering=True), Explaining(conn)
        assert await count_open_lines(counting, 1) == 0
        await read_open_lines(reading, 10)
    await db.close()
    assert "ix_ledger_open" in counting.plan
    assert "ix_ledger_open" in reading.plan


async def test_what_an_event_is_told_of_is_sought_by_its_version(database_url: str) -> None:
    db = await open_database(database_url)
    async with db.read() as conn:
        explaining = Explaining(conn)
        await entries_happened(explaining, 1, [1, 2])
    await db.close()
    assert "ix_entry_object" in explaining.plan
    assert not re.search(r"Seq Scan|\(collection_row=\?\)|entry USING INDEX ix_entry_(?!object)", explaining.plan), explaining.plan


async def test_what_came_lately_is_counted_by_date_and_not_among_all_there_is(sqlite_url: str) -> None:
    db = await open_database(sqlite_url)
    async with db.read() as conn:
        explaining = Explaining(conn)
        await count_entries(explaining, 1, 5)
    await db.close()
    assert "(collection_row=? AND date_us>?)" in explaining.plan, explaining.plan


async def test_what_waits_of_a_subscription_is_sought_among_what_waits(database_url: str) -> None:
    db = await open_database(database_url)
    plans = {}
    async with db.read() as conn:
        for name, statement, values in (
            ("the first in line", lanes._HEAD, {"lane": 1}),
            ("what is left", lanes._LEFT, {"lanes": [1, 2]}),
            ("those that are taken", lanes._PICK[conn.dialect], {"lanes": [1, 2], "now": 1, "each": 16}),
            ("how many wait", deliveries._WAITING, {"subscription": 1}),
        ):
            explaining = Explaining(conn)
            await explaining.fetch(statement, **values)
            plans[name] = explaining.plan
    await db.close()
    assert {name: plan for name, plan in plans.items() if "ix_delivery_waiting" not in plan or "ix_delivery_log" in plan} == {}


async def test_more_types_than_one_statement_can_seek_are_still_found(database_url: str) -> None:
    db = await open_database(database_url)
    await db.write(_fill)
    types = tuple(f"x-type-{n}" for n in range(600))
    async with db.read() as conn:
        page = await page_of_objects(
            conn, 1, View((LabelId(1),), {}, everything=True), "everything", Selection(-1, 10**15, 50, types=types)
        )
    assert len(read_items(b"[%b]" % page.objects)) == 50
    await db.close()
