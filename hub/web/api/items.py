"""Operations on items: those that wait for a ruling, one with its rating, and rulings."""

from http import HTTPStatus

from aiohttp import hdrs

from hub.domain.anonymity import MINUTE_US
from hub.domain.member import Role
from hub.domain.scoring import MICRO, Rating, Verdict
from hub.domain.timestamp import format_timestamp
from hub.service import adjudicate
from hub.service.adjudicate import ItemAnswer
from hub.web.api import standing_models as models
from hub.web.api.models import Listing
from hub.web.api.operation import Call, Operation


async def list_items(call: Call[models.ItemPage]) -> Listing[models.Item]:
    """List items that were drawn for a ruling and that you may rule on, as a coordinator or an agency."""
    sent = call.sent
    after = adjudicate.row_after(call.hub, sent.after)
    found = await adjudicate.list_open_audits(call.hub, call.directory, call.principal, after=after, limit=sent.limit)
    following = found[-1].handle if len(found) == sent.limit else None
    return Listing[models.Item](items=[shown(one) for one in found], next=following)


async def get_item(call: Call[None]) -> models.Item:
    """Show an item of your member with its rating, or one that you may rule on."""
    return shown(await adjudicate.get_item(call.hub, call.directory, call.principal, adjudicate.row_of(call.hub, call.path["item"])))


async def rule_item(call: Call[models.NewRuling]) -> models.LedgerLine:
    """Rule an item true or false, as a coordinator or an agency without a part in it; an earlier ruling falls."""
    verdict, item = Verdict(call.sent.verdict), adjudicate.row_of(call.hub, call.path["item"])
    event = await adjudicate.rule_item(call.hub, call.directory, call.principal, item, verdict, call.sent.reason)
    return models.LedgerLine(event=event)


def shown(value: ItemAnswer) -> models.Item:
    """Show an item."""
    item = value.item
    known_as = item.stix_id if value.producer is not None else item.alias or item.stix_id
    received_us = item.at_us if value.producer is not None else item.at_us - item.at_us % MINUTE_US  # one push has one moment
    return models.Item(
        id=value.handle, object=known_as, collection=value.collection, received_at=format_timestamp(received_us),
        producer=None if value.producer is None else value.producer.slug, verdict=item.verdict(value.rules).value, audit=item.audit,
        rating=None if value.rating is None else _rating(value.rating),
    )  # fmt: skip


def _rating(value: Rating) -> models.ItemRating:
    return models.ItemRating(
        quality=value.quality / MICRO, accuracy=value.accuracy, novelty=value.novelty, corroboration=value.corroboration,
        timeliness=value.timeliness, relevance=value.relevance, context=value.context, usability=value.usability,
    )  # fmt: skip


OPERATIONS = (
    Operation(hdrs.METH_GET, "/items", list_items, Role.PUBLISHER, takes=models.ItemPage, gives=Listing[models.Item]),
    Operation(hdrs.METH_GET, "/items/{item}", get_item, gives=models.Item),
    Operation(
        hdrs.METH_POST, "/items/{item}/ruling", rule_item, Role.PUBLISHER,
        takes=models.NewRuling, gives=models.LedgerLine, status=HTTPStatus.CREATED,
    ),
)  # fmt: skip
