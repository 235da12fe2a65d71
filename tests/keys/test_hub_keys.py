"""The hub's own keys: one for each purpose, encrypted where they are kept, the same on every node, refused where others can read them."""

import asyncio
import os
import shutil
import stat
import subprocess
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from hub.config import Config
from hub.domain.canonical import digest
from hub.domain.http_signature.answer import ACCEPT, wanted
from hub.domain.ids import MemberId
from hub.domain.signing.keys import Algorithm, PrivateKey, Signer
from hub.domain.signing.registered import Purpose
from hub.domain.timestamp import format_timestamp
from hub.domain.tlog.leaf import LeafKind
from hub.errors import ConfigError, Invalid, Unavailable
from hub.keys.held import HubKeys
from hub.keys.pkcs11 import Token
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub, now_us, open_hub
from hub.service.hub_keys import list_keys, open_keys, rotate_key
from hub.service.install import install
from hub.store.database import open_database
from hub.store.tlog import add_pending, list_pending
from tests.taxii.site import MEDIA_TYPE
from tests.web.hubs import WITHIN_S, running

SIGNED = b"what is signed"


class Hubs:
    """Nodes on one database."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def __aenter__(self) -> Self:
        self.db = await open_database(self.url)
        await install(self.db, now_us=now_us(), title="Keys")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.db.close()

    async def node(self, **settings: object) -> Hub:
        return await open_hub(Config(**{"database_url": self.url, **settings}), self.db)

    async def open(self, **settings: object) -> HubKeys:
        return await open_keys(await self.node(**settings))


@pytest.fixture
async def hubs(database_url: str) -> AsyncIterator[Hubs]:
    async with Hubs(database_url) as hubs:
        yield hubs


@pytest.fixture
async def sqlite(sqlite_url: str) -> AsyncIterator[Hubs]:
    async with Hubs(sqlite_url) as hubs:
        yield hubs


def kids(keys: HubKeys) -> list[str]:
    return [key.public.kid for key in (keys.object, keys.log, keys.response)]


def files(directory: Path) -> dict[str, Path]:
    """Return the files of keys by their purpose."""
    return {path.name.partition(".")[0]: path for path in sorted(directory.iterdir())}


async def test_the_first_node_makes_a_key_for_each_purpose_and_all_others_have_the_same(hubs: Hubs):
    first, second = await asyncio.gather(hubs.open(), hubs.open())
    assert len(set(kids(first))) == 3
    assert kids(first) == kids(second) == kids(await hubs.open())
    for key in (first.object, first.log, first.response):
        assert key.public.algorithm is Algorithm.ED25519
        assert key.public.verifies(key.sign(SIGNED), SIGNED)


async def test_keys_beside_a_sqlite_database_are_encrypted_and_their_owners_alone(sqlite: Hubs, tmp_path: Path):
    await sqlite.open()
    held = files(tmp_path / "keys")
    assert held.keys() == {"object", "log", "response"}
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    for path in held.values():
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        with pytest.raises(Invalid, match="a passphrase is needed"):
            PrivateKey.from_pem(path.read_bytes())


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o600 | stat.S_IWGRP])
async def test_a_hub_does_not_open_a_key_that_others_may_read_or_write(sqlite: Hubs, tmp_path: Path, mode: int):
    await sqlite.open()
    path = files(tmp_path / "keys")["log"]
    path.chmod(mode)
    with pytest.raises(ConfigError, match=rf"may be read by others \(mode {mode:04o}\): run `chmod 400`"):
        await sqlite.open()
    path.chmod(0o600)
    await sqlite.open()


async def test_a_node_without_the_key_that_is_in_use_does_not_start(sqlite: Hubs, tmp_path: Path):
    await sqlite.open(keys_dir=tmp_path / "here")
    with pytest.raises(ConfigError, match="is not here: copy it from the node that made it"):
        await sqlite.open(keys_dir=tmp_path / "there")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    await sqlite.open(keys_dir=tmp_path / "there")


async def test_only_the_passphrase_that_it_was_kept_with_opens_a_key(sqlite: Hubs, tmp_path: Path):
    one, other, empty = (tmp_path / name for name in ("one", "other", "empty"))
    for path, text in ((one, "correct horse\n"), (other, "battery staple\n"), (empty, "\n")):
        path.write_text(text)
        path.chmod(0o400)
    keys = await sqlite.open(keys_passphrase_file=one)
    assert kids(keys) == kids(await sqlite.open(keys_passphrase_file=one))
    for settings, reason in (
        ({"keys_passphrase_file": other}, "the passphrase is wrong"),
        ({}, "the passphrase is wrong"),
        ({"keys_passphrase_file": empty}, "is empty"),
        ({"keys_passphrase_file": tmp_path / "none"}, "cannot read"),
    ):
        with pytest.raises(ConfigError, match=reason):
            await sqlite.open(**settings)
    one.chmod(0o444)
    with pytest.raises(ConfigError, match="may be read by everybody"):
        await sqlite.open(keys_passphrase_file=one)


async def test_a_key_that_was_rotated_stays_published_and_signs_no_more(hubs: Hubs):
    node = await hubs.node()
    before = await open_keys(node)
    rotated = await rotate_key(node, COMMAND_LINE, Purpose.OBJECT)
    after = await hubs.open()
    assert after.object.public == rotated.public != before.object.public
    assert kids(after)[1:] == kids(before)[1:]
    _, published = await list_keys(node)
    (ended,) = (key for key in published if key.until_us is not None)
    assert ended.public == before.object.public
    assert ended.until_us is not None
    statuses = [ended.jwk(MemberId("identity--hub"), at_us)["hub"]["status"] for at_us in (node.now_us(), ended.until_us)]
    assert statuses == ["active", "expired"]  # nodes that were not started anew go on signing with it for a while
    assert len(published) == 4


async def test_what_happens_to_the_hubs_own_keys_is_entered_into_the_log(hubs: Hubs):
    node = await hubs.node()
    made = await open_keys(node)
    await hubs.open()  # another node finds them, and has nothing to enter
    rotated = await rotate_key(node, COMMAND_LINE, Purpose.RESPONSE)
    _, published = await list_keys(node)
    since_us = {key.public.kid: key.since_us for key in published}
    happened = [("hub-key.make", purpose, getattr(made, purpose).public.kid) for purpose in ("log", "object", "response")]
    happened.append(("hub-key.rotate", "response", rotated.public.kid))
    async with hubs.db.read() as conn:
        waiting = [one.digest for one in await list_pending(conn, now_us(), 100) if one.kind is LeafKind.KEY]
    assert waiting == [
        digest({"v": 1, "event": event, "kid": kid, "purpose": purpose, "at": format_timestamp(since_us[kid])})
        for event, purpose, kid in happened
    ]


async def test_the_logs_key_is_never_replaced(sqlite: Hubs):
    with pytest.raises(Invalid, match="known by its key, which is never replaced"):
        await rotate_key(await sqlite.node(), COMMAND_LINE, Purpose.LOG)


async def test_a_post_quantum_key_stands_beside_the_others_where_the_settings_say_so(sqlite: Hubs):
    assert len((await sqlite.open()).for_objects) == 1
    classical, beside = (await sqlite.open(object_key_beside="ML-DSA-44")).for_objects
    assert (classical.public.algorithm, beside.public.algorithm) == (Algorithm.ED25519, Algorithm.ML_DSA_44)
    assert beside.public.verifies(beside.sign(SIGNED), SIGNED)


# --- a security module ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SoftHsm:
    """A token of SoftHSM."""

    module: Path
    pin_file: Path

    @property
    def settings(self) -> dict[str, object]:
        return {"pkcs11_module": self.module, "pkcs11_token": "hub", "pkcs11_pin_file": self.pin_file}


@pytest.fixture(scope="session")
def soft_hsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    """A fresh token; its module reads the environment once, when it is loaded into this process."""
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed: it comes with the extra `pkcs11`")
    tool = shutil.which("softhsm2-util")
    module = next(
        (path for path in (os.environ.get("SOFTHSM2_MODULE"), "/usr/lib/softhsm/libsofthsm2.so") if path and Path(path).exists()), None
    )
    if tool is None or module is None:
        pytest.skip("SoftHSM is not installed: its Debian package is softhsm2")
    directory = tmp_path_factory.mktemp("softhsm")
    (directory / "tokens").mkdir()
    (directory / "softhsm2.conf").write_text(f"directories.tokendir = {directory / 'tokens'}\n")
    os.environ["SOFTHSM2_CONF"] = str(directory / "softhsm2.conf")
    subprocess.run(
        [tool, "--module", module, "--init-token", "--free", "--label", "hub", "--pin", "1234", "--so-pin", "5678"],
        check=True,
        capture_output=True,
    )
    pin = directory / "pin"
    pin.write_text("1234\n")
    return SoftHsm(Path(module), pin)


async def test_keys_in_a_security_module_sign_and_never_leave_it(sqlite: Hubs, soft_hsm: SoftHsm, tmp_path: Path):
    keys = await sqlite.open(**soft_hsm.settings)
    assert not (tmp_path / "keys").exists()
    for key in (keys.object, keys.log, keys.response):
        assert key.public.algorithm is Algorithm.ED25519
        assert key.public.verifies(key.sign(SIGNED), SIGNED)
    assert kids(keys) == kids(await sqlite.open(**soft_hsm.settings))
    rotated = await rotate_key(await sqlite.node(**soft_hsm.settings), COMMAND_LINE, Purpose.RESPONSE)
    assert (await sqlite.open(**soft_hsm.settings)).response.public == rotated.public


async def test_a_module_without_ed25519_signs_with_es256_what_may_be_signed_so(soft_hsm: SoftHsm):
    token = Token(soft_hsm.module, "hub", "1234", knows_eddsa=False)
    key = token.create_key(Purpose.OBJECT)
    assert key.public.algorithm is Algorithm.ES256
    assert key.public.verifies(key.sign(SIGNED), SIGNED)
    with pytest.raises(ConfigError, match="the log is signed with Ed25519"):
        token.create_key(Purpose.LOG)


async def test_a_hub_whose_security_module_is_gone_goes_on_serving_and_signs_nothing(sqlite_url: str, soft_hsm: SoftHsm):
    async with running(sqlite_url, **soft_hsm.settings) as site:
        headers = {**site.bearer, ACCEPT: wanted("once"), "Accept": MEDIA_TYPE}
        async with site.session.get(f"{site.url}/taxii2/", headers=headers) as response:
            assert (response.status, "Signature" in response.headers) == (200, True)
        pytest.importorskip("pkcs11").lib(
            str(soft_hsm.module)
        ).reinitialize()  # as when the module is started anew: sessions are good no longer
        with pytest.raises(Unavailable, match="the security module does not sign"):
            site.hub.keys.object.sign(SIGNED)
        async with site.session.get(f"{site.url}/taxii2/", headers=headers) as response:
            assert (response.status, "Signature" in response.headers) == (200, False)
        await site.hub.db.write(add_pending, LeafKind.KEY, digest({}), at_us=now_us())
        said: dict[str, object] = {}
        async with asyncio.timeout(WITHIN_S):
            while "warnings" not in said:
                async with site.session.get(f"{site.url}/readyz") as response:
                    said = await response.json()
        assert said == {"status": "ok", "faults": [], "warnings": ["the transparency log is not signed"]}


class Unhurried:
    """A signer that takes its time, as a module at the other end of a network may: until it is let go."""

    is_prompt = False

    def __init__(self, inner: Signer) -> None:
        self.public, self._inner = inner.public, inner
        self.asked, self.let_go = threading.Event(), threading.Event()

    def sign(self, data: bytes) -> bytes:
        self.asked.set()
        self.let_go.wait(WITHIN_S)
        return self._inner.sign(data)


async def test_while_a_security_module_takes_its_time_others_are_served(sqlite_url: str):
    async with running(sqlite_url) as site:
        keys = site.hub.keys
        unhurried = Unhurried(keys.response)
        site.hub.hold_keys(HubKeys(keys.object, keys.log, unhurried))
        headers = {**site.bearer, ACCEPT: wanted("once"), "Accept": MEDIA_TYPE}
        waiting = asyncio.ensure_future(site.session.get(f"{site.url}/taxii2/", headers=headers))
        assert await asyncio.to_thread(unhurried.asked.wait, WITHIN_S)
        async with site.session.get(f"{site.url}/healthz") as response:
            assert response.status == 200
        assert not waiting.done()
        unhurried.let_go.set()
        async with await waiting as response:
            assert (response.status, "Signature" in response.headers) == (200, True)


async def test_a_token_that_cannot_be_opened_is_told_with_its_name(sqlite: Hubs, soft_hsm: SoftHsm, tmp_path: Path):
    for settings, reason in (
        ({"pkcs11_token": "another"}, "the token another of .* cannot be opened"),
        ({"pkcs11_module": tmp_path / "none.so"}, "cannot be opened"),
        ({"pkcs11_pin_file": tmp_path / "none"}, "cannot read"),
        ({"object_key_beside": "ML-DSA-44"}, "not asked for post-quantum keys"),
    ):
        with pytest.raises(ConfigError, match=reason):
            await sqlite.open(**{**soft_hsm.settings, **settings})
