"""The members of the population model: honest ones, and those who try to get more than they give.

How the honest ones behave is assumed, not observed; the figures stand here, so that a site can compare them with its own members.
An attacker's figures are the cheapest that would pay if the defence it is aimed at were not there.
"""

from dataclasses import dataclass, replace

from hub.domain.member import Size, Standing
from hub.domain.standing_rules import Kind


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a member does, a day, until it changes its ways."""

    findings_per_day: float = 0.0
    items_per_finding: int = 1  # above 1: it is split, or comes in lots; all are alike
    kind: Kind = Kind.URL
    true_share: float = 0.95
    novel_share: float = 0.9  # the others lie in a public feed
    delay_h: float = 12.0  # mean from observed to shared
    relevance: float = 0.7
    context: float = 0.6
    usability: float = 0.9
    independent_vouchers: float = 0.0  # mean of members outside its group who saw a true item too
    peers_vouch: bool = False  # everybody else in its group vouches for each item
    feedback_per_day: float = 0.0
    feedback_on_peers: bool = False  # reports only on items of its own group
    practice_per_year: float = 0.0
    retracted_share: float = 0.5  # of its false items, those that it takes back in time


@dataclass(frozen=True, slots=True)
class Type:
    """A kind of member and what the rules must make of it."""

    name: str
    size: Size
    behaviour: Behaviour
    at_least: Standing | None = None  # honest: the tier that its median must reach
    below: Standing | None = None  # attacker: the tier that its median must not reach
    group: int = 1  # members that act together
    one_owner: bool = False  # all of the group have the same beneficial owner
    joined_d: int | None = None  # days before the end; None: at the beginning
    turned_d: int | None = None  # days before the end from which on it does `turned`; None: it never turns
    turned: Behaviour = Behaviour()
    copies: int = 1  # members of the type that live through each seed, apart from each other
    ruled_min: float = 0.0  # share of items ruled upon below which nothing is asked

    @property
    def honest(self) -> bool:
        """Whether it is one of those whom the rules must serve."""
        return self.at_least is not None


_GOOD = Behaviour(independent_vouchers=0.6, feedback_per_day=0.3, practice_per_year=2.5)
_JUNK = Behaviour(
    true_share=0.02, novel_share=1.0, delay_h=1.0, relevance=0.3, context=0.2, usability=0.6, retracted_share=0.0, kind=Kind.ADDRESS
)  # made up: new and fresh, and false
_TRIVIA = replace(_JUNK, true_share=0.95, usability=0.8)  # true, and of little use: each address of a botnet, each hash of a family

_LARGE = replace(_GOOD, findings_per_day=4, feedback_per_day=0.6, practice_per_year=4)
_SMALL = replace(_GOOD, findings_per_day=0.25, feedback_per_day=0.25)
_QUIET = replace(_GOOD, findings_per_day=0.01, feedback_per_day=0.5, practice_per_year=4)
_MEDIUM = replace(_GOOD, findings_per_day=1)

_SPAM = replace(_JUNK, findings_per_day=5, items_per_finding=40)
_RECYCLED = replace(_TRIVIA, findings_per_day=6, items_per_finding=10, novel_share=0.0)
_RING = replace(_JUNK, findings_per_day=2, items_per_finding=5, peers_vouch=True)
_SLOW_RING = replace(_JUNK, findings_per_day=0.3, peers_vouch=True)
_SPLIT = replace(_TRIVIA, findings_per_day=1 / 7, items_per_finding=40)
_BULK = replace(_TRIVIA, findings_per_day=5, items_per_finding=20)
_IN_HOUSE = replace(_TRIVIA, findings_per_day=0.05, peers_vouch=True, feedback_per_day=2, feedback_on_peers=True)

HONEST = (
    Type("large contributor", Size.LARGE, _LARGE, Standing.STEWARD),
    Type("small contributor", Size.SMALL, _SMALL, Standing.PARTNER),
    Type("quiet sector", Size.SMALL, _QUIET, Standing.PARTNER),
    Type("newcomer, day 20", Size.MEDIUM, _MEDIUM, Standing.CONTRIBUTOR, joined_d=20),
    Type("late sharer, 14 days", Size.MEDIUM, replace(_MEDIUM, delay_h=336), Standing.CONTRIBUTOR),
    Type("free rider", Size.LARGE, Behaviour(), Standing.OBSERVER, below=Standing.CONTRIBUTOR),
)
ATTACKERS = (
    Type("volume spammer", Size.LARGE, _SPAM, below=Standing.CONTRIBUTOR),
    Type("feed recycler", Size.LARGE, _RECYCLED, below=Standing.CONTRIBUTOR),
    Type("ring of 5", Size.MEDIUM, _RING, below=Standing.CONTRIBUTOR, group=5),
    Type("sybil family of 5", Size.SMALL, _RING, below=Standing.CONTRIBUTOR, group=5, one_owner=True),
    Type("build, then milk", Size.LARGE, _LARGE, below=Standing.CONTRIBUTOR, turned_d=90, turned=replace(_JUNK, findings_per_day=13)),
    Type("box-ticker", Size.LARGE, Behaviour(feedback_per_day=4, practice_per_year=6), below=Standing.PARTNER),
    Type("slow ring of 5", Size.SMALL, _SLOW_RING, below=Standing.CONTRIBUTOR, group=5, ruled_min=0.1),
    Type("report splitter", Size.SMALL, _SPLIT, below=Standing.PARTNER),
    Type("true trivia, by volume", Size.LARGE, _BULK, below=Standing.PARTNER),
    Type("subsidiaries, 5", Size.SMALL, _IN_HOUSE, below=Standing.CONTRIBUTOR, group=5, one_owner=True),
)
_COPIES = 3  # of honest types, which vary most
TYPES = (*(replace(type, copies=_COPIES) for type in HONEST), *ATTACKERS)
