"""The strict JSON reader: what it takes, what it refuses, and that its two ways of reading agree."""

import json
import string
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.canonical import canonicalise
from hub.domain.json import EXCERPT_CHARS, check_depth, excerpt, read_document, read_items, read_members
from hub.errors import HubError, Invalid, NotUnderstood

DEPTH_MAX = 64


def read(raw: bytes):
    return read_document(raw, depth_max=DEPTH_MAX).value


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b'{"a":1,}',
        b'{"a" 1}',
        b"{a:1}",
        b"[1] x",
        b"[01]",
        b"[1.]",
        b"[.5]",
        b"[+1]",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"['a']",
        b'["a\nb"]',
        b'["\x00"]',
        b'["\x1f"]',
        b'["\\x41"]',
        b'["\\u12"]',
        b"[tru]",
        b'\xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
        b'["\xff"]',
        b'["\xc0\xaf"]',
        b'["\xed\xa0\x80"]',
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":1,"b":{"c":[],"c":[]}}',
        b'{"a":1,"a" :2}',
        b'{"a":1,"\\u0061":2}',
        b'{"\\u0061":1,"a":"\\u0022"}'.replace(b'"a"', b'"\\u0061"'),
        b'{"a":"\\":","a":2}',
        b'[{"id":"x","id":"y"}]',
    ],
    ids=repr,
)
def test_what_is_no_json_is_not_understood(raw: bytes):
    with pytest.raises(NotUnderstood):
        read(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"[9007199254740992]",
        b"[-9007199254740992]",
        b"[" + b"1" * 5_000 + b"]",
        b"[18446744073709551616]",
        b"[1e400]",
        b"[-1e400]",
        b'["\\ud800"]',
        b'["\\udc00\\ud800"]',
        b'{"\\udfff":1}',
        b'["\\u0000"]',
        b'{"a\\u0000":1}',
        b'{"a":["deep",{"b":"x\\u0000y"}]}',
    ],
    ids=lambda raw: repr(raw[:30]),
)
def test_a_value_out_of_range_is_the_fault_of_its_object_only(raw: bytes):
    with pytest.raises(Invalid) as refused:
        read(raw)
    assert not isinstance(refused.value, NotUnderstood)
    assert len(refused.value.detail) < 2 * EXCERPT_CHARS


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"[9007199254740991,-9007199254740991,0,-0]", [9007199254740991, -9007199254740991, 0, 0]),
        (b"[1.5,1e300,-2E-7]", [1.5, 1e300, -2e-7]),
        (b'["\\ud83d\\ude00"]', ["\U0001f600"]),
        (b'["\\\\u0000","\\\\ud800"]', ["\\u0000", "\\ud800"]),
        (b' {"a" : [true , false , null] } ', {"a": [True, False, None]}),
        (b'{"a":{"a":1},"b":[{"a":1},{"a":2}]}', {"a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}),
        (b'{"q":"\\"a\\":1","\\"":":"}', {"q": '"a":1', '"': ":"}),
        ('["\u2028é\u20ac\x7f"]'.encode(), ["\u2028é\u20ac\x7f"]),
        (b'"a string"', "a string"),
        (b"12", 12),
    ],
)
def test_good_json_is_read_as_it_stands(raw: bytes, value: Any):
    assert read(raw) == value


def test_nesting_is_allowed_to_the_limit_and_not_beyond():
    assert json.dumps(read(nested(DEPTH_MAX)))
    with pytest.raises(NotUnderstood, match="64 levels"):
        read(nested(DEPTH_MAX + 1))


def test_a_million_brackets_are_refused_without_recursion():
    with pytest.raises(NotUnderstood):
        read(b"[" * 1_000_000)
    with pytest.raises(NotUnderstood):
        read_members(b"[" * 1_000_000)
    with pytest.raises(NotUnderstood):
        read_members(b'{"a":' * 1_000_000)


def test_brackets_in_strings_do_not_nest():
    check_depth(b'["' + b"[{" * 100 + b'","\\"[[[\\\\",{"' + b"[" * 100 + b'":1}]', depth_max=2)
    with pytest.raises(NotUnderstood):
        check_depth(b'["' + b"]" * 100 + b'",[[1]]]', depth_max=2)


def test_members_keep_the_bytes_that_were_sent():
    body = b' {"more" : true, "objects":[ {"b":1.0,  "a":"\\u0041"} ,[2 ]]}'
    members = read_members(body)
    assert members == {"more": b"true", "objects": b'[ {"b":1.0,  "a":"\\u0041"} ,[2 ]]'}
    assert read_items(members["objects"]) == [b'{"b":1.0,  "a":"\\u0041"}', b"[2 ]"]


@pytest.mark.parametrize(
    "body", [b'{"objects":[],"objects":[]}', b'{"objects":[],"object\\u0073":[]}', b'{"a":NaN}', b'{"a":"\xff"}', b"[1"]
)
def test_members_of_a_bad_envelope_are_not_understood(body: bytes):
    with pytest.raises(NotUnderstood):
        read_members(body)


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null"])
def test_json_that_is_no_object_has_no_members(body: bytes):
    with pytest.raises(Invalid, match="JSON object") as refused:
        read_members(body)
    assert not isinstance(refused.value, NotUnderstood)


def test_an_excerpt_is_short_and_printable():
    assert excerpt("a" * 1_000) == '"' + "a" * (EXCERPT_CHARS - 1) + '\\u2026"'
    assert excerpt("\x1b[31m\n\u202e") == '"\\u001b[31m\\n\\u202e"'
    assert excerpt({"a": 1}) == '"{\\"a\\": 1}"'


scalars = st.none() | st.booleans() | st.integers(-(2**54), 2**54) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='ab":\\é\U0001f600\ufb33', max_size=3), inner, max_size=4),
    max_leaves=12,
)


@given(values, st.booleans(), st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " :\t")]))
def test_whatever_is_written_is_read_back_with_its_canonical_form(value: Any, ascii_only: Any, separators: tuple[str, str]):
    raw = json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode()
    try:
        document = read_document(raw, depth_max=DEPTH_MAX)
    except HubError:
        canonical_refused = any(isinstance(part, str) and "\0" in part for part in flat(value)) or any(
            type(part) is int and abs(part) > 2**53 - 1 for part in flat(value)
        )
        assert canonical_refused
    else:
        assert document.value == value
        assert document.canonical == canonicalise(value)


def flat(value: Any):
    if isinstance(value, dict):
        return [item for name, part in value.items() for item in [name, *flat(part)]]
    return [item for part in value for item in flat(part)] if isinstance(value, list) else [value]


pieces = st.lists(
    st.sampled_from(
        [
            '"a"',
            '"b"',
            '"\\u0061"',
            '"\\":"',
            '":"',
            '"\\u0022"',
            " ",
            ":",
            ",",
            "{",
            "}",
            "[",
            "]",
            "1",
            "1.0",
            "-",
            "true",
            "NaN",
            "\\",
            "9" * 17,
        ]
    ),
    max_size=14,
)


@settings(max_examples=250)
@given(pieces)
def test_the_reader_agrees_with_a_plain_reading_of_the_rules(parts: list[str]):
    raw = "".join(parts)
    try:
        value = read(raw.encode())
    except HubError:
        assert plain_reading(raw) is None
    else:
        assert plain_reading(raw) == [value]


def plain_reading(raw: str):
    """Return the value in a list, or None: the standard library's parser with each rule written out once more."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in items}) != len(items):
            raise ValueError(items)
        return dict(items)

    def constant(name: str) -> NoReturn:
        raise ValueError(name)

    def integer(digits: str) -> int:
        if abs(int(digits)) >= 2**53:
            raise ValueError(digits)
        return int(digits)

    try:
        return [json.loads(raw.strip(string.whitespace), object_pairs_hook=pairs, parse_constant=constant, parse_int=integer)]
    except ValueError:
        return None
