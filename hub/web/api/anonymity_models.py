"""The shapes of what members set about being known, and of lifting anonymity. `hub.web.api.models` says what is common to all shapes."""

from pydantic import Field

from hub.domain.label import Attribution
from hub.domain.lifting import LiftState
from hub.web.api.models import Description, Given, Moment, Name, Shown, StixIdText


class NewAttribution(Given):
    """To whom your member wants to be known."""

    known_to: Attribution


class AttributionShown(Shown):
    """To whom a member wants to be known for what it gives to a collection."""

    member: str
    collection: str
    known_to: Attribution


class Names(Given):
    """Names and domains that no anonymous rendition of a member's objects may hold."""

    names: list[Name]


class NamesShown(Shown):
    """Names and domains that are kept of a member, beside those that it is registered with."""

    member: str
    names: list[str]


class NewLift(Given):
    """A proposal to learn who produced a rendition."""

    object: StixIdText
    reason: Description = Field(description="why; the second officer decides by it, and the producer reads it")


class LiftAnswer(Given):
    """Another officer's answer."""

    approved: bool


class LiftShown(Shown):
    """A proposal to learn who produced a rendition."""

    id: str
    object: str
    reason: str
    state: LiftState
    proposed_by: str
    proposed_at: Moment
    answered_by: str | None
    answered_at: Moment | None
    producer: str | None = Field(description="once approved: for the two officers and the producer itself")
    original: str | None
