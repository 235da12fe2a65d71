"""Every operation for every role. A route that is not in the table fails the test, so none can be added without saying who may use it."""

import itertools
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from hub.app import build_app
from hub.config import Config
from hub.domain.policy import PolicyBundle
from hub.domain.signing.keys import PrivateKey
from hub.web.api.routes import OPERATIONS
from tests.web.administered import NOBODY, Administered, Community, administered, certificate, new_key, token_of_nobody

ROLES = ("reader", "publisher", "coordinator", "chief", "admin")
# What each answers, in the order of ROLES, where it is about energy's own things.
ALL = (200, 200, 200, 200, 200)
ADMINS = (403, 403, 403, 200, 200)
ADMINS_ADD = (403, 403, 403, 201, 201)
COORDINATORS = (403, 403, 200, 200, 200)
SELF_OR_ADMIN = (404, 404, 404, 200, 200)  # the callers are tokens, so no person is themselves

TABLE = {
    ("GET", "/members"): ALL,
    ("POST", "/members"): ADMINS_ADD,
    ("GET", "/members/{member}"): ALL,
    ("PATCH", "/members/{member}"): ADMINS,
    ("POST", "/members/{member}/suspend"): ADMINS,
    ("POST", "/members/{member}/resume"): ADMINS,
    ("GET", "/people"): ADMINS,
    ("POST", "/people"): ADMINS_ADD,
    ("GET", "/people/{username}"): SELF_OR_ADMIN,
    ("PATCH", "/people/{username}"): SELF_OR_ADMIN,
    ("GET", "/groups"): ALL,
    ("POST", "/groups"): (403, 403, 201, 201, 201),
    ("GET", "/groups/{group}"): (200, 200, 200, 200, 200),
    ("PATCH", "/groups/{group}"): COORDINATORS,
    ("PUT", "/groups/{group}/members/{member}"): COORDINATORS,
    ("DELETE", "/groups/{group}/members/{member}"): COORDINATORS,
    ("GET", "/tokens"): ALL,
    ("POST", "/tokens"): (201, 201, 201, 201, 422),  # the last has no member to issue a reader's token for
    ("GET", "/tokens/{token}"): ALL,
    ("DELETE", "/tokens/{token}"): ALL,
    ("GET", "/certificates"): ALL,
    ("POST", "/certificates"): ADMINS_ADD,
    ("GET", "/certificates/{spki_sha256}"): ALL,
    ("DELETE", "/certificates/{spki_sha256}"): ALL,
    ("GET", "/keys"): ALL,
    ("POST", "/keys/challenge"): COORDINATORS,
    ("POST", "/keys"): (403, 403, 201, 201, 201),
    ("GET", "/keys/{kid}"): ALL,
    ("POST", "/keys/{kid}/revocation"): COORDINATORS,
    ("POST", "/keys/{kid}/compromise"): COORDINATORS,
    ("GET", "/keys/{kid}/suspects"): ALL,
    ("GET", "/roots"): ALL,
    ("POST", "/roots"): ADMINS_ADD,
    ("GET", "/roots/{root}"): ALL,
    ("PATCH", "/roots/{root}"): ADMINS,
    ("GET", "/collections"): ALL,
    ("POST", "/collections"): ADMINS_ADD,
    ("GET", "/collections/{collection}"): ALL,
    ("PATCH", "/collections/{collection}"): ADMINS,
    ("PUT", "/collections/{collection}/rights/{right}/{grantee}"): ADMINS,
    ("DELETE", "/collections/{collection}/rights/{right}/{grantee}"): ADMINS,
    ("GET", "/agreements"): ALL,
    ("POST", "/agreements"): ADMINS_ADD,
    ("GET", "/agreements/{agreement}"): ALL,
    ("PATCH", "/agreements/{agreement}"): ADMINS,
    ("POST", "/agreements/{agreement}/end"): ADMINS,
    ("GET", "/releases"): ALL,
    ("POST", "/releases"): (403, 201, 201, 201, 404),  # the last sees no content
    ("GET", "/releases/{release}"): (200, 200, 200, 200, 404),
    ("POST", "/releases/{release}/answer"): (403, 200, 200, 200, 404),
    ("POST", "/releases/{release}/withdrawal"): (403, 404, 404, 404, 404),  # another member asked
    ("GET", "/attributions"): ALL,
    ("PUT", "/attributions/{collection}"): (403, 200, 200, 200, 403),  # the last is known to nobody by what it gives
    ("GET", "/members/{member}/names"): ALL,
    ("PUT", "/members/{member}/names"): (403, 200, 200, 200, 200),
    ("GET", "/anonymity/lifts"): ALL,
    ("POST", "/anonymity/lifts"): (403, 403, 404, 404, 404),  # nothing was given anonymously
    ("GET", "/anonymity/lifts/{lift}"): (404, 404, 404, 404, 404),
    ("POST", "/anonymity/lifts/{lift}/answer"): (403, 403, 404, 404, 404),
    ("GET", "/policies"): ADMINS,
    ("POST", "/policies"): ADMINS_ADD,
    ("GET", "/policies/current"): ALL,
    ("POST", "/policies/rollback"): (403, 403, 403, 409, 409),  # nothing was in force before
    ("POST", "/policies/{digest}/approval"): (403, 403, 403, 404, 404),  # none waits
    ("DELETE", "/policies/{digest}/approval"): (403, 403, 403, 404, 404),
    ("GET", "/standing"): (200, 200, 200, 200, 403),  # the last has none
    ("GET", "/standings"): COORDINATORS,
    ("GET", "/standing/sectors"): ALL,
    ("GET", "/standing/{member}"): ALL,
    ("POST", "/standing/{member}/practice"): ADMINS_ADD,
    ("GET", "/ledger"): (200, 200, 200, 200, 403),  # the last has none
    ("GET", "/contests"): ALL,
    ("POST", "/contests"): (403, 201, 201, 201, 404),  # the last has given nothing
    ("POST", "/contests/{contest}/answer"): COORDINATORS,  # another member's: nobody answers in a matter of their own
    ("GET", "/items"): (403, 200, 200, 200, 200),
    ("GET", "/items/{item}"): (404, 404, 200, 200, 200),  # another member's: nobody rules on their own
    ("POST", "/items/{item}/ruling"): (403, 404, 201, 201, 201),
    ("GET", "/report-backs"): ALL,
    ("GET", "/report-backs/{request}"): ALL,
    ("GET", "/subscriptions"): ALL,
    ("POST", "/subscriptions"): (403, 201, 201, 201, 201),
    ("GET", "/subscriptions/{subscription}"): ALL,
    ("PATCH", "/subscriptions/{subscription}"): (403, 200, 200, 200, 200),
    ("DELETE", "/subscriptions/{subscription}"): (403, 200, 200, 200, 200),
    ("POST", "/subscriptions/{subscription}/pause"): (403, 200, 200, 200, 200),
    ("POST", "/subscriptions/{subscription}/resume"): (403, 200, 200, 200, 200),  # it was paused just before
    ("POST", "/subscriptions/{subscription}/verify"): (403, 200, 200, 200, 200),
    ("POST", "/subscriptions/{subscription}/test"): (403, 409, 409, 409, 409),  # its endpoint is not there to agree
    ("POST", "/subscriptions/{subscription}/key"): (403, 200, 200, 200, 200),
    ("GET", "/subscriptions/{subscription}/deliveries"): ALL,
    ("POST", "/subscriptions/{subscription}/replay"): (403, 200, 200, 200, 200),
    ("POST", "/policies/diff"): ADMINS,
    ("GET", "/policies/shadow"): ADMINS,
    ("PUT", "/policies/shadow"): ADMINS,
    ("DELETE", "/policies/shadow"): ADMINS,
    ("POST", "/preview"): (403, 200, 200, 200, 404),  # the last sees no collection
    ("GET", "/stream"): (200, 200, 200, 200, 403),  # the last is told nothing
    ("GET", "/audit"): ADMINS,
    ("GET", "/explain"): ALL,
    ("GET", "/me"): ALL,
    ("GET", "/openapi.json"): ALL,
}
OPEN_TO_THE_SUSPENDED = {("GET", "/me"), ("GET", "/openapi.json")}
# The same about what is not energy's: as if it were not there, for all but administrators.
FOREIGN = {
    ("GET", "/members/{member}"): (404, 404, 200, 200, 200),  # a coordinator knows whom it can let into a group
    ("GET", "/groups/{group}"): (404, 404, 404, 200, 200),
    ("PATCH", "/groups/{group}"): (403, 403, 404, 200, 200),
    ("PUT", "/groups/{group}/members/{member}"): (403, 403, 404, 200, 200),
    ("DELETE", "/groups/{group}/members/{member}"): (403, 403, 404, 200, 200),
    ("GET", "/tokens/{token}"): (404, 404, 404, 200, 200),
    ("DELETE", "/tokens/{token}"): (404, 404, 404, 200, 200),
    ("GET", "/certificates/{spki_sha256}"): (404, 404, 404, 200, 200),
    ("DELETE", "/certificates/{spki_sha256}"): (404, 404, 404, 200, 200),
    ("GET", "/keys/{kid}"): (404, 404, 200, 200, 200),  # as members
    ("POST", "/keys/{kid}/revocation"): (403, 403, 404, 200, 200),
    ("POST", "/keys/{kid}/compromise"): (403, 403, 404, 200, 200),
    ("GET", "/collections/{collection}"): (404, 404, 404, 200, 200),
    ("GET", "/agreements/{agreement}"): (404, 404, 200, 200, 200),  # a coordinator knows all of them
    ("GET", "/releases/{release}"): (404, 404, 404, 404, 404),  # it is between others
    ("POST", "/releases/{release}/answer"): (403, 404, 404, 404, 404),
    ("PUT", "/attributions/{collection}"): (403, 404, 404, 200, 403),
    ("GET", "/members/{member}/names"): (404, 404, 404, 200, 200),
    ("PUT", "/members/{member}/names"): (403, 404, 404, 200, 200),
    ("GET", "/standing/{member}"): (404, 404, 200, 200, 200),
    ("GET", "/items/{item}"): (404, 404, 404, 404, 200),  # an administrator that belongs to nobody sees that it is there
    ("POST", "/items/{item}/ruling"): (403, 404, 404, 404, 201),
    ("GET", "/report-backs/{request}"): (404, 404, 404, 200, 200),
    ("GET", "/explain"): (404, 404, 404, 200, 200),
    ("GET", "/subscriptions/{subscription}"): (404, 404, 404, 200, 200),
    ("PATCH", "/subscriptions/{subscription}"): (403, 404, 404, 200, 200),
    ("POST", "/subscriptions/{subscription}/pause"): (403, 404, 404, 200, 200),
    ("POST", "/subscriptions/{subscription}/key"): (403, 404, 404, 200, 200),
    ("POST", "/subscriptions/{subscription}/verify"): (403, 404, 404, 200, 200),
    ("GET", "/subscriptions/{subscription}/deliveries"): (404, 404, 404, 200, 200),
    ("POST", "/subscriptions/{subscription}/replay"): (403, 404, 404, 200, 200),
    ("DELETE", "/subscriptions/{subscription}"): (403, 404, 404, 200, 200),  # the last: then it is gone
}

_counter = itertools.count()


def bodies(community: Community) -> dict[tuple[str, str], object]:
    """Return a body that is in order, and new, for each operation that takes one."""
    n = next(_counter)
    files = PolicyBundle.load(PolicyBundle.shipped_directory()).files
    return {
        ("POST", "/members"): {"slug": f"member-{n}", "name": "New", "kind": "operator"},
        ("PATCH", "/members/{member}"): {"sectors": ["energy"]},
        ("POST", "/people"): {"username": f"person-{n}", "password": "a long enough one", "role": "reader", "member": "energy"},
        ("PATCH", "/people/{username}"): {"disabled": False},
        ("POST", "/groups"): {"slug": f"group-{n}", "name": "New"},
        ("PATCH", "/groups/{group}"): {"name": "Renamed"},
        ("POST", "/tokens"): {"name": "new", "role": "reader"},
        ("POST", "/certificates"): {"member": "energy", "name": "new", "role": "reader", "pem": certificate("new").pem},
        ("POST", "/keys/challenge"): {"jwk": PrivateKey.generate().public.jwk(), "member": "energy"},
        ("POST", "/keys/{kid}/revocation"): {},
        ("POST", "/keys/{kid}/compromise"): {"since": "2026-01-01T00:00:00Z"},
        ("POST", "/roots"): {"slug": f"root-{n}", "title": "New"},
        ("PATCH", "/roots/{root}"): {"title": "Renamed"},
        ("POST", "/collections"): {"title": f"Collection {n}"},
        ("PATCH", "/collections/{collection}"): {"topic": "threat"},
        ("POST", "/agreements"): agreement(f"agreement-{n}"),
        ("PATCH", "/agreements/{agreement}"): {"title": "Renamed"},
        ("POST", "/agreements/{agreement}/end"): {"reason": "It has served its purpose."},
        ("POST", "/releases"): {"object": community.object_of_water, "to": "everyone", "reason": "All are hit."},
        ("PUT", "/attributions/{collection}"): {"known_to": "agencies"},
        ("PUT", "/members/{member}/names"): {"names": ["gridworks.example"]},
        ("POST", "/anonymity/lifts"): {"object": "indicator--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99", "reason": "A court asks."},
        ("POST", "/anonymity/lifts/{lift}/answer"): {"approved": True},
        ("POST", "/releases/{release}/answer"): {"agreed": True, "reason": "Gladly.", "marking": "TLP:CLEAR"},
        ("POST", "/standing/{member}/practice"): {"kind": "exercise", "reason": "Took part."},
        ("POST", "/contests"): {"event": int(community.event), "reason": "It was new."},
        ("POST", "/contests/{contest}/answer"): {"upheld": False, "reason": "It was not."},
        ("POST", "/items/{item}/ruling"): {"verdict": "true", "reason": "We looked at it."},
        ("PUT", "/policies/shadow"): {"files": {name: body.decode() for name, body in files.items()}},
        ("POST", "/policies/diff"): {"old": "active", "new": "active"},
        ("POST", "/subscriptions"): {"name": "new", "url": NOBODY, "member": "energy"},
        ("PATCH", "/subscriptions/{subscription}"): {"name": "renamed"},
        ("POST", "/subscriptions/{subscription}/key"): {},
        ("POST", "/subscriptions/{subscription}/replay"): {"since": "2026-01-01T00:00:00Z"},
        ("POST", "/preview"): {"collection": "shared", "objects": [{"type": "indicator"}]},
        ("POST", "/policies"): {"files": {name: body.decode() for name, body in files.items()}},
    }


def agreement(slug: str, member: str = "energy") -> dict[str, object]:
    """Return a sharing agreement of a member's that is in order."""
    return {
        "slug": slug, "title": "New", "parties": [f"member:{member}"], "legal_basis": "A contract", "purpose": "Defence",
        "starts_at": "2026-01-01T00:00:00Z", "review_at": "2027-01-01T00:00:00Z",
        "signatories": [{"member": member, "person": "Ann", "role": "Chief Executive", "signed_at": "2025-12-01T00:00:00Z"}],
    }  # fmt: skip


def own(community: Community) -> dict[str, str]:
    return {
        "member": "energy", "username": "ann", "group": "circle", "token": token_id(community, "reader"), "root": "hub",
        "spki_sha256": community.certificate, "collection": community.collection, "right": "read", "grantee": "kind:operator",
        "agreement": "accord", "release": community.release, "digest": "0123456789abcdef",
        "item": community.item_of_water, "request": community.item, "contest": community.contest,
        "lift": "3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99", "kid": community.key,
        "subscription": community.subscription,
    }  # fmt: skip


def foreign(community: Community) -> dict[str, str]:
    return own(community) | {
        "member": "water", "username": "wat", "group": "others", "token": token_id(community, "water"),
        "spki_sha256": community.certificate_of_water, "collection": community.hidden, "agreement": "elsewhere",
        "release": community.release_of_others, "item": community.item_hidden, "request": community.item_hidden,
        "kid": community.key_of_water, "subscription": community.subscription_of_water,
    }  # fmt: skip


def token_id(community: Community, caller: str) -> str:
    return community.tokens[caller].split("_")[2]


@pytest.fixture
async def site(sqlite_url: str) -> AsyncIterator[Administered]:
    async with administered(sqlite_url) as site:
        yield site


async def ask(site: Administered, who: str | None, key: tuple[str, str], about: Callable[[Community], dict[str, str]] = own) -> int:
    method, path = key
    named = about(site.community)
    path = path.format_map(named)
    if path == "/explain":
        path += f"?member={named['member']}&object={site.community.object}"
    elif path == "/stream":
        path += "?wait=false"
    body = bodies(site.community).get(key) if method not in ("GET", "DELETE") else None
    if key == ("POST", "/keys"):
        body = new_key(site.hub, await site.hub.directory(), named["member"])
    return (await site.ask(who, method, path, body)).status


def test_every_route_is_in_the_table():
    served = {
        (route.method, route.resource.canonical.removeprefix("/api/v1"))
        for route in build_app(Config()).router.routes()
        if isinstance(route.resource, web.Resource) and route.resource.canonical.startswith("/api/") and route.method != "HEAD"
    }
    assert served == TABLE.keys()


def test_the_description_names_the_least_role_that_the_table_shows():
    for operation in OPERATIONS:
        answers = TABLE[operation.method, operation.path]
        admitted = [role for role, status in zip(("reader", "publisher", "coordinator", "admin"), answers, strict=False) if status != 403]
        assert admitted[0] == operation.role, operation.path


# What ends a credential comes last, so that it does not end it for the rest.
ORDERED = sorted(TABLE, key=lambda key: (key[0] == "DELETE", key))


@pytest.mark.parametrize("role", range(len(ROLES)), ids=ROLES)
async def test_each_role_may_do_what_the_table_says(site: Administered, role: int):
    # Tokens and suspension last: after them this caller may do nothing more.
    last = {("DELETE", "/tokens/{token}"), ("POST", "/members/{member}/suspend")}
    answered = {key: await ask(site, ROLES[role], key) for key in ORDERED if key not in last}
    assert answered == {key: TABLE[key][role] for key in answered}


@pytest.mark.parametrize("role", range(len(ROLES)), ids=ROLES)
@pytest.mark.parametrize("key", [("DELETE", "/tokens/{token}"), ("POST", "/members/{member}/suspend")], ids=str)
async def test_each_role_may_end_what_the_table_says(site: Administered, role: int, key: tuple[str, str]):
    assert await ask(site, ROLES[role], key) == TABLE[key][role]


@pytest.mark.parametrize("role", range(len(ROLES)), ids=ROLES)
async def test_what_belongs_to_others_is_not_there(site: Administered, role: int):
    answered = {key: await ask(site, ROLES[role], key, foreign) for key in FOREIGN}
    assert answered == {key: FOREIGN[key][role] for key in FOREIGN}


async def test_nothing_is_open_without_a_good_credential(site: Administered):
    for key in TABLE:
        assert await ask(site, None, key) == 401, key
        assert await ask(site, f"Bearer {token_of_nobody()}", key) == 401, key


async def test_a_suspended_member_learns_who_it_is_and_nothing_else(site: Administered):
    answered = {key: await ask(site, "suspended", key) for key in TABLE}
    assert answered == {key: 200 if key in OPEN_TO_THE_SUSPENDED else 403 for key in TABLE}
