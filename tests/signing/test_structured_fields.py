"""Dictionaries of structured fields against the vectors of the HTTP working group, and against whatever a header can hold."""

import base64
import json
from decimal import Decimal
from typing import Any

import http_sf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.http_signature.fields import BYTES_MAX, read_dictionary, write_dictionary
from hub.errors import NotUnderstood
from tests.data import find_data

KEY_TWICE = ("0x2c in dictionary key",)  # which the standard lets pass, and the hub does not


def cases() -> list[dict[str, Any]]:
    """Return the cases about dictionaries, and those about single items as dictionaries with one member."""
    found = []
    for path in sorted(find_data("vectors/structured-fields").glob("*.json")):
        for case in json.loads(path.read_text(), parse_float=Decimal):
            if case["header_type"] == "dictionary":
                found.append(case)
            elif case["header_type"] == "item" and len(case["raw"]) == 1 and case["raw"][0][:1].strip(" "):
                expected = {"expected": [["d", case["expected"]]]} if "expected" in case else {}
                canonical = {"canonical": [f"d={line}".removesuffix("=?1") for line in case.get("canonical", case["raw"])]}
                found.append({**case, "raw": [f"d={case['raw'][0]}"], **expected, **canonical})
    return found


def plain(thing: Any) -> Any:
    """Return what was read as the vectors write it."""
    if isinstance(thing, tuple | list):
        return [plain(one) for one in thing]
    if isinstance(thing, dict):
        return [[name, plain(value)] for name, value in thing.items()]
    match thing:
        case bytes():
            return {"__type": "binary", "value": base64.b32encode(thing).decode()}
        case http_sf.Token():
            return {"__type": "token", "value": str(thing)}
        case http_sf.DisplayString():
            return {"__type": "displaystring", "value": str(thing)}
        case int() | str() | Decimal():
            return thing
    return {"__type": "date", "value": int(thing.timestamp())}


def test_what_the_vectors_hold_is_read_and_written_as_they_say():
    wrong = []
    found = cases()
    for case in found:
        try:
            read = read_dictionary("Test", case["raw"])
        except NotUnderstood:
            if not (case.get("must_fail") or case.get("can_fail") or case["name"] in KEY_TWICE):
                wrong.append(case["name"])
            continue
        if case.get("must_fail") or plain(read) != case["expected"]:
            wrong.append(case["name"])
        elif read and write_dictionary(read) != case.get("canonical", case["raw"])[0]:
            wrong.append(f"{case['name']}: {write_dictionary(read)}")
    assert len(found) > 800
    assert wrong == []


@pytest.mark.parametrize("lines", [["a=1, a=2"], ["a=1", "a=2"], ["a;p=1;p=2"], ["a=(1;p=1;p=2)"], ["a=();p=1;p=1"]])
def test_what_two_readers_could_read_differently_is_refused(lines: list[str]):
    with pytest.raises(NotUnderstood, match="stands there twice"):
        read_dictionary("Test", lines)


def test_a_field_has_a_longest_length():
    fits = "a=" + "1" * 15 + " " * (BYTES_MAX - 17)
    assert read_dictionary("Test", [fits]) == {"a": (10**15 // 9, {})}
    with pytest.raises(NotUnderstood, match="more than"):
        read_dictionary("Test", [fits + " "])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(alphabet='ab=();:"\\,?01.-@%*\t é', max_size=30), max_size=3))
def test_whatever_a_header_holds_is_read_or_refused(lines: list[str]):
    try:
        read = read_dictionary("Test", lines)
    except NotUnderstood:
        return
    assert read_dictionary("Test", [write_dictionary(read)] if read else []) == read
