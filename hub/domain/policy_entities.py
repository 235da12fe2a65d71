"""What is asked of Cedar, in its terms: requests and entities. `policies/schema.cedarschema` declares the same names.

A right is given to an *audience*: one of the groupings that a `Grantee` can name. A member's parents are all the audiences that it is in.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import cedarpy

from hub.domain.label import Label
from hub.domain.member import Member, Principal
from hub.domain.taxii import Collection, audiences_of

HOUR_S = 3_600
READ = "read"
DELAYS_S: Mapping[str, int] = MappingProxyType(
    {READ: 0, "readAfter6h": 6 * HOUR_S, "readAfter24h": 24 * HOUR_S, "readAfter72h": 72 * HOUR_S}
)  # the actions on a label and how much later each lets it be seen, soonest first
READ_COLLECTION = "readCollection"
COLLECTION_ACTIONS = ("seeCollection", READ_COLLECTION, "writeCollection", "deleteFromCollection")

Uid = dict[str, str]
Request = dict[str, Any]
Entity = dict[str, Any]


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
        """Make `pairs` ready, each label with its own collection. Two collections with one id must be equal."""
        assert all(label.collection == collection.id for label, collection in pairs)
        collections = {collection for _, collection in pairs}
        entities = [collection_entity(collection) for collection in collections]
        entities += [label_entity(str(index), label, collection) for index, (label, collection) in enumerate(pairs)]
        return cls(tuple(pairs), cedarpy.Entities.from_json_str(json.dumps(entities)))

    def asked_by(self, members: Sequence[Member], actions: Sequence[Entity]) -> cedarpy.Entities:
        """Return the labels and collections together with the members who ask and the schema's `actions`."""
        return self.entities.with_added_json_str(json.dumps([*map(member_entity, members), *actions]))


def collection_entities(collection: Collection, members: Sequence[Member], actions: Sequence[Entity]) -> cedarpy.Entities:
    """Return what a question about a collection may look at."""
    return cedarpy.Entities.from_json_str(json.dumps([collection_entity(collection), *map(member_entity, members), *actions]))


def action_entities(schema: cedarpy.Schema) -> list[Entity]:
    """Return the actions with the groups that they are in.

    They must be among the entities of every question: given only the schema, Cedar knows no action's groups when it evaluates, and a
    `forbid` on a group would silently forbid nothing.
    """
    actions: list[Entity] = json.loads(str(cedarpy.Entities.from_json_str("[]", schema)))
    return actions


def member_entity(member: Member) -> Entity:
    """Return a member, with the audiences that it is in as parents."""
    return {
        "uid": uid("Member", member.id),
        "attrs": {
            "kind": _ref("Kind", member.kind),
            "sectors": _refs("Sector", member.sectors),
            "standing": _ref("Standing", member.standing),
            "tier": member.standing.rank,
            "suspended": member.suspended,
            "groups": _refs("SharingGroup", member.groups),
            "agreements": _refs("Agreement", member.agreements),
        },
        "parents": [uid("Audience", str(grantee)) for grantee in audiences_of(member)],
    }


def collection_entity(collection: Collection) -> Entity:
    """Return a collection with its rights; `agreement` is left out where there is none."""
    attrs: dict[str, object] = {
        "readers": _refs("Audience", map(str, collection.readers)),
        "writers": _refs("Audience", map(str, collection.writers)),
        "topic": collection.topic,
    }
    if collection.agreement is not None:
        attrs["agreement"] = _ref("Agreement", collection.agreement)
    return {"uid": uid("Collection", collection.id), "attrs": attrs, "parents": []}


def label_entity(entity_id: str, label: Label, collection: Collection) -> Entity:
    """Return a label of `collection`; `producer` is left out where there is none."""
    attrs: dict[str, object] = {
        "collection": _ref("Collection", collection.id),
        "tlp": _ref("Tlp", label.tlp),
        "groups": _refs("SharingGroup", label.groups),
        "recipients": _refs("Member", label.recipients),
        "sectors": _refs("Sector", label.sectors),
        "topic": label.topic,
        "severity": _ref("Severity", label.severity),
        "producer_kind": _ref("Kind", label.producer_kind),
        "unresolved": label.unresolved,
        "reciprocal": label.reciprocal,
        "tier_min": label.standing_min.rank,
        "mandatory": label.mandatory,
        "for_regulators": label.for_regulators,
        "attribution": _ref("Attribution", label.attribution),
        "anonymous": label.anonymous,
    }
    if label.producer is not None:
        attrs["producer"] = _ref("Member", label.producer)
    return {"uid": uid("Label", entity_id), "attrs": attrs, "parents": []}


def label_request(member: Member, action: str, index: int) -> Request:
    """Return the question whether `member` may do `action` with the label at `index` of a `LabelSet`."""
    return {"principal": uid("Member", member.id), "action": uid("Action", action), "resource": uid("Label", str(index))}


def collection_request(principal: Principal, action: str, collection: Collection) -> Request:
    """Return the question whether `principal` may do `action` with `collection`."""
    member = principal.member
    return {
        "principal": uid("Member", member.id) if member is not None else uid("Administrator", principal.credential),
        "action": uid("Action", action),
        "resource": uid("Collection", collection.id),
        "context": {"role": {"__entity": uid("Role", principal.role)}},
    }


def _ref(entity_type: str, entity_id: str) -> dict[str, Uid]:
    return {"__entity": uid(entity_type, entity_id)}


def _refs(entity_type: str, entity_ids: Iterable[str]) -> list[dict[str, Uid]]:
    return [_ref(entity_type, entity_id) for entity_id in entity_ids]
