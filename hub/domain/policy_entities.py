"""Members, labels and collections in Cedar's terms (its JSON entities format); `policies/schema.cedarschema` declares the same names.

A right is given to an *audience*: one of the groupings that a `Grantee` can name. A member's parents are all the audiences that it is in.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cedarpy

from hub.domain.label import Label
from hub.domain.member import Member
from hub.domain.taxii import Collection, Grantee, GranteeKind

Uid = dict[str, str]


def uid(entity_type: str, entity_id: str) -> Uid:
    """Return an entity's name in the form that takes any string as id."""
    return {"type": entity_type, "id": entity_id}


@dataclass(frozen=True, slots=True, eq=False)
class LabelSet:
    """Labels of collections, made ready to be decided on for many members: making it ready costs more than a member's decisions.

    `pairs` keeps the order given; the label at index n is the entity `Label::"n"`.
    """

    pairs: tuple[tuple[Label, Collection], ...]
    entities: cedarpy.Entities

    @classmethod
    def of(cls, pairs: Sequence[tuple[Label, Collection]]) -> "LabelSet":
        """Make `pairs` ready. Two collections with one id must be equal."""
        collections = {collection for _, collection in pairs}
        entities = [_collection_entity(collection) for collection in collections]
        entities += [_label_entity(str(index), label, collection) for index, (label, collection) in enumerate(pairs)]
        return cls(tuple(pairs), cedarpy.Entities.from_json_str(json.dumps(entities)))

    def with_member(self, member: Member) -> cedarpy.Entities:
        """Return the labels and collections together with the member who asks."""
        return self.entities.with_added_json_str(json.dumps([member_entity(member)]))


def collection_entities(collection: Collection, member: Member | None) -> cedarpy.Entities:
    """Return what a question about a collection may look at."""
    entities = [_collection_entity(collection)]
    if member is not None:
        entities.append(member_entity(member))
    return cedarpy.Entities.from_json_str(json.dumps(entities))


def member_entity(member: Member) -> dict[str, Any]:
    """Return a member with the audiences that it is in as parents."""
    return {
        "uid": uid("Member", member.id),
        "attrs": {
            "kind": _ref("Kind", member.kind),
            "sectors": _refs("Sector", member.sectors),
            "standing": _ref("Standing", member.standing),
            "suspended": member.suspended,
            "groups": _refs("SharingGroup", member.groups),
        },
        "parents": [uid("Audience", str(grantee)) for grantee in _audiences(member)],
    }


def _audiences(member: Member) -> list[Grantee]:
    return [
        Grantee(GranteeKind.EVERYONE),
        Grantee(GranteeKind.KIND, member.kind),
        Grantee(GranteeKind.MEMBER, member.id),
        *(Grantee(GranteeKind.SECTOR, sector) for sector in member.sectors),
        *(Grantee(GranteeKind.GROUP, group) for group in member.groups),
    ]


def _collection_entity(collection: Collection) -> dict[str, Any]:
    return {
        "uid": uid("Collection", collection.id),
        "attrs": {
            "readers": _refs("Audience", map(str, collection.readers)),
            "writers": _refs("Audience", map(str, collection.writers)),
            "topic": collection.topic,
        },
        "parents": [],
    }


def _label_entity(entity_id: str, label: Label, collection: Collection) -> dict[str, Any]:
    attrs = {
        "collection": _ref("Collection", collection.id),
        "tlp": _ref("Tlp", label.tlp),
        "groups": _refs("SharingGroup", label.groups),
        "recipients": _refs("Member", label.recipients),
        "sectors": _refs("Sector", label.sectors),
        "topic": label.topic,
        "severity": _ref("Severity", label.severity),
        "producer_kind": _ref("Kind", label.producer_kind),
        "unresolved": label.unresolved,
    }
    if label.producer is not None:
        attrs["producer"] = _ref("Member", label.producer)
    return {"uid": uid("Label", entity_id), "attrs": attrs, "parents": []}


def _ref(entity_type: str, entity_id: str) -> dict[str, Uid]:
    return {"__entity": uid(entity_type, entity_id)}


def _refs(entity_type: str, entity_ids: Iterable[str]) -> list[dict[str, Uid]]:
    return [_ref(entity_type, entity_id) for entity_id in entity_ids]
