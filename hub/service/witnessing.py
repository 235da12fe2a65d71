"""Having the log's checkpoints cosigned by witnesses, which other organisations run.

* A witness is sent the proof that the tree goes on from the one that it cosigned last, and keeps the log to that.
* Where it cosigned something that this tree does not begin with, its checkpoint bears the log's own signature: that is evidence, and the
  log is not signed any more (`hub.service.log_keeping`). A witness's word alone stops nothing.
* Before its first signature a process asks each witness what it cosigned last: a database that was restored from a backup may have been
  cosigned as far as it goes, and be behind all the same.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from hub.config import Config
from hub.domain.naming import is_web_address
from hub.domain.tlog.checkpoint import Checkpoint
from hub.domain.tlog.cosignature import cosigned_at
from hub.domain.tlog.note import Kind, Note, VerifierKey, parse_signatures
from hub.domain.tlog.tiles import reader, tiles_for
from hub.domain.tlog.tree import consistency_path, prove
from hub.domain.tlog.witness import AddCheckpoint
from hub.errors import ConfigError, Conflict, Invalid, Unavailable, Withheld
from hub.outbound.witness import WitnessClient
from hub.service.context import Hub
from hub.service.log_keeping import hold_against, log_name, open_log
from hub.store.database import Connection, Duplicate
from hub.store.tlog import add_cosignature, cosigned_size, latest_checkpoint, read_tiles

_BRIEF_S = 2.0  # that a witness may take to answer where this node remembers by itself, too

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who keeps an eye on the log."""

    key: VerifierKey
    url: str


def configured_witnesses(config: Config) -> list[Witness]:
    """Return the witnesses that the settings name.

    Raises:
        ConfigError: a setting is not a verifier key and an address.
    """
    found = []
    for text in config.log_witnesses:
        key, _, url = text.partition(" ")
        try:
            witness = Witness(VerifierKey.parse(key), url.strip())
        except Invalid as e:
            raise ConfigError(f"log_witnesses: {e.detail}") from e
        if witness.key.kind is not Kind.COSIGNATURE or not is_web_address(witness.url):
            raise ConfigError('log_witnesses: write what `hub witness` shows, a space, and its address: "NAME+ID+KEY https://…"')
        found.append(witness)
    return found


async def hear_witnesses(hub: Hub) -> None:
    """Have each witness tell what it cosigned last, once in a process and before its first signature.

    Raises:
        Unavailable: none of them tells, and this node remembers nothing by itself.
    """
    if hub.log.are_witnesses_heard:
        return
    witnesses = configured_witnesses(hub.config)
    remembers = hub.config.memory_directory is not None
    async with WitnessClient(*([_BRIEF_S] if remembers else [])) as client:
        told = await asyncio.gather(*(_tells(hub, client, witness) for witness in witnesses))
    if witnesses and not remembers and not any(told):
        raise Unavailable("no witness tells what it cosigned last, and nothing else remembers it: one of log_witnesses has to answer")
    hub.log.are_witnesses_heard = True


async def _tells(hub: Hub, client: WitnessClient, witness: Witness) -> bool:
    """Whether a witness tells what it cosigned last; where this log contradicts that, it is held against it."""
    try:
        key = await open_log(hub)
        async with hub.db.read() as conn:
            latest = await latest_checkpoint(conn, key.name)
            old = await cosigned_size(conn, key.name, str(witness.key))
        if latest is None:
            await _look_at_evidence(hub, client, witness)
            return True
        note = Note.parse(latest)
        checkpoint = Checkpoint.parse(note.text)
        try:
            await _keep(hub, witness, checkpoint, note.text, await _submit(hub, client, witness, note, checkpoint, old))
        except (Conflict, Withheld) as e:
            if not await _look_at_evidence(hub, client, witness):
                raise Unavailable(f"{witness.key.name} does not show what it cosigned last: {e.detail}") from e
    except Unavailable as e:
        log.warning("a witness is not heard: %s", e.detail)
        return False
    return True


async def have_cosigned(hub: Hub, client: WitnessClient, witness: Witness) -> bool:
    """Have the latest checkpoint cosigned; whether that is done.

    Raises:
        Unavailable: the witness does not answer, or not as it has to.
    """
    origin = await log_name(hub)
    async with hub.db.read() as conn:
        latest = await latest_checkpoint(conn, origin)
        old = await cosigned_size(conn, origin, str(witness.key))
    if latest is None:
        return False
    note = Note.parse(latest)
    checkpoint = Checkpoint.parse(note.text)
    if old >= checkpoint.size:
        return True
    try:
        said = await _submit(hub, client, witness, note, checkpoint, old)
    except (Conflict, Withheld) as e:
        await _look_at_evidence(hub, client, witness)
        raise Unavailable(f"{witness.key.name} does not cosign {checkpoint.size} leaves: {e.detail}") from e
    await _keep(hub, witness, checkpoint, note.text, said)
    return True


async def _submit(hub: Hub, client: WitnessClient, witness: Witness, note: Note, checkpoint: Checkpoint, old: int) -> str:
    try:
        return await client.add_checkpoint(witness.url, str(await _request(hub, old, checkpoint, note)))
    except Conflict as e:
        size = int(str(e.context["size"]))  # that it cosigned last: more, or less, than this hub knows of
        if size > checkpoint.size:
            raise
        return await client.add_checkpoint(witness.url, str(await _request(hub, size, checkpoint, note)))


async def _request(hub: Hub, old: int, checkpoint: Checkpoint, note: Note) -> AddCheckpoint:
    async with hub.db.read() as conn:
        return AddCheckpoint(old, tuple(await _prove(conn, old, checkpoint.size)), note)


async def _prove(conn: Connection, old: int, size: int) -> Sequence[bytes]:
    path = consistency_path(old, size)
    return prove(path, reader(await read_tiles(conn, tiles_for(path))))


async def _keep(hub: Hub, witness: Witness, checkpoint: Checkpoint, text: str, said: str) -> None:
    try:
        own = witness.key.own(parse_signatures(said))
        at_s = cosigned_at(Note(text, tuple(own)), witness.key)
    except Invalid as e:
        raise Unavailable(f"{witness.key.name}: {e.detail}") from e
    if at_s is None:
        raise Unavailable(f"{witness.key.name} answered without its cosignature")
    try:
        await hub.db.write(add_cosignature, checkpoint.origin, checkpoint.size, str(witness.key), own[0].line())
    except Duplicate:
        log.info("the same cosignature was told before")


async def _look_at_evidence(hub: Hub, client: WitnessClient, witness: Witness) -> bool:
    """Look at the last checkpoint that a witness cosigned; whether it has one."""
    evidence = await client.get_checkpoint(witness.url, await log_name(hub))
    if evidence is None:
        return False
    try:
        await hold_against(hub, evidence)
    except Invalid as e:
        raise Unavailable(f"{witness.key.name} shows a checkpoint that is not this log's: {e.detail}") from e
    return True
