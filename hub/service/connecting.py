"""Running connectors: one run of a source, and what is known of earlier runs.

- One node at a time runs a source: it holds a lease, which it keeps for as long as it runs and which ends by itself where it is killed.
- A cursor is written after everything before it has its outcome. Killed in between, the next run fetches one batch again, and admission
  finds that it is in.
- A source that fails is logged once, and once when it recovers.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from hub.domain.connector import Cursor, Feed, Source
from hub.domain.ids import new_uuid
from hub.domain.member import Principal, Role
from hub.errors import ConfigError, Conflict, HubError, NotFound
from hub.service.context import Hub
from hub.service.importing import import_objects
from hub.service.retrieve import get_collection
from hub.store.connectors import ConnectorState, advance, begin_run, end_run, list_states
from hub.store.database import Connection
from hub.store.leases import take_lease

LEASE_S = 6
_KEEP_LEASE_EVERY_S = 2.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """What one run of a source brought."""

    accepted: int  # objects, those that were in already included
    refused: int


@dataclass(frozen=True, slots=True)
class _Lease:
    """The right to run a source, which ends by itself unless it is kept."""

    hub: Hub
    job: str
    holder: str

    async def keep(self, conn: Connection, *, for_s: int = LEASE_S) -> None:
        """Take or keep it; Conflict where another holds it."""
        now_us = self.hub.now_us()
        if not await take_lease(conn, self.job, self.holder, now_us=now_us, until_us=now_us + for_s * 1_000_000):
            raise Conflict(f"another process runs the {self.job}")

    async def keep_on(self) -> None:
        """Keep it while a batch is long in coming. Whether it was kept in time is found out when the batch's cursor is written."""
        while True:
            await asyncio.sleep(_KEEP_LEASE_EVERY_S)
            try:
                await self.hub.db.write(self.keep)
            except HubError as e:
                log.warning("the lease of the %s was not kept: %s", self.job, e.detail)


async def list_connector_states(hub: Hub) -> Mapping[str, ConnectorState]:
    """Return what is known of every source that ever ran, by its name."""
    async with hub.db.read() as conn:
        return {state.name: state for state in await list_states(conn)}


async def run_source(hub: Hub, source: Source) -> Run:
    """Take in what a source has that is new, and return how much that was.

    Raises:
        Conflict: another process is running it.
        ConfigError: the member or the collection of its settings cannot be used.
        Unavailable: the source cannot be read now; what came before is in.
    """
    async with _leased(hub, source.name) as lease:
        state = await hub.db.write(begin_run, source.name, now_us=hub.now_us())
        try:
            run = await _pull(hub, source, state.cursor, lease)
        except HubError as e:
            if state.error != e.detail:
                log.warning("the source %s fails: %s", source.name, e.detail)
            await hub.db.write(end_run, source.name, e.detail, now_us=hub.now_us())
            raise
        if state.error is not None:
            log.info("the source %s is well again", source.name)
        await hub.db.write(end_run, source.name, None, now_us=hub.now_us())
        return run


async def _pull(hub: Hub, source: Source, cursor: Cursor | None, lease: _Lease) -> Run:
    accepted = refused = 0
    await _principal(hub, source)  # before anything is fetched in vain
    async with contextlib.aclosing(source.connector.pull(Feed(source.settings, cursor))) as batches:
        async for batch in batches:
            principal = await _principal(hub, source)  # anew: a member that was suspended meanwhile writes nothing more
            outcomes = await import_objects(hub, principal, source.api_root, source.collection, batch.objects)
            failures = [outcome for outcome in outcomes if outcome.failure is not None]
            for failure in failures:
                log.warning("the source %s sent %s, which is refused: %s", source.name, failure.id, failure.failure)
            fine = len(outcomes) - len(failures)
            await hub.db.write(_advance, lease, source.name, batch.cursor, accepted=fine, refused=len(failures))
            accepted, refused = accepted + fine, refused + len(failures)
    return Run(accepted, refused)


async def _principal(hub: Hub, source: Source) -> Principal:
    """Return whom the source's objects are pushed as.

    Raises:
        ConfigError: there is no such member or collection, or the one may not write to the other.
    """
    directory = await hub.directory()
    member = directory.find_member(source.member)
    if member is None:
        raise ConfigError(f"[connector.{source.name}]: there is no member {source.member}")
    principal = Principal(f"connector:{source.name}", Role.PUBLISHER, member)
    try:
        _, decision = await get_collection(hub, directory, principal, source.api_root, source.collection)
    except NotFound as e:
        raise ConfigError(f"[connector.{source.name}]: {source.member} knows no collection {source.collection}") from e
    if not decision.can_write:
        raise ConfigError(f"[connector.{source.name}]: {source.member} may not write to {source.collection}")
    return principal


@contextlib.asynccontextmanager
async def _leased(hub: Hub, name: str) -> AsyncIterator[_Lease]:
    lease = _Lease(hub, f"connector {name}", new_uuid())
    await hub.db.write(lease.keep)
    keeper = asyncio.create_task(lease.keep_on(), name=f"lease of {lease.job}")
    try:
        yield lease
    finally:
        keeper.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeper
        with contextlib.suppress(HubError):  # lost meanwhile, or it ends by itself
            await hub.db.write(lease.keep, for_s=-1)


async def _advance(conn: Connection, lease: _Lease, name: str, cursor: Cursor, *, accepted: int, refused: int) -> None:
    await lease.keep(conn)
    await advance(conn, name, cursor, accepted=accepted, refused=refused)
