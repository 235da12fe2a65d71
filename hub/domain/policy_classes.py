"""Members and labels that no policy can tell apart, so that policy is asked about one of them for all.

A policy sees of a member its kind, its standing, whether it is suspended, its name, and three sets: sectors, groups, agreements. What is in
a set counts only where something mentions it: a policy, the label, the rights on the collection. All else in it counts as one thing: that
there is more. (Cedar can ask whether sets are equal, empty, or within each other, and cannot count.)
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from hub.domain.ids import MemberId
from hub.domain.label import Label
from hub.domain.member import Member
from hub.domain.policy_check import Source
from hub.domain.taxii import Collection

ANYBODY = MemberId("")  # stands for a producer whom no policy can tell from others


def for_any_other(label: Label, member: Member, named: frozenset[str]) -> Label:
    """Return `label` with ANYBODY for its producer, unless a policy can tell that one from others: what is equal is decided alike.

    A producer is told from others only as the member who asks, as one of the label's recipients, or by its name.

    Args:
        named: ids of entities that the policies name.
    """
    producer = label.producer
    if producer is None or producer == member.id or producer in label.recipients or producer in named:
        return label
    return replace(label, producer=ANYBODY)


def ids_named(source: Source) -> frozenset[str]:
    """Return the ids of the entities that policies name."""
    return frozenset(id for policy in source.policies for id in _ids(policy.parsed))


def classes_of(members: Iterable[Member], source: Source, asked: Sequence[tuple[Label, Collection]]) -> list[list[Member]]:
    """Return the members in classes: whatever `asked` is decided about one of a class is decided about all of it."""
    mentioned = frozenset(_mentioned(source, asked))
    classes: dict[Hashable, list[Member]] = {}
    for member in members:
        classes.setdefault(_class_of(member, mentioned), []).append(member)
    return list(classes.values())


def _class_of(member: Member, mentioned: frozenset[str]) -> Hashable:
    if member.id in mentioned:
        return member.id
    sets = (member.sectors, member.groups, member.agreements)
    return member.kind, member.standing, member.suspended, tuple((values & mentioned, bool(values - mentioned)) for values in sets)


def _mentioned(source: Source, asked: Sequence[tuple[Label, Collection]]) -> Iterator[str]:
    for policy in source.policies:
        yield from _ids(policy.parsed)
    for collection in {collection for _, collection in asked}:
        yield from (grantee.value for grantee in collection.readers | collection.writers)
        yield from filter(None, [collection.agreement])
    for label in {label for label, _ in asked}:
        for values in (label.sectors, label.groups, label.recipients, filter(None, [label.producer])):
            yield from values


def _ids(node: Any) -> Iterator[str]:
    """Yield the ids of the entities that a parsed policy names; an audience, such as "sector:energy", also as what it stands for."""
    if isinstance(node, list):
        for part in node:
            yield from _ids(part)
    elif isinstance(node, dict):
        if node.keys() == {"type", "id"}:
            yield from (node["id"], node["id"].partition(":")[2])
        for part in node.values():
            yield from _ids(part)
