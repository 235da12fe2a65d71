"""The loop that tells of sharing agreements whose review is due."""

import asyncio
import logging
from collections.abc import Callable

from hub.domain.timestamp import format_timestamp
from hub.errors import Unavailable
from hub.service.agreements import note_reviews
from hub.service.context import Hub
from hub.service.turns import wait_for_any
from hub.store.database import Duplicate

_LOOK_S = 600.0

log = logging.getLogger(__name__)


async def remind(hub: Hub, stop: asyncio.Event, tell_number: Callable[[float], None]) -> None:
    """Tell how many reviews are due, and of each in the log when it falls due and when its date has passed, until `stop` is set.

    One node tells of each, whichever is first.
    """
    while not stop.is_set():
        try:
            reviews = await note_reviews(hub)
            tell_number(len(reviews.due))
            for agreement in reviews.told:
                log.warning("the sharing agreement %s is to be reviewed by %s", agreement.slug, format_timestamp(agreement.review_us))
        except (Duplicate, Unavailable) as e:
            log.warning("reviews of agreements are looked for later: %s", e.detail)
        await wait_for_any((stop,), _LOOK_S)
