"""Signed messages on the wire (RFC 9421, RFC 9530): pushes whose sender is proved, and answers that clients need not trust the path for."""

import asyncio
import contextlib
import gzip
import json
import re
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from hub.app import build_app
from hub.config import Config
from hub.domain.http_signature.answer import require_signed, wanted
from hub.domain.http_signature.digest import content_digest
from hub.domain.http_signature.message import Answer, normal_uri
from hub.domain.http_signature.push import AGE_MAX_S
from hub.domain.http_signature.signature import read_signatures
from hub.domain.signing.keys import PrivateKey
from hub.service.administer import COMMAND_LINE
from hub.service.members import change_member
from hub.store.nonces import forget_nonces
from tests.taxii.community import ENERGY, SHARED, WATER
from tests.taxii.content import envelope, indicator
from tests.taxii.signed import KEY, NONCES, Signed, give_key, request_of
from tests.taxii.site import MEDIA_TYPE, Caller, Site, serve, serve_again

PUBLIC = "https://hub.example.org/gateway"


@pytest.fixture
async def signing(site: Site) -> Site:
    await give_key(site.hub, ENERGY.id)
    return site


async def test_a_signed_push_is_taken_once_on_all_nodes_and_by_the_address_that_members_use(postgresql_url: str, shared: str):
    async with (
        serve(postgresql_url, public_url=PUBLIC) as first,
        serve_again(postgresql_url, first.credentials, public_url=PUBLIC) as second,
    ):
        await give_key(first.hub, ENERGY.id)
        signed = Signed(first, f"{shared}objects/", envelope(indicator()), base=PUBLIC)
        assert (await signed.send(first.energy)).json["success_count"] == 1
        for node in (second, first):
            assert await signed.refused(node.energy) == (401, "the nonce came before: each request needs a new one")

        signed = Signed(first, f"{shared}objects/", envelope(indicator()), base=PUBLIC)
        at_once = await asyncio.gather(*(signed.send(node.energy) for node in (first, second, first, second)))
        assert sorted(reply.status for reply in at_once) == [202, 401, 401, 401]

        # The addresses of the nodes themselves are nobody's business.
        status, told = await Signed(first, f"{shared}objects/", envelope(indicator())).refused(first.energy)
        assert (status, told) == (401, f"the signature does not fit what arrived here: POST {PUBLIC}{shared}objects/ and its fields")


async def test_a_nonce_that_was_used_is_refused_and_forgotten_once_its_signature_is_too_old(signing: Site, shared: str):
    signed = Signed(signing, f"{shared}objects/", envelope(indicator()), nonce="once")
    assert (await signed.send(signing.energy)).status == 202
    again = Signed(signing, f"{shared}objects/", envelope(indicator()), nonce="once")
    assert (await again.refused(signing.energy))[0] == 401
    now_us = signing.hub.now_us()
    assert await signing.hub.db.write(forget_nonces, now_us=now_us + AGE_MAX_S * 1_000_000) == 0
    assert await signing.hub.db.write(forget_nonces, now_us=now_us + 3 * AGE_MAX_S * 1_000_000) == 1


CHANGES: dict[str, tuple[Callable[[Signed], Any], int]] = {
    "a byte of the body": (lambda s: setattr(s, "body", s.body.replace(b"objects", b"Objects")), 400),
    "the body and its digest": (lambda s: (setattr(s, "body", b"{}"), s.headers.update({"Content-Digest": content_digest(b"{}")})), 401),
    "no body": (lambda s: setattr(s, "body", b""), 400),
    "no digest": (lambda s: s.headers.pop("Content-Digest"), 400),
    "the media type": (lambda s: s.headers.update({"Content-Type": "application/stix+json;version=2.1"}), 401),
    "the method": (lambda s: (setattr(s, "method", "DELETE"), setattr(s, "path", s.path + "indicator--x/")), 401),
    "another collection": (lambda s: setattr(s, "path", s.path.replace("0004/", "0003/")), 401),
    "a query": (lambda s: setattr(s, "path", s.path + "?a=b"), 401),
    "another form of the path": (lambda s: setattr(s, "path", s.path.rstrip("/")), 401),
    "the nonce": (lambda s: s.headers.update({"Signature-Input": s.headers["Signature-Input"].replace("nonce-", "nonce+")}), 401),
    "another tag": (lambda s: s.headers.update({"Signature-Input": s.headers["Signature-Input"].replace("hub-push", "")}), 400),
    "an unknown algorithm": (lambda s: s.headers.update({"Signature-Input": s.headers["Signature-Input"] + ';alg="rsa-pss-sha512"'}), 401),
    "a parameter twice": (lambda s: s.headers.update({"Signature-Input": s.headers["Signature-Input"] + ";created=1"}), 400),
    "no signature for its input": (lambda s: s.headers.pop("Signature"), 400),
    "no input for its signature": (lambda s: s.headers.pop("Signature-Input"), 400),
    "half a signature": (lambda s: s.headers.update({"Signature": s.headers["Signature"][:40] + ":"}), 401),
    "what is no signature": (lambda s: s.headers.update({"Signature": "push=?1"}), 400),
}


async def test_nothing_of_a_signed_push_can_be_changed_on_its_way(signing: Site, shared: str):
    for name, (change, status) in CHANGES.items():
        signed = Signed(signing, f"{shared}objects/", envelope(indicator()))
        change(signed)
        assert ((await signed.send(signing.energy)).status, name) == (status, name)
    assert await signing.energy.ids(f"{shared}objects/") == []


async def test_a_signature_counts_for_a_while_only_and_with_a_good_key_of_the_member_only(signing: Site, shared: str):
    path, body = f"{shared}objects/", envelope(indicator())
    assert "more than 300 s ago" in (await Signed(signing, path, body, aged_s=AGE_MAX_S + 2).refused(signing.energy))[1]
    assert "in the future" in (await Signed(signing, path, body, aged_s=-90).refused(signing.energy))[1]

    revoked, pending, foreign = PrivateKey.generate(), PrivateKey.generate(), PrivateKey.generate()
    now_us = signing.hub.now_us()
    await give_key(signing.hub, ENERGY.id, revoked, revoked_us=now_us)
    await give_key(signing.hub, ENERGY.id, pending, not_before_us=now_us + 3_600_000_000)
    await give_key(signing.hub, WATER.id, foreign)
    for key in (revoked, pending, foreign, PrivateKey.generate()):
        told = await Signed(signing, path, body, key=key).refused(signing.energy)
        assert told == (401, "keyid: it names no key of your member that is good now")
    assert (await Signed(signing, path, body, key=foreign).send(signing.water)).status == 202
    assert (await Signed(signing, path, body, key=foreign).refused(signing.admin))[0] == 401


async def test_who_has_to_sign_is_told_what_and_may_read_without(signing: Site, shared: str):
    await change_member(signing.hub, COMMAND_LINE, "energy", message_signatures_required=True)
    refused = await signing.energy.push_raw(f"{shared}", envelope(indicator()))
    assert refused.status == 401
    assert refused.headers["Accept-Signature"] == ('push=("@method" "@target-uri" "content-type" "content-digest");created;tag="hub-push"')
    url = URL(f"{signing.url}/api/v1/tokens")
    async with signing.session.post(url, json={}, headers={"Authorization": signing.energy.authorization or ""}) as answer:
        assert (answer.status, (await answer.json())["type"]) == (401, "urn:fusion-hub:problem:unauthenticated")
        assert "Accept-Signature" in answer.headers

    held = indicator()
    await signing.water.push(shared, held)
    assert await signing.energy.ids(f"{shared}objects/") == [held["id"]]
    assert (await Signed(signing, f"{shared}objects/", envelope(indicator())).send(signing.energy)).status == 202


async def test_who_does_not_sign_pays_for_no_address_to_compare(signing: Site, shared: str, monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []
    monkeypatch.setattr("hub.web.message_signatures.normal_uri", lambda uri: made.append(uri) or normal_uri(uri))
    await signing.energy.push(shared, indicator())
    assert made == []
    nothing: list[dict[str, str | None]] = [{"Signature-Input": ""}, {"Signature": ""}, {"Signature-Input": "", "Signature": ""}]
    of_others = {"Signature-Input": 'proxy=("@method");tag="a-proxy"', "Signature": "proxy=:AAAA:"}
    for unsigned in (*nothing, of_others):
        assert (await signing.energy.push_raw(shared, envelope(indicator()), **unsigned)).status == 202
    for half in ({"Signature-Input": of_others["Signature-Input"]}, {"Signature": of_others["Signature"]}):
        assert (await signing.energy.push_raw(shared, envelope(indicator()), **half)).status == 400
    assert len(made) == 6
    await change_member(signing.hub, COMMAND_LINE, "energy", message_signatures_required=True)
    for unsigned in ({}, *nothing, of_others):
        refused = await signing.energy.push_raw(shared, envelope(indicator()), **unsigned)
        assert (refused.status, "Accept-Signature" in refused.headers) == (401, True)


@contextlib.asynccontextmanager
async def restarted(site: Site, **settings: Any) -> AsyncIterator[Site]:
    async with serve_again(site.hub.config.database_url, site.credentials, **settings) as serving:
        yield serving


async def test_a_hub_can_take_signed_pushes_only(signing: Site, shared: str):
    async with restarted(signing, message_signatures_required=True) as strict:
        for caller in (strict.energy, strict.water):
            assert (await caller.push_raw(shared, envelope(indicator()))).status == 401
        own = indicator(created_by_ref=ENERGY.id)
        assert (await Signed(strict, f"{shared}objects/", envelope(own)).send(strict.energy)).json["success_count"] == 1
        path = f"{shared}objects/{own['id']}/"
        assert (await strict.energy.send("DELETE", path)).status == 401
        assert (await Signed(strict, path, method="DELETE").send(strict.energy)).status == 200
        with_body = Signed(strict, path, method="DELETE")
        with_body.body = b"{}"
        assert (await with_body.send(strict.energy)).status == 400


async def test_behind_a_proxy_the_address_is_the_one_that_it_was_asked_for(signing: Site, shared: str):
    passed_on = {"X-Forwarded-Proto": "https", "Host": "hub.example.org"}
    async with restarted(signing, proxy_addresses=("127.0.0.1",)) as behind:
        signed = Signed(behind, f"{shared}objects/", envelope(indicator()), base="https://HUB.example.org:443", **passed_on)
        assert (await signed.send(behind.energy)).json["success_count"] == 1
    signed = Signed(signing, f"{shared}objects/", envelope(indicator()), base="https://hub.example.org", **passed_on)
    assert (await signed.refused(signing.energy))[0] == 401  # who is no proxy says nothing of how a request came


async def test_a_digest_is_of_what_is_sent_and_compared_though_nothing_is_signed(site: Site, shared: str):
    packed = gzip.compress(envelope(indicator()))
    encoded = {"Content-Encoding": "gzip"}
    good = {**encoded, "Content-Digest": content_digest(packed)}
    assert (await site.energy.push_raw(shared, packed, **good)).json["success_count"] == 1
    wrong = {**encoded, "Content-Digest": content_digest(gzip.decompress(packed))}
    reply = await site.energy.push_raw(shared, packed, **wrong)
    assert (reply.status, "this sha-256" in reply.json["description"]) == (400, True)
    assert len(await site.energy.ids(f"{shared}objects/")) == 1


async def asked(
    site: Site, caller: Caller, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> int:
    """Send a request whose answer must be signed, check that it is, and return its status."""
    nonce = next(NONCES)
    sent = {"Accept-Signature": wanted(nonce), "Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE, **(headers or {})}
    if caller.authorization:
        sent["Authorization"] = caller.authorization
    url = URL(site.url + path, encoded=True)
    async with site.session.request(method, url, data=body, headers=sent, allow_redirects=False) as reply:
        answer = Answer(reply.status, lambda name: reply.headers.getall(name, ()), request_of(method, site.url + path, sent))
        key = site.hub.keys.response.public
        require_signed(answer, await reply.read(), {key.kid: key}, nonce=nonce, now_s=site.hub.now_us() // 1_000_000)
    return reply.status


async def test_every_answer_is_signed_for_who_asks_for_it(signing: Site, shared: str):
    held = indicator(created_by_ref=ENERGY.id, description="x" * 300_000)  # whose digest takes a thread
    await signing.energy.push(shared, held)
    of_object = f"{shared}objects/{held['id']}/"
    for status, method, path in (
        (200, "GET", "/taxii2/"),
        (200, "GET", f"{shared}objects/?limit=1"),
        (200, "GET", f"{shared}objects/?added_after=2999-01-01T00:00:00Z"),
        (200, "HEAD", f"{shared}objects/"),
        (204, "OPTIONS", f"{shared}objects/"),
        (400, "GET", f"{shared}objects/?limit=x"),
        (404, "GET", "/taxii2/nowhere/"),
        (405, "PUT", f"{shared}objects/"),
        (200, "GET", "/api/v1/members"),
        (404, "GET", "/api/v1/nowhere"),
        (200, "DELETE", of_object),
        (200, "GET", "/healthz"),
    ):
        assert (await asked(signing, signing.energy, method, path), path) == (status, path)
    assert await asked(signing, signing.stranger(), "GET", f"{shared}objects/") == 401


DOCUMENT = (Path(__file__).resolve().parents[2] / "connectors" / "SIGNED-MESSAGES.md").read_text()
WISHES = re.findall(r"^    Accept-Signature: (.*)$", DOCUMENT, re.MULTILINE)  # for an answer, and for a stream
ROUTES = sorted({(route.method, route.resource.canonical) for route in build_app(Config()).router.routes() if route.resource is not None})
STREAM = "/api/v1/stream"


async def test_what_every_route_answers_is_signed_to_whoever_asks(signing: Site):
    named = defaultdict(lambda: "x", root="hub", collection=SHARED.id, identity=ENERGY.id)
    for caller in (signing.agency, signing.stranger()):
        statuses = Counter()
        for method, path in ROUTES:
            if (method, path, caller) != ("GET", STREAM, signing.agency):
                statuses[await asked(signing, caller, "GET" if method == "*" else method, path.format_map(named))] += 1
        assert sum(statuses.values()) >= len(ROUTES) - 1 > 200
        assert statuses.keys() >= ({200, 204, 400, 403, 404} if caller.authorization else {200, 401})


async def test_a_stream_is_signed_as_far_as_what_has_no_end_can_be(signing: Site):
    sent = {"Authorization": signing.agency.authorization or "", "Accept": "text/event-stream"}
    path = f"{STREAM}?wait=false"
    for wish, is_signed in ((WISHES[1], True), (WISHES[0], False)):  # the second one asks for a digest
        async with signing.session.get(URL(signing.url + path), headers={**sent, "Accept-Signature": wish}) as reply:
            assert (reply.status, reply.content_type, "Content-Digest" in reply.headers) == (200, "text/event-stream", False)
            assert ("Signature" in reply.headers) == is_signed
            request = request_of("GET", signing.url + path, {**sent, "Accept-Signature": wish})
            told = Answer(reply.status, lambda name, reply=reply: reply.headers.getall(name, ()), request)
            for signature in read_signatures(told):
                assert [str(one) for one in signature.covered] == ['"@status"', '"content-type"', '"@method";req', '"@target-uri";req']
                assert (signature.text("nonce"), signature.text("tag")) == ("f3b1c2", "mine")
                assert signature.is_made_with(signing.hub.keys.response.public, told)
                assert not signature.is_made_with(signing.hub.keys.response.public, replace(told, status=204))


async def test_the_answer_to_a_signed_push_is_tied_to_it(signing: Site, shared: str):
    signed = Signed(signing, f"{shared}objects/", envelope(indicator()))
    assert await asked(signing, signing.energy, "POST", signed.path, body=signed.body, headers=signed.headers) == 202
    signed = Signed(signing, f"{shared}objects/", envelope(indicator()), aged_s=1_000)
    assert await asked(signing, signing.energy, "POST", signed.path, body=signed.body, headers=signed.headers) == 401


async def test_the_example_for_clients_sends_what_is_taken_as_signed(signing: Site, shared: str, tmp_path: Path):
    await change_member(signing.hub, COMMAND_LINE, "energy", message_signatures_required=True)
    (script,) = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    key, sent = tmp_path / "key.pem", tmp_path / "envelope.json"
    key.write_bytes(KEY.to_pem())
    sent.write_bytes(envelope(indicator()))
    arguments = (f"{signing.url}{shared}objects/", signing.credentials["energy"][1], str(key), str(sent))
    running = await asyncio.create_subprocess_exec(sys.executable, "-c", script, *arguments, stdout=asyncio.subprocess.PIPE)
    told, _ = await running.communicate()
    assert told.startswith(b"202 ")
    assert json.loads(told[4:])["success_count"] == 1


async def test_the_example_for_clients_gets_a_signed_answer(signing: Site, shared: str):
    example = WISHES[0]
    reply = await signing.energy.get(f"{shared}objects/", **{"Accept-Signature": example})
    assert reply.headers["Signature-Input"].startswith(example.split(")")[0])
    assert reply.headers["Signature-Input"].endswith('nonce="f3b1c2";tag="mine"')


async def test_who_asks_for_no_signature_or_an_impossible_one_gets_none(signing: Site, shared: str):
    for headers in ({}, {"Accept-Signature": 'x=();keyid="another"'}, {"Accept-Signature": "(("}, {"Accept-Signature": "é"}):
        reply = await signing.energy.get(f"{shared}objects/", **headers)
        assert (reply.status, "Signature" in reply.headers) == (200, False)
