"""The audit trail as a chain: each link is a hash over the one before and a line, so that no line can be changed, left out or put in
without changing every link after it. The transparency log holds the last link, so the chain cannot be made anew unseen either.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hub.domain.canonical import canonicalise
from hub.domain.directory import AuditEntry
from hub.domain.timestamp import format_timestamp
from hub.errors import Invalid

START = bytes(32)  # what the first line is chained to


@dataclass(frozen=True, slots=True)
class Link:
    """A line of the audit trail in its place in the chain."""

    number: int  # 1, 2, …
    said: dict[str, Any]  # the line, as `describe` returns it
    chain: bytes


def describe(entry: AuditEntry) -> dict[str, Any]:
    """Return a line of the audit trail as it is exported, and hashed."""
    return {
        "row": entry.row, "at": format_timestamp(entry.at_us), "actor": entry.actor, "action": entry.action, "target": entry.target,
        "detail": entry.detail,
    }  # fmt: skip


def chained(before: bytes, said: dict[str, Any]) -> bytes:
    """Return the link of a line that follows the link `before`."""
    return hashlib.sha256(before + hashlib.sha256(canonicalise(said)).digest()).digest()


def check_chain(links: Iterable[Link]) -> bytes:
    """Return the last link of a whole chain.

    Raises:
        Invalid: a line was changed, left out or put in; says from where on.
    """
    before = START
    for number, link in enumerate(links, 1):
        if link.number != number:
            raise Invalid(f"audit trail: line {number} is missing, or lines are not in their order")
        before = chained(before, link.said)
        if before != link.chain:
            raise Invalid(f"audit trail: line {number} (row {link.said.get('row')}) is not what was chained")
    return before
