"""The schema of a bundle must declare what is handed to policies: a site may add declarations to the shipped ones, not take any away.

Otherwise the mismatch would show only as evaluation errors, each of which refuses.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from functools import lru_cache
from itertools import cycle, product
from typing import Any

import cedarpy

from hub.domain.ids import AgreementId, CollectionId, GroupId, MemberId
from hub.domain.label import Attribution, Label, Severity, Tlp
from hub.domain.member import SECTORS, Member, MemberKind, Principal, Role, Standing
from hub.domain.policy_check import SCHEMA_FILE
from hub.domain.policy_entities import (
    COLLECTION_ACTIONS,
    DELAYS_S,
    Entity,
    Request,
    collection_entity,
    collection_request,
    label_entity,
    label_request,
    member_entity,
)
from hub.domain.taxii import Collection, Grantee, GranteeKind
from hub.errors import ConfigError

_EVERYONE = frozenset({Grantee(GranteeKind.EVERYONE)})
_COLLECTION = Collection(CollectionId("collection"), "root", "title", readers=_EVERYONE, writers=_EVERYONE)
_MEMBER = Member(MemberId("member"), "slug", "name", MemberKind.OPERATOR)


@lru_cache(maxsize=8)  # most bundles have the shipped schema
def refuse_unfit(text: str) -> None:
    """Refuse a schema that lacks an attribute, a value that one can take, or an action. `text` is a schema that can be parsed.

    Raises:
        ConfigError: says which declaration, at its line in `text`, and what it must take.
    """
    schema = cedarpy.Schema.from_str(text)
    for entity in _entities():
        try:
            cedarpy.Entities.from_json_str(json.dumps([entity]), schema)
        except ValueError as error:
            name = entity["uid"]["type"]
            line = text.count("\n", 0, max(text.find(f"entity {name}"), 0)) + 1
            takes = ", ".join(entity["attrs"])
            message = f"entity {name} does not take what the hub hands to policies ({error})"
            raise ConfigError(f"{SCHEMA_FILE}:{line}: {message}; declare {takes} and their values as shipped") from error
    nothing = cedarpy.PolicySet.from_str("")
    for request in _requests():
        result = cedarpy.is_authorized(request, nothing, "[]", schema)
        if result.decision is cedarpy.Decision.NoDecision:
            message = f"action {request['action']['id']} is not declared as the hub asks it ({'; '.join(result.diagnostics.errors)})"
            raise ConfigError(f"{SCHEMA_FILE}:1: {message}; declare it as shipped")


def _entities() -> Iterator[Entity]:
    """Yield entities that between them have every attribute and every value of the closed vocabularies.

    Not every combination of values: a schema declares each attribute by itself, and each entity takes a millisecond of every start.
    """
    groups, recipients, agreement = frozenset({GroupId("group")}), frozenset({_MEMBER.id}), AgreementId("agreement")
    for kind, standing in _covering(MemberKind, Standing):
        yield member_entity(Member(_MEMBER.id, "slug", "name", kind, SECTORS, standing, groups=groups, agreements=frozenset({agreement})))
    yield collection_entity(replace(_COLLECTION, agreement=agreement))
    for tlp, kind, severity, known_to in _covering(Tlp, MemberKind, Severity, Attribution):
        label = Label(
            _COLLECTION.id, tlp, kind, groups, recipients, SECTORS, severity=severity, producer=_MEMBER.id, attribution=known_to
        )  # fmt: skip
        yield label_entity("0", label, _COLLECTION)


def _covering(*vocabularies: type[Enum]) -> Iterator[tuple[Any, ...]]:
    """Yield as few tuples, of a value from each vocabulary, as hold every value."""
    columns = [cycle(vocabulary) for vocabulary in vocabularies]
    for _ in range(max(map(len, vocabularies))):
        yield tuple(map(next, columns))


def _requests() -> Iterator[Request]:
    for action in DELAYS_S:
        yield label_request(_MEMBER, action, 0)
    for action, role, member in product(COLLECTION_ACTIONS, Role, (_MEMBER, None)):
        yield collection_request(Principal("credential", role, member), action, _COLLECTION)
