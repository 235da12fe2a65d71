"""Entering what was accepted into the transparency log.

* Whoever accepts something writes that it is to be entered (`hub.store.tlog`); here it becomes leaves, a few hundred at a time, in one
  transaction with the tiles that they change. So nothing that was accepted can be left out, and nothing comes in twice.
* Leaves of the same second come in an order that tells nothing: in that of their salts.
* Lines of the audit trail are chained here, too, and each round that chains some enters the last link.
"""

import json
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hub.domain.audit_chain import chained, describe
from hub.domain.signing.object_signature import object_digest
from hub.domain.tlog.leaf import SALT_BYTES, Fact, LeafKind
from hub.domain.tlog.tiles import WIDTH, edge, extend
from hub.domain.tlog.tree import hash_leaf
from hub.service.context import Hub
from hub.store.audit_chain import last_link, load_entries, new_links
from hub.store.database import Change, Connection
from hub.store.tlog import (
    Pending,
    StoredLeaf,
    StoredVersion,
    list_pending,
    load_versions,
    read_size,
    read_tiles,
    write_leaves,
)

LEAVES_MAX = WIDTH  # of a round, unless one append brought more: others wait for the event loop meanwhile

_SECOND_US = 1_000_000
# An object without these bytes has neither signatures nor a revocation, nor a name that is written otherwise than it is read.
_MARKS = (b"extensions", b"revoked", b"\\u")


@dataclass(slots=True)
class _Round:
    """What is entered together."""

    rows: list[int] = field(default_factory=list)  # of the outbox
    facts: list[tuple[Fact, int | None]] = field(default_factory=list)  # each with the row of its version
    beside: list[Change] = field(default_factory=list)


async def enter(hub: Hub) -> int:
    """Enter some of what waits; return how many leaves that were.

    Raises:
        Duplicate: another node entered something at the same time.
    """
    now_us = hub.now_us()
    async with hub.db.snapshot() as conn:
        taken = await _collect(conn, now_us)
        size = await read_size(conn)
        held = await read_tiles(conn, edge(size))
    if not taken.rows:
        return 0
    leaves = _leaves(taken.facts, size)
    tiles = extend(size, held, [hash_leaf(one.leaf) for one in leaves])
    await hub.db.write(write_leaves, taken.rows, leaves, tiles, held.keys(), taken.beside)
    return len(leaves)


async def _collect(conn: Connection, now_us: int) -> _Round:
    taken = _Round()
    waiting = _first(await list_pending(conn, now_us, LEAVES_MAX))
    versions = await load_versions(conn, {row for one in waiting if one.kind is not LeafKind.AUDIT for row in one.about})
    lines: list[int] = []
    for one in waiting:
        taken.rows.append(one.row)
        if one.kind is LeafKind.AUDIT:
            lines += one.about
        elif one.digest is not None:
            taken.facts.append((Fact(one.kind, one.digest, one.due_us), None))
        else:
            taken.facts += [(_fact(one, versions[row]), row) for row in one.about]
    if lines:
        await _chain(conn, taken, lines, now_us)
    return taken


def _first(waiting: Iterable[Pending]) -> list[Pending]:
    """Return the first of them, as many as make a round."""
    found: list[Pending] = []
    count = 0
    for one in waiting:
        count += len(one.about) or 1
        if found and count > LEAVES_MAX:
            break
        found.append(one)
    return found


def _fact(pending: Pending, version: StoredVersion) -> Fact:
    kind, digest = pending.kind, version.digest
    if any(mark in version.body for mark in _MARKS):
        properties = json.loads(version.body)
        digest = object_digest(properties)
        if kind is LeafKind.ADD and properties.get("revoked") is True:
            kind = LeafKind.REVOKE
    return Fact(kind, digest, max(version.accepted_us, pending.due_us), version.digest, pending.collection or "")


async def _chain(conn: Connection, taken: _Round, rows: Sequence[int], now_us: int) -> None:
    number, link = await last_link(conn)
    links = []
    for entry in await load_entries(conn, rows):
        number, link = number + 1, chained(link, describe(entry))
        links.append((number, entry.row, link))
    taken.beside.append(new_links(links))
    taken.facts.append((Fact(LeafKind.AUDIT, link, now_us), None))


def _leaves(facts: Sequence[tuple[Fact, int | None]], size: int) -> list[StoredLeaf]:
    salted = [(fact, secrets.token_bytes(SALT_BYTES), version_row) for fact, version_row in facts]
    salted.sort(key=lambda one: (one[0].at_us // _SECOND_US, one[0].kind is LeafKind.DELETE, one[1]))
    return [
        StoredLeaf(number, fact.leaf(number, salt), salt, fact.content, version_row)
        for number, (fact, salt, version_row) in enumerate(salted, size)
    ]
