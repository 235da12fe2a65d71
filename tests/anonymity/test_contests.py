"""Contests about what was given anonymously: heard by people who do not learn who contests."""

from typing import Any

import pytest

from hub.domain.ledger import LedgerKind
from hub.domain.member import Principal, Role
from hub.domain.scoring import Verdict
from hub.errors import NotFound
from hub.service.adjudicate import rule_item
from hub.service.administer import COMMAND_LINE
from hub.service.audit import list_audit
from hub.service.contests import Appeal, answer, contest_event, list_appeals, list_own_events
from hub.web.api import standing as render
from tests.anonymity.world import MINUTE_US, Anonymous, hidden

REVIEWER = "telecoms"


async def as_told(anonymous: Anonymous, principal: Principal) -> list[dict[str, Any]]:
    """Return the contests as the JSON API tells them to somebody."""
    hub = anonymous.world.hub
    found = await list_appeals(hub, await hub.directory(), principal, after=0, limit=10)
    return [render.contest(appeal).model_dump() for appeal in found]


async def contested(anonymous: Anonymous, known_to: str = "hub") -> tuple[Appeal, str]:
    """Let energy give an item anonymously, and contest that it was ruled false; return that, and the id of the item."""
    world, given = anonymous.world, anonymous.world.report(**hidden(known_to))
    await anonymous.give(given)
    item = (await world.item(given))["row"]
    judge = await world.principal("water", Role.COORDINATOR)
    await rule_item(world.hub, await world.hub.directory(), judge, item, Verdict.FALSE, "We looked at it.")
    principal = await world.principal("energy")
    (ruling,) = [event for event, _ in await list_own_events(world.hub, principal, limit=10) if event.kind is LedgerKind.RULED]
    return await contest_event(world.hub, principal, ruling.row, "The address was in our own log."), given["id"]


async def test_a_contest_of_an_anonymous_item_names_nobody_and_shows_the_rendition(either_anonymous: Anonymous) -> None:
    anonymous, world = either_anonymous, either_anonymous.world
    own, original = await contested(anonymous)
    assert (own.member, own.object) == (await world.member("energy"), original)
    (rendition,) = [obj["id"] for obj in await anonymous.renditions(REVIEWER)]
    (told,) = await as_told(anonymous, await world.principal(REVIEWER, Role.COORDINATOR))
    assert (told["member"], told["event"], told["object"], told["kind"]) == (None, None, rendition, "ruled")
    assert world.now_us % MINUTE_US, "the test's own clock stands within a minute"
    assert told["at"].endswith(":00.000000Z")
    energy = await world.member("energy")
    for principal in (await world.principal(REVIEWER, Role.COORDINATOR), await world.principal("agency", Role.COORDINATOR), COMMAND_LINE):
        text = str(await as_told(anonymous, principal))
        assert not [secret for secret in (energy.id, "energy", original) if secret in text], principal


async def test_the_answer_reaches_the_producer_and_no_trace_of_it_names_the_producer(anonymous: Anonymous) -> None:
    world = anonymous.world
    own, original = await contested(anonymous)
    reviewer = await world.principal(REVIEWER, Role.COORDINATOR)
    told = await answer(world.hub, await world.hub.directory(), reviewer, own.contest.row, upheld=True, reason="The log bears it out.")
    assert told.member is None
    ((heard,),) = [await as_told(anonymous, await world.principal("energy"))]
    assert (heard["upheld"], heard["answer"], heard["member"]) == (True, "The log bears it out.", "energy")
    entries = [entry for entry in await list_audit(world.hub, COMMAND_LINE, limit=100) if entry.action.startswith("standing.")]
    assert [entry.action for entry in entries] == ["standing.answer"]
    assert not [secret for secret in ((await world.member("energy")).id, "energy", original) if secret in str(entries)]


async def test_who_may_know_the_producer_is_told(anonymous: Anonymous) -> None:
    await contested(anonymous, known_to="agencies")
    (told,) = await as_told(anonymous, await anonymous.world.principal("agency", Role.COORDINATOR))
    assert told["member"] == "energy"
    (told,) = await as_told(anonymous, await anonymous.world.principal(REVIEWER, Role.COORDINATOR))
    assert told["member"] is None


async def test_the_same_owner_is_not_told_by_a_refusal_whose_the_contest_is(anonymous: Anonymous) -> None:
    own, _ = await contested(anonymous)
    world, sister = anonymous.world, await anonymous.world.principal("sister", Role.COORDINATOR)
    assert await as_told(anonymous, sister) == []
    with pytest.raises(NotFound):
        await answer(world.hub, await world.hub.directory(), sister, own.contest.row, upheld=True, reason="It was true.")
