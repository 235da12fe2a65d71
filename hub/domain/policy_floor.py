"""What no policy of a site may take away: the safety floor, and what a source's marking says.

* Every refusal of seeing that is not the source's own marking excepts what is never held back, in the words of `FLOOR`: TLP:CLEAR, an
  imminent threat up to TLP:AMBER, who is a named recipient, one's own. The words are compared as Cedar parses them.
"""

import json
from functools import cache
from typing import Any

import cedarpy

FLOOR = """
  resource.tlp == Tlp::"clear" ||
  (resource.severity == Severity::"imminent" && [Tlp::"green", Tlp::"amber"].contains(resource.tlp)) ||
  principal in resource.recipients ||
  (resource has producer && resource.producer == principal)
"""


def excepts_floor(parsed: dict[str, Any]) -> bool:
    """Whether a refusal, in Cedar's JSON policy format, has the clause `unless { FLOOR }`."""
    return {"kind": "unless", "body": _floor()} in parsed["conditions"]


@cache
def _floor() -> dict[str, Any]:
    policy = json.loads(cedarpy.policies_to_json_str(f"forbid (principal, action, resource) unless {{ {FLOOR} }};"))
    body: dict[str, Any] = policy["staticPolicies"]["policy0"]["conditions"][0]["body"]
    return body
