"""Row 14 of the threat table: a name that the eye takes for a member's is nobody's but that member's."""
# ruff: noqa: RUF001 - characters that are taken for others are what this module is about

import unicodedata
import uuid

import pytest

from hub.domain.lookalike import skeleton
from hub.domain.member import MemberKind
from hub.errors import Conflict
from hub.service.administer import COMMAND_LINE
from hub.service.members import add_member, change_member
from tests.taxii.community import AGENCY, ENERGY, WATER
from tests.taxii.content import DAY_1, Object, indicator
from tests.taxii.site import Site

ALIKE = [
    ("Ministry of Defence", "Ministry of Dеfence"),  # with one Cyrillic letter
    ("Cyber Agency", "ᏟyᏏer Ꭺgency"),  # Cherokee
    ("Cyber Agency", "Ϲуbеr Αgеnсу"),  # Greek and Cyrillic
    ("Interpol", "lnterpol"),
    ("Interpol", "1nterp0l"),
    ("Modern Grid", "Modem Grid"),
    ("Water Works", "ＷＡＴＥＲ　ＷＯＲＫＳ"),
    ("Water Works", "𝐖ater-Works."),
    ("Water Works", "Vvater Works"),
    ("Café Réseau", "Cafe Reseau"),
    ("Cafe\u0301", "Café"),
    ("Officer", "Oﬃcer"),
    ("TESCO", "ꓔꓰꓢꓚꓳ"),
    ("hot", "հօт"),
]
UNLIKE = [
    ("Energy Grid", "Energy Group"),
    ("North Water", "South Water"),
    ("National Grid 1", "National Grid 2"),
    ("内政部", "外交部"),
    ("जल निगम", "जल नगम"),
    ("Энергия", "Эрания"),
]


def identity(name: str, **properties: object) -> Object:
    head = {"type": "identity", "spec_version": "2.1", "id": f"identity--{uuid.uuid4()}", "created": DAY_1, "modified": DAY_1}
    return {**head, "name": name, "identity_class": "organization", **properties}


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_row_14_names_that_the_eye_takes_for_one_another_have_one_skeleton(one: str, other: str):
    assert skeleton(one) == skeleton(other) != ""


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_row_14_names_that_differ_have_skeletons_that_differ(one: str, other: str):
    assert skeleton(one) != skeleton(other)


@pytest.mark.parametrize("nothing", ["", "…", "—", " \t"])
def test_row_14_a_name_without_letters_has_no_skeleton(nothing: str):
    assert skeleton(nothing) == ""


@pytest.mark.parametrize("name", [AGENCY.name, "Cyber Аgency", "CYBER AGENCY", "Cyber-Agency", "Cyber Agencу"])
async def test_row_14_an_identity_named_like_a_member_fails_alone_and_says_whom_to_ask(site: Site, shared: str, name: str):
    reason = await site.energy.failure(shared, identity(name), neighbour := indicator())
    assert "ask the hub's administrators" in reason
    assert AGENCY.id not in reason, "who takes part is not told to who cannot see it"
    assert await site.water.ids(f"{shared}objects/") == [neighbour["id"]]


async def test_row_14_a_member_may_use_its_own_name_and_names_of_others_who_take_no_part(site: Site, shared: str):
    own, under_another_id = identity(ENERGY.name, id=ENERGY.id), identity("ENERGY GRID")
    somebody = identity("Somebody Else", identity_class="individual")
    pushed = [own, under_another_id, somebody, identity("…"), identity("Water Works " * 100)]
    await site.energy.push(shared, *pushed)
    assert (await site.water.get(f"{shared}objects/")).objects == pushed


async def test_row_14_an_identity_has_a_name_in_normal_form_c(site: Site, shared: str):
    decomposed = unicodedata.normalize("NFD", "Société")
    assert "normal form C" in await site.energy.failure(shared, identity(decomposed))
    await site.energy.push(shared, identity("Société"))


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200b", "\u00ad", "\u3164", "\u2800", "\U000e0041", "\u2028"])
async def test_row_14_an_identity_has_no_invisible_character_in_its_name(site: Site, shared: str, character: str):
    assert "invisible" in await site.energy.failure(shared, identity(f"Some{character}body"))


async def test_row_14_no_member_gets_a_name_that_looks_like_anothers(either_site: Site):
    hub = either_site.hub
    with pytest.raises(Conflict, match="the member water"):
        await add_member(hub, COMMAND_LINE, slug="waterworks", name="Wаter Works", kind=MemberKind.OPERATOR)
    with pytest.raises(Conflict, match="the member water"):
        await change_member(hub, COMMAND_LINE, "energy", name="WATER WORKS")
    changed = await change_member(hub, COMMAND_LINE, "water", name="WATER WORKS")
    assert changed.name == "WATER WORKS", "its own name in another spelling"
    assert (await hub.directory()).members[ENERGY.id].name == ENERGY.name
    await change_member(hub, COMMAND_LINE, "water", name="Thames")
    assert (await change_member(hub, COMMAND_LINE, "energy", name=WATER.name)).name == WATER.name
