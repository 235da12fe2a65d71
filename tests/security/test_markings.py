"""Rows 10 and 11 of the threat table, of markings: nobody else can say what a producer's markings mean."""

import uuid
from typing import Any

import pytest

from hub.domain.label import Tlp
from hub.domain.marking import SHARING_EXTENSION, TLP2_EXTENSION, TLP2_IDS
from hub.domain.member import MemberKind
from hub.service.administer import COMMAND_LINE
from hub.service.members import change_member
from tests.taxii.community import WATER
from tests.taxii.content import Object, malware, statement
from tests.taxii.site import Site

GREEN, RED = TLP2_IDS[Tlp.GREEN], TLP2_IDS[Tlp.RED]


def definition(id: str, tlp: Tlp | None = None, **shared: Any) -> Object:
    """Return a marking definition under any id that says a colour, or whom it is for."""
    extensions: dict[str, Any] = {}
    if tlp is not None:
        extensions[TLP2_EXTENSION] = {"extension_type": "property-extension", "tlp_2_0": tlp.value}
    if shared:
        extensions[SHARING_EXTENSION] = {"extension_type": "property-extension", **shared}
    return {name: value for name, value in statement(id=id, extensions=extensions).items() if not name.startswith("definition")}


@pytest.fixture
def own() -> str:
    """The id of a marking of energy's own."""
    return f"marking-definition--{uuid.uuid4()}"


async def readers(site: Site, collection: str, object_id: str) -> set[str]:
    names = ("agency", "energy", "water", "observer")
    return {name for name in names if object_id in await site.caller(name).ids(f"{collection}objects/")}


async def test_who_defines_anothers_marking_does_not_become_its_recipient(either_site: Site, shared: str, own: str) -> None:
    site = either_site
    await site.water.push(shared, definition(own, recipients=[WATER.id]))
    secret = malware(object_marking_refs=[RED, own])
    await site.energy.push(shared, secret)
    assert await readers(site, shared, secret["id"]) == {"energy"}


async def test_who_defines_anothers_marking_does_not_widen_it(either_site: Site, shared: str, own: str) -> None:
    """A partner waits for content whose marking is not known; a definition by somebody else does not make it known."""
    site = either_site
    await change_member(site.hub, COMMAND_LINE, "water", kind=MemberKind.PARTNER)
    unexplained = malware(object_marking_refs=[own])
    await site.energy.push(shared, unexplained)
    await site.water.push(shared, definition(own, Tlp.CLEAR))
    later = malware(object_marking_refs=[own])
    await site.energy.push(shared, later)
    for obj in (unexplained, later):
        assert await readers(site, shared, obj["id"]) == {"agency", "energy", "observer"}


async def test_what_others_say_of_a_marking_may_narrow_what_is_passed_on(either_site: Site, shared: str, own: str) -> None:
    site = either_site
    await site.water.push(shared, definition(own, Tlp.RED))
    passed_on = malware(object_marking_refs=[own])
    await site.energy.push(shared, passed_on)
    assert await readers(site, shared, passed_on["id"]) == {"energy"}


async def test_a_producers_own_words_count_whoever_came_before(either_site: Site, shared: str, own: str) -> None:
    """Neither refused, which would tell that somebody was first, nor overruled."""
    site = either_site
    await site.water.push(shared, definition(own, Tlp.CLEAR))
    together, later = malware(object_marking_refs=[own]), malware(object_marking_refs=[own])
    await site.energy.push(shared, definition(own, Tlp.RED), together)
    await site.energy.push(shared, later)
    for obj in (together, later):
        assert await readers(site, shared, obj["id"]) == {"energy"}


async def test_a_producer_gives_its_marking_one_meaning_for_ever(either_site: Site, shared: str, second: str, own: str) -> None:
    site = either_site
    await site.energy.push(shared, definition(own, Tlp.RED))
    assert "another meaning" in await site.energy.failure(second, definition(own, Tlp.CLEAR))
    secret = malware(object_marking_refs=[own])
    await site.energy.push(second, secret)
    assert await readers(site, second, secret["id"]) == {"energy"}, "what was said in one collection counts in each"


async def test_a_marking_that_several_explain_alike_is_known_to_each(either_site: Site, shared: str, own: str) -> None:
    site = either_site
    common = statement(id=own, object_marking_refs=[GREEN])
    for caller in (site.water, site.energy):
        await caller.push(shared, common)
    later = malware(object_marking_refs=[own])
    await site.energy.push(shared, later)
    assert await readers(site, shared, later["id"]) == {"agency", "energy", "water", "observer"}
    assert (await site.caller("observer").ids(f"{shared}objects/")).count(own) == 1
