"""Lifting anonymity: two officers of the hub together learn who produced a rendition, and nobody else does."""

from dataclasses import dataclass
from enum import StrEnum

from hub.domain.ids import LiftId


class LiftState(StrEnum):
    """Where a proposal stands."""

    OPEN = "open"  # no second officer has answered
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Lift:
    """A proposal to learn who produced a rendition."""

    id: LiftId
    rendition: str  # its STIX id
    reason: str
    proposed_by: str  # a credential
    proposed_us: int
    answered_by: str | None = None  # another person's
    answered_us: int | None = None
    approved: bool | None = None  # None: not answered

    @property
    def state(self) -> LiftState:
        """Where it stands."""
        if self.approved is None:
            return LiftState.OPEN
        return LiftState.APPROVED if self.approved else LiftState.REFUSED

    def is_known_to(self, credential: str) -> bool:
        """Whether a credential is one of the two that may learn the producer."""
        return self.approved is True and credential in (self.proposed_by, self.answered_by)
