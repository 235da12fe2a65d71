"""Making a migrated database a hub: its identity, its key, the policies that come with it, the first API Root."""

import secrets

from hub.domain.ids import new_uuid
from hub.domain.policy import PolicyBundle
from hub.store.database import Connection, Database
from hub.store.install import add_hub, is_installed

DEFAULT_ROOT = "hub"


async def install(db: Database, *, now_us: int, title: str) -> bool:
    """Initialise the hub unless that was done before, and return whether it was done now."""
    bundle = PolicyBundle.load(PolicyBundle.shipped_directory())
    return await db.write(_install, bundle, now_us, title)


async def _install(conn: Connection, bundle: PolicyBundle, now_us: int, title: str) -> bool:
    if await is_installed(conn):
        return False
    state = {"secret": secrets.token_hex(32), "identity": f"identity--{new_uuid()}", "policy": bundle.digest}
    files = {path: body.decode() for path, body in bundle.files.items()}
    await add_hub(conn, state, files, root=DEFAULT_ROOT, root_title=title, now_us=now_us)
    return True
