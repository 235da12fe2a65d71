"""What sends messages, as those see it who decide what is sent: `hub.outbound.sender.Sender` does it."""

from typing import Protocol

from hub.domain.ids import DeliveryId
from hub.domain.webhooks.delivery import Attempt, Message
from hub.domain.webhooks.subscription import Endpoint, Format


class Sends(Protocol):
    """Sends a message once, or asks an endpoint whether it wants any. Nothing that is the endpoint's fault is raised."""

    async def check(self, endpoint: Endpoint) -> None:
        """Look at an endpoint before it is kept.

        Raises:
            Invalid: its address, certificate, authority or networks cannot be used.
        """

    async def send(self, endpoint: Endpoint, message: Message, *, now_us: int) -> Attempt:
        """Send a message and return what became of it."""

    async def ask(self, endpoint: Endpoint, form: Format, *, message_id: DeliveryId, nonce: str, now_us: int, origin: str) -> str | None:
        """Ask an endpoint whether it wants messages of this hub; return why not, or None where it does."""
