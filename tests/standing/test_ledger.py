"""The ledger is written with what it tells, once; and what follows from it line by line is what follows from it all at once."""

import random

import pytest
from sqlalchemy import update

from hub.domain.appending import Incoming
from hub.domain.label import Label, Tlp
from hub.domain.member import MemberKind, Role
from hub.domain.scoring import Verdict
from hub.domain.stix import Limits, read_object
from hub.domain.taxii import ALL_VERSIONS, Query
from hub.service.adjudicate import rule_item
from hub.service.remove import delete_object
from hub.store.append import load_batch, write_batch
from hub.store.database import prepare
from hub.store.tables import table
from tests.standing.world import World
from tests.taxii.content import Object, domain_name, envelope, version_of

COMPUTED = {
    "item": (),
    "observable": (),
    "voucher": (),
    "vouch_pair": (),
    "standing_event": (),
    "account": ("member_id", "contribution", "feedback", "practice", "good", "bad", "feedback_day", "feedback_count", "granted"),
    "report_request": (),
}


async def accepted(world: World) -> int:
    return [kind for (kind,) in await world.rows("ledger", "kind")].count("accepted")


async def test_each_accepted_version_has_one_line_however_often_it_is_pushed(either_world: World):
    world, first = either_world, either_world.report()
    await world.push("energy", first, world.report())
    assert await accepted(world) == 2
    await world.push("energy", first)
    assert await accepted(world) == 2
    await world.push("energy", version_of(first, "2026-09-02T00:00:00.000Z"))
    assert await accepted(world) == 3


async def test_an_equal_copy_has_its_lines_whether_it_is_the_one_that_is_served_or_not(either_world: World):
    world, obj = either_world, domain_name()
    slugs = ("energy", "water", "agency")
    for slug in slugs:
        await world.push(slug, obj)
    for slug in ("water", "energy", "agency"):  # held beside, served, served since
        directory, principal = await world.hub.directory(), await world.principal(slug)
        await delete_object(world.hub, directory, principal, "hub", "shared", obj["id"], Query(versions=ALL_VERSIONS))
    held = dict(await world.rows("version", "row", "producer_id"))
    lines = [line for line in await world.rows("ledger", "member_id", "kind", "version_row") if line[2] in held]
    owners = [(await world.member(slug)).id for slug in slugs]
    assert sorted((owner, kind) for owner, kind, _ in lines) == sorted((o, kind) for o in owners for kind in ("accepted", "deleted"))
    assert all(held[version] == owner for owner, _, version in lines), "each about its own version"
    await world.settle()


async def test_a_version_whose_transaction_fails_leaves_no_line(either_world: World):
    world, directory = either_world, await either_world.hub.directory()
    held = directory.find_collection("hub", "shared")
    assert held is not None
    body = envelope(world.report())[len(b'{"objects": [') : -len(b"]}")]
    label = Label(held.collection.id, Tlp.GREEN, MemberKind.OPERATOR)
    incoming = [Incoming(read_object(body, limits=Limits()), label, (await world.member("energy")).id)]

    before = await world.rows("version", "row")

    async def fail(conn) -> None:  # noqa: ANN001
        batch = await load_batch(conn, held.row, incoming, directory.members.keys(), world.now_us)
        batch.add(incoming[0])
        await write_batch(conn, batch)
        raise RuntimeError("the power fails")

    with pytest.raises(RuntimeError):
        await world.hub.db.write(fail)
    assert (await accepted(world), await world.rows("version", "row")) == (0, before)


@pytest.mark.parametrize("seed", range(6))
async def test_line_by_line_comes_to_the_same_as_all_at_once(world: World, seed: int):
    await live(world, random.Random(seed))
    await world.settle()
    step_by_step = {name: await world.rows(name, *columns) for name, columns in COMPUTED.items()}
    assert len(step_by_step["item"]) > 5

    state = table("assessment")
    await world.hub.db.write(lambda conn: conn.execute(prepare(update(state).values(rules="of another day"))))
    await world.settle()
    assert {name: await world.rows(name, *columns) for name, columns in COMPUTED.items()} == step_by_step


async def test_while_all_is_computed_again_no_standing_changes(world: World):
    given = [world.report() for _ in range(3)]
    for obj in given:
        await world.push("energy", obj)
        await world.push("water", world.sighting(obj))
        world.pass_time(days=1)
    await world.settle()
    before = await world.rows("standing_history", "member_id", "standing", "before")
    state = table("assessment")
    await world.hub.db.write(lambda conn: conn.execute(prepare(update(state).values(rules="of another day"))))
    await world.settle()
    moved = [row for row in await world.rows("standing_history", "standing", "before") if row[0] != row[1]]
    assert moved == []
    assert len(await world.rows("standing_history", "member_id")) > len(before) - 1


async def live(world: World, chance: random.Random) -> None:
    """Let members give, confirm, judge, take back and delete at random, with assessments in between at random."""
    given: list[tuple[str, Object]] = []
    slugs = ("energy", "water", "telecoms", "sister")
    for _ in range(60):
        who = chance.choice(slugs)
        about = chance.choice(given)[1] if given else None
        match chance.randrange(9):
            case 0 | 1 | 2:
                obj = world.report(pattern=f"[ipv4-addr:value = '203.0.113.{chance.randrange(12)}']")
                place = chance.choice(["shared", "shared", "private"]) if who in ("energy", "water") else "shared"
                await world.push(who, obj, to=place)
                given.append((who, obj))
            case 3 | 4 if about is not None:
                await world.push(who, world.sighting(about, count=chance.choice([0, 3])))
            case 5 if about is not None:
                await world.push(who, world.opinion(about, chance.choice(["agree", "disagree", "neutral"])))
            case 6 if given:
                await judge(world, chance, given)
            case 7 if given:
                await take_back(world, chance, given)
            case _:
                world.pass_time(hours=chance.randrange(40))
        if chance.random() < 0.4:
            await world.settle()


async def judge(world: World, chance: random.Random, given: list[tuple[str, Object]]) -> None:
    directory = await world.hub.directory()
    await world.settle()
    rows = await world.rows("item", "row", "collection_row")
    public = directory.find_collection("hub", "shared")
    assert public is not None
    visible = [row for row, collection in rows if collection == public.row]
    if visible:
        verdict = chance.choice([Verdict.TRUE, Verdict.FALSE])
        await rule_item(
            world.hub, directory, await world.principal("agency", Role.COORDINATOR), chance.choice(visible), verdict, "We looked."
        )  # fmt: skip


async def take_back(world: World, chance: random.Random, given: list[tuple[str, Object]]) -> None:
    who, obj = given.pop(chance.randrange(len(given)))
    if chance.random() < 0.5:
        world.now_us += 2_000
        await world.push(who, version_of(obj, world.moment(), revoked=True))
        return
    directory, principal = await world.hub.directory(), await world.principal(who)
    for place in ("shared", "private"):
        held = directory.find_collection("hub", place)
        entries = await world.rows("entry", "collection_row", "object_row")
        rows = {stix_id: row for row, stix_id in await world.rows("object", "row", "stix_id")}
        assert held is not None
        if (held.row, rows[obj["id"]]) in entries:
            await delete_object(world.hub, directory, principal, "hub", place, obj["id"], Query(versions=ALL_VERSIONS))
