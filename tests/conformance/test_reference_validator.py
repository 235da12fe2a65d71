"""Beside stix2-validator: whatever it refuses (not strict) is refused here too, but for the differences that README.md lists."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from hub.domain.stix import Limits, read_object
from hub.errors import Invalid
from tests.data import read_documents

pytestmark = pytest.mark.xdist_group("stix2-validator")  # which takes seconds to import: one process does

LIMITS = Limits()
SEED = 20261121
MUTANTS = 250
UUID4 = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
INDICATOR = {
    "type": "indicator",
    "spec_version": "2.1",
    "id": f"indicator--{UUID4}",
    "created": "2026-04-06T20:03:48.000Z",
    "modified": "2026-04-06T20:03:48.000Z",
    "name": "x",
    "pattern": "[file:name = 'a']",
    "pattern_type": "stix",
    "valid_from": "2026-01-01T00:00:00Z",
}
HASHES = "'79054025255fb1a26e4bc422aef54eb4', '00000000000000000000000000000000'"


def sco(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{UUID4}", **properties}


ACCEPTED_HERE_ONLY = {
    "languages of a program by two letters": sco("software", name="x", languages=["en"]),
    "a language that its list lacks": INDICATOR | {"lang": "en-IN"},
    "a granular language": INDICATOR | {"granular_markings": [{"lang": "de", "selectors": ["name"]}]},
    "a media type that IANA does not list": sco(
        "artifact", mime_type="application/x-dosexec", payload_bin="aGk=", hashes={"MD5": "0" * 32}
    ),
    "a set of hashes": INDICATOR | {"pattern": f"[file:hashes.MD5 IN ({HASHES})]"},
    "a part of a hash": INDICATOR | {"pattern": "[file:hashes.MD5 LIKE '79%']"},
    "a comment first": INDICATOR | {"pattern": "/* x */ [file:name = 'a']"},
    "a property named id": INDICATOR | {"pattern": "[app:id = 'com.example.app']"},
    "half a second later": INDICATOR | {"valid_until": "2026-01-01T00:00:00.5Z"},
    "a mail address without a dot": sco("email-addr", value="user@localhost"),
    "a mail address with an apostrophe": sco("email-addr", value="o'neill@mail.example"),
    "a custom property named cpe": INDICATOR | {"cpe": "unknown"},
}
REFUSED_HERE_ONLY = {
    "created by no identity": INDICATOR | {"created_by_ref": f"malware--{UUID4}"},
    "marked by an identity": INDICATOR | {"object_marking_refs": [f"identity--{UUID4}"]},
    "a directory that is a file": sco("file", name="a", parent_directory_ref=f"file--{UUID4}"),
    "a name with a capital behind its third letter": INDICATOR | {"x_aB": 1},
    "TLP:GREEN that is a statement": {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
        "created": "2026-01-01T00:00:00Z",
        "definition_type": "statement",
        "definition": {"statement": "(c)"},
    },
}


def accepted_here(properties: dict[str, Any]) -> bool:
    try:
        read_object(json.dumps(properties).encode(), limits=LIMITS)
    except Invalid:
        return False
    return True


def accepted_there(properties: dict[str, Any]) -> bool:
    from stix2validator import ValidationOptions, validate_instance  # here, so that to collect this module costs nothing

    return bool(validate_instance(properties, ValidationOptions(version="2.1")).is_valid)


@pytest.mark.parametrize("what", ACCEPTED_HERE_ONLY)
def test_it_is_accepted_here_only(what: str):
    assert accepted_here(ACCEPTED_HERE_ONLY[what])
    assert not accepted_there(ACCEPTED_HERE_ONLY[what])


@pytest.mark.parametrize("what", REFUSED_HERE_ONLY)
def test_it_is_refused_here_only(what: str):
    assert accepted_there(REFUSED_HERE_ONLY[what])
    assert not accepted_here(REFUSED_HERE_ONLY[what])


VALUES: list[Any] = [
    None, "", [], {}, "x", 5, -1, 1.5, True, ["a", ""], "foo", "http://x y", "en", "2020-02-30T00:00:00.000Z", "2020-01-01T00:00:00Z",
    "2020-01-01T00:00:60.000Z", "2020-01-01T00:00:00+00:00", f"identity--{UUID4}", "file--ff26c055-6336-5bc5-b98d-13d6226742dd",
]  # fmt: skip
NAMES = """name lang confidence labels X_up ab severity action x_foo_bar x-foo foo_ref foo_hex foo_bin revoked defanged granular_markings
    object_marking_refs created_by_ref kill_chain_phases extensions 1abc""".split()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to every part of a JSON value, to the value itself first."""
    yield path
    for step, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(part, (*path, step))


def mutant(original: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return a copy of an object with one part left out, replaced or added."""
    changed = copy.deepcopy(original)
    *way, last = chance.choice([path for path in places(changed) if path and path[0] not in ("id", "type")])
    holder: Any = changed
    for step in way:
        holder = holder[step]
    act = chance.random()
    if act < 0.25:
        del holder[last]
    elif act < 0.7 or not isinstance(holder, dict):
        holder[last] = chance.choice(VALUES)
    else:
        holder[chance.choice(NAMES)] = chance.choice(VALUES)
    return changed


def originals() -> list[dict[str, Any]]:
    sources = ("oasis-examples", "custom", "markings", "idioms/slider-2.1.tar.gz", "reports/cisa_sample_stix.json")
    documents = [json.loads(raw) for source in sources for _, raw in read_documents(f"stix21/{source}")]
    objects = [obj for document in documents for obj in (document if isinstance(document, list) else document.get("objects", [document]))]
    return [obj for obj in objects if accepted_here(obj) and "languages" not in obj]


def test_no_mutant_of_a_real_object_is_accepted_that_the_validator_refuses():
    chance = random.Random(SEED)
    by_type: dict[str, list[dict[str, Any]]] = {}
    for obj in originals():
        by_type.setdefault(obj["type"], []).append(obj)
    refused = 0
    for _ in range(MUTANTS):
        changed = mutant(chance.choice(by_type[chance.choice(sorted(by_type))]), chance)
        if accepted_here(changed):
            assert accepted_there(changed), changed
        else:
            refused += 1
    assert MUTANTS / 5 < refused < MUTANTS  # the mutations are neither harmless nor all fatal
