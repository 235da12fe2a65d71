"""From an account to the tier that a member has: earned, held, in grace or granted, with a sentence that says why."""

from dataclasses import dataclass

from hub.domain.ledger import Held
from hub.domain.member import Member, Standing
from hub.domain.standing import Ground, Score, day_of, score, tier_of
from hub.domain.standing_rules import StandingRules


@dataclass(frozen=True, slots=True)
class Placed:
    """A member's score and tier on a day."""

    score: Score
    standing: Standing
    ground: Ground
    earned: Standing
    why: str

    @property
    def cents(self) -> int:
        """The score in hundredths of a point."""
        return int(self.score.total * 100)


def place(held: Held, member: Member, rules: StandingRules, day: int) -> Placed:
    """Return a member's score and tier on a day.

    What an administrator gave is a floor for as long as grace lasts; it takes the place of grace. What is earned beyond it counts.
    """
    points = score(held.sums, member.band, rules, day)
    assigned = tier_of(points, held.earned, held.grace_until_day, rules)
    standing, ground = assigned.tier, assigned.ground
    if (
        held.granted is not None
        and held.granted_until_day is not None
        and day <= held.granted_until_day
        and standing.rank < held.granted.rank
    ):
        standing, ground = held.granted, Ground.GRANTED
    return Placed(points, standing, ground, assigned.earned, _why(points, standing, ground, rules))


def settle(held: Held, placed: Placed) -> None:
    """Keep in an account what it came to."""
    after = (placed.earned, placed.ground, placed.cents)
    held.changed |= after != (held.earned, held.ground, held.cents)
    held.earned, held.ground, held.cents = after


def open_account(held: Held, member: Member, rules: StandingRules, joined_us: int) -> None:
    """Begin the account of a member that was there before the ledger: what it has counts as given by an administrator when it joined."""
    held.granted, held.granted_until_day = member.standing, day_of(joined_us) + rules.grace.days


def _why(points: Score, standing: Standing, ground: Ground, rules: StandingRules) -> str:
    begins = rules.tier_named(standing).score_min
    match ground:
        case Ground.SCORE:
            return f"The score is {points.total}; {standing} begins at {begins:g}."
        case Ground.HELD:
            return (
                f"The score is {points.total}; {standing}, which begins at {begins:g}, is kept down to {begins - rules.demotion.margin:g}."
            )
        case Ground.GRACE:
            return f"The score is {points.total}; as a newcomer the member is {standing} for {rules.grace.days} days."
        case Ground.GRANTED:
            return f"The score is {points.total}; an administrator gave the standing {standing} for {rules.grace.days} days."
