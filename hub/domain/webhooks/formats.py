"""The forms in which an event can be sent: for programs as CloudEvents or plain, and as cards for the chats of people.

In a card everything is defanged (`hub.domain.webhooks.defang`) and stands where the chat reads no markup: plain text blocks in Slack,
text runs in Teams, code spans in Mattermost. There is no link in it, nobody is notified by name, and nothing is fetched to be shown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import orjson

from hub.domain.ids import DeliveryId
from hub.domain.timestamp import format_timestamp
from hub.domain.webhooks.defang import defang
from hub.domain.webhooks.delivery import Message
from hub.domain.webhooks.event import CLOUDEVENTS_TYPE, JSON_TYPE, Event, EventKind, Item, cloud_event, plain_event
from hub.domain.webhooks.subscription import Format


def render(event: Event, form: Format, base_url: str) -> Message:
    """Return an event as it is sent in a format.

    Args:
        base_url: the hub's address without a last slash, or "".
    """
    if form is Format.CLOUDEVENTS:
        return Message(DeliveryId(event.id), cloud_event(event, base_url), CLOUDEVENTS_TYPE)
    if form is Format.PLAIN:
        return Message(DeliveryId(event.id), plain_event(event, base_url), JSON_TYPE)
    return Message(DeliveryId(event.id), orjson.dumps(_CARDS[form](_card(event))), JSON_TYPE)


@dataclass(frozen=True, slots=True)
class _Card:
    """What a card says. `headline` is the hub's own words; the facts may hold anybody's, and are defanged."""

    headline: str
    facts: tuple[tuple[str, str], ...]


_HEADLINES = {
    EventKind.ADDED: "New",
    EventKind.UPDATED: "Updated",
    EventKind.REVOKED: "Revoked by its producer",
    EventKind.DELETED: "Deleted",
    EventKind.ADVISORY_IMMINENT: "IMMINENT THREAT",
    EventKind.REPORT_REQUESTED: "A report back is asked for",
    EventKind.STANDING_CHANGED: "Your standing has changed",
    EventKind.KEY_COMPROMISED: "A signing key is compromised: look again at what it signed",
    EventKind.TEST: "Test: this works",
    EventKind.ENDPOINT_DISABLED: "A webhook was disabled, as it kept failing",
}
_FACTS_MAX = 30  # on a card
# What of an object stands there, where the receiver is sent content at all.
_SHOWN = ("name", "pattern", "value", "description", "valid_until")


def _card(event: Event) -> _Card:
    headline = _HEADLINES[event.kind]
    facts: list[tuple[str, object]] = []
    if event.item is not None:
        headline = f"TLP:{event.item.tlp.upper()} \u2013 {headline}"
        facts += _of_item(event.item)
    elif event.subject is not None:
        facts.append(("Subject", event.subject))
    facts += [(name.replace("_", " ").capitalize(), value) for name, value in event.facts.items() if value is not None]
    facts.append(("At", format_timestamp(event.at_us).split(".")[0].replace("T", " ") + " UTC"))
    return _Card(headline, tuple((defang(name), defang(str(value))) for name, value in facts[:_FACTS_MAX] if value))


def _of_item(item: Item) -> list[tuple[str, object]]:
    content: Mapping[str, Any] = orjson.loads(item.content) if item.content is not None else {}
    shown = [(name.replace("_", " ").capitalize(), content[name]) for name in _SHOWN if isinstance(content.get(name), str)]
    return [
        ("Type", item.type),
        *shown,
        ("Concerns", ", ".join(item.sectors)),
        ("Topic", item.topic),
        ("Collection", item.collection_title),
        ("Fetch over TAXII", item.object_id),
        ("Version", item.version),
    ]


def _slack(card: _Card) -> dict[str, Any]:
    def text(words: str) -> dict[str, Any]:
        return {"type": "plain_text", "text": words, "emoji": False}

    return {
        "text": card.headline,
        "mrkdwn": False,
        "parse": "none",
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [
            {"type": "header", "text": text(card.headline)},
            # A section takes 3,000 characters and a message 50 blocks: each fact is far below the one, all of them below the other.
            *({"type": "section", "text": text(f"{name}: {value}")} for name, value in card.facts),
        ],
    }


def _teams(card: _Card) -> dict[str, Any]:
    def line(*runs: dict[str, Any]) -> dict[str, Any]:
        return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", **run} for run in runs]}

    facts = [line({"text": f"{name}: ", "weight": "Bolder"}, {"text": value}) for name, value in card.facts]
    content = {
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [line({"text": card.headline, "weight": "Bolder", "size": "Large"}), *facts],
    }
    return {"type": "message", "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": content}]}


def _mattermost(card: _Card) -> dict[str, Any]:
    # A code span ends at a backtick only, and `defang` leaves none.
    return {"text": "\n".join([f"**{card.headline}**", "", *(f"- {name}: `{value}`" for name, value in card.facts)])}


_CARDS: Mapping[Format, Callable[[_Card], dict[str, Any]]] = MappingProxyType({
    Format.SLACK: _slack,
    Format.TEAMS: _teams,
    Format.MATTERMOST: _mattermost,
})  # fmt: skip
CHATS = frozenset(_CARDS)  # the formats that people read
