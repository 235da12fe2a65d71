"""What no bundle can take away: the safety floor, and what a source's marking says. A bundle that could is refused.

* The policies named in `KEYSTONES` are in every bundle as they are shipped; only their reasons may be put in other words. They permit what
  is never held back, and refuse what a marking closes: refusals win, so whatever a site permits beside them widens nothing.
* Every other refusal of seeing excepts what is never held back, in the words of `FLOOR`: TLP:CLEAR, an imminent threat up to TLP:AMBER, who
  is a named recipient, one's own.
* No other policy refuses to show or to read a collection: all that is in it would be held back.
* No policy can fail when it is evaluated, as what fails refuses: it compares what is there, and computes nothing.

Policies are compared as Cedar parses them, so spaces, comments and line breaks do not count.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import cedarpy

from hub.domain.policy import PolicyBundle, concerning
from hub.domain.policy_check import SCHEMA_FILE, Source, SourcePolicy
from hub.domain.policy_entities import COLLECTION_ACTIONS, DELAYS_S, Entity, action_entities
from hub.errors import ConfigError

KEYSTONES = (
    "safety-floor", "tlp-clear", "named-recipient", "own-content", "collection-reader",
    "recipients-only", "sharing-group", "sectors-named", "standing-asked", "unresolved-marking",
    "known-to-agencies", "known-to-the-hub", "rendition-for-others", "agreement-parties", "regulator-wall",
    "suspended-member", "administrator-without-member",
)  # fmt: skip
FLOOR = (
    'resource.tlp == Tlp::"clear" || '
    '(resource.severity == Severity::"imminent" && [Tlp::"green", Tlp::"amber"].contains(resource.tlp)) || '
    "principal in resource.recipients || "
    "(resource has producer && resource.producer == principal)"
)

_SEE = "see"
_READING = COLLECTION_ACTIONS[:2]  # seeCollection, readCollection
_SAFE = {
    "!", "==", "!=", "in", "is", "has", "&&", "||", "<", "<=", ">", ">=", "like", "if-then-else", "Set", "Record",
    "contains", "containsAll", "containsAny", "isEmpty",
}  # fmt: skip
_PLAIN = {"Value", "Var", "Literal"}  # no operands
_THERE = ({"Var": "principal"}, {"Var": "resource"}, {"Var": "context"}, {".": {"left": {"Var": "resource"}, "attr": "collection"}})


def check_bundle(files: Mapping[str, bytes]) -> PolicyBundle:
    """Return the bundle of these files, fit to be put in force.

    Raises:
        ConfigError: a fault in a file, or a policy that could break the floor or widen a marking; `detail` has one fault a line.
    """
    bundle = PolicyBundle.from_files(files)
    faults = unsafe(bundle.source, PolicyBundle.load(PolicyBundle.shipped_directory()).source)
    if faults:
        raise ConfigError("\n".join(faults))
    return bundle


def unsafe(source: Source, shipped: Source) -> list[str]:
    """Return what could break the floor or widen a marking, each with file, line and what to write instead.

    Args:
        shipped: the policies that come with the hub, which hold the keystones.
    """
    actions = action_entities(source.schema)
    faults = list(_ungrouped(actions))
    held = {policy.id: policy for policy in source.policies}
    for keystone in (policy for policy in shipped.policies if policy.id in KEYSTONES):
        found = held.get(keystone.id)
        if found is None:
            faults.append(f'{keystone.source}: there is no policy "{keystone.id}", which every bundle has; copy it from the shipped one')
        elif found.parsed != keystone.parsed:
            wrong = f'policy "{keystone.id}" is not as it is shipped ({keystone.source}), and what is never held back rests on it'
            faults.append(f"{found.source}: {wrong}; copy it from there, and write what you want beside it")
    others = [policy for policy in source.policies if policy.id not in KEYSTONES]
    for policy in others:
        faults += [f'{policy.source}: policy "{policy.id}" {fault}' for fault in _faults(policy, actions)]
    return faults


def excepts_floor(parsed: Mapping[str, Any]) -> bool:
    """Whether a refusal, in Cedar's JSON policy format, has the clause `unless { FLOOR }`."""
    return {"kind": "unless", "body": _floor()} in parsed["conditions"]


def _ungrouped(actions: Sequence[Entity]) -> Iterator[str]:
    parents = {action["uid"]["id"]: [parent["id"] for parent in action["parents"]] for action in actions}
    for action in DELAYS_S:
        if _SEE not in parents[action]:
            yield f"{SCHEMA_FILE}:1: action {action} is not in {_SEE}, on which refusals are written; declare it as shipped"


def _faults(policy: SourcePolicy, actions: Sequence[Entity]) -> Iterator[str]:
    risk = next((part for clause in policy.parsed["conditions"] for part in _risks(clause["body"])), None)
    if risk is not None:
        yield f"may fail when it is evaluated, and what fails refuses: {risk}"
    if policy.effect == "forbid" and not _concerns_nobody(policy):
        if _reaches(policy, "Label", DELAYS_S, actions) and not excepts_floor(policy.parsed):
            yield f"may hold back what is never held back; add to it: unless {{ {FLOOR} }}"
        if _reaches(policy, "Collection", _READING, actions):
            yield "hides a collection with all that is never held back; take rights from the collection instead, or refuse its labels"


def _concerns_nobody(policy: SourcePolicy) -> bool:
    return bool(policy.parsed["principal"] == {"op": "is", "entity_type": "Administrator"})


def _reaches(policy: SourcePolicy, entity_type: str, asked: Iterable[str], actions: Sequence[Entity]) -> bool:
    scope = policy.parsed["resource"]
    apart = scope["op"] == "is" and scope["entity_type"] != entity_type
    return not apart and bool(concerning([policy], asked, actions))


def _risks(node: Any) -> Iterator[str]:
    """Yield what of an expression may fail: attributes of what may not be there, arithmetic, functions that parse or compute."""
    if isinstance(node, list):
        for part in node:
            yield from _risks(part)
    elif isinstance(node, dict) and not node.keys() & _PLAIN:
        for operator, operands in node.items():
            if operator == ".":
                if operands["left"] not in _THERE:
                    yield f'attribute "{operands["attr"]}" of what may not be there; look at principal, resource or resource.collection'
                continue
            if operator not in _SAFE:
                yield f"{operator} cannot always be computed; compare without it"
            yield from _risks(list(operands.values()) if isinstance(operands, dict) else operands)


@cache
def _floor() -> dict[str, Any]:
    policy = json.loads(cedarpy.policies_to_json_str(f"forbid (principal, action, resource) unless {{ {FLOOR} }};"))
    body: dict[str, Any] = policy["staticPolicies"]["policy0"]["conditions"][0]["body"]
    return body
