"""Canonical JSON against RFC 8785's own examples, and the fast way against the reference implementation."""

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.canonical import canonicalise, canonicalise_plain, digest
from hub.domain.json import read_document
from hub.errors import Invalid
from tests.data import find_data


@pytest.mark.parametrize("name", ["french", "values"])
def test_published_vectors_come_out_byte_for_byte(name: str):
    raw = find_data(f"vectors/jcs/testdata/input/{name}.json").read_bytes()
    written = find_data(f"vectors/jcs/testdata/output/{name}.json").read_bytes()
    assert read_document(raw, depth_max=64).canonical == written


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [True, None, "x"]}, b'{"a":[true,null,"x"],"b":1}'),
        ([1.0, -0.0, 1e21, 1e-7, 0.1], b"[1,0,1e+21,1e-7,0.1]"),
        ({"\U0001f600": 1, "\ufb33": 2, "\u20ac": 3}, '{"\u20ac":3,"\U0001f600":1,"\ufb33":2}'.encode()),
        ("\u2028\x7f\b\u0001", '"\u2028\x7f\\b\\u0001"'.encode()),
        (7, b"7"),
        ({}, b"{}"),
    ],
)
def test_the_form_is_that_of_rfc_8785(value: Any, text: str):
    assert canonicalise(value) == text


@pytest.mark.parametrize("value", [2**53, [-(2**53)], float("nan"), [float("inf")], "\ud800", {"\udfff": 1}])
def test_a_value_without_a_canonical_form_is_refused(value: Any):
    with pytest.raises(Invalid):
        canonicalise(value)


def test_digests_speak_of_values_not_of_spelling():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 1, "b": 3})


names = st.text(alphabet="ab\x7f\u00e9\u20ac\ufb33\uffff\U0001f600", max_size=3)
leaves = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False) | names
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=10)


@given(values)
def test_every_value_comes_out_as_the_reference_implementation_writes_it(value: Any):
    assert canonicalise(value) == rfc8785.dumps(value)


def test_the_fast_way_is_taken_for_what_stix_mostly_is():
    assert canonicalise_plain({"name": "é", "count": 3, "list": [True]}) is not None
    assert canonicalise_plain({"latitude": 1.5}) is None
