"""Why nothing permitted: the permits that came nearest, and what was missing.

Each permit is cut into the conditions that must all hold, and each of these becomes a policy of its own. Asked once, the engine
then says which conditions hold; the rest were missing. This explains a decision and never makes one.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cedarpy

from hub.domain.policy_check import SourcePolicy
from hub.domain.policy_entities import Request

NEAREST_MAX = 3

_PARENTHESES = re.compile(r"(?<!\w)\((principal|action|resource|context)((?:\.\w+)*)\)")


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A permit that applies to the question but did not permit."""

    id: str
    reason: str
    missing: tuple[str, ...]  # the conditions that do not hold, as Cedar text


class Probe:
    """The permits of a bundle, cut into their conditions."""

    def __init__(self, permits: Sequence[SourcePolicy], schema: cedarpy.Schema) -> None:
        self._permits = permits
        self._schema = schema
        parts = {key: part for policy in permits for key, part in _parts(policy)}
        self._conditions = {key: _text(part) for key, part in parts.items() if part["conditions"]}
        self._policy_set = policy_set(parts)

    def nearest(self, request: Request, entities: cedarpy.Entities) -> tuple[NearMiss, ...]:
        """Return the permits that came nearest, at most NEAREST_MAX, in the order of the bundle.

        A permit that asks something else of the principal is nearer than one for another sort of resource; then the fewest missing.
        """
        result = cedarpy.is_authorized(request, self._policy_set, entities, self._schema)
        held = set(result.diagnostics.reasons)
        misses = []
        for policy in self._permits:
            if policy.id in held:
                keys = [key for key in self._conditions if key.partition("#")[0] == policy.id]
                misses.append(NearMiss(policy.id, policy.reason, tuple(self._conditions[key] for key in keys if key not in held)))
        shortest = min(map(_distance, misses), default=None)
        return tuple(miss for miss in misses if _distance(miss) == shortest)[:NEAREST_MAX]


def policy_set(policies: dict[str, dict[str, Any]]) -> cedarpy.PolicySet:
    """Return parsed policies as a set in which each goes by the name given, so that answers and errors name it so."""
    return cedarpy.PolicySet.from_json_str(json.dumps({"templates": {}, "staticPolicies": policies, "templateLinks": []}))


def _distance(miss: NearMiss) -> tuple[int, int]:
    return sum("principal" not in condition for condition in miss.missing), len(miss.missing)


def _parts(policy: SourcePolicy) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the policy's head under its own id, then each condition under `id#n`."""
    yield policy.id, {**policy.parsed, "conditions": []}
    for number, condition in enumerate(_conditions(policy.parsed["conditions"])):
        yield f"{policy.id}#{number}", {**policy.parsed, "conditions": [condition]}


def _conditions(clauses: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    # when {a && b} is when {a} when {b}; unless {a || b} is unless {a} unless {b}.
    for clause in clauses:
        operator = "&&" if clause["kind"] == "when" else "||"
        for body in _operands(clause["body"], operator):
            yield {"kind": clause["kind"], "body": body}


def _operands(body: dict[str, Any], operator: str) -> Iterator[dict[str, Any]]:
    if operator in body:
        yield from _operands(body[operator]["left"], operator)
        yield from _operands(body[operator]["right"], operator)
    else:
        yield body


def _text(policy: dict[str, Any]) -> str:
    """Return the one condition of a policy as Cedar text, `not (…)` for an `unless`."""
    text = cedarpy.policies_from_json_str(json.dumps({"templates": {}, "staticPolicies": {"part": policy}, "templateLinks": []}))
    body = text[text.index("{") + 1 : text.rindex("}")].strip()
    for _ in range(2):  # the renderer puts brackets around each attribute: ((resource.collection).readers)
        body = _PARENTHESES.sub(r"\1\2", body)
    return f"not ({body})" if policy["conditions"][0]["kind"] == "unless" else body
