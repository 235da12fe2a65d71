"""The policies in force: everybody may read which they are, administrators put others in force."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hub.domain.directory import ActivatedBundle, Directory
from hub.domain.member import Principal, Role
from hub.domain.policy import PolicyBundle
from hub.domain.policy_check import POLICY_SUFFIX, SCHEMA_FILE
from hub.errors import ConfigError, Invalid
from hub.service.administer import Change, change, require_active, require_role
from hub.service.context import Hub
from hub.store.policies import list_bundles, put_in_force

_FILE_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}{re.escape(POLICY_SUFFIX)}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """The bundle in force, and when it was put in force."""

    bundle: PolicyBundle
    activated_us: int


async def get_policy_status(hub: Hub, directory: Directory, principal: Principal) -> PolicyStatus:
    """Return the policies in force: the rules that decide about somebody are no secret to them."""
    require_active(principal)
    bundle = await hub.policies(directory)
    async with hub.db.read() as conn:
        activated = {known.digest: known.activated_us for known in await list_bundles(conn)}
    return PolicyStatus(bundle, activated[bundle.digest])


async def list_policies(hub: Hub, principal: Principal) -> list[ActivatedBundle]:
    """Return every bundle that is or was in force, the latest first, for administrators only."""
    require_role(principal, Role.ADMIN)
    async with hub.db.read() as conn:
        return await list_bundles(conn)


async def activate_policies(hub: Hub, principal: Principal, files: Mapping[str, bytes]) -> PolicyBundle:
    """Check a bundle and put it in force, from the next request on every node.

    Args:
        files: contents by file name: the schema and the `*.cedar` files.
    Raises:
        Withheld: `principal` is no administrator.
        Invalid: a fault in a file, told with its line.
    """
    require_role(principal, Role.ADMIN)
    for name in files:
        if name != SCHEMA_FILE and not _FILE_NAME.fullmatch(name):
            raise Invalid(f"files: a bundle holds {SCHEMA_FILE} and files named *{POLICY_SUFFIX}")
    try:
        bundle = await asyncio.to_thread(PolicyBundle.from_files, files)  # a tenth of a second of work
    except ConfigError as e:
        raise Invalid(e.detail) from e

    async def work(c: Change) -> PolicyBundle:
        await put_in_force(c.conn, bundle.digest, bundle.files, now_us=c.now_us)
        await c.record("policy.activate", bundle.digest, before=c.directory.policy, policies=len(bundle.rules))
        return bundle

    return await change(hub, principal, work)
