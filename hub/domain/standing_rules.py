"""The parameters of standing, `standing.toml`, read and checked; the file's tables and keys are the fields here.

* What a figure means, in which unit and on what evidence stands beside it in `policies/standing.toml`.
* Figures that contradict each other are refused: weights that do not add up to 1, tiers out of order or beyond reach.
"""

import difflib
import hashlib
import json
import math
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from hub.domain.member import SECTORS, Band, Size, Standing
from hub.domain.toml_table import Table, fault, need_all, read_toml

STANDING_FILE = "standing.toml"
SCORE_MAX = 100

_ADDING_UP = 1e-9  # what the sum of decimal fractions may be off 1


class Kind(StrEnum):
    """What an item tells, as far as it decides how fast the item grows old."""

    ADDRESS = "address"
    URL = "url"  # and domains, e-mail addresses
    HASH = "hash"
    REPORT = "report"  # and all else that describes rather than matches


class EventKind(StrEnum):
    """What a member did that counts, or what was ruled about it."""

    ITEM = "item"  # gave an item
    SIGHTING = "sighting"  # reported a sighting that was of use
    OPINION = "opinion"  # judged an item before the outcome was known, and was upheld
    ANSWER = "answer"  # answered a question or a request
    NIL_RETURN = "nil_return"  # attested that it saw nothing
    EXERCISE = "exercise"  # attended one, with its actions closed
    LESSON = "lesson"  # published one
    REUSE = "reuse"  # its lesson was taken up by another owner
    CAPABILITY = "capability"  # kept its entry of the capability register current
    RULED_TRUE = "ruled_true"  # an item of its was ruled true
    RULED_FALSE = "ruled_false"  # an item of its was ruled false


_Share = Annotated[float, Field(strict=True, ge=0, le=1)]
_Amount = Annotated[float, Field(strict=True, ge=0)]
_Positive = Annotated[float, Field(strict=True, gt=0)]
_SectorShare = Annotated[
    float, Field(strict=True, ge=0.8, le=1.2)
]  # the verdicts of the simulation hold so far (policies/README.md, "Standing")
_Count = Annotated[int, Field(strict=True, ge=1)]
_Text = Annotated[str, Field(strict=True, min_length=1)]


class ItemWeights(Table):
    """How much each property of an item counts; they add up to 1."""

    corroboration: _Share
    timeliness: _Share
    relevance: _Share
    context: _Share
    usability: _Share

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        shares = dict(self)
        if abs(sum(shares.values()) - 1) > _ADDING_UP:
            raise fault(f"the weights add up to {sum(shares.values()):g}; write {', '.join(shares)} so that they add up to 1")
        return self


class Accuracy(Table):
    """What an item is worth by what is known of its truth."""

    true: _Share
    corroborated: _Share
    open: _Share
    false: _Share

    @model_validator(mode="after")
    def _falls(self) -> Self:
        if not self.true >= self.corroborated >= self.open >= self.false:
            raise fault("an item is worth more where less is known of it; write true ≥ corroborated ≥ open ≥ false")
        return self


class Novelty(Table):
    """What an observable is worth by where it was known before."""

    new: _Share
    known: _Share
    public: _Share


class ItemRules(Table):
    """How an item's quality is found."""

    types: frozenset[_Text]
    weights: ItemWeights
    accuracy: Accuracy
    novelty: Novelty
    timeliness_half_life_h: dict[Kind, _Positive]

    @model_validator(mode="after")
    def _knows_every_kind(self) -> Self:
        need_all(Kind, self.timeliness_half_life_h, "timeliness_half_life_h", example="= 24")
        return self


class VouchingRules(Table):
    """How much it counts that others confirm an item."""

    half_life_d: _Positive
    pair_discount: _Amount
    same_owner: _Share
    corroborated_min: _Share


class ContributionRules(Table):
    """How the items of a member become points."""

    weight: _Share
    half_life_d: _Positive
    saturation: _Positive
    items_per_day_max: _Count
    rank_exponent: _Amount
    expected_per_day: dict[Size, _Positive]
    sector_share: dict[str, _SectorShare] = Field(default_factory=dict)  # of what is expected; 1 for a sector that is not named

    def expected(self, band: Band) -> float:
        """Return the items a day that are expected of such a member; of several sectors, the one with most opportunity counts."""
        return self.expected_per_day[band.size] * max((self.sector_share.get(sector, 1.0) for sector in band.sectors), default=1.0)

    @model_validator(mode="after")
    def _knows_every_size(self) -> Self:
        need_all(Size, self.expected_per_day, "expected_per_day", example="= 1.0")
        return self

    @model_validator(mode="after")
    def _knows_the_sectors(self) -> Self:
        for sector in self.sector_share:
            if sector not in SECTORS:
                near = difflib.get_close_matches(sector, SECTORS, n=1)
                raise fault(
                    f"there is no sector {sector}; write {near[0] if near else 'one of ' + ', '.join(sorted(SECTORS))}",
                    "sector_share",
                    sector,
                )
        return self


class FeedbackRules(Table):
    """How reporting back becomes points."""

    weight: _Share
    half_life_d: _Positive
    saturation: _Positive
    events_per_day_max: _Count


class PracticeRules(Table):
    """How exercises, lessons and capabilities become points."""

    weight: _Share
    half_life_d: _Positive


class IntegrityRules(Table):
    """How reliability is found, and how much of the score it leaves."""

    half_life_d: _Positive
    good_prior: _Positive
    bad_prior: _Amount
    zero_at: Annotated[float, Field(strict=True, lt=1)]
    full_at: Annotated[float, Field(strict=True, le=1)]

    @model_validator(mode="after")
    def _spares_newcomers(self) -> Self:
        prior = self.good_prior / (self.good_prior + self.bad_prior)
        if self.zero_at >= self.full_at:
            raise fault(f"nothing is left at {self.zero_at:g} and all at {self.full_at:g}; write a zero_at below full_at", "zero_at")
        if prior < self.full_at:
            raise fault(
                f"who was never ruled upon has reliability {prior:g} and would lose points; write a full_at of at most {prior:g}", "full_at"
            )
        return self


class GateRules(Table):
    """Whose feedback and practice count in full only beside contribution."""

    sizes: frozenset[Size]
    floor: _Share
    slope: _Amount


class GraceRules(Table):
    """What a newcomer has without having earned it."""

    days: _Count
    tier: Standing


class DemotionRules(Table):
    """How far below its threshold a tier is kept."""

    margin: _Amount


class AuditRules(Table):
    """How much is ruled upon at random."""

    share_min: _Share


class RetractionRules(Table):
    """How long an error can be taken back at no cost."""

    window_h: _Positive


class AggregateRules(Table):
    """How many members a published figure needs."""

    members_min: _Count


class Action(Table):
    """What one action of a kind takes, for advice on the next step."""

    cost_h: _Positive
    every_d: _Positive
    quality: _Share = 1.0  # of items only


class Tier(Table):
    """One tier: from which score, and what it opens."""

    name: Standing
    score_min: _Amount
    requests_per_minute: _Count
    page_objects_max: _Count
    webhooks: Annotated[int, Field(strict=True, ge=0)]
    ip_advice: _Text
    exercise_seat: _Text
    analyst_time: _Text


class StandingRules(Table):
    """Every parameter of standing. Immutable; made by `parse`."""

    item: ItemRules
    vouching: VouchingRules
    contribution: ContributionRules
    feedback: FeedbackRules
    practice: PracticeRules
    integrity: IntegrityRules
    gate: GateRules
    grace: GraceRules
    demotion: DemotionRules
    audit: AuditRules
    retraction: RetractionRules
    aggregate: AggregateRules
    action: dict[EventKind, Action]
    tier: tuple[Tier, ...]  # from the lowest to the highest, each of Standing once

    @classmethod
    def parse(cls, text: str, file: str = STANDING_FILE) -> Self:
        """Return the rules that a `standing.toml` holds.

        Raises:
            ConfigError: the file is wrong; `detail` has one fault a line, "standing.toml:LINE: what is wrong; what to write instead".
        """
        return read_toml(cls, text, file)

    @property
    def account_digest(self) -> str:
        """Name what the sums of an `Account` rest on: where it changes, accounts have to be made again from their events."""
        tables = {"item", "vouching", "contribution", "feedback", "practice", "integrity"}
        return hashlib.sha256(json.dumps(self.model_dump(include=tables), sort_keys=True, default=sorted).encode()).hexdigest()

    def tier_named(self, name: Standing) -> Tier:
        """Return what a tier opens."""
        return self.tier[name.rank]

    @model_validator(mode="after")
    def _weights_add_up(self) -> Self:
        total = self.contribution.weight + self.feedback.weight + self.practice.weight
        if abs(total - 1) > _ADDING_UP:
            raise fault(
                f"the weights of contribution, feedback and practice add up to {total:g}; write them so that they add up to 1",
                *("contribution", "weight"),
            )
        return self

    @model_validator(mode="after")
    def _tiers_rise(self) -> Self:
        names = [tier.name for tier in self.tier]
        if names != list(Standing):
            raise fault(
                f"the tiers are {', '.join(names) or 'none'}; write one [[tier]] each for {', '.join(Standing)}, in this order", "tier"
            )
        if self.tier[0].score_min != 0:
            raise fault(f"the lowest tier needs {self.tier[0].score_min:g} points; write score_min = 0.0", "tier", 0, "score_min")
        for index, (lower, tier) in enumerate(zip(self.tier, self.tier[1:], strict=False), start=1):
            least = lower.score_min
            if tier.score_min <= least:
                message = f"{tier.name} begins at {tier.score_min:g}, {lower.name} at {least:g}; write a score_min above {least:g}"
                raise fault(message, "tier", index, "score_min")
        return self

    @model_validator(mode="after")
    def _tiers_can_be_reached(self) -> Self:
        reach = min(map(self._reach, Size))
        for index, tier in enumerate(self.tier):
            if tier.score_min > reach:
                raise fault(
                    f"no member of every size can reach {tier.score_min:g} points; write a score_min of at most {reach:.1f}",
                    *("tier", index, "score_min"),
                )
        return self

    @model_validator(mode="after")
    def _actions_are_known(self) -> Self:
        wanted = (EventKind.ITEM, EventKind.SIGHTING, EventKind.ANSWER, EventKind.NIL_RETURN, EventKind.EXERCISE, EventKind.LESSON)
        need_all(wanted, self.action, "action", example="with cost_h and every_d, as a table [action.KIND]")
        return self

    def _reach(self, size: Size) -> float:
        """Return the points that a member earns who does on every day as much, and as well, as counts at all."""
        contribution = self.contribution
        day = sum(rank**-contribution.rank_exponent for rank in range(1, contribution.items_per_day_max + 1))
        most = contribution.expected_per_day[size] * max(1.0, *contribution.sector_share.values())
        given = 1 - math.exp(-day / (contribution.saturation * math.sqrt(most)))
        told = 1 - math.exp(-self.feedback.events_per_day_max / self.feedback.saturation)
        return SCORE_MAX * (contribution.weight * given + self.feedback.weight * told + self.practice.weight)
