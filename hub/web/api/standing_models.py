"""The shapes of standing, items, contests and reports back. `hub.web.api.models` says what is common to all shapes."""

from typing import Annotated, Literal

from pydantic import Field

from hub.domain.ledger import LedgerKind
from hub.domain.member import Standing
from hub.domain.standing import Ground, Part
from hub.domain.standing_rules import EventKind
from hub.service.adjudicate import REASON_CHARS_MAX
from hub.web.api.models import Given, Moment, NamePage, Reference, Shown

Points = Annotated[str, Field(description="points with two decimals, as text so that sums stay exact")]
Reason = Annotated[str, Field(min_length=1, max_length=REASON_CHARS_MAX, description="why; the member concerned reads it")]
Share = Annotated[float, Field(ge=0, le=1)]


class StandingLine(Shown):
    """A line of an explanation: the lines of a part add up to the part."""

    part: Part
    points: Points
    event: int | None = Field(description="the line of the ledger, by which it can be contested; null: everything older")
    kind: EventKind | None
    on: str | None = Field(description="the day that it counts for")
    object: str | None = Field(description="the STIX object that it is about")


class StandingStep(Shown):
    """A way to the next tier by one kind of action alone."""

    kind: EventKind
    count: int
    days: int
    cost_h: float = Field(description="of all of them, hours of work")
    tier: Standing
    score: Points = Field(description="the score then")


class StandingOpens(Shown):
    """What the next tier would open in a collection, counted on today's feed."""

    collection: str
    title: str
    more: int = Field(description="entries that would be seen, and are not")
    sooner: int = Field(description="entries that would be seen sooner")


class StandingMoment(Shown):
    """What the standing was."""

    at: Moment
    score: Points
    standing: Standing
    ground: Ground
    before: Standing
    why: str


class StandingBrief(Shown):
    """A member's score and tier."""

    member: str
    score: Points
    standing: Standing
    ground: Ground
    why: str


class StandingShown(StandingBrief):
    """A member's standing, explained. The parts add up to the score."""

    earned: Standing = Field(description="what it would have by its score alone")
    parts: dict[Part, Points]
    expected_per_day: float = Field(description="items a day that are expected of a member of its size and sectors")
    reliability: Share
    gate: Share = Field(description="the share of feedback and practice that counts")
    lines: list[StandingLine]
    steps: list[StandingStep] = Field(description="the ways to the next tier, the cheapest first")
    opens: list[StandingOpens]
    history: list[StandingMoment] = Field(description="the latest first")


class SectorStanding(Shown):
    """What a sector of at least several members has on the whole."""

    sector: str
    members: int
    median: Points
    standings: dict[Standing, int]


class NewPractice(Given):
    """Joint practice to be entered."""

    kind: Literal["exercise", "lesson", "reuse", "capability"]
    reason: Reason


class LedgerLine(Shown):
    """A line of the ledger that was written."""

    event: int


class ItemPage(NamePage):
    """Which items."""

    audit: Literal["open"] = Field("open", description="those that were drawn for a ruling and wait for it")


class ItemRating(Shown):
    """What an item is worth, and the factors that it is made of."""

    quality: Share
    accuracy: Share
    novelty: Share
    corroboration: Share
    timeliness: Share
    relevance: Share
    context: Share
    usability: Share


class Item(Shown):
    """An object that counts as given."""

    id: str
    object: str
    collection: str
    received_at: Moment
    producer: str | None = Field(description="null where it is not named to the asker")
    verdict: str
    audit: bool = Field(description="whether it was drawn for a ruling")
    rating: ItemRating | None = Field(description="for its producer only")


class NewRuling(Given):
    """A ruling on an item."""

    verdict: Literal["true", "false"]
    reason: Reason


class LedgerEvent(Shown):
    """What the ledger says of your member, once."""

    event: int = Field(description="by which it can be contested")
    at: Moment
    kind: LedgerKind
    object: str | None = Field(description="the STIX object that your member gave, where it is about one")
    about: int | None = Field(description="the event that it is about")
    reason: str | None


class NewContest(Given):
    """An event that the asker's member contests."""

    event: int = Field(ge=1, le=2**63 - 1)
    reason: Reason


class ContestAnswer(Given):
    """A reviewer's answer."""

    upheld: bool = Field(description="whether the member is right: then what follows from the event is put right")
    reason: Reason


class Contest(Shown):
    """A contest, and what a reviewer answered."""

    id: int
    event: int | None = Field(description="null where the producer is not named to you")
    kind: LedgerKind = Field(description="of the contested event")
    object: str | None = Field(description="the STIX object that the event is about, as you know it; null: none, or none that you see")
    member: str | None = Field(description="who contests; null: the producer of an item, who is not named to you")
    at: Moment
    reason: str
    reviewer: str | None
    answered_at: Moment | None
    upheld: bool | None
    answer: str | None


class Reporter(Shown):
    """Who reported what."""

    member: Reference
    outcome: str
    reported_at: Moment


class ReportPicture(Shown):
    """How a request for reports back stands, in members."""

    asked: int
    received: int
    fetched: int
    seen: int
    nothing: int
    commented: int
    overdue: int
    reporters: list[Reporter] = Field(description="those whose reports name them to everyone")


class ReportBack(Shown):
    """An item on which reports are asked for."""

    id: str = Field(description="of the item")
    object: str
    collection: str
    asker: str | None = Field(description="null where it is not named to the asker")
    by: Moment
    nil_returns: bool
    open: bool
    fetched_at: Moment | None = Field(description="by the asker's member")
    reported_at: Moment | None = Field(description="by the asker's member")
    outcome: str = Field(description="seen, nothing or commented; empty where the asker's member did not report")
    picture: ReportPicture | None = Field(description="for who asks, and for administrators")
