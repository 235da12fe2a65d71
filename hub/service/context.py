"""What every use case works with: the database, the settings, the clock, and the directory as of now."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hub.config import Config
from hub.domain.directory import Directory
from hub.domain.member import Member
from hub.domain.policy import PolicyBundle
from hub.domain.standing_rules import Tier
from hub.domain.webhooks.sending import Sends
from hub.errors import ConfigError
from hub.helpers import Helpers
from hub.keys.held import HubKeys
from hub.service.kept import Kept
from hub.service.line import Line
from hub.service.log_condition import LogCondition
from hub.service.logins import Logins
from hub.store.database import Database
from hub.store.directory import load_directory, load_policy_files, read_revision
from hub.store.state import read_state

_SECRET_BYTES_MIN = 32


class Moved(Exception):
    """The directory that a request was judged by is not the one in force."""


def now_us() -> int:
    """Return the time in whole microseconds since the epoch."""
    return time.time_ns() // 1_000


@dataclass(slots=True)
class Hub:
    """A hub at work. One per process; holds nothing that another node would need."""

    config: Config
    db: Database
    secret: bytes  # under which token secrets are hashed and cursors are sealed
    now_us: Callable[[], int] = now_us
    _directory: Directory | None = None
    _latest_us: int = 0  # the latest moment that a request was judged by
    _bundle: PolicyBundle | None = None
    _loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    kept: Kept = field(default_factory=Kept)
    logins: Logins = field(default_factory=Logins)
    pushes_waiting: asyncio.Event = field(default_factory=asyncio.Event)  # set when a push was left for the background
    feed_moved: asyncio.Event = field(default_factory=asyncio.Event)  # set when there may be something to tell subscribers
    appended: asyncio.Event = field(default_factory=asyncio.Event)  # set when this process did something of which others were not told
    deliveries_waiting: asyncio.Event = field(default_factory=asyncio.Event)  # set when there is something to send them
    deliveries_done: asyncio.Event = field(default_factory=asyncio.Event)  # set when some of it was
    _keys: HubKeys | None = None
    key_fault: str | None = None  # why this node cannot open a key of the hub's that is in use; None: it can, as far as it has looked
    _sends: Sends | None = None
    helpers: Helpers | None = None  # who compute what takes long; None: the hub itself
    log: LogCondition = field(default_factory=LogCondition)
    lines: dict[int, Line] = field(default_factory=dict)  # of who waits to append, by collection row

    def tell_moved(self) -> None:
        """Wake those who tell subscribers, here and in other processes: something was appended, or changed for them."""
        self.feed_moved.set()
        self.appended.set()

    @property
    def held_keys(self) -> HubKeys | None:
        """The hub's own keys, where they are open (`hub.service.hub_keys`)."""
        return self._keys

    @property
    def keys(self) -> HubKeys:
        """The hub's own keys, which are open since it serves."""
        assert self._keys is not None, "they are opened before anything is served"
        return self._keys

    def hold_keys(self, keys: HubKeys) -> None:
        """Sign with these keys from now on."""
        self._keys = keys

    @property
    def sends(self) -> Sends:
        """What sends webhooks; it is there where somebody has opened a way out."""
        assert self._sends is not None, "whoever sends opens the way out first"
        return self._sends

    def hold_sends(self, sends: Sends) -> None:
        """Send by this from now on."""
        self._sends = sends

    async def directory(self) -> Directory:
        """Return the directory as it is now; read anew where the revision has moved, or an agreement has started or ended."""
        async with self.db.read() as conn:
            revision = await read_revision(conn)
        return await self.directory_since(revision)

    def assumed_directory(self) -> Directory | None:
        """Return the directory as this process knows it, for who finds out later whether it has moved; None where it must be read."""
        held = self._directory
        return held if held is not None and held.holds_at(max(self._latest_us, self.now_us())) else None

    async def directory_since(self, revision: int) -> Directory:
        """Return the directory as it was at this revision, or later, with what is in force at this moment."""
        # Where the clock steps back, an agreement that has ended stays ended.
        now_us = self._latest_us = max(self._latest_us, self.now_us())
        held = self._directory
        if held is None or held.revision < revision or not held.holds_at(now_us):
            async with self._loading:  # many requests find it moved at once; one reads for all
                held = self._directory
                if held is None or held.revision < revision or not held.holds_at(now_us):
                    async with self.db.snapshot() as conn:
                        held = self._directory = await load_directory(conn, self._latest_us)
        return held

    async def policies(self, directory: Directory) -> PolicyBundle:
        """Return the policies that `directory` says are in force."""
        if self._bundle is None or self._bundle.digest != directory.policy:
            async with self._loading:
                if self._bundle is None or self._bundle.digest != directory.policy:
                    async with self.db.read() as conn:
                        files = await load_policy_files(conn, directory.policy)
                    # Parsing takes longer than others should wait for the event loop.
                    self._bundle = await asyncio.to_thread(PolicyBundle.from_files, files)
        return self._bundle


async def tier_of(hub: Hub, directory: Directory, member: Member) -> Tier:
    """Return what a member's standing opens, by the rules in force."""
    return (await hub.policies(directory)).standing.tier_named(member.standing)


async def open_hub(config: Config, db: Database) -> Hub:
    """Return a hub on a database that is migrated.

    Raises:
        ConfigError: the secret key cannot be read, or is too short.
    """
    secret = read_secret(config)
    if secret is None:
        async with db.read() as conn:
            secret = bytes.fromhex(await read_state(conn, "secret"))
    return Hub(config, db, secret)


def read_secret(config: Config) -> bytes | None:
    """Return the hub's secret key where the settings name a file; None where the database keeps it.

    Raises:
        ConfigError: the file cannot be read, or holds too little.
    """
    file = config.secret_key_file
    if file is None:
        return None
    try:
        secret = file.read_bytes().strip()
    except OSError as e:
        raise ConfigError(f"secret_key_file: cannot read {file}: {e.strerror}") from e
    if len(secret) < _SECRET_BYTES_MIN:
        held = f"{len(secret)} bytes, and {_SECRET_BYTES_MIN} are the least"
        raise ConfigError(f"secret_key_file: {file} holds {held}; `openssl rand -base64 48` prints a good one to write to it")
    return secret
