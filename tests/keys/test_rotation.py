"""A key of the hub's that takes the place of another counts on every node while it serves, and no client is turned away meanwhile."""

import asyncio
import contextlib
import itertools
import shutil
from pathlib import Path

from hub.config import Config
from hub.domain.http_signature.answer import ACCEPT, require_signed, wanted
from hub.domain.http_signature.message import Answer, Request
from hub.domain.http_signature.signature import read_signatures
from hub.domain.signing.keys import PublicKey
from hub.domain.signing.registered import KeyStatus, Purpose
from hub.service.administer import COMMAND_LINE
from hub.service.context import open_hub
from hub.service.hub_keys import list_keys, rotate_key
from hub.store.database import open_database
from tests.taxii.site import MEDIA_TYPE
from tests.web.hubs import WITHIN_S, Running, prepare, running

NONCES = (f"nonce-{n}" for n in itertools.count())


async def rotate(database_url: str, purpose: Purpose, **settings: object) -> str:
    """Rotate a key as a command does, in a process that is none of the nodes; return the new one's thumbprint."""
    db = await open_database(database_url)
    try:
        hub = await open_hub(Config(**{"database_url": database_url, **settings}), db)
        return (await rotate_key(hub, COMMAND_LINE, purpose)).public.kid
    finally:
        await db.close()


async def published(site: Running) -> dict[str, PublicKey]:
    """Return the keys that the hub publishes as good for answers, by thumbprint."""
    identity, keys = await list_keys(site.hub)
    now_us = site.hub.now_us()
    return {key.public.kid: key.public for key in keys if key.jwk(identity, now_us)["hub"]["status"] == KeyStatus.ACTIVE}


async def signer_of(site: Running) -> str:
    """Send a request that must be answered under a key that is good just then; return the key's thumbprint."""
    nonce = next(NONCES)
    sent = {**site.bearer, ACCEPT: wanted(nonce), "Accept": MEDIA_TYPE}
    async with site.session.get(f"{site.url}/taxii2/", headers=sent) as reply:
        assert reply.status == 200
        request = Request("GET", f"{site.url}/taxii2/", lambda name: [sent[name]] if name in sent else [])
        answer = Answer(reply.status, lambda name: reply.headers.getall(name, ()), request)
        body = await reply.read()
    require_signed(answer, body, await published(site), nonce=nonce, now_s=site.hub.now_us() // 1_000_000)
    (signature,) = read_signatures(answer)
    return signature.text("keyid")


async def ask_until(site: Running, kid: str) -> set[str]:
    """Ask again and again until an answer comes under the key with this thumbprint; return those that came before."""
    before = set()
    async with asyncio.timeout(WITHIN_S):
        while (signer := await signer_of(site)) != kid:
            before.add(signer)
    return before


async def test_every_node_that_serves_signs_with_a_new_key_and_no_request_fails_meanwhile(database_url: str):
    token = await prepare(database_url)
    async with contextlib.AsyncExitStack() as stack:
        count = 1 if database_url.startswith("sqlite") else 2
        sites = [await stack.enter_async_context(running(database_url, token=token, requests_per_min=0)) for _ in range(count)]
        (old,) = {await signer_of(site) for site in sites}
        object_kids = {site.hub.keys.object.public.kid for site in sites}
        new = await rotate(database_url, Purpose.RESPONSE)
        assert [before <= {old} for before in await asyncio.gather(*(ask_until(site, new) for site in sites))] == [True] * count
        assert {site.hub.keys.object.public.kid for site in sites} == object_kids


async def test_a_node_that_does_not_have_a_new_key_says_so_and_signs_with_the_old_one_until_it_has(sqlite_url: str, tmp_path: Path):
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    async with running(sqlite_url, keys_dir=here, requests_per_min=0) as site:
        old = await signer_of(site)
        shutil.copytree(here, elsewhere)
        new = await rotate(sqlite_url, Purpose.RESPONSE, keys_dir=elsewhere)
        async with asyncio.timeout(WITHIN_S):
            while await warnings_of(site) != ["a new key of the hub's is not here"]:
                assert await signer_of(site) == old
        shutil.copy(elsewhere / f"response.{new}.pem", here)
        assert await ask_until(site, new) <= {old}
        assert await warnings_of(site) == []


async def warnings_of(site: Running) -> list[str]:
    async with site.session.get(f"{site.url}/readyz") as reply:
        assert reply.status == 200
        return (await reply.json()).get("warnings", [])
