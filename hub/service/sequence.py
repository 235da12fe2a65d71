"""Entering what was accepted into the transparency log.

* Whoever accepts something writes that it is to be entered (`hub.store.tlog`); here it becomes leaves, a few hundred at a time, in one
  transaction with the tiles that they change. So nothing that was accepted can be left out, and nothing comes in twice.
* Leaves of the same second come in an order that tells nothing: in that of their salts.
* Lines of the audit trail are chained here, too, and each round that chains some enters the last link.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from hub.domain.audit_chain import chained, describe
from hub.domain.directory import AuditEntry
from hub.domain.signing.object_signature import object_digest
from hub.domain.tlog.leaf import Fact, LeafKind
from hub.domain.tlog.tiles import edge, split_hashes
from hub.service.context import Hub
from hub.service.helping import grow_log
from hub.service.turns import collect
from hub.store.audit_chain import last_link, load_entries, new_links
from hub.store.tlog import (
    Pending,
    StoredLeaf,
    StoredVersion,
    list_pending,
    load_versions,
    newest_pending,
    read_size,
    read_tiles,
    write_leaves,
)

LEAVES_MAX = 512  # of a round, unless one row of the outbox brings more
_NEWEST_MAX = 256  # rows of the outbox in which something is looked for
_READ_MAX = 1_024  # versions that are read for that

# An object without these bytes has neither signatures nor a revocation, nor a name that is written otherwise than it is read.
_EXTENSIONS, _REVOKED, _ESCAPE = b"extensions", b"revoked", b"\\u"

_Entered = tuple[Fact, int | None]  # with the row of its version


async def enter(hub: Hub) -> int:
    """Enter some of what waits; return how many leaves that were.

    Raises:
        Duplicate: another node entered something at the same time.
    """
    now_us = hub.now_us()
    async with hub.db.snapshot() as conn:
        waiting = await list_pending(conn, now_us, LEAVES_MAX)
        if not waiting:
            return 0
        versions = await load_versions(conn, {row for one in waiting if _is_to_be_read(one) for row in one.about})
        lines = await load_entries(conn, [row for one in waiting if one.kind is LeafKind.AUDIT for row in one.about])
        end = await last_link(conn)
        size = await read_size(conn)
        held = await read_tiles(conn, edge(size))
    entered = await collect(_facts(waiting, versions))
    links = _chain(end, lines)
    if links:
        entered.append((Fact(LeafKind.AUDIT, links[-1][2], now_us), None))
    grown = await grow_log(hub, [fact for fact, _ in entered], size, held)
    leaves = [
        StoredLeaf(number, leaf.text, leaf.salt, entered[leaf.place][0].content, entered[leaf.place][1])
        for number, leaf in enumerate(grown.leaves, size)
    ]
    await hub.db.write(write_leaves, [one.row for one in waiting], leaves, dict(grown.tiles), held.keys(), [new_links(links)])
    return len(leaves)


async def find_waiting(hub: Hub, digest: bytes) -> list[tuple[int, int | None]]:
    """Return what came in a moment ago under a digest and waits to be entered: for each when it is due, and the row of its version."""
    async with hub.db.snapshot() as conn:
        waiting, read = [], 0
        for one in await newest_pending(conn, _NEWEST_MAX):
            read += len(one.about) if _is_to_be_read(one) else 0
            if read <= _READ_MAX if _is_to_be_read(one) else digest in (one.digest or b""):
                waiting.append(one)
        versions = await load_versions(conn, {row for one in waiting if _is_to_be_read(one) for row in one.about})
    facts = await collect((one.due_us, *entered) for one in waiting for entered in _facts([one], versions))
    return [(due_us, row) for due_us, fact, row in facts if fact.content == digest]


def _is_to_be_read(pending: Pending) -> bool:
    return pending.digest is None and pending.kind is not LeafKind.AUDIT


def _facts(waiting: Iterable[Pending], versions: Mapping[int, StoredVersion]) -> Iterator[_Entered]:
    for one in waiting:
        if one.kind is LeafKind.AUDIT:
            continue  # its lines are chained
        if one.digest is None:
            for row in one.about:
                yield _fact(one, versions[row]), row
        elif one.about:
            for row, digest in zip(one.about, split_hashes(one.digest), strict=True):
                yield Fact(one.kind, digest, one.due_us, digest, one.collection or ""), row
        else:
            yield Fact(one.kind, one.digest, one.due_us), None


def _fact(pending: Pending, version: StoredVersion) -> Fact:
    kind, digest = pending.kind, version.digest
    if _EXTENSIONS in version.body or _REVOKED in version.body or _ESCAPE in version.body:
        properties = json.loads(version.body)
        digest = object_digest(properties)
        if kind is LeafKind.ADD and properties.get("revoked") is True:
            kind = LeafKind.REVOKE
    return Fact(kind, digest, max(version.accepted_us, pending.due_us), version.digest, pending.collection or "")


def _chain(end: tuple[int, bytes], lines: Iterable[AuditEntry]) -> list[tuple[int, int, bytes]]:
    """Return the links of lines of the audit trail that follow its end."""
    last, link = end
    links = []
    for number, entry in enumerate(lines, last + 1):
        link = chained(link, describe(entry))
        links.append((number, entry.row, link))
    return links
