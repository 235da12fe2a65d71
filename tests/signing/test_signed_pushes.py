"""What came in messages that a stolen key signed is suspect, as what the key signed itself is, and is not taken for that."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.signing.attestation import read_attestation
from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.object_signature import sign_object
from hub.domain.timestamp import format_timestamp
from hub.domain.webhooks.event import EventKind
from hub.service.administer import COMMAND_LINE
from hub.service.audit import list_audit
from hub.service.explain import explain
from hub.service.member_keys import tell_compromised
from hub.store.happened import HUB_ROW, events_after
from tests.cli.test_signed_remote import run, written
from tests.signing.community import ENERGYS, WATERS, Signing, register, settle
from tests.signing.test_member_keys import RED, attestation
from tests.signing.tricks import plain
from tests.taxii.community import ENERGY
from tests.taxii.content import Object, envelope, indicator
from tests.taxii.signed import Signed
from tests.taxii.site import Caller, Reply, Site, serve, serve_again
from tests.taxii.test_writing import finished

KID = ENERGYS.public.kid


async def send(site: Site, collection: str, *objects: Object, key: PrivateKey = ENERGYS) -> Reply:
    """Push objects as energy in a message that is signed."""
    return await Signed(site, f"{collection}objects/", envelope(*objects), key=key).send(site.energy)


async def sent(site: Site, collection: str, *objects: Object, key: PrivateKey = ENERGYS) -> None:
    reply = await send(site, collection, *objects, key=key)
    assert (reply.status, reply.json["success_count"]) == (202, len(objects)), reply.body


async def ask(caller: Caller, path: str, **body: Any) -> Any:
    """Ask the API: GET, or POST where there is something to send."""
    headers = {"Authorization": caller.authorization or ""}
    address = f"{caller.url}/api/v1/{path}"
    asked = caller.session.post(address, json=body, headers=headers) if body else caller.session.get(address, headers=headers)
    async with asked as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json(content_type=None)


async def suspects(caller: Caller, kid: str = KID) -> dict[str, str | None]:
    """Return the suspects that somebody is told of: what is signed, by the object's id."""
    items = (await ask(caller, f"keys/{kid}/suspects"))["items"]
    assert not any(item["anonymous"] for item in items)
    return {item["object"]: item["signed"] for item in items}


async def test_what_a_message_of_a_stolen_key_brought_is_suspect_for_whoever_sees_it(either_signing: Signing, shared: str):
    site, hub = either_signing.site, either_signing.site.hub
    before, brought, signed, both, secret, unsigned = (plain() for _ in range(6))
    await sent(site, shared, before)
    since_us = hub.now_us()
    both, secret = sign_object(both, ENERGYS), {**secret, "object_marking_refs": [RED]}
    await sent(site, shared, brought, both, secret)
    await site.energy.push(shared, sign_object(signed, ENERGYS))
    await site.energy.push(shared, unsigned)
    assert (await Signed(site, f"{shared}objects/", envelope(indicator()), key=WATERS).send(site.water)).status == 202

    told = await ask(site.admin, f"keys/{KID}/compromise", since=format_timestamp(since_us))
    assert told["status"] == "compromised"
    seen: dict[str, str | None] = {brought["id"]: "message", both["id"]: "object", signed["id"]: "object"}
    assert await suspects(site.water) == await suspects(site.observer) == seen
    assert await suspects(site.energy) == await suspects(site.admin) == {**seen, secret["id"]: "message"}

    explained = {
        obj["id"]: (await explain(hub, await hub.directory(), None, "energy", obj["id"])).versions[0]
        for obj in (before, brought, signed, both, unsigned)
    }
    assert [(one.signed_with, one.sent_with, one.is_suspect) for one in explained.values()] == [
        ((), (KID,), False),
        ((), (KID,), True),
        ((KID,), (), True),
        ((KID,), (), True),
        ((), (), False),
    ]
    (version,) = (await ask(site.water, f"explain?member=water&object={brought['id']}"))["versions"]
    assert (version["signed_with"], version["sent_with"], version["suspect"]) == ([], [KID], True)
    entry = (await list_audit(hub, COMMAND_LINE, limit=1))[0]
    assert (entry.action, entry.detail["suspect"]) == ("key.compromised", 4)
    async with hub.db.read() as conn:
        (event,) = await events_after(conn, HUB_ROW, after_us=0, until_us=2**62, limit=10)
    assert (event.kind, event.subject, event.member) == (EventKind.KEY_COMPROMISED, KID, None)
    assert (await send(site, shared, plain())).status == 401


async def test_nothing_says_that_an_object_is_signed_where_its_message_is(either_signing: Signing, shared: str):
    site, obj = either_signing.site, plain()
    await sent(site, shared, obj)
    statement = read_attestation((await attestation(either_signing, obj)).body.decode(), site.hub.keys.object.public)
    assert (statement["attestation"], statement["member"], statement.get("keys")) == ("unsigned-accepted", ENERGY.id, None)
    refused = await send(site, either_signing.signed, plain())
    assert "takes only what its producer has signed" in refused.json["failures"][0]["message"]


async def test_who_signed_the_object_and_who_its_message_are_told_apart(either_signing: Signing, shared: str):
    """A member may have a key for what it writes, and one where it sends from."""
    site, hub, senders = either_signing.site, either_signing.site.hub, PrivateKey.generate()
    await register(hub, senders, "energy")
    since_us, obj = hub.now_us(), sign_object(plain(), ENERGYS)
    await sent(site, shared, obj, key=senders)
    await tell_compromised(hub, COMMAND_LINE, senders.public.kid, since_us=since_us)
    assert await suspects(site.water, senders.public.kid) == {obj["id"]: "message"}
    (one,) = (await explain(hub, await hub.directory(), None, "water", obj["id"])).versions
    assert (one.signed_with, one.sent_with, one.is_suspect) == ((KID,), (senders.public.kid,), True)
    await tell_compromised(hub, COMMAND_LINE, KID, since_us=since_us)
    assert await suspects(site.water) == {obj["id"]: "object"}


@contextlib.asynccontextmanager
async def left(database_url: str, shared: str, monkeypatch: pytest.MonkeyPatch, *objects: Object) -> AsyncIterator[tuple[Site, Any]]:
    """A hub that stops before it does anything of a large push that energy signed; its status comes with it."""
    with monkeypatch.context() as patched:
        patched.setattr("hub.work.pushes.lease_push", nothing_to_do)
        async with serve(database_url, push_inline_objects_max=1) as site:
            await settle(site)
            reply = await send(site, shared, *objects)
            assert (reply.status, reply.json["pending_count"]) == (202, len(objects))
            yield site, reply.json


async def nothing_to_do(*_: object, **__: object) -> None:
    return None


async def test_a_large_push_that_is_finished_after_a_restart_still_tells_who_signed_it(
    database_url: str, shared: str, monkeypatch: pytest.MonkeyPatch
):
    objects = [plain() for _ in range(5)]
    async with left(database_url, shared, monkeypatch, *objects) as (site, status):
        since_us = site.hub.now_us()
    async with serve_again(database_url, site.credentials) as again:
        assert (await finished(again.energy, status))["success_count"] == 5
        await tell_compromised(again.hub, COMMAND_LINE, KID, since_us=since_us)
        assert await suspects(again.water) == {obj["id"]: "message" for obj in objects}


async def test_what_is_pushed_with_the_command_is_suspect_too(either_signing: Signing, shared: str, tmp_path: Path):
    site, obj = either_signing.site, plain()
    since_us = site.hub.now_us()
    file, key = written(tmp_path / "in.ndjson", json.dumps(obj)), written(tmp_path / "key.pem", ENERGYS.to_pem())
    done = await run(site, "push", file, "--url", site.url + shared, "--sign", key)
    assert (done.exit_code, done.stderr) == (0, "accepted 1, refused 0\n")

    async def administer(*words: object) -> str:
        asked = await run(site, *map(str, words), HUB_DATABASE_URL=site.hub.config.database_url)
        assert asked.exit_code == 0, asked.stderr
        return asked.stdout

    listed = json.loads(await administer("key", "compromised", KID, "--since", format_timestamp(since_us), "--json"))
    assert listed == json.loads(await administer("key", "suspects", KID, "--json"))
    assert [(one["object"], one["signed"], one["anonymous"]) for one in listed] == [(obj["id"], "message", False)]
    assert await suspects(site.water) == {obj["id"]: "message"}
    explained = await administer("explain", "--member", "water", "--object", obj["id"])
    assert f"came in a message that was signed with {KID}\n    suspect: " in explained
    assert "  signed with" not in explained
