"""The hub's own keys: opened where they are kept, made on first use, the same on every node.

* The database says which key is in use for each purpose. A node that does not have it does not start: what it signed nobody could verify.
* A node that runs signs with a new key as soon as it finds it in use. Until then, and where it does not have it, it signs with the one
  before, which stays good for a while (`hub.domain.signing.registered.OVERLAP_US`).
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from typing import TypeVar

from hub.domain.canonical import canonicalise
from hub.domain.ids import MemberId
from hub.domain.member import Principal, Role
from hub.domain.signing.keys import Algorithm, Signer
from hub.domain.signing.registered import HubKey, Purpose
from hub.domain.timestamp import format_timestamp
from hub.domain.tlog.leaf import LeafKind
from hub.errors import ConfigError, Invalid
from hub.keys.held import HubKeys
from hub.keys.vaults import Vault, open_vault
from hub.service.administer import Change, change, require_role
from hub.service.context import Hub
from hub.store.audit import add_audit
from hub.store.database import Connection
from hub.store.directory import bump_revision
from hub.store.tlog import add_pending
from hub.store.trust import HeldHubKey, list_hub_keys, put_hub_key

T = TypeVar("T")

_MAKER = "hub"  # who makes the first keys


async def open_keys(hub: Hub) -> HubKeys:
    """Open the hub's keys, make those that nobody has made yet, and let the hub sign with them.

    Raises:
        ConfigError: a key cannot be read, may be read by others, or is not here, though another node uses it.
    """
    vault = await asyncio.to_thread(open_vault, hub.config, hub.secret)
    wanted = _wanted(hub)
    async with hub.db.read() as conn:
        in_use = _in_use(await list_hub_keys(conn))
    missing = wanted.keys() - in_use.keys()
    if missing:
        made = [await _make(hub, vault, purpose, wanted[purpose]) for purpose in sorted(missing)]
        in_use = await hub.db.write(_register, made)
    keys = HubKeys.of({purpose: await asyncio.to_thread(_find, vault, in_use[purpose]) for purpose in wanted})
    hub.hold_keys(keys)
    return keys


async def check_keys(hub: Hub) -> None:
    """Find the keys that `open_keys` would open, and make none.

    Raises:
        ConfigError: as `open_keys` does.
    """
    vault = await asyncio.to_thread(open_vault, hub.config, hub.secret)
    async with hub.db.read() as conn:
        in_use = _in_use(await list_hub_keys(conn))
    for purpose in _wanted(hub):
        if purpose in in_use:
            await asyncio.to_thread(_find, vault, in_use[purpose])
        else:
            vault.check_room()


async def keys_of(hub: Hub) -> HubKeys:
    """Return the hub's keys, opened where that was not done yet.

    Raises:
        ConfigError: as `open_keys` does.
    """
    return hub.held_keys or await open_keys(hub)


async def signed(signer: Signer, work: Callable[[], T]) -> T:
    """Return what `work`, which signs, returns; where that may take its time, others are served meanwhile."""
    return work() if signer.is_prompt else await asyncio.to_thread(work)


async def follow_keys(hub: Hub) -> bool:
    """Let a hub whose keys are open sign with those that are in use by now; return whether there was another among them.

    Raises:
        ConfigError: as `open_keys` does; it goes on signing with those that it has.
    """
    async with hub.db.read() as conn:
        in_use = {purpose: held.key.public.kid for purpose, held in _in_use(await list_hub_keys(conn)).items()}
    if all(in_use.get(purpose) == kid for purpose, kid in hub.keys.kids.items()):
        return False
    await open_keys(hub)
    return True


async def rotate_key(hub: Hub, principal: Principal, purpose: Purpose) -> HubKey:
    """Put a new key in the place of the one for a purpose; every node signs with it from the next second on.

    Raises:
        Withheld: `principal` is no administrator.
        Invalid: the key cannot be replaced, or the hub uses none for the purpose.
        ConfigError: the new key cannot be kept.
    """
    require_role(principal, Role.ADMIN)
    if purpose is Purpose.LOG:
        raise Invalid("the log is known by its key, which is never replaced")
    wanted = _wanted(hub)
    if purpose not in wanted:
        raise Invalid(f"the hub uses no key for the purpose {purpose}; see the setting object_key_beside")
    vault = await asyncio.to_thread(open_vault, hub.config, hub.secret)
    made = await _make(hub, vault, purpose, wanted[purpose])

    async def work(c: Change) -> HubKey:
        await put_hub_key(c.conn, made)
        await c.record("hub-key.rotate", made.key.public.kid, purpose=purpose.value, algorithm=made.key.public.algorithm.value)
        await _enter(c.conn, "hub-key.rotate", made.key)
        return made.key

    return await change(hub, principal, work)


async def list_keys(hub: Hub) -> tuple[MemberId, list[HubKey]]:
    """Return the hub's identity and its public keys, the oldest first, those that it uses no longer included."""
    directory = await hub.directory()
    async with hub.db.read() as conn:
        return directory.identity, [held.key for held in await list_hub_keys(conn)]


def _wanted(hub: Hub) -> dict[Purpose, Algorithm]:
    """Return what the hub needs keys for, and the algorithms of those that it makes."""
    wanted = dict.fromkeys((Purpose.OBJECT, Purpose.LOG, Purpose.RESPONSE), Algorithm.ED25519)
    if hub.config.object_key_beside is not None:
        wanted[Purpose.BESIDE] = Algorithm(hub.config.object_key_beside)
    return wanted


def _in_use(held: Iterable[HeldHubKey]) -> dict[Purpose, HeldHubKey]:
    return {one.key.purpose: one for one in held if one.key.until_us is None}


async def _make(hub: Hub, vault: Vault, purpose: Purpose, algorithm: Algorithm) -> HeldHubKey:
    made = await asyncio.to_thread(vault.make, purpose, algorithm)
    return HeldHubKey(HubKey(made.signer.public, purpose, hub.now_us()), made.sealed)


async def _register(conn: Connection, made: Iterable[HeldHubKey]) -> dict[Purpose, HeldHubKey]:
    """Write down new keys for purposes that have none, and return all in use: where two nodes start at once, the first one's count."""
    await bump_revision(conn)  # first: it locks the row, so nodes that start at once queue here
    before = _in_use(await list_hub_keys(conn))
    for one in made:
        if one.key.purpose not in before:
            await put_hub_key(conn, one)
            detail = {"purpose": one.key.purpose.value, "algorithm": one.key.public.algorithm.value}
            await add_audit(conn, at_us=one.key.since_us, actor=_MAKER, action="hub-key.make", target=one.key.public.kid, detail=detail)
            await _enter(conn, "hub-key.make", one.key)
    return _in_use(await list_hub_keys(conn))


async def _enter(conn: Connection, event: str, key: HubKey) -> None:
    """Have the event of a key entered into the log: what the leaf commits to is what is published of the key."""
    said = {"v": 1, "event": event, "kid": key.public.kid, "purpose": key.purpose.value, "at": format_timestamp(key.since_us)}
    await add_pending(conn, LeafKind.KEY, hashlib.sha256(canonicalise(said)).digest(), at_us=key.since_us)


def _find(vault: Vault, held: HeldHubKey) -> Signer:
    key = held.key
    found = vault.find(key.purpose, key.public.kid, held.sealed)
    if found is None:
        raise ConfigError(
            f"the hub's key for the purpose {key.purpose} ({key.public.kid}) is not here: copy it from the node that made it, "
            "or give keys_dir, keys_passphrase_file or pkcs11_module as they were there"
        )
    return found
