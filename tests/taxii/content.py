"""STIX objects for tests, as their producers would make them; each call makes a new one."""

import itertools
import json
import uuid
from typing import Any

Object = dict[str, Any]

_counter = itertools.count(1)
DAY_1, DAY_2, DAY_3 = "2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z", "2026-01-03T00:00:00.000Z"


def indicator(**properties: Any) -> Object:
    n = next(_counter)
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid.uuid4()}",
        "created": DAY_1,
        "modified": DAY_1,
        "name": f"Address {n}",
        "pattern": f"[ipv4-addr:value = '198.51.{n // 250 % 250}.{n % 250}']",
        "pattern_type": "stix",
        "valid_from": DAY_1,
        **properties,
    }


def malware(**properties: Any) -> Object:
    return {
        "type": "malware",
        "spec_version": "2.1",
        "id": f"malware--{uuid.uuid4()}",
        "created": DAY_1,
        "modified": DAY_1,
        "name": f"Malware {next(_counter)}",
        "is_family": False,
        **properties,
    }


def domain_name(**properties: Any) -> Object:
    """Return a cyber-observable: it has neither `created` nor `modified`."""
    value = f"host-{next(_counter)}.example.com"
    # STIX 2.1 §2.9: the id is made from the contributing properties, in canonical JSON.
    contributing = json.dumps({"value": properties.get("value", value)}, separators=(",", ":"))
    id = uuid.uuid5(uuid.UUID("00abedb4-aa42-466c-9c01-fed23315a9b7"), contributing)
    return {"type": "domain-name", "spec_version": "2.1", "id": f"domain-name--{id}", "value": value, **properties}


def statement(text: str = "Copyright Example Ltd", **properties: Any) -> Object:
    """Return a marking definition: it has `created`, but no `modified`."""
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{uuid.uuid4()}",
        "created": DAY_1,
        "definition_type": "statement",
        "definition": {"statement": text},
        **properties,
    }


def version_of(earlier: Object, modified: str, **properties: Any) -> Object:
    return {**earlier, "modified": modified, **properties}


def envelope(*objects: Object, **properties: Any) -> bytes:
    return json.dumps({"objects": objects, **properties}, ensure_ascii=False).encode()
