"""Learning who produced a rendition takes two officers, who are people, and the producer is told."""

import asyncio

import pytest

from hub.domain.ledger import LedgerKind
from hub.domain.lifting import LiftState
from hub.domain.member import Principal, Role
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.administer import COMMAND_LINE
from hub.service.anonymity import Lifted, answer_lift, get_lift, get_names, list_attributions, list_lifts, propose_lift, set_names
from hub.service.audit import list_audit
from hub.store.contests import list_events
from tests.anonymity.world import Anonymous, hidden
from tests.taxii.content import Object, indicator

ANN, BOB, EVE = (Principal(f"person:{name}", Role.ADMIN) for name in ("ann", "bob", "eve"))


@pytest.fixture
async def given(anonymous: Anonymous) -> Object:
    given = indicator(**hidden())
    await anonymous.give(given)
    return given


async def propose(anonymous: Anonymous, officer: Principal = ANN) -> Lifted:
    (rendition,) = await anonymous.renditions()
    return await propose_lift(anonymous.world.hub, officer, rendition["id"], "A court asks.")


async def test_two_officers_learn_the_producer_and_a_third_does_not(either_anonymous: Anonymous) -> None:
    anonymous, given = either_anonymous, indicator(**hidden())
    await anonymous.give(given)
    hub, proposed = anonymous.world.hub, await propose(anonymous)
    assert proposed.producer is None
    lifted = await answer_lift(hub, BOB, proposed.lift.id, approved=True)
    assert lifted.producer == await anonymous.world.member("energy")
    assert lifted.original == given["id"]
    directory = await hub.directory()
    assert (await get_lift(hub, directory, ANN, proposed.lift.id)).producer == lifted.producer
    assert (await get_lift(hub, directory, EVE, proposed.lift.id)).producer is None
    assert (await get_lift(hub, directory, COMMAND_LINE, proposed.lift.id)).producer is None


async def test_the_producer_is_told_who_learnt_of_it_and_why_and_others_are_not(anonymous: Anonymous, given: Object) -> None:
    hub, proposed = anonymous.world.hub, await propose(anonymous)
    energy, directory = await anonymous.world.principal("energy"), await hub.directory()
    assert await list_lifts(hub, directory, energy) == []
    await answer_lift(hub, BOB, proposed.lift.id, approved=True)
    (told,) = await list_lifts(hub, directory, energy)
    assert (told.lift.reason, told.lift.proposed_by, told.lift.answered_by) == ("A court asks.", "person:ann", "person:bob")
    assert told.original == given["id"]
    assert await list_lifts(hub, directory, await anonymous.world.principal("water")) == []
    async with hub.db.read() as conn:
        events = await list_events(conn, energy.member.id, before=None, limit=10)
    assert [event.detail["by"] for event, _ in events if event.kind is LedgerKind.LIFTED] == [["person:ann", "person:bob"]]


async def test_each_step_is_in_the_audit_trail_which_does_not_name_the_producer(anonymous: Anonymous, given: Object) -> None:
    hub, proposed = anonymous.world.hub, await propose(anonymous)
    await answer_lift(hub, BOB, proposed.lift.id, approved=True)
    entries = await list_audit(hub, COMMAND_LINE, limit=2)
    assert [(entry.actor, entry.action, entry.target) for entry in entries] == [
        ("person:bob", "anonymity.lift", proposed.lift.rendition),
        ("person:ann", "anonymity.propose", proposed.lift.rendition),
    ]
    assert (await anonymous.world.member("energy")).id not in repr(entries)
    assert given["id"] not in repr(entries)


@pytest.mark.parametrize("alone", [ANN, COMMAND_LINE])
async def test_nobody_answers_their_own_proposal(anonymous: Anonymous, given: Object, alone: Principal) -> None:
    proposed = await propose(anonymous, alone)
    with pytest.raises(Withheld, match="you proposed this yourself"):
        await answer_lift(anonymous.world.hub, alone, proposed.lift.id, approved=True)


async def test_a_refusal_tells_nobody_anything_and_stands(anonymous: Anonymous, given: Object) -> None:
    hub, proposed = anonymous.world.hub, await propose(anonymous)
    refused = await answer_lift(hub, BOB, proposed.lift.id, approved=False)
    assert (refused.lift.state, refused.producer) == (LiftState.REFUSED, None)
    with pytest.raises(Conflict, match="answered before"):
        await answer_lift(hub, EVE, proposed.lift.id, approved=True)
    assert await list_lifts(hub, await hub.directory(), await anonymous.world.principal("energy")) == []


async def test_who_is_no_officer_or_no_person_may_neither_propose_nor_answer(anonymous: Anonymous, given: Object) -> None:
    hub, proposed = anonymous.world.hub, await propose(anonymous)
    water = await anonymous.world.member("water")
    for caller in (
        Principal("token:abc", Role.ADMIN),
        Principal("person:wat", Role.COORDINATOR, water),
        Principal("person:pub", Role.PUBLISHER, await anonymous.world.member("agency")),
    ):
        with pytest.raises(Withheld):
            await propose(anonymous, caller)
        with pytest.raises(Withheld):
            await answer_lift(hub, caller, proposed.lift.id, approved=True)
    agency = Principal("person:duty", Role.COORDINATOR, await anonymous.world.member("agency"))
    assert (await answer_lift(hub, agency, proposed.lift.id, approved=True)).producer is not None


async def test_what_is_no_rendition_open_already_or_without_a_reason_is_not_proposed(anonymous: Anonymous, given: Object) -> None:
    hub = anonymous.world.hub
    with pytest.raises(NotFound):
        await propose_lift(hub, ANN, given["id"], "A court asks.")
    with pytest.raises(Invalid, match="reason"):
        await propose_lift(hub, ANN, (await anonymous.renditions())[0]["id"], " ")
    outcomes = await asyncio.gather(propose(anonymous), propose(anonymous, BOB), return_exceptions=True)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1


async def test_names_that_a_member_adds_are_kept_out_of_renditions(anonymous: Anonymous) -> None:
    hub, energy = anonymous.world.hub, await anonymous.world.principal("energy")
    assert await set_names(hub, energy, "energy", ["Lightning Desk", "volt.example"]) == ["Lightning Desk", "volt.example"]
    for text in ("From lightning  desk with thanks", "https://cdn.volt.example/x"):
        status = await anonymous.push("energy", indicator(description=text, **hidden()))
        assert "description names you" in str(status.failures[0].failure)
    status = await anonymous.push("water", indicator(description="Lightning Desk", **hidden()))
    assert not status.failures


async def test_a_member_sees_and_sets_its_own_names_only(anonymous: Anonymous) -> None:
    hub, water = anonymous.world.hub, await anonymous.world.principal("water")
    with pytest.raises(NotFound):
        await set_names(hub, water, "energy", ["Some name"])
    with pytest.raises(NotFound):
        get_names(await hub.directory(), water, "energy")
    with pytest.raises(Invalid, match="shorter than 3"):
        await set_names(hub, water, "water", ["ab"])


async def test_a_member_sees_what_it_set_and_nobody_else_does(anonymous: Anonymous) -> None:
    await anonymous.hide()
    directory = await anonymous.world.hub.directory()
    (wish,) = list_attributions(directory, await anonymous.world.principal("energy"))
    assert (wish.member.slug, wish.collection.alias, wish.known_to) == ("energy", "shared", "hub")
    assert list_attributions(directory, await anonymous.world.principal("water")) == []
