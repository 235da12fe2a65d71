"""Entering what was accepted into the transparency log.

* Whoever accepts something writes that it is to be entered (`hub.store.tlog`); here it becomes leaves, a few hundred at a time, in one
  transaction with the tiles that they change. So nothing that was accepted can be left out, and nothing comes in twice.
* Leaves of the same second come in an order that tells nothing: in that of their salts.
* Lines of the audit trail are chained here, too, and each round that chains some enters the last link.
"""

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

from hub.domain.audit_chain import chained, describe
from hub.domain.directory import AuditEntry
from hub.domain.signing.object_signature import object_digest
from hub.domain.tlog.leaf import SALT_BYTES, Fact, LeafKind
from hub.domain.tlog.tiles import edge, extend, split_hashes
from hub.domain.tlog.tree import hash_leaf
from hub.service.context import Hub
from hub.service.turns import in_turns
from hub.store.audit_chain import last_link, load_entries, new_links
from hub.store.tlog import Pending, StoredLeaf, StoredVersion, list_pending, load_versions, read_size, read_tiles, write_leaves

LEAVES_MAX = 512  # of a round, unless one row of the outbox brings more

_SECOND_US = 1_000_000
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
    facts = [fact async for fact in in_turns(_facts(waiting, versions))]
    links = _chain(end, lines)
    if links:
        facts.append((Fact(LeafKind.AUDIT, links[-1][2], now_us), None))
    leaves = [leaf async for leaf in in_turns(_leaves(facts, size))]
    tiles = extend(size, held, [hash_leaf(one.leaf) for one in leaves])
    await hub.db.write(write_leaves, [one.row for one in waiting], leaves, tiles, held.keys(), [new_links(links)])
    return len(leaves)


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


def _leaves(facts: Sequence[_Entered], size: int) -> Iterator[StoredLeaf]:
    salts = secrets.token_bytes(SALT_BYTES * len(facts))
    salted = [
        (fact.at_us // _SECOND_US, fact.kind is LeafKind.DELETE, salts[place * SALT_BYTES : (place + 1) * SALT_BYTES], fact, row)
        for place, (fact, row) in enumerate(facts)
    ]
    salted.sort(key=_by_second)
    for number, (_, _, salt, fact, row) in enumerate(salted, size):
        yield StoredLeaf(number, fact.leaf(number, salt), salt, fact.content, row)


_by_second = itemgetter(0, 1, 2)  # in one second, in the order of salts
