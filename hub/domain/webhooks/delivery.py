"""Deliveries: one event on its way to one endpoint, and what became of each attempt."""

from enum import IntEnum, StrEnum

import msgspec

from hub.domain.ids import DeliveryId

RESPONSE_CHARS_MAX = 2_048  # of an answer, kept in the log


class DeliveryState(StrEnum):
    """What became of a delivery."""

    WAITING = "waiting"  # to be sent, or to be sent again
    DELIVERED = "delivered"  # answered with a 2xx status
    DEAD = "dead"  # given up; it can be replayed
    WITHHELD = "withheld"  # by the time it was to be sent, its member might see it no longer


class Rank(IntEnum):
    """What goes first among deliveries of an endpoint."""

    URGENT = 0  # imminent threats
    FRESH = 1  # never tried
    RETRY = 2


class Message(msgspec.Struct, frozen=True):  # each request makes one, and an attempt; a dataclass takes several times as long to make
    """What is sent."""

    id: DeliveryId  # `webhook-id`: the same at each attempt
    body: bytes
    content_type: str


class Attempt(msgspec.Struct, frozen=True):
    """What became of sending a message once."""

    latency_us: int
    status: int | None = None  # of the answer; None: there was none
    error: str | None = None  # why there was none; of refused targets always the same text
    response: str = ""  # how the answer begins: at most RESPONSE_CHARS_MAX characters, none of them a control character
    retry_after_s: int | None = None  # what the answer's Retry-After asks for

    @property
    def is_success(self) -> bool:
        """Whether the endpoint took the message (Standard Webhooks: any 2xx status, and nothing else)."""
        return self.status is not None and 200 <= self.status < 300
