"""End to end, on the real application with a clock of the test's own: who reports back rises, gets the backlog, and sinks when it stops."""

import pytest

from hub.domain.label import Tlp
from hub.domain.member import MemberKind, Role, Standing
from hub.domain.signing.extension import definition_ids
from hub.service.administer import COMMAND_LINE
from hub.service.assess import assess_all
from hub.service.collections import add_collection
from hub.service.credentials import issue_token
from hub.service.members import add_member
from hub.store.views import tick_clocks
from tests.standing.world import START_US, World, shared_with
from tests.taxii.site import Caller
from tests.web.hubs import Running, running


async def settled(site: Running) -> tuple[World, dict[str, Caller], str]:
    """Give the hub a clock and a community: an agency, a peer (energy) and an observer."""
    world = World(site.hub, START_US)
    site.hub.now_us = lambda: world.now_us
    for slug, kind in (("agency", MemberKind.AGENCY), ("observer", MemberKind.OPERATOR)):
        await add_member(
            site.hub, COMMAND_LINE, slug=slug, name=f"The {slug}", kind=kind, sectors=["water"], standing=Standing.OBSERVER
        )  # fmt: skip
    everyone = ["everyone"]
    shared = await add_collection(
        site.hub, COMMAND_LINE, title="Shared", alias="shared", readers=everyone, writers=everyone, default_tlp=Tlp.GREEN
    )  # fmt: skip
    callers = {"energy": Caller(site.session, site.url, f"Bearer {site.token}")}
    for slug in ("agency", "observer"):
        _, token = await issue_token(site.hub, COMMAND_LINE, name=slug, role=Role.PUBLISHER, member=slug)
        callers[slug] = Caller(site.session, site.url, f"Bearer {token}")
    return world, callers, f"/taxii2/hub/collections/{shared.id}/"


async def follow(caller: Caller, collection: str, cursor: str | None) -> tuple[list[str], str | None]:
    """Fetch what is new after a cursor; return the ids, but for the hub's own definitions, and the next cursor, as a client keeps it."""
    pages = await caller.pages(f"{collection}objects/", f"added_after={cursor}" if cursor else "", by_date=True)
    last = [page.dates[1] for page in pages if page.dates[1] is not None]
    return [id for page in pages for id in page.ids if id not in definition_ids()], last[-1] if last else cursor


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_url"))


async def test_an_observer_that_reports_back_is_promoted_gets_the_backlog_and_sinks_when_it_stops(url: str):
    async with running(url, requests_per_min=0, objects_per_min=0) as site:
        world, callers, shared = await settled(site)
        observer, fetched, cursor = callers["observer"], [], None
        given: list[str] = []

        async def next_day() -> list[str]:
            nonlocal cursor
            world.pass_time(days=1, hours=0.1)
            await site.hub.db.write(tick_clocks, world.now_us)
            await assess_all(site.hub)
            new, cursor = await follow(observer, shared, cursor)
            fetched.extend(new)
            return new

        peers_item = world.report(**shared_with(release="reciprocal"))
        await callers["energy"].push(shared, peers_item)
        assert await next_day() == [], "an observer waits for what peers give"
        assert await next_day() == []
        assert await next_day() == [peers_item["id"]]

        for _ in range(30):
            if (await world.member("observer")).standing is not Standing.OBSERVER:
                break
            advisories = [world.report(), world.report()]
            peers_item = world.report(**shared_with(release="reciprocal"))
            given.append(peers_item["id"])
            await callers["agency"].push(shared, *advisories)
            await callers["energy"].push(shared, peers_item)
            new, cursor = await follow(observer, shared, cursor)
            assert {one["id"] for one in advisories} <= set(new), "what an agency gives is there at once"
            fetched.extend(new)
            await observer.push(shared, *(world.sighting(one) for one in advisories))
            await next_day()
        assert (await world.member("observer")).standing is Standing.CONTRIBUTOR
        assert set(given) <= set(fetched), "the backlog came in front of its cursor, nothing was skipped"

        late = world.report(**shared_with(release="reciprocal"))
        await callers["energy"].push(shared, late)
        assert late["id"] in await next_day(), "a contributor waits for a day"

        world.pass_time(days=180)
        await next_day()
        assert (await world.member("observer")).standing is Standing.OBSERVER
        after = world.report(**shared_with(release="reciprocal"))
        await callers["energy"].push(shared, after)
        assert after["id"] not in await next_day(), "it waits for three days again"
        assert after["id"] not in await next_day()
        assert after["id"] in await next_day()
