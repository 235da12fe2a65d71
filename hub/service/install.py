"""Making a migrated database a hub: its identity, its key, the policies that come with it, the first API Root."""

import secrets

from hub.domain.ids import new_uuid
from hub.domain.policy import PolicyBundle
from hub.domain.policy_floor import check_bundle
from hub.errors import ConfigError
from hub.store.audit import add_audit
from hub.store.database import Connection, Database
from hub.store.directory import bump_revision, load_policy_files
from hub.store.install import INSTALLER, add_hub, is_installed
from hub.store.policies import find_activation, put_in_force
from hub.store.state import read_state

DEFAULT_ROOT = "hub"

# What came with the hub before it was written down who had put a bundle in force.
_SHIPPED_EARLIER = {
    "c5852d9b67d952806e3f662c8bee959b6314296021d32b8393cb7e550fdbfb0d",
    "6992cd3d64fc072b293d009307a60d1992f566afe0e2507fa0b69bc2986c5ac6",
    "f8b08ed21891a43f8ba1f3edf1954400e7a6d0f8337d55240985ec7c88198c93",
}


async def install(db: Database, *, now_us: int, title: str) -> bool:
    """Initialise the hub unless that was done before, and return whether it was done now."""
    bundle = PolicyBundle.load(PolicyBundle.shipped_directory())
    return await db.write(_install, bundle, now_us, title)


async def renew_policies(db: Database, *, now_us: int) -> str:
    """Put the policies that come with this release in force where those of an earlier one are, and return what became of them, in words.

    Policies that somebody put in force stay: where they do not fit this release, the answer says so.
    """
    shipped = PolicyBundle.load(PolicyBundle.shipped_directory())
    return await db.write(_renew, shipped, now_us)


async def _install(conn: Connection, bundle: PolicyBundle, now_us: int, title: str) -> bool:
    if await is_installed(conn):
        return False
    state = {"secret": secrets.token_hex(32), "identity": f"identity--{new_uuid()}", "policy": bundle.digest}
    files = {path: body.decode() for path, body in bundle.files.items()}
    await add_hub(conn, state, files, root=DEFAULT_ROOT, root_title=title, now_us=now_us)
    return True


async def _renew(conn: Connection, shipped: PolicyBundle, now_us: int) -> str:
    await bump_revision(conn)  # first: it locks the row, so administrative changes queue here
    held = await read_state(conn, "policy")
    last = await find_activation(conn)
    if held == shipped.digest:
        return f"the policies of this release are in force (bundle {held[:12]})"
    if held in _SHIPPED_EARLIER or (last is not None and last.digest == held and last.actor == INSTALLER):
        before = last.row if last is not None else None
        await put_in_force(conn, shipped.digest, shipped.files, actor=INSTALLER, approver=None, now_us=now_us, before=before)
        await add_audit(conn, at_us=now_us, actor=INSTALLER, action="policy.activate", target=shipped.digest, detail={"before": held})
        return f"the policies of this release are in force (bundle {shipped.digest[:12]}), in place of those of an earlier one"
    try:
        check_bundle(await load_policy_files(conn, held))
    except ConfigError as e:
        advice = (
            "mend your directory until `hub policy check DIR` passes, then run `hub policy activate DIR`; the hub does not serve before"
        )
        return f"your own policies stay in force (bundle {held[:12]}), but do not fit this release:\n{e.detail}\n{advice}"
    return f"your own policies stay in force (bundle {held[:12]})"
