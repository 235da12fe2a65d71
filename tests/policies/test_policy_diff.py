"""What a change of policies would give and take, counted on what is in the feed."""

from collections.abc import AsyncIterator

import pytest

from hub.domain.member import Standing
from hub.service.administer import COMMAND_LINE
from hub.service.members import change_member
from tests.policies.bundles import files_with, shipped_files
from tests.web.administered import Administered, administered


@pytest.fixture
async def either_site(database_url: str) -> AsyncIterator[Administered]:
    async with administered(database_url) as site:
        await change_member(site.hub, COMMAND_LINE, "water", standing=Standing.OBSERVER)
        yield site


def texts(files: dict[str, bytes]) -> dict[str, str]:
    return {name: body.decode() for name, body in files.items()}


POLICY = """
@id("green-for-contributors")
@reason("TLP:GREEN is for contributors and above.")
forbid (principal is Member, action in Action::"see", resource)
when { principal.tier < 1 && resource.tlp == Tlp::"green" }
unless {
  resource.tlp == Tlp::"clear" ||
  (resource.severity == Severity::"imminent" && [Tlp::"green", Tlp::"amber"].contains(resource.tlp)) ||
  principal in resource.recipients ||
  (resource has producer && resource.producer == principal)
};
"""


async def test_what_a_member_would_lose_is_told_with_the_rule_a_count_and_examples(either_site: Administered):
    told = (await either_site.ask("admin", "POST", "/policies/diff", {"files": texts(files_with(POLICY))})).json
    lost = [one for one in told["differences"] if one["member"] == "water"]
    assert {one["effect"] for one in lost} == {"lost"}
    assert {rule["id"] for one in lost for rule in one["rules"]} == {"green-for-contributors"}
    assert either_site.community.object in {example for one in lost for example in one["examples"]}
    assert all(one["entries"] > 0 and (one["before_h"], one["after_h"]) == (0, None) for one in lost)
    assert "energy" not in {one["member"] for one in told["differences"]}  # it has another standing


async def test_what_a_waiting_period_would_change_is_told_in_both_directions(either_site: Administered):
    later = POLICY.replace('action in Action::"see"', 'action in [Action::"read", Action::"readAfter6h"]')
    (wait,) = [
        one
        for one in (await either_site.ask("admin", "POST", "/policies/diff", {"files": texts(files_with(later))})).json["differences"]
        if one["collection"] == either_site.community.collection
    ]
    assert (wait["member"], wait["effect"], wait["before_h"], wait["after_h"]) == ("water", "later", 0, 24)


async def test_the_same_policies_differ_in_nothing_and_unknown_ones_are_not_found(either_site: Administered):
    assert (await either_site.ask("admin", "POST", "/policies/diff", {"files": texts(shipped_files())})).json["differences"] == []
    assert (await either_site.ask("admin", "POST", "/policies/diff", {"new": "0123456789"})).status == 404


async def test_policies_in_the_shadow_decide_nothing_and_what_they_would_do_is_counted(either_site: Administered):
    async def poll(who: str) -> int:
        url = f"{either_site.running.url}/taxii2/hub/collections/{either_site.community.collection}/objects/"
        headers = {"Authorization": f"Bearer {either_site.community.tokens[who]}"}
        async with either_site.running.session.get(url, headers=headers) as answer:
            return len((await answer.json()).get("objects", []))

    seen = await poll("water")
    assert seen > 0
    put = (await either_site.ask("admin", "PUT", "/policies/shadow", {"files": texts(files_with(POLICY))})).json
    assert put["differences"] == []
    assert [await poll("water"), await poll("water"), await poll("reader") > 0] == [seen, seen, True]
    (found,) = (await either_site.get("admin", "/policies/shadow")).json["differences"]
    assert (found["rule"], found["members"], found["in_force_h"], found["in_shadow_h"]) == ("green-for-contributors", ["water"], 0, None)
    assert (await either_site.ask("admin", "DELETE", "/policies/shadow")).json == {"digest": None, "since": None, "differences": []}
    assert (await either_site.get("admin", "/policies/shadow")).json["differences"] == []
    assert await poll("water") == seen
