"""What receivers are sent: CloudEvents and plain JSON as their standards have it, and cards in which nothing is live."""

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from hub.domain.ids import CollectionId, StixId
from hub.domain.label import Severity, Tlp
from hub.domain.webhooks.defang import defang
from hub.domain.webhooks.event import CONTENT_BYTES_MAX, Event, EventKind, Item
from hub.domain.webhooks.formats import render
from hub.domain.webhooks.subscription import Format
from tests.data import find_data

HUB = "https://hub.example.org"
COLLECTION = CollectionId("e0b5ae0b-4c61-4d3b-8ed4-3ee6f0b4b7b4")
INDICATOR = StixId("indicator--26ffb872-1dd9-446e-b6f5-d58527e5b5d2")
ITEM = Item("hub", COLLECTION, "Shared", INDICATOR, "2026-11-21T09:30:00.000Z", Tlp.AMBER, ("energy", "water"))
EVENT = Event("0a4ae6e4-2f0b-5b8e-9d3c-6a1f7c7a0c11", EventKind.ADDED, 1_795_253_400_000_000, ITEM, sequence=7)
DATA = {
    "event": "added", "sequence": 7, "collection": COLLECTION, "object_id": INDICATOR, "object_type": "indicator",
    "tlp": "amber", "sectors": ["energy", "water"], "topic": "threat", "severity": "routine", "version": "2026-11-21T09:30:00.000Z",
    "url": f"{HUB}/taxii2/hub/collections/{COLLECTION}/objects/{INDICATOR}/?match%5Bversion%5D=2026-11-21T09:30:00.000Z",
}  # fmt: skip
# What chat programs make live: addresses with a scheme, or of a form that resolves; mail addresses and mentions; their markup.
LIVE = re.compile(r"https?:|:[/\\]{2}|\w[.\u3002]\w|@(?!\])|[<>`]|(?:mailto|tel|javascript):", re.IGNORECASE)


def _sent(event: Event, form: Format) -> Any:
    return json.loads(render(event, form, HUB).body)


def _texts(value: Any) -> list[str]:
    """Return every text in a card, but for what its format itself demands."""
    if isinstance(value, dict):
        return [text for name, part in value.items() if name not in ("type", "contentType", "version") for text in _texts(part)]
    return [text for part in value for text in _texts(part)] if isinstance(value, list) else [value] if isinstance(value, str) else []


def test_a_thin_event_says_where_to_fetch_and_nothing_of_the_content():
    assert render(EVENT, Format.CLOUDEVENTS, HUB).content_type == "application/cloudevents+json"
    assert _sent(EVENT, Format.CLOUDEVENTS) == {
        "specversion": "1.0",
        "id": EVENT.id,
        "source": f"{HUB}/taxii2/hub/collections/{COLLECTION}/",
        "type": "fusion-hub.added",
        "time": "2026-11-21T09:30:00.000000Z",
        "subject": INDICATOR,
        "datacontenttype": "application/json",
        "data": DATA,
    }
    assert _sent(EVENT, Format.PLAIN) == {"type": "added", "timestamp": "2026-11-21T09:30:00.000000Z", "data": DATA}


def test_an_event_about_no_object_has_a_subject_and_facts():
    event = Event("1", EventKind.STANDING_CHANGED, 0, subject="identity--1", facts={"from": "observer", "to": "contributor"})
    assert _sent(event, Format.CLOUDEVENTS)["subject"] == "identity--1"
    assert _sent(event, Format.CLOUDEVENTS)["source"] == f"{HUB}/"
    assert _sent(event, Format.PLAIN)["data"] == {
        "event": "standing.changed", "subject": "identity--1", "from": "observer", "to": "contributor",
    }  # fmt: skip


def test_what_is_deleted_has_no_address_to_fetch_it_from():
    event = replace(EVENT, kind=EventKind.DELETED, item=replace(ITEM, version=None))
    assert not _sent(event, Format.PLAIN)["data"].keys() & {"url", "version"}


@pytest.mark.parametrize(("length", "is_there"), [(CONTENT_BYTES_MAX, True), (CONTENT_BYTES_MAX + 1, False)])
def test_content_is_sent_byte_for_byte_up_to_a_size(length: int, *, is_there: bool):
    content = b'{"b" :1.0,"a":"\\u0041%s"}'
    content %= b"x" * (length - len(content) + 2)
    assert (content in render(replace(EVENT, item=replace(ITEM, content=content)), Format.CLOUDEVENTS, HUB).body) is is_there


def test_only_imminent_events_overtake():
    assert replace(EVENT, kind=EventKind.ADVISORY_IMMINENT).is_urgent
    assert replace(EVENT, item=replace(ITEM, severity=Severity.IMMINENT)).is_urgent
    assert not EVENT.is_urgent


def test_the_cards_are_of_the_shape_that_each_chat_takes():
    slack, teams, mattermost = (_sent(EVENT, form) for form in (Format.SLACK, Format.TEAMS, Format.MATTERMOST))
    headline = "TLP:AMBER \u2013 New"
    assert (slack["text"], slack["blocks"][0]["type"], slack["unfurl_links"]) == (headline, "header", False)
    assert all(block["text"]["type"] == "plain_text" for block in slack["blocks"])
    card = teams["attachments"][0]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert {block["type"] for block in card["content"]["body"]} == {"RichTextBlock"}  # a TextBlock would read markup
    assert mattermost["text"].splitlines()[:3] == [f"**{headline}**", "", "- Type: `indicator`"]
    for sent in (slack, teams, mattermost):
        assert INDICATOR in str(sent)
        assert "energy, water" in str(sent)


def test_content_stands_on_a_card_only_where_it_was_given():
    content = json.dumps({"name": "Loader at hxxps", "pattern": "[ipv4-addr:value = '198.51.100.7']", "x": "unknown"}).encode()
    for form in (Format.SLACK, Format.TEAMS, Format.MATTERMOST):
        told = str(_sent(replace(EVENT, item=replace(ITEM, content=content)), form))
        assert "Loader at" in told
        assert "198[.]51[.]100[.]7" in told
        assert "unknown" not in told
        assert "Loader" not in str(_sent(EVENT, form))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see https://bad.example/x?y=1.2", "see hxxps[:]//bad[.]example/x?y=1[.]2"),
        ("HTTP:\\\\bad.example", "hxxp[:]\\\\bad[.]example"),
        (
            "\uff48\uff54\uff54\uff50\uff53\uff1a\uff0f\uff0f\uff42\uff41\uff44\uff0e\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45",
            "hxxps[:]//bad[.]example",
        ),
        ("bad\u3002example", "bad[.]example"),
        ("bad\u200b.exa\u00admple", "bad[.]example"),
        ("\u202eelpmaxe.dab", "elpmaxe[.]dab"),
        ("mailto:a@b.example @channel <!here>", "mailto[:]a[@]b[.]example [@]channel \u2039!here\u203a"),
        ("one\r\n\ttwo.  Three.", "one two. Three."),
        ("```rm -rf```", "'''rm -rf'''"),
    ],
)
def test_defanged_text_can_be_read_and_not_followed(text: str, shown: str):
    assert defang(text) == shown


def test_a_long_text_is_cut_and_says_so():
    assert defang("a" * 300) == "a" * 300
    assert defang("a" * 301) == "a" * 300 + " \u2026"
    assert defang("\u200b" * 5_000 + "a") == " \u2026"


@settings(max_examples=300, deadline=None)
@example(parts=["http", "s:", "\u200b", "//", "x", ".", "y"])
@given(
    parts=st.lists(
        st.sampled_from(
            ["http", "https:", "//", "\\", "www", ".", "\u3002", "\uff0e", "@", "here", "<", "`", "mailto:", "a", " ", "\u200b"]
        )
        | st.text(max_size=4)
    )
)
def test_nothing_in_a_card_is_live_whatever_is_put_in(parts: list[str]):
    text = "".join(parts)
    content = json.dumps({"name": text, "description": text}).encode()
    item = replace(ITEM, collection_title=text, content=content)
    for form in (Format.SLACK, Format.TEAMS):
        found = [LIVE.search(told) for told in _texts(_sent(replace(EVENT, item=item, facts={"note": text}), form))]
        assert not any(found), found
    for line in _sent(replace(EVENT, item=item), Format.MATTERMOST)["text"].splitlines()[2:]:
        name, value = line.split(": `", 1)
        assert value.endswith("`")
        assert not LIVE.search(f"{name}: {value.removesuffix('`')}")


def test_naughty_strings_leave_nothing_live():
    for text in json.loads(find_data("vectors/blns.json").read_text()):
        assert not LIVE.search(defang(text)), text
