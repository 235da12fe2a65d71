"""The JSON API: what it takes and refuses, what it never shows, and that nobody gets more by it than they have."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hub.domain.member import Role
from hub.service.administer import COMMAND_LINE
from hub.service.credentials import issue_token
from hub.service.people import add_person
from tests.policies.bundles import shipped_files, unwritable_files
from tests.web.administered import PASSWORD, Administered, administered, basic, certificate

HOUR_US = 3_600 * 1_000_000


@pytest.fixture
async def site(sqlite_url: str) -> AsyncIterator[Administered]:
    async with administered(sqlite_url) as site:
        yield site


@pytest.fixture
async def either_site(database_url: str) -> AsyncIterator[Administered]:
    async with administered(database_url) as site:
        yield site


def texts(files: dict[str, bytes]) -> dict[str, str]:
    """Return files as the API takes them."""
    return {name: body.decode() for name, body in files.items()}


async def walk(site: Administered, who: str, path: str, *, limit: int) -> list[dict[str, Any]]:
    """Return all entries of a list, page by page."""
    items: list[dict[str, Any]] = []
    after = ""
    for _ in range(100):
        found = (await site.get(who, f"{path}?limit={limit}{after}")).json
        assert len(found["items"]) <= limit
        items += found["items"]
        if found["next"] is None:
            return items
        after = f"&after={found['next']}"
    raise AssertionError("the pages have no end")


# --- what can be done -----------------------------------------------------------------------------------------------------


async def test_a_community_can_be_set_up_and_changed(either_site: Administered):
    """Each thing is added, read back, changed, and read back again."""
    ask = either_site.ask
    added = await ask("admin", "POST", "/members", {"slug": "rail", "name": "Rail", "kind": "operator", "sectors": ["transport"]})
    assert added.status == 201
    changed = await ask("admin", "PATCH", "/members/rail", {"name": "Railways", "standing": "partner"})
    assert changed.json == added.json | {"name": "Railways", "standing": "partner"}
    assert (await ask("admin", "POST", f"/members/{added.json['id']}/suspend")).json["suspended"] is True
    assert (await ask("admin", "POST", "/members/rail/resume")).json["suspended"] is False
    assert (await either_site.get("admin", "/members/rail")).json == changed.json

    group = await ask("admin", "POST", "/groups", {"slug": "tracks", "name": "Tracks"})
    assert group.json["id"].startswith("marking-definition--")
    assert (await ask("admin", "PUT", "/groups/tracks/members/rail")).json["members"] == ["rail"]
    assert (await either_site.get("admin", "/members/rail")).json["groups"] == ["tracks"]
    assert (await ask("admin", "DELETE", "/groups/tracks/members/rail")).json["members"] == []

    assert (await ask("admin", "POST", "/roots", {"slug": "annexe", "title": "Annexe", "default": True})).status == 201
    defaults = {root["slug"]: root["default"] for root in (await either_site.get("admin", "/roots")).json["items"]}
    assert defaults == {"annexe": True, "hub": False}

    body = {"title": "Tracks", "root": "annexe", "alias": "tracks", "readers": ["group:tracks"], "description": "line 1\nline 2"}
    path = f"/collections/{(await ask('admin', 'POST', '/collections', body)).json['id']}"
    assert (await ask("admin", "PUT", f"{path}/rights/write/member:rail")).json["writers"] == ["member:rail"]
    assert (await ask("admin", "DELETE", f"{path}/rights/read/group:tracks")).json["readers"] == []
    after = (await ask("admin", "PATCH", path, {"alias": None, "default_tlp": "green"})).json
    assert (after["alias"], after["default_tlp"], after["description"]) == (None, "green", "line 1\nline 2")
    assert (await either_site.get("admin", path)).json == after


async def test_policies_can_be_put_in_force_and_the_earlier_ones_again(either_site: Administered):
    before = (await either_site.get("reader", "/policies/current")).json
    path = f"/collections/{either_site.community.collection}"
    assert (await either_site.get("publisher", path)).json["can_write"]
    after = await either_site.ask("admin", "POST", "/policies", {"files": texts(unwritable_files())})
    assert after.json["digest"] != before["digest"]
    assert "circle-writes" in {rule["id"] for rule in after.json["rules"]}
    assert not (await either_site.get("publisher", path)).json["can_write"]
    listed = (await either_site.get("admin", "/policies")).json["items"]
    assert [bundle["in_force"] for bundle in listed] == [True, False]
    assert (await either_site.ask("admin", "POST", "/policies", {"files": texts(shipped_files())})).json["digest"] == before["digest"]
    assert (await either_site.get("publisher", path)).json["can_write"]


async def test_rolling_back_returns_to_what_was_in_force_before_however_often(either_site: Administered):
    async def in_force() -> str:
        return str((await either_site.get("reader", "/policies/current")).json["digest"])

    digests = [await in_force()]
    for change in (unwritable_files(), unwritable_files() | {"site.cedar": unwritable_files()["site.cedar"] + b"\n"}):
        await either_site.ask("admin", "POST", "/policies", {"files": texts(change)})
        await either_site.ask("admin", "POST", "/policies", {"files": texts(change)})  # once more changes nothing
        digests.append(await in_force())
    assert len(set(digests)) == 3
    for earlier in reversed(digests[:-1]):
        assert (await either_site.ask("admin", "POST", "/policies/rollback")).json["digest"] == earlier == await in_force()
    assert (await either_site.ask("admin", "POST", "/policies/rollback")).status == 409


async def test_a_second_person_puts_proposed_policies_in_force(sqlite_url: str):
    async with administered(sqlite_url, policy_approvals=2) as site:
        for name in ("uma", "vic"):
            await add_person(site.hub, COMMAND_LINE, username=name, password=PASSWORD, role=Role.ADMIN, member=None)
        uma, vic = basic("uma", PASSWORD), basic("vic", PASSWORD)
        before = (await site.get(uma, "/policies/current")).json["digest"]
        change = {"files": texts(unwritable_files())}
        assert (await site.ask("admin", "POST", "/policies", change)).status == 403  # a token tells nobody's name
        proposed = (await site.ask(uma, "POST", "/policies", change)).json
        (proposal,) = proposed["proposals"]
        assert (proposed["digest"], proposal["proposed_by"]) == (before, "person:uma")
        assert (await site.get("reader", "/policies/current")).json["proposals"] is None
        path = f"/policies/{proposal['digest']}/approval"
        assert [(await site.ask(who, "POST", path)).status for who in (uma, "admin")] == [403, 403]
        approved = (await site.ask(vic, "POST", path)).json
        assert (approved["digest"], approved["proposals"]) == (proposal["digest"], [])
        assert (await site.ask(vic, "POST", path)).status == 404
        done = next(entry for entry in (await site.get("admin", "/audit")).json["items"] if entry["actor"] != "hub")
        assert (done["action"], done["actor"], done["detail"]["proposed_by"]) == ("policy.activate", "person:vic", "person:uma")


async def test_faulty_policies_change_nothing_and_the_fault_is_named(site: Administered):
    before = (await site.get("admin", "/policies/current")).json
    closed = '@id("closed")\n@reason("Closed today.")\nforbid (principal, action, resource);\n'
    standing = texts(shipped_files())["standing.toml"].replace("corroboration = 0.35", "corroboration = 0.36")
    for more, named in (
        ({"bad.cedar": "permit (principal"}, "bad.cedar:1: "),
        ({"../x.cedar": ""}, "../x.cedar:1: "),
        ({"x.py": ""}, "x.py:1: "),
        ({"closed.cedar": closed}, 'closed.cedar:1: policy "closed" may hold back'),
        ({"standing.toml": standing}, "standing.toml:"),
        ({"scenarios/tlp.toml": '[[case]]\nname = "x"\nmember = { kind = "operator" }\nexpect = "allow"'}, "tlp.toml: x: expected allow"),
    ):
        answer = await site.ask("admin", "POST", "/policies", {"files": texts(shipped_files()) | more})
        assert answer.status == 422
        assert named in answer.detail
    assert (await site.ask("admin", "POST", "/policies", {"files": {}})).status == 422
    assert (await site.get("admin", "/policies/current")).json == before


async def test_an_explanation_names_the_policies(site: Administered):
    path = f"/explain?member=energy&object={site.community.object}"
    answer = (await site.get("reader", path)).json
    assert answer["seen"] is True
    assert answer["versions"][0]["reasons"]
    assert {rule["effect"] for label in answer["versions"][0]["labels"] for rule in label["rules"]} == {"permit"}


async def test_me_tells_who_one_is_and_what_one_may_do(site: Administered):
    me = (await site.get("reader", "/me")).json
    assert (me["role"], me["member"]["slug"], me["member"]["groups"]) == ("reader", "energy", ["circle"])
    assert [(one["alias"], one["can_read"], one["can_write"]) for one in me["collections"]] == [("shared", True, False)]
    assert (await site.get("publisher", "/me")).json["collections"][0]["can_write"] is True
    nobody = (await site.get("admin", "/me")).json
    assert (nobody["member"], {one["can_read"] for one in nobody["collections"]}) == (None, {False})


async def test_a_person_changes_their_own_password_and_nothing_else(site: Administered):
    ann = basic("ann", PASSWORD)
    assert (await site.get(ann, "/people/ann")).status == 200
    assert (await site.get(ann, "/people/root")).status == 404
    assert (await site.ask(ann, "PATCH", "/people/ann", {"role": "admin"})).status == 403
    assert (await site.ask(ann, "PATCH", "/people/root", {"password": "not for me to set"})).status == 404
    assert (await site.ask(ann, "PATCH", "/people/ann", {"password": "another long password"})).status == 200
    assert (await site.get(ann, "/me")).status == 401
    assert (await site.get(basic("ann", "another long password"), "/me")).status == 200


# --- nobody gets more than they have --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "highest"), [("reader", "reader"), ("publisher", "publisher"), ("coordinator", "coordinator"), ("chief", "admin")]
)
async def test_nobody_issues_a_token_above_their_own_role(site: Administered, who: str, highest: str):
    roles = ["reader", "publisher", "coordinator", "admin"]
    for role in roles:
        answer = await site.ask(who, "POST", "/tokens", {"name": "mine", "role": role})
        assert answer.status == (201 if roles.index(role) <= roles.index(highest) else 403)
        if answer.status == 201:
            assert answer.json["member"] == "energy"
            me = (await site.get(f"Bearer {answer.json['token']}", "/me")).json
            assert (me["role"], me["member"]["slug"]) == (role, "energy")


async def test_nobody_issues_a_token_for_another_member_or_for_none(site: Administered):
    for member in ("water", "nobody"):
        answer = await site.ask("coordinator", "POST", "/tokens", {"name": "theirs", "role": "reader", "member": member})
        assert (answer.status, answer.detail) == (404, "there is no such member")


async def test_a_token_issues_none_that_outlives_it(site: Administered):
    expires_us = site.hub.now_us() + HOUR_US
    _, text = await issue_token(site.hub, COMMAND_LINE, name="short", role=Role.PUBLISHER, member="energy", expires_us=expires_us)
    ends = (await site.get(f"Bearer {text}", "/tokens")).json["items"]
    moment = next(token["expires_at"] for token in ends if token["name"] == "short")
    for expires_at, status in ((None, 403), ("2999-01-01T00:00:00Z", 403), (moment, 201)):
        answer = await site.ask(f"Bearer {text}", "POST", "/tokens", {"name": "longer", "role": "reader", "expires_at": expires_at})
        assert answer.status == status, expires_at


async def test_a_token_of_a_higher_role_is_not_there_for_a_lower_one(site: Administered):
    listed = {token["name"] for token in (await site.get("reader", "/tokens")).json["items"]}
    assert listed == {"reader"}
    chief = site.community.tokens["chief"].split("_")[2]
    assert (await site.ask("reader", "DELETE", f"/tokens/{chief}")).status == 404
    assert (await site.get("chief", "/me")).status == 200


async def test_a_coordinator_lets_nobody_into_a_group_that_it_is_not_in(site: Administered):
    """To join a group is to see what is marked with it."""
    assert (await site.ask("coordinator", "PUT", "/groups/others/members/energy")).status == 404
    made = await site.ask("coordinator", "POST", "/groups", {"slug": "mine", "name": "Mine", "members": ["water"]})
    assert made.json["members"] == ["energy", "water"]
    assert (await site.ask("water", "PUT", "/groups/mine/members/gone")).status == 200
    assert (await site.ask("coordinator", "DELETE", "/groups/mine/members/energy")).status == 200
    assert (await site.ask("coordinator", "PUT", "/groups/mine/members/energy")).status == 404


async def test_a_coordinator_learns_of_no_group_that_it_is_not_in(site: Administered):
    answer = await site.get("coordinator", "/members")
    assert {member["slug"]: member["groups"] for member in answer.json["items"]}["water"] == ["circle"]
    assert "others" not in answer.text


async def test_who_has_rights_on_a_collection_is_for_administrators(site: Administered):
    shared = f"/collections/{site.community.collection}"
    assert (await site.get("admin", shared)).json["readers"] == ["everyone"]
    assert (await site.get("coordinator", shared)).json["readers"] is None


async def test_what_is_hidden_answers_as_what_is_not_there(site: Administered):
    for hidden, absent in (
        (f"/collections/{site.community.hidden}", "/collections/00000000-0000-4000-8000-000000000000"),
        ("/members/water", "/members/nobody"),
        ("/groups/others", "/groups/none"),
        (f"/tokens/{site.community.tokens['water'].split('_')[2]}", "/tokens/aaaaaaaaaaaa"),
        (f"/certificates/{site.community.certificate_of_water}", f"/certificates/{'0' * 64}"),
        ("/people/root", "/people/none"),
        (f"/explain?member=water&object={site.community.object}", f"/explain?member=nobody&object={site.community.object}"),
    ):
        first, second = [(await site.get("reader", path)) for path in (hidden, absent)]
        assert (first.status, first.detail) == (second.status, second.detail), hidden
        assert first.status == 404
        left = {"X-Request-ID", "Date"}
        assert {k: v for k, v in first.headers.items() if k not in left} == {k: v for k, v in second.headers.items() if k not in left}


async def test_an_administrators_token_may_belong_to_nobody_and_sees_no_content(site: Administered):
    assert (await site.get("admin", f"/collections/{site.community.collection}")).json["can_read"] is False


# --- what is refused ------------------------------------------------------------------------------------------------------


REFUSED = [
    ("/members", {"slug": "x", "name": "X", "kind": "operator", "admin": True}, "admin"),
    ("/members", {"slug": "x", "name": "X"}, "kind"),
    ("/members", {"slug": "x", "name": "X", "kind": "king"}, "kind"),
    ("/members", {"slug": "x", "name": 7, "kind": "operator"}, "name"),
    ("/members", {"slug": "Not A Slug", "name": "X", "kind": "operator"}, "slug"),
    ("/members", {"slug": "3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a01", "name": "X", "kind": "operator"}, "slug"),
    ("/members", {"slug": "x", "name": " X", "kind": "operator"}, "name"),
    ("/members", {"slug": "x", "name": "", "kind": "operator"}, "name"),
    ("/members", {"slug": "x", "name": "Agency\u202e", "kind": "operator"}, "U+202E"),
    ("/members", {"slug": "x", "name": "Age\u200bncy", "kind": "operator"}, "U+200B"),
    ("/members", {"slug": "x", "name": "line\nbreak", "kind": "operator"}, "name"),
    ("/members", {"slug": "x", "name": "Cafe\u0301", "kind": "operator"}, "name"),
    ("/members", {"slug": "x", "name": "X" * 201, "kind": "operator"}, "name"),
    ("/members", {"slug": "x", "name": "X", "kind": "operator", "sectors": ["dragons"]}, "sectors"),
    ("/members", {"slug": "x", "name": "X", "kind": "operator", "id": "identity--1"}, "id"),
    ("/people", {"username": "a:b", "password": PASSWORD, "role": "admin"}, "username"),
    ("/people", {"username": "bob", "password": "short", "role": "admin"}, "password"),
    ("/people", {"username": "bob", "password": PASSWORD, "role": "reader"}, "member"),
    ("/tokens", {"name": "x", "role": "reader"}, "member"),
    ("/tokens", {"name": "x", "role": "admin", "expires_at": "tomorrow"}, "expires_at"),
    ("/tokens", {"name": "x", "role": "admin", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ("/certificates", {"member": "energy", "name": "x", "role": "reader", "pem": "x"}, "certificate"),
    ("/collections", {"title": "a.b"}, "title"),
    ("/collections", {"title": "a,b"}, "title"),
    ("/collections", {"title": "A", "alias": "3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a01"}, "alias"),
    ("/collections", {"title": "A", "readers": ["all"]}, "grantee"),
    ("/collections", {"title": "A", "readers": ["kind:king"]}, "grantee"),
    ("/collections", {"title": "A", "readers": ["sector:dragons"]}, "sectors"),
    ("/collections", {"title": "A", "topic": "Two Words"}, "topic"),
    ("/collections", {"title": "A", "media_types": ["x"]}, "media_types"),
    ("/collections", {"title": "A", "signature_required": "no"}, "signature_required"),
]


async def test_what_is_not_in_order_is_refused_by_the_fields_name(site: Administered):
    for path, body, named in REFUSED:
        answer = await site.ask("admin", "POST", path, body)
        assert answer.status == 422, body
        assert named in answer.detail


async def test_what_cannot_be_nothing_is_not_set_to_null(site: Administered):
    for field in ("name", "kind", "sectors", "standing"):
        assert (await site.ask("admin", "PATCH", "/members/energy", {field: None})).status == 422, field


async def test_a_secret_that_is_refused_is_not_repeated(site: Administered):
    answer = await site.ask(
        "admin", "POST", "/people", {"username": "bob", "password": "s3cret\u0007s3cret", "role": "king", "x": "s3cret"}
    )
    assert answer.status == 422
    assert "s3cret" not in answer.text


TAKEN = [
    ("/members", {"slug": "energy", "name": "X", "kind": "operator"}),
    ("/people", {"username": "ann", "password": PASSWORD, "role": "admin"}),
    ("/groups", {"slug": "circle", "name": "X"}),
    ("/roots", {"slug": "hub", "title": "X"}),
    ("/collections", {"title": "Shared"}),
    ("/collections", {"title": "Other", "alias": "shared"}),
]


async def test_what_is_there_already_is_a_conflict_and_stays(either_site: Administered):
    again = {"member": "energy", "name": "again", "role": "reader", "pem": certificate("again").pem}
    await either_site.ask("admin", "POST", "/certificates", again)
    for path, body in [*TAKEN, ("/certificates", again)]:
        before = (await either_site.get("admin", path)).json
        assert (await either_site.ask("admin", "POST", path, body)).status == 409, body
        assert (await either_site.get("admin", path)).json == before


async def test_the_default_root_stays_one(site: Administered):
    assert (await site.ask("admin", "PATCH", "/roots/hub", {"default": False})).status == 422


BODIES = [
    (b"", "application/json", 400),
    (b"{", "application/json", 400),
    (b'{"slug":"x","slug":"y","name":"X","kind":"operator"}', "application/json", 400),
    (b'{"slug":"x","name":"\\ud800","kind":"operator"}', "application/json", 422),
    (b'{"slug":"x","name":"\\u0000","kind":"operator"}', "application/json", 422),
    (b"\xff", "application/json", 400),
    (b"[" * 100_000, "application/json", 400),
    (b"[]", "application/json", 422),
    (b"null", "application/json", 422),
    (b'{"slug":"x","name":"X","kind":"operator"}', "text/plain", 415),
    (b'{"slug":"x","name":"X","kind":"operator"}', "application/x-www-form-urlencoded", 415),
    (b'{"slug":"x","name":"X","kind":"operator"}', "application/json; charset=utf-8", 201),
    (b" " * (10 * 1024 * 1024 + 1), "application/json", 413),
]


async def test_a_body_is_read_strictly(site: Administered):
    for body, content_type, status in BODIES:
        assert (await site.ask_for_raw("admin", "POST", "/members", body, content_type)).status == status, body[:80]


QUERIES = [
    ("limit=1", 200),
    ("limit=1000", 200),
    ("limit=0", 422),
    ("limit=1001", 422),
    ("limit=x", 422),
    ("limit=1&limit=2", 400),
    ("offset=1", 422),
    ("after=", 200),
    ("after=%00", 200),
]


async def test_a_query_is_read_strictly(site: Administered):
    for query, status in QUERIES:
        assert (await site.get("admin", f"/members?{query}")).status == status, query


INJECTIONS = [
    "' OR '1'='1",
    "'; DROP TABLE member; --",
    '" OR ""="',
    "1; SELECT pg_sleep(9)",
    "') UNION SELECT secret_hash FROM token --",
    "%27%20OR%201=1",
    "\\'; --",
    "energy' AND '1'='1",
    "$$;--",
    "{0}",
    "${7*7}",
    "%s%s%n",
    "../../etc/passwd",
    "*",
    "%",
    "_",
    "energy%00",
    "\u2019 OR 1=1",
]


async def test_what_is_sent_is_never_part_of_a_statement(either_site: Administered):
    """In every place that takes text: nothing is found by it, nothing breaks, and nothing changes."""
    before = (await either_site.get("admin", "/members?limit=1000")).json
    for text in INJECTIONS:
        await inject(either_site, text)
    assert (await either_site.get("admin", "/members?limit=1000")).json == before


async def inject(either_site: Administered, text: str) -> None:
    quoted = text.replace("%", "%25").replace("/", "%2F").replace("#", "%23").replace("?", "%3F").replace("&", "%26")
    for path in ("members", "people", "groups", "tokens", "certificates", "roots", "collections"):
        assert (await either_site.get("admin", f"/{path}/{quoted}")).status in (400, 404, 422)
        assert (await either_site.get("admin", f"/{path}?after={quoted}")).status == 200
    for query in (
        f"/audit?after={quoted}",
        f"/explain?member={quoted}&object={either_site.community.object}",
        f"/explain?member=energy&object={quoted}",
    ):
        assert (await either_site.get("admin", query)).status in (404, 422)
    named = await either_site.ask("admin", "PATCH", "/groups/circle", {"name": text})
    assert named.status in (200, 422)
    if named.status == 200:
        assert (await either_site.get("admin", "/groups/circle")).json["name"] == text


# --- what is listed and left behind ---------------------------------------------------------------------------------------


async def test_a_list_is_the_same_however_it_is_paged(site: Administered):
    for path in ("/members", "/people", "/tokens", "/groups", "/collections", "/certificates", "/roots"):
        whole = (await site.get("admin", f"{path}?limit=1000")).json
        assert whole["next"] is None
        for limit in (1, 2, len(whole["items"])):
            assert await walk(site, "admin", path, limit=limit) == whole["items"]


async def test_every_change_leaves_a_trace_with_its_author(either_site: Administered):
    await either_site.ask("admin", "POST", "/members", {"slug": "rail", "name": "Rail", "kind": "operator"})
    await either_site.ask("coordinator", "PATCH", "/groups/circle", {"name": "The Ring"})
    await either_site.ask("admin", "POST", "/members", {"slug": "rail", "name": "Rail", "kind": "operator"})  # refused: no trace
    entries = await walk(either_site, "admin", "/audit", limit=3)
    assert [entry["row"] for entry in entries] == sorted((entry["row"] for entry in entries), reverse=True)
    token = {name: text.split("_")[2] for name, text in either_site.community.tokens.items()}
    by_others = [entry for entry in entries if entry["actor"] != "hub"]  # which notes of its own accord which reviews are due
    assert [(entry["actor"], entry["action"], entry["target"]) for entry in by_others[:2]] == [
        (f"token:{token['coordinator']}", "group.rename", "circle"),
        (f"token:{token['admin']}", "member.add", "rail"),
    ]
    assert entries[-1]["actor"] == "command line"


async def test_no_secret_is_ever_shown_or_logged(site: Administered, capsys: pytest.CaptureFixture[str]):
    password = "a password that is in no answer"
    await site.ask("admin", "POST", "/people", {"username": "bob", "password": password, "role": "admin"})
    await site.get(basic("bob", password), "/me")
    await site.get(basic("bob", "wrong " + password), "/me")
    issued = await site.ask("admin", "POST", "/tokens", {"name": "x", "role": "admin"})
    new = issued.json["token"]
    await site.get(f"Bearer {new}x", "/me")
    await site.get(f"Bearer {new}", "/me")
    shown = [await site.get("admin", f"{path}?limit=1000") for path in ("/people", "/tokens", "/certificates", "/audit", "/members")]
    shown += [await site.get("admin", path) for path in ("/people/bob", f"/tokens/{issued.json['id']}", "/me", "/policies/current")]
    directory = await site.hub.directory()
    texts = [answer.text for answer in shown] + list(capsys.readouterr())
    secrets = [password, *(text.split("_", 3)[3] for text in (new, *site.community.tokens.values()))]
    secrets += [person.password_hash for person in directory.people.values()]
    secrets += [token.secret_hash.hex() for token in directory.tokens.values()] + [site.hub.secret.hex()]
    assert [secret for secret in secrets for text in texts if secret in text or json.dumps(secret)[1:-1] in text] == []
