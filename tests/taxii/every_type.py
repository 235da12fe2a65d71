"""The least object of each type of STIX 2.1, and with custom properties that have the names of other types' properties."""

import uuid
from typing import Any

from hub.domain.stix_schema import properties_of
from hub.domain.stix_vocabulary import SCO_TYPES, STANDARD_TYPES
from tests.taxii.content import DAY_1, Object

# The form of properties that say so by their names is the same for all types (§3.1).
_NAMES = {name for kind in STANDARD_TYPES for name in properties_of(kind) if not name.endswith(("_bin", "_hex"))}
_OF_ANY_TYPE = {"created", "modified", "created_by_ref", "revoked", "lang"}  # whose form the hub asks of cyber-observables, too
FORMS = [1.5, True, "text", [1.5], [{"name": ["text"]}], {"name": [1.5]}]

_OTHER = "4f9ad0a0-3a4f-4d3b-9a55-3a5b1a5d8c11"
_INDICATOR, _IDENTITY = f"indicator--{_OTHER}", f"identity--{_OTHER}"

_DATED: dict[str, Object] = {
    "attack-pattern": {"name": "Spear phishing"},
    "campaign": {"name": "Green Group attacks"},
    "course-of-action": {"name": "Block it"},
    "grouping": {"context": "suspicious-activity", "object_refs": [_INDICATOR]},
    "identity": {"name": "Example plc", "identity_class": "organization"},
    "incident": {"name": "Outage"},
    "indicator": {"pattern": "[domain-name:value = 'evil.example']", "pattern_type": "stix", "valid_from": DAY_1},
    "infrastructure": {"name": "Relay"},
    "intrusion-set": {"name": "Bobcat"},
    "location": {"region": "northern-europe"},
    "malware": {"name": "Cryptolocker", "is_family": False},
    "malware-analysis": {"product": "sandbox", "result": "malicious"},
    "note": {"content": "What we know.", "object_refs": [_INDICATOR]},
    "observed-data": {"first_observed": DAY_1, "last_observed": DAY_1, "number_observed": 1, "object_refs": [f"domain-name--{_OTHER}"]},
    "opinion": {"opinion": "agree", "object_refs": [_INDICATOR]},
    "report": {"name": "Report", "published": DAY_1, "object_refs": [_INDICATOR]},
    "threat-actor": {"name": "Adversary"},
    "tool": {"name": "VNC"},
    "vulnerability": {"name": "CVE-2026-0001"},
    "relationship": {"relationship_type": "indicates", "source_ref": _INDICATOR, "target_ref": f"malware--{_OTHER}"},
    "sighting": {"sighting_of_ref": _INDICATOR},
    "language-content": {"object_ref": _INDICATOR, "contents": {"de": {"name": "Anzeichen"}}},
    "extension-definition": {
        "name": "Extension",
        "created_by_ref": _IDENTITY,
        "schema": "https://example.org/schema",
        "version": "1.0.0",
        "extension_types": ["property-extension"],
    },
}
_OBSERVABLES: dict[str, Object] = {
    "artifact": {"payload_bin": "aGVsbG8="},
    "autonomous-system": {"number": 64500},
    "directory": {"path": "/usr/home"},
    "domain-name": {"value": "evil.example"},
    "email-addr": {"value": "john@evil.example"},
    "email-message": {"is_multipart": False},
    "file": {"name": "quarry.exe"},
    "ipv4-addr": {"value": "198.51.100.3"},
    "ipv6-addr": {"value": "2001:db8::1"},
    "mac-addr": {"value": "d2:fb:49:24:37:18"},
    "mutex": {"name": "__CLEANSWEEP__"},
    "network-traffic": {"protocols": ["tcp"], "src_ref": f"ipv4-addr--{_OTHER}"},
    "process": {"pid": 1221},
    "software": {"name": "Word"},
    "url": {"value": "https://evil.example/"},
    "user-account": {"user_id": "1001"},
    "windows-registry-key": {"key": "HKEY_LOCAL_MACHINE\\System\\Foo"},
    "x509-certificate": {"serial_number": "36:f7:d4:32"},
}


def every_type() -> list[Object]:
    """Return a new object of each type but marking definitions."""
    dated = {"created": DAY_1, "modified": DAY_1}
    return [
        {"type": kind, "spec_version": "2.1", "id": f"{kind}--{uuid.uuid4()}", **common, **own}
        for common, kinds in ((dated, _DATED), ({}, _OBSERVABLES))
        for kind, own in kinds.items()
    ]


def with_custom_properties(obj: Object, form: Any) -> Object:
    """Return an object with all the properties that only other types have, in a form that these would not take."""
    others = _NAMES - properties_of(obj["type"]) - (_OF_ANY_TYPE if obj["type"] in SCO_TYPES else set())
    return obj | dict.fromkeys(others, form)
