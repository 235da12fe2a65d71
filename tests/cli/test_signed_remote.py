"""`hub push --sign` and `hub pull --verify`: over a path that nobody needs to trust."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from hub.__main__ import cli
from hub.domain.signing.keys import Algorithm, PrivateKey
from hub.domain.signing.registered import MemberKey
from hub.service.administer import COMMAND_LINE
from hub.service.members import change_member
from hub.store.database import Connection
from hub.store.directory import bump_revision
from hub.store.trust import add_member_key
from tests.sim.meddler import Meddler, Passing
from tests.taxii.community import ENERGY, SHARED
from tests.taxii.content import indicator
from tests.taxii.site import Site, serve

COLLECTION = f"/taxii2/hub/collections/{SHARED.id}/"
KEY = PrivateKey.generate(Algorithm.ES256)


@pytest.fixture
async def site(sqlite_url: str) -> AsyncIterator[Site]:
    """A hub to which energy has to sign what it sends."""

    async def work(conn: Connection) -> None:
        await bump_revision(conn)
        await add_member_key(conn, MemberKey(KEY.public, ENERGY.id, "test", 0, 0))

    async with serve(sqlite_url) as serving:
        await serving.hub.db.write(work)
        await change_member(serving.hub, COMMAND_LINE, "energy", message_signatures_required=True)
        yield serving


async def run(site: Site, command: str, *arguments: object, **environ: str) -> Result:
    """Run `hub …` as energy, on a thread of its own: it has an event loop of its own."""
    token = {"HUB_REMOTE_TOKEN": site.credentials["energy"][1]}
    words = [command, *map(str, arguments)]
    return await asyncio.to_thread(CliRunner().invoke, cli(), words, env={**token, **environ})


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


async def published(site: Site) -> list[dict[str, Any]]:
    """Return the keys that the hub publishes."""
    async with site.session.get(f"{site.url}/.well-known/jwks.json") as answer:
        keys: list[dict[str, Any]] = (await answer.json(content_type=None))["keys"]
        return keys


def key_set(path: Path, *keys: dict[str, Any]) -> Path:
    return written(path, json.dumps({"keys": keys}))


async def test_a_push_is_signed_with_the_key_in_a_file(site: Site, tmp_path: Path):
    objects = [indicator() for _ in range(3)]
    file = written(tmp_path / "in.ndjson", "\n".join(map(json.dumps, objects)))
    plain, sealed = written(tmp_path / "plain.pem", KEY.to_pem()), written(tmp_path / "sealed.pem", KEY.to_pem(b"open sesame"))
    to = ("--url", site.url + COLLECTION)

    unsigned = await run(site, "push", file, *to)
    assert (unsigned.exit_code, unsigned.stderr) == (1, "the server answered 401: check the credentials\n")
    locked = await run(site, "push", file, *to, "--sign", sealed)
    assert (locked.exit_code, locked.stderr) == (1, f"{sealed}: the key is encrypted: a passphrase is needed\n")
    for key in (plain, sealed):  # the second time they are duplicates, which is a success, too
        signed = await run(site, "push", file, *to, "--sign", key, HUB_KEY_PASSPHRASE="open sesame")
        assert (signed.exit_code, signed.stderr) == (0, "accepted 3, refused 0\n")
    assert await site.energy.ids(f"{COLLECTION}objects/") == [held["id"] for held in objects]


async def test_a_pull_takes_answers_that_a_known_key_signed_and_no_others(site: Site, tmp_path: Path):
    held = indicator()
    await site.water.push(COLLECTION, held)
    ours, other = await published(site), PrivateKey.generate().public.jwk()
    output = tmp_path / "out.ndjson"
    keys = key_set(tmp_path / "keys.json", other, {"kty": "unknown"}, *ours)
    pulled = await run(site, "pull", site.url + COLLECTION, "-o", output, "--verify", keys)
    assert (pulled.exit_code, pulled.stderr) == (0, "pulled 1 objects\n")
    assert [json.loads(line) for line in output.read_text().splitlines()] == [held]

    for known, told in (
        ([other], "the server's answer cannot be trusted: it is signed with a key that is not among those given"),
        ([key for key in ours if key["hub"]["purpose"] != "response"], "there is no key in the JWK Set that signs answers"),
        ([key | {"hub": key["hub"] | {"status": "expired"}} for key in ours], "there is no key in the JWK Set that signs answers"),
    ):
        refused = await run(site, "pull", site.url + COLLECTION, "--verify", key_set(tmp_path / "keys.json", *known))
        assert (refused.exit_code, refused.stdout, refused.stderr) == (1, "", f"{told}\n")


CHANGES: dict[str, tuple[Callable[[Passing], object], str]] = {
    "an object": (lambda p: setattr(p, "body", p.body.replace(b"Address", b"address")), "the body does not have this sha-256"),
    "the end of a page": (lambda p: p.headers.update({"X-TAXII-Date-Added-Last": "2999-01-01T00:00:00.000000Z"}), "changed on its way"),
    "the signature": (lambda p: [p.headers.popall(name, None) for name in ("Signature", "Signature-Input")], "it is not signed"),
    "the media type": (
        lambda p: p.headers.update({"Content-Type": "application/taxii+json;version=2.1;charset=utf-7"}),
        "changed on its way",
    ),
}


async def test_whoever_changes_an_answer_on_its_way_is_found(site: Site, tmp_path: Path):
    await site.water.push(COLLECTION, indicator())
    keys = key_set(tmp_path / "keys.json", site.hub.keys.response.public.jwk())
    output = tmp_path / "out.ndjson"
    async with Meddler(site.url, only="/objects/").serving() as meddler:
        for change, told in CHANGES.values():
            meddler.change = change
            refused = await run(site, "pull", meddler.url + COLLECTION, "-o", output, "--verify", keys)
            assert refused.exit_code == 1
            assert told in refused.stderr
            assert output.read_bytes() == b""
            trusting = await run(site, "pull", meddler.url + COLLECTION, "-o", output)
            assert (trusting.exit_code, len(output.read_bytes().splitlines())) == (0, 1)
            output.unlink()
        meddler.change = lambda _: None
        assert (await run(site, "pull", meddler.url + COLLECTION, "--verify", keys)).exit_code == 0


async def test_keys_are_taken_from_an_address_that_nobody_can_meddle_with(site: Site):
    pulled = await run(site, "pull", site.url + COLLECTION, "--verify", f"{site.url}/.well-known/jwks.json")
    assert (pulled.exit_code, pulled.stderr) == (0, "pulled 0 objects\n")
    absent = await run(site, "pull", site.url + COLLECTION, "--verify", f"{site.url}/.well-known/nothing")
    assert "cannot be fetched: it answered 4" in absent.stderr
    for place, told in (("http://hub.example.org/keys", "over https"), ("nowhere.json", "cannot read the keys in nowhere.json")):
        refused = await run(site, "pull", site.url + COLLECTION, "--verify", place)
        assert (refused.exit_code, told in refused.stderr) == (1, True)
