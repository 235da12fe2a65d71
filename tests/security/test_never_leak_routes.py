"""Promise 2 on every route: to who may not see a thing, all is as if it were not there.

Two ways of asking: what is hidden answers byte for byte as what does not exist; and nothing that a caller can read changes by a byte when
something is added that is not for it.
"""

import functools
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from hub.app import build_app
from hub.config import Config
from hub.domain.label import Tlp
from hub.domain.marking import TLP2_IDS
from hub.service.administer import COMMAND_LINE
from hub.service.members import suspend_member
from tests.taxii.community import CIRCLE, PRIVATE, SHARED
from tests.taxii.content import DAY_2, Object, domain_name, envelope, indicator, malware, version_of
from tests.taxii.site import Reply, Site
from tests.web.administered import Administered, Answer, administered
from tests.web.test_api_roles import agreement, bodies, foreign, own

RED, GREEN = TLP2_IDS[Tlp.RED], TLP2_IDS[Tlp.GREEN]
METHODS = ("GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT")
NOT_THERE = {
    "collection": "c0ffee00-0000-4000-8000-00000000dead",
    "object": "malware--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99",
    "status": "c0ffee00-0000-4000-8000-00000000dead",
    "root": "nowhere",
}
# Callers, and whether they may read the collection in which the hidden objects are.
PROBERS = {"water": True, "observer": True, "admin": False}


@functools.cache
def taxii_templates() -> list[str]:
    """Return the path of every TAXII resource, as the application serves it."""
    resources = (route.resource for route in build_app(Config()).router.routes())
    paths = {resource.canonical for resource in resources if resource is not None}
    return sorted(path for path in paths if path.startswith("/taxii2") and path.endswith("/"))


@dataclass
class Hidden:
    """What the agency has that is for nobody else here."""

    objects: list[str] = field(default_factory=list)  # in the collection `shared`
    statuses: list[str] = field(default_factory=list)

    def paths(self, template: str) -> Iterator[tuple[str, str]]:
        """Yield each path of a route that leads to something hidden, with the one that differs in leading nowhere."""
        visible = {"root": "hub", "collection": SHARED.id, "object": NOT_THERE["object"], "status": NOT_THERE["status"]}
        named = {
            "collection": [PRIVATE.id, str(PRIVATE.alias), f"{PRIVATE.id}".upper()],
            "object": self.objects,
            "status": self.statuses,
        }
        for name, values in named.items():
            if f"{{{name}}}" in template:
                for value in values:
                    yield template.format_map(visible | {name: value}), template.format_map(visible | {name: NOT_THERE[name]})


def seen(reply: Reply | Answer) -> tuple[Any, ...]:
    """Return everything of an answer that its reader can learn from."""
    headers = sorted((name.lower(), value) for name, value in reply.headers.items() if name.lower() not in ("date", "x-request-id"))
    body = reply.body if isinstance(reply, Reply) else reply.text.encode()
    return reply.status, headers, body.replace(reply.headers["X-Request-Id"].encode(), b"")


async def hide(site: Site, shared: str, private: str) -> Hidden:
    """Add what is for the agency, or for it and energy, alone."""
    agency, hidden = site.agency, Hidden()
    red, narrowed, observable, circle = malware(object_marking_refs=[RED]), malware(), domain_name(object_marking_refs=[RED]), indicator()
    circle["object_marking_refs"] = [GREEN, CIRCLE.id]
    part = indicator(granular_markings=[{"selectors": ["name"], "marking_ref": RED}])
    deleted = malware()
    for objects in ([red, observable, circle, part], [version_of(narrowed, DAY_2, object_marking_refs=[RED]), narrowed], [deleted]):
        hidden.statuses.append((await agency.push(shared, *objects)).json["id"])
        hidden.objects += [obj["id"] for obj in objects]
    assert (await agency.send("DELETE", f"{shared}objects/{deleted['id']}/")).status == 200
    hidden.statuses.append((await agency.push(private, indicator(), malware())).json["id"])
    return hidden


async def test_row_25_what_is_hidden_answers_as_what_is_not_there_on_every_taxii_route(
    either_site: Site, shared: str, private: str
) -> None:
    site = either_site
    hidden = await hide(site, shared, private)
    for prober in (*PROBERS, "suspended"):
        if prober == "suspended":
            await suspend_member(site.hub, COMMAND_LINE, "water")
        caller = site.caller("water" if prober == "suspended" else prober)
        asked = 0
        for template in taxii_templates():
            for (there, nowhere), method in itertools.product(hidden.paths(template), METHODS):
                body = envelope(indicator()) if method in ("POST", "PUT") else None
                answers = [seen(await caller.send(method, path, body=body)) for path in (there, nowhere)]
                assert answers[0] == answers[1], (prober, method, there)
                asked += 1
        assert asked > 150


async def test_a_suspended_member_is_told_nothing_not_even_of_what_it_pushed(site: Site, shared: str, dropbox: str) -> None:
    status = (await site.water.push(shared, own := indicator())).json["id"]
    await suspend_member(site.hub, COMMAND_LINE, "water")
    for path in (f"/taxii2/hub/status/{status}/", shared, f"{shared}objects/", f"{shared}objects/{own['id']}/", f"{dropbox}objects/"):
        assert (await site.water.get(path)).status == 404
    assert (await site.water.get("/taxii2/hub/collections/")).json == {}
    assert (await site.water.push_raw(shared, envelope(indicator()))).status == 404
    assert (await site.water.send("DELETE", f"{shared}objects/{own['id']}/")).status == 404


def questions(shared: str, hidden: list[Object]) -> list[tuple[str, str]]:
    """Return every question about a collection and its surroundings, as (path, query)."""
    ids = ",".join(obj["id"] for obj in hidden)
    filters = ["", "limit=1", "limit=2", "match[version]=all", "match[version]=first", "match[type]=malware,indicator,domain-name"]
    filters += ["added_after=2020-01-01T00:00:00Z", f"match[id]={ids}", "match[version]=all&limit=2"]
    lists = [(f"{shared}{name}/", query) for name in ("objects", "manifest") for query in filters]
    ones = [(f"{shared}objects/{obj['id']}/{tail}", "") for obj in hidden for tail in ("", "versions/")]
    around = [(path, "") for path in ("/taxii2/", "/taxii2/hub/", "/taxii2/hub/collections/", shared)]
    return [*lists, *ones, *around]


@pytest.mark.parametrize("prober", PROBERS)
async def test_row_25_nothing_that_a_caller_reads_changes_when_something_is_added_that_is_not_for_it(
    either_site: Site, shared: str, private: str, prober: str
) -> None:
    site, caller = either_site, either_site.caller(prober)
    visible = [indicator(object_marking_refs=[GREEN]), malware(object_marking_refs=[GREEN])]
    visible.append(version_of(visible[0], DAY_2))
    await site.agency.push(shared, *visible)
    hidden = [malware(object_marking_refs=[RED]), indicator(object_marking_refs=[GREEN, CIRCLE.id]), domain_name(object_marking_refs=[RED])]
    asked = questions(shared, [*visible[:2], *hidden])
    before = [seen(await caller.get(*question)) for question in asked]
    assert any(status == 200 and b'"more":true' in body for status, _, body in before) == PROBERS[prober]
    await site.agency.push(shared, *hidden, version_of(hidden[0], DAY_2))
    await site.energy.push(shared, indicator(object_marking_refs=[RED]))
    await hide(site, shared, private)
    for question, answer in zip(asked, before, strict=True):
        assert seen(await caller.get(*question)) == answer, question


async def test_row_25_a_walk_by_pages_is_not_told_of_what_lies_between_them(either_site: Site, shared: str) -> None:
    """The hidden lie between the visible, so a count, a short page or a `next` too many would tell."""
    site = either_site
    visible = [malware(object_marking_refs=[GREEN]) for _ in range(6)]
    for obj in visible:
        await site.agency.push(shared, *[malware(object_marking_refs=[RED]) for _ in range(3)], obj)
    await site.agency.push(shared, *[malware(object_marking_refs=[RED]) for _ in range(3)])
    for limit in (1, 2, 3, 6):
        pages = await site.water.pages(f"{shared}objects/", limit=limit)
        assert [len(page.objects) for page in pages] == [limit] * (6 // limit)
        assert [obj for page in pages for obj in page.objects] == visible


OBSERVABLES = {
    "under_tlp_red": {"object_marking_refs": [RED]},
    "in_a_sharing_group": {"object_marking_refs": [GREEN, CIRCLE.id]},
    "in_other_words": {"object_marking_refs": [RED], "x_note": "seen at our gateway"},
}


@pytest.mark.parametrize("what", OBSERVABLES)
async def test_an_observable_that_another_holds_in_secret_is_accepted_as_if_it_were_new(either_site: Site, shared: str, what: str) -> None:
    """Anybody can work out an observable's id: the answer to a push must not tell whether somebody has pushed it."""
    site = either_site
    known, unknown = domain_name(), domain_name()
    await site.agency.push(shared, {**known, **OBSERVABLES[what]})
    told = []
    for mine in (known, unknown):
        reply = (await site.water.push(shared, mine)).json
        told.append({name: value for name, value in reply.items() if name not in ("id", "request_timestamp", "successes")})
        assert [outcome.keys() for outcome in reply["successes"]] == [{"id", "version"}]
        page = await site.water.get(f"{shared}objects/{mine['id']}/", "match[version]=all")
        assert page.objects == [mine]
        assert page.dates == (reply["successes"][0]["version"],) * 2, "its version is when water's copy was added"
        assert len((await site.water.get(f"{shared}objects/{mine['id']}/versions/")).json["versions"]) == 1
    assert told[0] == told[1]


async def test_a_refused_push_tells_nothing_of_the_object_that_another_holds(either_site: Site, shared: str, second: str) -> None:
    """Who knows an id of an object that it may not see learns that it is taken, since nobody may write it; and no more than that."""
    site = either_site
    secret = malware(object_marking_refs=[RED], description="the secret")
    await site.agency.push(second, secret, version_of(secret, DAY_2, name="later"))
    attempts = [secret, {**secret, "name": "other"}, version_of(secret, DAY_2), {**secret, "created": DAY_2, "modified": DAY_2}]
    reasons = {await site.water.failure(shared, {**attempt, "object_marking_refs": [GREEN]}) for attempt in attempts}
    assert reasons == {"not-owner: this id belongs to another producer; refer to the object, or send your own under a new id"}


async def test_who_may_only_write_learns_nothing_of_what_others_wrote(either_site: Site, dropbox: str) -> None:
    site = either_site
    theirs = [malware(), domain_name()]
    await site.energy.push(dropbox, *theirs)
    for obj, path in itertools.product([*theirs, malware()], ("objects/{}/", "objects/{}/versions/", "objects/", "manifest/")):
        assert (await site.water.get(dropbox + path.format(obj["id"]))).status == 403
    deletions = [seen(await site.water.send("DELETE", f"{dropbox}objects/{obj['id']}/")) for obj in [theirs[0], malware()]]
    assert deletions[0] == deletions[1]
    await site.water.push(dropbox, theirs[1])


# --- the API --------------------------------------------------------------------------------------------------------------

HIDDEN_FROM = {
    "reader": ("member", "username", "group", "token", "spki_sha256", "kid", "collection", "agreement", "release", "item", "request"),
    "publisher": ("member", "username", "group", "token", "spki_sha256", "kid", "collection", "agreement", "release", "item", "request"),
    "coordinator": ("username", "group", "token", "spki_sha256", "collection", "release", "item", "request"),
    "suspended": ("member", "username", "group", "token", "spki_sha256", "kid", "collection", "agreement", "release", "item", "request"),
}
NO_SUCH = {
    "member": "nobody", "username": "noone", "group": "nogroup", "token": "aaaaaaaaaaaa", "spki_sha256": "0" * 64, "kid": "0" * 43,
    "collection": NOT_THERE["collection"], "agreement": "noagreement", "release": NOT_THERE["status"],
    "item": "987654321", "request": "987654321",
}  # fmt: skip


@pytest.fixture
async def api(sqlite_url: str) -> AsyncIterator[Administered]:
    async with administered(sqlite_url) as site:
        yield site


def api_templates() -> list[tuple[str, str]]:
    """Return (method, path) of every operation."""
    routes = ((route.method, route.resource) for route in build_app(Config()).router.routes())
    found = {(method, resource.canonical) for method, resource in routes if resource is not None}
    return sorted((method, path.removeprefix("/api/v1")) for method, path in found if path.startswith("/api/v1/") and method != "HEAD")


def api_paths(template: str, hidden: Mapping[str, str], there: Mapping[str, str], name: str) -> Iterator[str]:
    for value in (hidden[name], NO_SUCH[name]):
        path = template.format_map({**there, name: value})
        yield path + (f"?member={value}&object={there['object']}" if template == "/explain" else "")


@pytest.mark.parametrize("who", HIDDEN_FROM)
async def test_row_25_what_is_hidden_answers_as_what_is_not_there_on_every_operation_of_the_api(api: Administered, who: str) -> None:
    there, hidden = {**own(api.community), "object": api.community.object}, foreign(api.community)
    asked = 0
    for (method, template), name in itertools.product(api_templates(), HIDDEN_FROM[who]):
        if f"{{{name}}}" not in template and (template, name) != ("/explain", "member"):
            continue
        paths = api_paths(template, hidden, there, name)
        answers = [seen(await api.ask(who, method, path, bodies(api.community).get((method, template)))) for path in paths]
        assert answers[0] == answers[1], (method, template, name)
        assert answers[0][0] in (403, 404), (method, template, name)
        asked += 1
    assert asked >= 14


async def test_row_25_no_list_of_the_api_changes_when_something_is_added_that_is_not_for_the_caller(api: Administered) -> None:
    lists = ["/members", "/keys", "/groups", "/tokens", "/certificates", "/roots", "/collections", "/agreements", "/releases"]
    lists += ["/policies/current", "/me", "/openapi.json"]
    before = {(who, path): seen(await api.get(who, path)) for who in ("reader", "publisher") for path in lists}
    added = [
        ("/members", {"slug": "rail", "name": "Rail", "kind": "operator"}),
        ("/groups", {"slug": "secret", "name": "Secret", "members": ["water"]}),
        ("/collections", {"title": "Secret", "alias": "secret", "readers": ["member:water"], "writers": ["member:water"]}),
        ("/tokens", {"name": "new", "role": "reader", "member": "water"}),
        ("/agreements", agreement("secret", "water")),
        ("/people", {"username": "bob", "password": "a long enough one", "role": "reader", "member": "water"}),
    ]
    for path, body in added:
        assert (await api.ask("admin", "POST", path, body)).status == 201
    for (who, path), answer in before.items():
        assert seen(await api.get(who, path)) == answer, (who, path)
