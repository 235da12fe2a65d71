"""Renditions of public STIX content and of content that names its producer in any place: nothing of it is left in what others get."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.anonymity import Disguise, draft_of
from hub.domain.ids import CollectionId, MemberId
from hub.domain.label import Attribution, Label, Tlp
from hub.domain.marking import resolve
from hub.domain.member import MemberKind
from hub.domain.named import Names
from hub.domain.pseudonym import Pseudonyms
from hub.domain.signing.keys import PrivateKey
from hub.domain.stix import Limits, StixObject, read_object
from hub.domain.stix_vocabulary import SCO_TYPES, SDO_TYPES, SRO_TYPES
from hub.errors import Invalid
from tests.data import read_documents
from tests.taxii.content import DAY_1, Object, domain_name, indicator, malware
from tests.taxii.every_type import FORMS, every_type, with_custom_properties

PRODUCER = MemberId(f"identity--{uuid.UUID(int=7, version=4)}")
HUB = MemberId(f"identity--{uuid.UUID(int=8, version=4)}")
NOW_US = 1_790_000_000_000_000
SIGNER = PrivateKey.generate()
NAMES = Names.of(["Gridworks plc", "gw-ops"], domains=["gridworks.example"], ids=[PRODUCER])
LABEL = Label(CollectionId("c"), Tlp.GREEN, MemberKind.OPERATOR, attribution=Attribution.HUB, anonymous=True)


def rendered(obj: StixObject, *, own: dict[str, Attribution] | None = None) -> dict[str, Any]:
    """Return the rendition of an object that the producer gave, or raise why there is none."""
    disguise = Disguise(Pseudonyms.of(b"secret"), HUB, PRODUCER, NAMES, own or {}, frozenset(), (SIGNER,))
    resolution = resolve(obj, known={}, groups=(), default=Tlp.GREEN)
    draft = draft_of(obj, disguise, resolution, LABEL, states_colour=True, limits=Limits(), now_us=NOW_US)
    return json.loads(draft.at(NOW_US, NOW_US).body)


def samples() -> Iterator[StixObject]:
    """Yield objects of public STIX 2.1 content that the hub takes and that are of the standard's types."""
    for _, raw in read_documents("stix21/oasis-examples"):
        document = json.loads(raw)
        for obj in document.get("objects", [document]) if isinstance(document, dict) else document:
            try:
                read = read_object(json.dumps(obj).encode(), limits=Limits())
            except Invalid:
                continue
            if read.type in SDO_TYPES | SRO_TYPES | SCO_TYPES:
                yield read


def rendition_of(obj: Object) -> dict[str, Any] | None:
    try:
        return rendered(read_object(json.dumps(obj).encode(), limits=Limits()))
    except Invalid:
        return None


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_custom_properties_are_left_out_whatever_they_are(form: Any) -> None:
    objects = every_type()
    renditions = [rendition_of(with_custom_properties(obj, form)) for obj in objects]
    assert renditions == [rendition_of(obj) for obj in objects]
    assert sum(rendition is not None for rendition in renditions) > len(objects) // 2


def test_no_id_and_no_time_of_the_originals_is_left_in_renditions_of_public_content() -> None:
    made = 0
    for obj in samples():
        try:
            rendition = rendered(obj)
        except Invalid:
            continue
        made += 1
        text = json.dumps(rendition)
        assert obj.id.partition("--")[2] not in text
        assert obj.created_by_ref is None or obj.created_by_ref not in text
        assert obj.type in SCO_TYPES or (rendition["created_by_ref"], rendition["created"]) == (HUB, rendition["modified"])
    assert made > 50


@given(
    place=st.sampled_from(["name", "description", "x_note", "labels", "external_references", "pattern", "kill_chain_phases", "extensions"]),
    trace=st.sampled_from(["Gridworks PLC", "gw-OPS", "soc@mail.gridworks.example", "gridworks[.]example", "GRIDWORKS  plc", PRODUCER]),
    around=st.text(st.characters(codec="utf-8", categories=["P", "Zs"]), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_wherever_a_text_names_the_producer_it_is_refused_or_left_out(place: str, trace: str, around: str) -> None:
    text = f"by {around.replace(chr(39), '').replace(chr(92), '')} {trace} it"
    values: dict[str, Any] = {
        "labels": [text],
        "external_references": [{"source_name": text, "description": text}],
        "pattern": f"[file:name = '{text}']",
        "kill_chain_phases": [{"kill_chain_name": text, "phase_name": "x"}],
        "extensions": {f"extension-definition--{uuid.uuid4()}": {"extension_type": "property-extension", "note": text}},
    }
    try:
        obj = read_object(json.dumps(indicator(**{place: values.get(place, text)})).encode(), limits=Limits())
        rendition = rendered(obj)
    except Invalid:
        return
    left = json.dumps(rendition, ensure_ascii=False)
    assert not NAMES.are_in(left)
    assert trace.casefold() not in left.casefold()


@pytest.mark.parametrize("make", [indicator, malware, domain_name])
def test_equal_originals_of_one_producer_have_one_pseudonym_and_of_two_have_two(make: Any) -> None:
    pseudonyms, id = Pseudonyms.of(b"secret"), make()["id"]
    assert pseudonyms.id_of(PRODUCER, id) == Pseudonyms.of(b"secret").id_of(PRODUCER, id)
    assert len({pseudonyms.id_of(PRODUCER, id), pseudonyms.id_of(HUB, id), Pseudonyms.of(b"other").id_of(PRODUCER, id), id}) == 4


def test_an_encoded_name_is_found() -> None:
    artifact = {
        "type": "artifact", "spec_version": "2.1", "id": f"artifact--{uuid.uuid4()}", "mime_type": "text/plain",
        "payload_bin": "bWFkZSBieSBHcmlkd29ya3MgcGxjIGl0c2VsZg==",
    }  # fmt: skip
    with pytest.raises(Invalid, match="payload_bin names you"):
        rendered(read_object(json.dumps(artifact).encode(), limits=Limits()))


def test_a_reference_inside_a_part_is_mapped_too() -> None:
    own = f"artifact--{uuid.uuid4()}"
    message = {
        "type": "email-message", "spec_version": "2.1", "id": f"email-message--{uuid.uuid4()}", "is_multipart": True,
        "body_multipart": [{"body_raw_ref": own}],
    }  # fmt: skip
    rendition = rendered(read_object(json.dumps(message).encode(), limits=Limits()), own={own: Attribution.HUB})
    assert rendition["body_multipart"][0]["body_raw_ref"] == Pseudonyms.of(b"secret").id_of(PRODUCER, own)


def test_a_short_name_counts_as_a_word_of_its_own_only() -> None:
    names = Names.of(["Arup"], domains=[], ids=[])
    assert names.are_in("an e-mail to ARUP, today")
    assert not names.are_in("he saw a war up there, and a warupdate")


def test_the_day_is_not_told_by_times_of_the_originals() -> None:
    assert DAY_1 not in json.dumps(rendered(read_object(json.dumps(malware()).encode(), limits=Limits())))
