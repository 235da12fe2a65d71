"""Splitting envelopes into objects, and naming the objects that were refused."""

from dataclasses import replace

import pytest

from hub.domain.stix import Limits, describe, read_envelope, read_object
from hub.errors import Invalid, NotUnderstood, TooLarge

LIMITS = Limits()
IDENTITY = (
    b'{"type":"identity","spec_version":"2.1","id":"identity--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f","name":"x",'
    b'"created":"2026-04-06T20:03:48.000Z","modified":"2026-04-06T20:03:48.000Z"}'
)


class TestEnvelope:
    def test_it_is_split_into_the_bytes_that_were_sent(self):
        body = b'{ "more":false, "objects": [ {"a" : 1.0} ,\n{"b":"\\u0041"}], "x_unknown": [{}] }'
        assert read_envelope(body, limits=LIMITS) == [b'{"a" : 1.0}', b'{"b":"\\u0041"}']

    def test_a_bundle_is_taken_for_an_envelope(self):
        body = b'{"type":"bundle","id":"bundle--1","spec_version":"2.0","objects":[{}]}'
        assert read_envelope(body, limits=LIMITS) == [b"{}"]

    @pytest.mark.parametrize(
        "body",
        [b"", b"x", b'{"objects":[{}]', b'{"objects":[{]}', b'{"objects":[{}],"objects":[{}]}', b'{"objects":[{"a":NaN}]}', b"\xff\xfe"],
    )
    def test_what_is_no_json_is_not_understood(self, body: bytes):
        with pytest.raises(NotUnderstood):
            read_envelope(body, limits=LIMITS)

    @pytest.mark.parametrize(
        "body",
        [
            b"[]",
            b"1",
            b"{}",
            b'{"objects":[]}',
            b'{"objects":{}}',
            b'{"objects":null}',
            b'{"objects":"x"}',
            b'{"objects":[1]}',
            b'{"objects":[{},[]]}',
        ],
    )
    def test_json_that_is_no_envelope_is_invalid(self, body: bytes):
        with pytest.raises(Invalid) as refused:
            read_envelope(body, limits=LIMITS)
        assert not isinstance(refused.value, NotUnderstood)

    def test_what_stands_beside_the_objects_nests_to_the_limit_and_not_beyond(self):
        def nested(depth: int) -> bytes:
            return b'{"objects":[{}],"x_deep":%b}' % (b"[" * depth + b"]" * depth)

        assert read_envelope(nested(LIMITS.depth_max - 1), limits=LIMITS)
        with pytest.raises(NotUnderstood):
            read_envelope(nested(LIMITS.depth_max), limits=LIMITS)

    def test_its_objects_nest_to_the_limit_of_the_whole_and_not_beyond(self):
        def nested(depth: int) -> bytes:
            return IDENTITY[:-1] + b', "x_deep": %b}' % (b"[" * depth + b"]" * depth)

        (within,) = read_envelope(b'{"objects":[%b]}' % nested(LIMITS.depth_max - 3), limits=LIMITS)
        assert read_object(within, limits=LIMITS)
        (beyond,) = read_envelope(b'{"objects":[%b]}' % nested(LIMITS.depth_max - 2), limits=LIMITS)
        with pytest.raises(NotUnderstood):
            read_object(beyond, limits=LIMITS)

    def test_it_holds_objects_to_the_limit_and_not_beyond(self):
        few = replace(LIMITS, objects_max=3)
        assert len(read_envelope(b'{"objects":[{},{},{}]}', limits=few)) == 3
        with pytest.raises(TooLarge, match="4 objects"):
            read_envelope(b'{"objects":[{},{},{},{}]}', limits=few)

    def test_what_stands_beside_the_objects_is_limited(self):
        with pytest.raises(TooLarge):
            read_envelope(b'{"objects":[{}],"x":"' + b"a" * LIMITS.envelope_bytes_max + b'"}', limits=LIMITS)

    def test_a_broken_object_does_not_sink_its_neighbours(self):
        raws = read_envelope(b'{"objects":[{"type":"x","n":1e400},{"a":1,"a":2},' + IDENTITY + b"]}", limits=LIMITS)
        for raw in raws[:2]:
            with pytest.raises(Invalid):
                read_object(raw, limits=LIMITS)
        assert read_object(raws[2], limits=LIMITS).type == "identity"


class TestDescribe:
    def test_id_and_version_of_a_refused_object_are_told_where_it_has_them(self):
        assert describe(b'{"id":"x--1","modified":"2026-01-01T00:00:00.0Z"}') == ("x--1", "2026-01-01T00:00:00.0Z")
        assert describe(b'{"id":"x--1","created":"2026-01-01T00:00:00Z"}') == ("x--1", "2026-01-01T00:00:00Z")
        assert describe(b'{"id":"x--1","modified":"2026-02-30T00:00:00Z"}') == ("x--1", None)
        assert describe(b'{"id":"x--1","modified":"20260101T000000Z"}') == ("x--1", None)

    @pytest.mark.parametrize(
        "raw", [b"{}", b"[]", b"{", b'{"id":5}', b'{"id":""}', b'{"id":"\\u0000"}', b'{"id":"a\\nb"}', b'{"id":"%s"}' % (b"a" * 301)]
    )
    def test_an_object_without_a_usable_id_gets_one_made_of_its_bytes(self, raw: bytes):
        identifier, version = describe(raw)
        assert identifier.startswith("x-unidentified--")
        assert version is None
        assert describe(raw) == (identifier, version)
        assert describe(raw + b" ")[0] != identifier
