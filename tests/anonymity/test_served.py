"""A hub that serves: the loop brings renditions by itself, and no route tells another member what it must not know."""

import asyncio
import json

import pytest

from hub.service.context import now_us
from hub.web.api.routes import OPERATIONS
from tests.anonymity.world import MINUTE_US, hidden
from tests.taxii.content import Object, envelope, indicator
from tests.web.administered import Administered, administered
from tests.web.hubs import WITHIN_S
from tests.web.test_api_roles import own

ACCEPT = "application/taxii+json;version=2.1"


async def exchange(site: Administered, who: str, path: str, body: bytes | None = None) -> str:
    """Send a TAXII request and return the answer, headers and all."""
    headers = {"Authorization": f"Bearer {site.community.tokens[who]}", "Accept": ACCEPT}
    method, url = "GET" if body is None else "POST", site.running.url + path
    if body is not None:
        headers["Content-Type"] = ACCEPT
    async with site.running.session.request(method, url, data=body, headers=headers) as answer:
        return f"{sorted(answer.headers.items())} {await answer.text()}"


async def rendition_that_comes(site: Administered, path: str, name: str) -> Object:
    """Poll as water until the hub has appended the rendition."""
    async with asyncio.timeout(WITHIN_S):
        while name not in (page := await exchange(site, "water", path)):
            continue
    return next(obj for obj in json.loads(page[page.index(")] {") + 3 :])["objects"] if obj["name"] == name)


async def test_no_route_and_no_log_line_of_the_append_tells_another_member(sqlite_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    async with administered(sqlite_url, anonymity_writers_min=2) as site:
        shared = f"/taxii2/hub/collections/{site.community.collection}/"
        given = indicator(name="given by nobody", **hidden())
        assert '"success_count":1' in (await exchange(site, "publisher", f"{shared}objects/", envelope(given))).replace(" ", "")
        energy = (await site.hub.directory()).find_member("energy")
        assert energy is not None
        capfd.readouterr()
        site.hub.now_us = lambda: now_us() + 2 * MINUTE_US
        rendition = await rendition_that_comes(site, f"{shared}objects/", given["name"])
        told = [capfd.readouterr().out]
        for path in (
            "",
            "manifest/",
            "objects/",
            *(f"objects/{obj['id']}/{what}" for obj in (given, rendition) for what in ("", "versions/")),
        ):
            told += [await exchange(site, "water", shared + path)]
        for trace in (given["id"], energy.id, energy.name):
            assert not [text for text in told if trace in text]
        paths = [f"/explain?object={obj['id']}&member=water" for obj in (given, rendition)]
        paths += [one.path.format_map(own(site.community)) for one in OPERATIONS if one.reads and one.path != "/stream"]
        paths.append("/stream?wait=false")
        assert not [path for path in paths if given["id"] in (await site.get("water", path)).text]


async def test_a_member_sets_over_the_api_to_whom_it_is_known(sqlite_url: str) -> None:
    async with administered(sqlite_url) as site:
        path = f"/attributions/{site.community.collection}"
        set_to = await site.ask("publisher", "PUT", path, {"known_to": "agencies"})
        assert set_to.json == {"member": "energy", "collection": site.community.collection, "known_to": "agencies"}
        assert (await site.get("reader", "/attributions")).json["items"] == [set_to.json]
        assert (await site.get("water", "/attributions")).json["items"] == []
        await site.ask("publisher", "PUT", path, {"known_to": "everyone"})
        assert (await site.get("reader", "/attributions")).json["items"] == []
