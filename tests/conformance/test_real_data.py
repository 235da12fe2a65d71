"""Public STIX data through the door: what is accepted comes back equal, what is refused is refused for the reason in README.md."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hub.domain.canonical import canonicalise
from hub.domain.json import read_document
from hub.domain.stix import Limits, describe, read_envelope, read_object
from hub.errors import Invalid
from tests.data import read_cases, read_documents

LIMITS = Limits()
README = Path(__file__).with_name("README.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading of README.md, the head of the table left out."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


SOURCES = {source: (int(accepted), int(refused)) for source, accepted, refused, _ in rows("Real data")}
REASONS: dict[str, Counter[str]] = {source: Counter() for source in SOURCES}
for _source, _count, _reason, _ in rows("What is refused, and why"):
    REASONS[_source][_reason] += int(_count)


def objects_in(source: str) -> list[bytes]:
    """Return every object of a source as its bytes: of envelopes and bundles, of bare lists, and bare objects."""
    if source.endswith(".jsonl"):
        return [json.dumps(obj).encode() for case in read_cases(source) for obj in case["bundle"].get("objects", [])]
    found: list[bytes] = []
    for _, raw in read_documents(source):
        document = json.loads(raw)
        if isinstance(document, list):
            found += [json.dumps(obj).encode() for obj in document]
        else:
            found += read_envelope(raw, limits=LIMITS) if "objects" in document else [raw]
    return found


def shape(detail: str) -> str:
    """Return a reason without the values quoted in it."""
    return re.sub(r'"[^"]*"', '"…"', re.sub(r"character \d+", "character …", re.sub(r"\.\d+\.", ".….", detail)))


def verdict(raw: bytes) -> str | None:
    """Return why an object is refused, or None where it is accepted and comes back equal."""
    try:
        obj = read_object(raw, limits=LIMITS)
    except Invalid as refused:
        identifier, _ = describe(raw)
        assert identifier
        return shape(refused.detail)
    assert obj.body == raw
    assert canonicalise(json.loads(obj.body)) == canonicalise(obj.properties) == read_document(raw, depth_max=LIMITS.depth_max).canonical
    return None


@pytest.mark.parametrize("source", SOURCES)
def test_real_data_is_accepted_or_refused_as_the_table_says(source: str):
    verdicts = Counter(map(verdict, objects_in(source)))
    assert verdicts.pop(None, 0) == SOURCES[source][0]
    assert verdicts == REASONS[source]
    assert sum(verdicts.values()) == SOURCES[source][1]


def test_stix_2_0_is_refused_by_name():
    refused = 0
    for _, raw in read_documents("stix20"):
        for obj in json.loads(raw).get("objects", []):
            with pytest.raises(Invalid, match=r"spec_version 2\.0; send 2\.1"):
                read_object(json.dumps(obj).encode(), limits=LIMITS)
            refused += 1
    assert refused > 10_000


def test_bodies_that_are_no_json_are_not_understood():
    broken = [raw for name, raw in read_documents("conformance/stix-validator-files") if name == "invalid_comma.json"]
    assert broken
    for raw in broken:
        with pytest.raises(Invalid, match="JSON"):
            read_object(raw, limits=LIMITS)


@pytest.mark.parametrize("name", ["identity_unicode", "identity_custom", "identity_warning", "invalid_identity", "invalid_timestamp"])
def test_example_files_of_the_validator_are_judged_by_their_names(name: str):
    examples = dict(read_documents("conformance/stix-validator-files/stix2validator/test/v21"))
    document = json.loads(examples[f"{name}.json"])
    verdicts = [verdict(json.dumps(obj).encode()) for obj in document.get("objects", [document])]
    assert any(verdicts) == name.startswith("invalid")


def json_suite(prefix: str) -> list[Any]:
    archive = "vectors/json/jsontestsuite.tar.gz"
    return [(name.rsplit("/", 1)[1], raw) for name, raw in read_documents(archive) if name.rsplit("/", 1)[1].startswith(prefix)]


def is_read(raw: bytes) -> bool:
    try:
        read_document(raw, depth_max=LIMITS.depth_max)
    except Invalid:
        return False
    return True


def test_the_json_test_suite_agrees_on_what_is_json():
    # The one difference is asked for by I-JSON (RFC 7493): a name occurs once, and no string holds U+0000 or half of a surrogate pair.
    stricter = {
        "y_object_duplicated_key.json",
        "y_object_duplicated_key_and_value.json",
        "y_object_escaped_null_in_key.json",
        "y_string_null_escape.json",
    }
    refused = {name for name, raw in json_suite("y_") if not is_read(raw)}
    assert refused <= stricter
    read = {name for name, raw in json_suite("n_") if is_read(raw)}
    assert read == set()
