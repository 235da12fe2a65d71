"""Reading STIX 2.1 objects: envelopes, each rule on both sides of its boundary, and what refusals say."""

import hashlib
import json
import re
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from hub.domain.stix import Limits, microseconds, read_object
from hub.domain.stix_schema import fits, schema_name, validator_of
from hub.errors import Invalid

LIMITS = Limits()
UUID4 = "8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f"
UUID5 = "ff26c055-6336-5bc5-b98d-13d6226742dd"
IDENTITY = f"identity--{UUID4}"
MARKING = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"
TIMES = {"created": "2026-04-06T20:03:48.000Z", "modified": "2026-04-06T20:03:48.000Z"}
REMOVED = object()


def sdo(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{UUID4}", **TIMES, **properties}


def sco(kind: str, **properties: Any) -> dict[str, Any]:
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{UUID5}", **properties}


INDICATOR = sdo("indicator", name="x", pattern="[file:name = 'a']", pattern_type="stix", valid_from="2026-01-01T00:00:00Z")
RELATIONSHIP = sdo("relationship", relationship_type="indicates", source_ref=f"indicator--{UUID4}", target_ref=f"malware--{UUID4}")


def changed(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    properties = deepcopy(base) | changes
    return {name: value for name, value in properties.items() if value is not REMOVED}


def read(properties: Any, limits: Limits = LIMITS):
    return read_object(json.dumps(properties).encode(), limits=limits)


EXCERPT_CHARS = 400  # what a refusal may be long, whatever it quotes


def refusal(properties: Any) -> str:
    with pytest.raises(Invalid) as refused:
        read(properties)
    assert len(refused.value.detail) < EXCERPT_CHARS
    return refused.value.detail


def test_an_object_is_given_back_as_it_was_sent_with_what_the_hub_needs_to_know():
    body = json.dumps(
        changed(INDICATOR, modified="2026-04-07T20:03:48.1234567Z", created_by_ref=IDENTITY, x_any={"Kept": [1.50]}), indent=1
    ).encode()
    obj = read_object(body, limits=LIMITS)
    assert (obj.id, obj.type, obj.spec_version) == (f"indicator--{UUID4}", "indicator", "2.1")
    assert (obj.created, obj.modified, obj.version) == (TIMES["created"], "2026-04-07T20:03:48.1234567Z", "2026-04-07T20:03:48.1234567Z")
    assert (obj.created_us, obj.version_us) == (1775505828000000, 1775592228123456)
    assert (obj.created_by_ref, obj.revoked, obj.marking_refs) == (IDENTITY, False, ())
    assert obj.body == body
    assert obj.properties == json.loads(body)


def test_the_digest_is_of_the_canonical_form():
    one, other = json.dumps(INDICATOR).encode(), json.dumps(dict(reversed(INDICATOR.items())), indent=2).encode()
    canonical = json.dumps(INDICATOR, sort_keys=True, separators=(",", ":")).encode()
    assert read_object(one, limits=LIMITS).digest == read_object(other, limits=LIMITS).digest == hashlib.sha256(canonical).digest()


def test_objects_without_versions_have_none():
    obj = read({"type": "ipv4-addr", "id": f"ipv4-addr--{UUID5}", "value": "198.51.100.7"})
    assert (obj.version, obj.version_us, obj.created, obj.created_us) == (None, None, None, None)
    marking = read(
        {
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": f"marking-definition--{UUID4}",
            "created": "2026-01-01T00:00:00Z",
            "definition_type": "statement",
            "definition": {"statement": "(c)"},
        }
    )
    assert (marking.version, marking.modified) == ("2026-01-01T00:00:00Z", None)


def test_a_cyber_observable_has_no_versions_whatever_its_custom_properties_are_called():
    assert (
        read(sco("url", value="https://a.example/", created="2026-01-01T00:00:00.000Z", modified="2026-01-01T00:00:00.000Z")).version
        is None
    )
    assert "modified must be of type string" in refusal(sco("url", value="https://a.example/", modified=5))


def test_markings_of_the_object_and_of_its_parts_are_listed_once():
    other = f"marking-definition--{UUID4}"
    granular = [
        {"marking_ref": other, "selectors": ["name"]},
        {"marking_ref": MARKING, "selectors": ["id"]},
        {"lang": "de", "selectors": ["name"]},
    ]
    assert read(changed(INDICATOR, object_marking_refs=[MARKING], granular_markings=granular)).marking_refs == (MARKING, other)


def test_microseconds_cut_what_is_finer():
    assert microseconds("1970-01-01T00:00:00Z") == 0
    assert microseconds("1970-01-01T00:00:01.0000019Z") == 1_000_001
    assert microseconds("1969-12-31T23:59:59.999999Z") == -1


GRANULAR = {"marking_ref": MARKING}
ACCEPTED = {
    "an indicator": INDICATOR,
    "a custom property": changed(INDICATOR, x_acme_score=5, any_name={"Any": ["thing", None]}),
    "a custom type": sdo("x-acme-thing", anything=[1, {"a": None}]),
    "a custom cyber-observable": {"type": "x-acme-thing", "id": f"x-acme-thing--{UUID5}", "value": 1},
    "an unknown extension": changed(
        INDICATOR, extensions={f"extension-definition--{UUID4}": {"extension_type": "property-extension", "some_thing": {"Deep": 1}}}
    ),
    "an extension that makes a new type": sdo("my-sdo", extensions={f"extension-definition--{UUID4}": {"extension_type": "new-sdo"}}),
    "any UUID version in an id": changed(INDICATOR, id="indicator--8e2e2d2b-17d4-1cbf-938f-98ee46b3cd3f"),
    "times of any precision": changed(INDICATOR, created="2026-04-06T20:03:48.0001Z", modified="2026-04-06T20:03:48.000100Z"),
    "a moment of a leap year": changed(INDICATOR, valid_from="2024-02-29T23:59:59.999999999Z"),
    "an end just after the start": changed(INDICATOR, valid_until="2026-01-01T00:00:00.0000000001Z"),
    "another pattern language": changed(INDICATOR, pattern="rule x {", pattern_type="yara"),
    "an object type of MVT": changed(INDICATOR, pattern="[app:id = 'com.example.app']"),
    "a granular language": changed(INDICATOR, granular_markings=[{"lang": "pt-BR", "selectors": ["name"]}]),
    "selectors of lists": changed(
        INDICATOR,
        labels=["a", "b"],
        granular_markings=[GRANULAR | {"selectors": ["labels.[1]", "labels", "id", "granular_markings.[0].selectors"]}],
    ),
    "a language with script, region and variant": changed(INDICATOR, lang="sr-Cyrl-RS-ekavsk"),
    "languages by two or three letters": sco("software", name="x", languages=["en", "eng", "yue"]),
    "a platform name": sco("software", name="x", cpe="cpe:2.3:a:vendor:product\\!:1.0:*:*:*:*:*:*:*"),
    "a character set": sco("directory", path="/", path_enc="ISO-8859-1"),
    "a mail address without a dot": sco("email-addr", value="user@localhost"),
    "an address with an apostrophe": sco("email-addr", value="o'neill@mail.example"),
    "a media type that IANA does not list": sco(
        "artifact", mime_type="application/x-dosexec", payload_bin="aGk=", hashes={"MD5": "0" * 32}
    ),
    "a process with a random id": sco("process", pid=1) | {"id": f"process--{UUID4}"},
    "references of the right types": sco("file", name="a", parent_directory_ref=f"directory--{UUID5}", content_ref=f"artifact--{UUID5}"),
    "an identity": sdo("identity", name="Ministère de l'Intérieur 内政部"),
    "a location by region": sdo("location", region="northern-europe"),
    "observed-data of today": sdo(
        "observed-data",
        first_observed="2026-01-01T00:00:00Z",
        last_observed="2026-01-01T00:00:00Z",
        number_observed=1,
        object_refs=[f"url--{UUID5}", f"relationship--{UUID4}", f"x-acme-thing--{UUID5}"],
    ),
    "observed-data with objects, still allowed in 2.1": sdo(
        "observed-data",
        first_observed="2026-01-01T00:00:00Z",
        last_observed="2026-01-01T00:00:00Z",
        number_observed=1,
        objects={"0": sco("directory", path="/"), "1": sco("file", name="a", parent_directory_ref="0")},
    ),
    "language content": sdo(
        "language-content", object_ref=f"indicator--{UUID4}", contents={"de": {"name": "Giftefeu"}, "fr-CA": {"name": "Lierre"}}
    ),
    "a statement marking": {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{UUID4}",
        "created": "2026-01-01T00:00:00Z",
        "definition_type": "statement",
        "definition": {"statement": "(c)"},
    },
    "a sighting of nothing": sdo("sighting", sighting_of_ref=f"indicator--{UUID4}", count=0),
    "a relationship to a cyber-observable": changed(RELATIONSHIP, target_ref=f"url--{UUID5}"),
    "a relationship to a custom object": changed(RELATIONSHIP, target_ref=f"x-acme-thing--{UUID5}"),
}


@pytest.mark.parametrize("what", ACCEPTED)
def test_it_is_accepted_and_comes_back_equal(what: str):
    obj = read(ACCEPTED[what])
    assert obj.properties == ACCEPTED[what]
    assert json.loads(obj.body) == ACCEPTED[what]


REFUSED: dict[str, tuple[Any, str]] = {
    "not an object": ([INDICATOR], "JSON object"),
    "no type": (changed(INDICATOR, type=REMOVED), "type"),
    "a number for a type": (changed(INDICATOR, type=5), "type"),
    "no id": (changed(INDICATOR, id=REMOVED), "id"),
    "a bundle": ({"type": "bundle", "id": f"bundle--{UUID4}", "objects": [INDICATOR]}, "bundle"),
    "STIX 2.0 by what is missing": (changed(INDICATOR, spec_version=REMOVED), "spec_version 2.0; send 2.1"),
    "STIX 2.0 by name": (changed(INDICATOR, spec_version="2.0"), "spec_version 2.0; send 2.1"),
    "a relationship of STIX 2.0": (changed(RELATIONSHIP, spec_version=REMOVED), "spec_version 2.0; send 2.1"),
    "a marking definition of STIX 2.0": (
        {
            "type": "marking-definition",
            "id": MARKING,
            "created": "2017-01-20T00:00:00.000Z",
            "definition_type": "tlp",
            "definition": {"tlp": "green"},
        },
        "spec_version 2.0; send 2.1",
    ),
    "observed-data of STIX 2.0": (
        changed(
            sdo(
                "observed-data",
                first_observed="2026-01-01T00:00:00Z",
                last_observed="2026-01-01T00:00:00Z",
                number_observed=1,
                objects={"0": {"type": "file", "name": "a"}},
            ),
            spec_version=REMOVED,
        ),
        "spec_version 2.0; send 2.1",
    ),
    "a cyber-observable of STIX 2.0 by name": (
        sco("url", value="https://a.example/") | {"spec_version": "2.0"},
        "spec_version 2.0; send 2.1",
    ),
    "STIX 2.2": (changed(INDICATOR, spec_version="2.2"), 'spec_version must be 2.1, not "2.2"'),
    "no pattern": (changed(INDICATOR, pattern=REMOVED), "needs the property pattern"),
    "no modified": (changed(INDICATOR, modified=REMOVED), "needs the property modified"),
    "an offset": (changed(INDICATOR, created="2026-04-06T20:03:48.000+00:00"), "created must be a timestamp"),
    "no milliseconds": (changed(INDICATOR, created="2026-04-06T20:03:48Z"), "created must be a timestamp with at least three digits"),
    "digits that are not ASCII": (changed(INDICATOR, valid_from="\u0662026-01-01T00:00:00Z"), "valid_from must be a timestamp"),
    "month 13": (changed(INDICATOR, valid_from="2026-13-01T00:00:00Z"), "valid_from must be a timestamp"),
    "30 February": (changed(INDICATOR, valid_from="2026-02-30T00:00:00Z"), "valid_from is no moment that exists"),
    "29 February 2026": (changed(INDICATOR, modified="2026-02-29T00:00:00.000Z"), "modified is no moment"),
    "a leap second": (changed(INDICATOR, valid_from="2016-12-31T23:59:60Z"), "valid_from is no moment"),
    "hour 24": (changed(INDICATOR, valid_from="2026-01-01T24:00:00Z"), "valid_from must be a timestamp"),
    "the year 0": (changed(INDICATOR, valid_from="0000-01-01T00:00:00Z"), "valid_from is no moment"),
    "a time that does not exist inside an extension": (
        sco("file", name="a", extensions={"windows-pebinary-ext": {"pe_type": "exe", "time_date_stamp": "2026-02-30T00:00:00Z"}}),
        "time_date_stamp is no moment",
    ),
    "modified before created": (
        changed(INDICATOR, modified="2026-04-06T20:03:47.999999Z"),
        "modified .* must be later than or equal to created",
    ),
    "modified before created by a digit beyond microseconds": (changed(INDICATOR, created="2026-04-06T20:03:48.0000000001Z"), "modified"),
    "an end before the start": (changed(INDICATOR, valid_until="2025-01-01T00:00:00Z"), "valid_until .* must be later than valid_from"),
    "an end at the start": (changed(INDICATOR, valid_until="2026-01-01T00:00:00.000Z"), "valid_until .* must be later than valid_from"),
    "seen last before first": (sdo("campaign", name="x", first_seen="2026-01-02T00:00:00Z", last_seen="2026-01-01T00:00:00Z"), "last_seen"),
    "traffic that ends before it starts": (
        sco("network-traffic", protocols=["tcp"], src_ref=f"ipv4-addr--{UUID5}", start="2026-01-02T00:00:00Z", end="2026-01-01T00:00:00Z"),
        "end .* later than or equal to start",
    ),
    "a relationship that stops when it starts": (
        changed(RELATIONSHIP, start_time="2026-01-01T00:00:00Z", stop_time="2026-01-01T00:00:00Z"),
        "stop_time .* must be later than start_time",
    ),
    "the id of another type": (changed(INDICATOR, id=f"malware--{UUID4}"), "id"),
    "the id of another custom type": (sdo("x-acme-thing") | {"id": f"x-acme-other--{UUID4}"}, "id must be x-acme-thing--UUID"),
    "an id with more before the UUID": (sdo("x-acme-thing") | {"id": f"x-acme-thing--x--{UUID4}"}, "id must be"),
    "no UUID": (changed(INDICATOR, id="indicator--1"), "id must be an identifier"),
    "a UUID of another variant": (changed(INDICATOR, id="indicator--8e2e2d2b-17d4-4cbf-738f-98ee46b3cd3f"), "id must be an identifier"),
    "a deterministic id of nothing": (sco("user-account", display_name="x"), "version 4"),
    "a process with a deterministic id": (sco("process", pid=1), "version 4"),
    "confidence 101": (changed(INDICATOR, confidence=101), 'confidence must be at most 100, not "101"'),
    "confidence as text": (changed(INDICATOR, confidence="5"), "confidence must be of type integer, not string"),
    "revoked as text": (changed(INDICATOR, revoked="yes"), "revoked must be of type boolean"),
    "null": (changed(INDICATOR, name=None), "name must be of type string, not null"),
    "null in a custom property": (changed(INDICATOR, x_a_b=None), "x_a_b must not be null"),
    "an empty list": (changed(INDICATOR, labels=[]), "labels must not be empty"),
    "an external reference without its source": (changed(INDICATOR, external_references=[{"url": "https://a.example/"}]), "source_name"),
    "a URL with a space": (changed(INDICATOR, external_references=[{"source_name": "a", "url": "https://a.example/ b"}]), "valid uri"),
    "a property name in capitals": (changed(INDICATOR, x_Acme=1), '"x_Acme" is no property name'),
    "a property name with a hyphen": (changed(INDICATOR, **{"x-acme": 1}), '"x-acme" is no property name'),
    "a property name of two letters": (changed(INDICATOR, xy=1), '"xy" is no property name'),
    "a property name of 251 letters": (changed(INDICATOR, **{"x" * 251: 1}), "is no property name"),
    "a type name in capitals": (sdo("x-Acme"), "type"),
    "no pattern at all": (changed(INDICATOR, pattern="file name is a"), "pattern: expected"),
    "a pattern without an end": (changed(INDICATOR, pattern="[file:name = 'a'"), "pattern: expected .* where it ends"),
    "a pattern on a type with a bad name": (
        changed(INDICATOR, pattern="[x_file:name = 'a']"),
        'pattern: "x_file" is no name of an object type',
    ),
    "a pattern on a property with a bad name": (
        changed(INDICATOR, pattern="[x-file:fileName = 'a']"),
        'pattern: "fileName" is no name of a property',
    ),
    "created by no identity": (changed(INDICATOR, created_by_ref=f"malware--{UUID4}"), "created_by_ref must point to identity"),
    "marked by no marking definition": (
        changed(INDICATOR, object_marking_refs=[IDENTITY]),
        "object_marking_refs must point to marking-definition",
    ),
    "a directory that is a file": (
        sco("file", name="a", parent_directory_ref=f"file--{UUID5}"),
        "parent_directory_ref must point to directory",
    ),
    "a reference to a key": (sco("file", name="a", parent_directory_ref="0"), 'parent_directory_ref must point to directory, not "0"'),
    "an archive of numbers": (sco("file", name="a", extensions={"archive-ext": {"contains_refs": [5]}}), "contains_refs"),
    "an archive of processes": (
        sco("file", name="a", extensions={"archive-ext": {"contains_refs": [f"process--{UUID4}"]}}),
        "extensions.archive-ext.contains_refs must point to directory or file",
    ),
    "a relationship to a bundle": (
        changed(RELATIONSHIP, target_ref=f"bundle--{UUID4}"),
        "target_ref must have another form or point to another type",
    ),
    "a relationship to a relationship": (changed(RELATIONSHIP, source_ref=f"relationship--{UUID4}"), "source_ref"),
    "observed-data of an indicator": (
        sdo(
            "observed-data",
            first_observed="2026-01-01T00:00:00Z",
            last_observed="2026-01-01T00:00:00Z",
            number_observed=1,
            object_refs=[f"indicator--{UUID4}"],
        ),
        'object_refs may not point to "indicator--',
    ),
    "objects that point nowhere": (
        sdo(
            "observed-data",
            first_observed="2026-01-01T00:00:00Z",
            last_observed="2026-01-01T00:00:00Z",
            number_observed=1,
            objects={"1": sco("file", name="a", parent_directory_ref="0")},
        ),
        'objects.1: parent_directory_ref names "0", which is not among the objects',
    ),
    "a selector of nothing": (changed(INDICATOR, granular_markings=[GRANULAR | {"selectors": ["description"]}]), 'selects "description"'),
    "a selector beyond a list": (changed(INDICATOR, labels=["a"], granular_markings=[GRANULAR | {"selectors": ["labels.[1]"]}]), "selects"),
    "a selector into text": (changed(INDICATOR, granular_markings=[GRANULAR | {"selectors": ["name.x"]}]), "selects"),
    "a granular marking of nothing": (changed(INDICATOR, granular_markings=[{"selectors": ["name"]}]), "marking_ref"),
    "a granular language that is none": (changed(INDICATOR, granular_markings=[{"lang": "xx", "selectors": ["name"]}]), "RFC 5646"),
    "a marking definition that marks itself": (
        changed(ACCEPTED["a statement marking"], object_marking_refs=[f"marking-definition--{UUID4}"]),
        "may not mark itself",
    ),
    "a language that is none": (changed(INDICATOR, lang="foo"), 'lang must be an RFC 5646 language tag, not "foo"'),
    "a language with an underscore": (changed(INDICATOR, lang="en_GB"), "lang"),
    "translations into nothing": (sdo("language-content", object_ref=f"indicator--{UUID4}", contents={"bbb": {"name": "x"}}), "contents"),
    "translations of nothing": (sdo("language-content", object_ref=f"indicator--{UUID4}", contents={"de": {"Name": "x"}}), "property name"),
    "translations that are text": (
        sdo("language-content", object_ref=f"indicator--{UUID4}", contents={"de": "x"}),
        "contents.de must be an object",
    ),
    "languages of a program that are none": (sco("software", name="x", languages=["Python"]), "languages"),
    "a platform name that is none": (sco("software", name="x", cpe="cpe:2.3:a:vendor"), "CPE 2.3"),
    "a platform name with more behind it": (sco("software", name="x", cpe="cpe:2.3:a:v:p:1:*:*:*:*:*:*:* x"), "CPE 2.3"),
    "a character set that is none": (sco("file", name="a", name_enc="bla.bla.bla"), "name_enc"),
    "a hash of the wrong length": (sco("file", hashes={"MD5": "abc"}), "hashes.MD5"),
    "base64 that is none": (sco("artifact", payload_bin="a"), "payload_bin must be base64"),
    "a location nowhere": (sdo("location", name="x"), "region, or the object needs the property country"),
    "TLP:GREEN that says amber": (
        {
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": MARKING,
            "created": "2017-01-20T00:00:00.000Z",
            "name": "TLP:GREEN",
            "definition_type": "tlp",
            "definition": {"tlp": "amber"},
        },
        "definition.tlp|TLP:GREEN",
    ),
    "TLP:GREEN that is a statement": (ACCEPTED["a statement marking"] | {"id": MARKING}, "TLP:GREEN for ever"),
}
NAMES_THAT_HIDE = {
    "a right-to-left override": "Ministry of \u202eecnefeD",
    "an isolate": "A\u2066B",
    "an Arabic letter mark": "A\u061cB",
    "a zero-width space": "A\u200bB",
    "a zero-width joiner": "A\u200dB",
    "a byte order mark": "\ufeffAgency",
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_in_a_sentence_that_names_the_fault(what: str):
    properties, expected = REFUSED[what]
    detail = refusal(properties)
    assert re.search(expected, detail), detail


@pytest.mark.parametrize("what", NAMES_THAT_HIDE)
def test_an_identity_may_not_look_like_another(what: str):
    assert "invisible or direction-changing" in refusal(sdo("identity", name=NAMES_THAT_HIDE[what]))
    assert read(sdo("malware", name=NAMES_THAT_HIDE[what], is_family=False)).type == "malware"


def test_an_object_has_bytes_to_the_limit_and_not_beyond():
    body = json.dumps(INDICATOR).encode()
    assert read_object(body, limits=replace(LIMITS, object_bytes_max=len(body)))
    with pytest.raises(Invalid, match="bytes"):
        read_object(body, limits=replace(LIMITS, object_bytes_max=len(body) - 1))


def test_a_list_has_references_to_the_limit_and_not_beyond():
    def report(count: int) -> dict[str, Any]:
        return sdo("report", name="x", published="2026-01-01T00:00:00Z", object_refs=[f"malware--{UUID4}"] * count)

    assert read(report(LIMITS.refs_max))
    assert f"object_refs has {LIMITS.refs_max + 1} entries" in refusal(report(LIMITS.refs_max + 1))
    assert "x_any_refs" in refusal(changed(INDICATOR, x_any_refs=["a"] * (LIMITS.refs_max + 1)))


@pytest.mark.parametrize("length", [100, 10_000, 1_000_000])
def test_a_refusal_quotes_little_of_what_was_sent(length: int):
    for changes in (
        {"id": "x" * length},
        {"type": "x" * length},
        {"spec_version": "9" * length},
        {"X" * length: 1},
        {"confidence": "x" * length},
        {"created": "x" * length},
        {"lang": "x" * length},
        {"created_by_ref": "x" * length},
        {"pattern": "x" * length},
        {"object_marking_refs": ["x" * length]},
        {"granular_markings": [GRANULAR | {"selectors": ["x" * length]}]},
    ):
        assert len(refusal(changed(INDICATOR, **changes))) < EXCERPT_CHARS


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1, 1.5, "", "x", [], [None], [[]], {}, {"": None}, {"id": 1}, "2026-01-01T00:00:00Z", "identity--x", ["a", 1]],
    ids=repr,
)
@pytest.mark.parametrize("base", [INDICATOR, RELATIONSHIP, *ACCEPTED.values()], ids=lambda base: base["type"])
def test_no_value_in_any_place_leads_to_anything_but_a_verdict(base: dict[str, Any], value: Any):
    for name in [
        *base,
        "created_by_ref",
        "lang",
        "cpe",
        "extensions",
        "granular_markings",
        "object_marking_refs",
        "revoked",
        "objects",
        "x_a",
    ]:
        sent = changed(base, **{name: value})
        try:
            found: dict[str, Any] | str = read(sent).properties
        except Invalid as e:
            found = e.detail
        assert found == sent or (isinstance(found, str) and found), name


@pytest.mark.parametrize("base", [INDICATOR, RELATIONSHIP, *ACCEPTED.values()], ids=lambda base: base["type"])
def test_a_schema_taken_in_two_answers_as_the_whole(base: dict[str, Any]):
    kind = schema_name(base)
    names = {
        *base,
        *"id labels aliases extensions severity foo_bin foo_hex magic_number_hex payload_bin x_any ab Abc a-c 1abc".split(),
        "é",
    }
    for name in sorted(names - {"type"}):
        for value in [REMOVED, None, "", "x", "00ff", 1, [], ["a"], [None], {}, {"a_hex": "x"}, True]:
            properties = changed(base, **{name: value})
            assert fits(kind, properties) == validator_of(kind).is_valid(properties), (name, value)
