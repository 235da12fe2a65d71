"""One valid indicator, and what becomes of it when it is broken in one place: the cases by which validators were compared."""

from collections.abc import Mapping
from typing import Any

VALID: Mapping[str, Any] = {
    "type": "indicator",
    "spec_version": "2.1",
    "id": "indicator--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f",
    "created": "2026-01-15T08:00:00.000Z",
    "modified": "2026-01-15T08:00:00.000Z",
    "name": "Controller",
    "indicator_types": ["malicious-activity"],
    "pattern": "[domain-name:value = 'c1.example']",
    "pattern_type": "stix",
    "valid_from": "2026-01-15T08:00:00Z",
}
_EARLIER = "2026-01-14T08:00:00.000Z"
_GONE = object()

_CHANGES: Mapping[str, Mapping[str, Any]] = {
    "valid": {},
    "no pattern": {"pattern": _GONE},
    "no modified": {"modified": _GONE},
    "no spec_version": {"spec_version": _GONE},
    "timestamp +00:00": {"created": "2026-01-15T08:00:00.000+00:00"},
    "timestamp no ms": {"valid_until": "2026-01-16T08:00:00Z"},
    "month 13": {"valid_from": "2026-13-01T00:00:00Z"},
    "Feb 30": {"valid_from": "2026-02-30T00:00:00Z"},
    "id type mismatch": {"id": "malware--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"},
    "id bad uuid": {"id": "indicator--8e2e2d2b-17d4"},
    "confidence 101": {"confidence": 101},
    "confidence '5'": {"confidence": "5"},
    "bad pattern syntax": {"pattern": "[domain-name:value == 'c1.example'"},
    "valid_until < valid_from": {"valid_until": _EARLIER},
    "modified < created": {"modified": _EARLIER},
    "unknown property": {"x_colour": "blue"},
    "uppercase property": {"Colour": "blue"},
    "revoked 'yes'": {"revoked": "yes"},
    "created_by_ref not identity": {"created_by_ref": "malware--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"},
    "empty labels list": {"labels": []},
    "ext ref without source_name": {"external_references": [{"description": "a report"}]},
    "null name": {"name": None},
    "unknown type": {"type": "x-thing", "id": "x-thing--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"},
    "bad selector": {
        "granular_markings": [
            {"marking_ref": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487", "selectors": ["no_such_property"]}
        ]
    },
}


def mutants() -> dict[str, dict[str, Any]]:
    """Return the object of each case, by the case's name; the first is valid."""
    return {name: {key: value for key, value in {**VALID, **change}.items() if value is not _GONE} for name, change in _CHANGES.items()}
