"""What a process keeps between requests. All of it can be thrown away at any time: it only saves asking again."""

from collections import OrderedDict
from dataclasses import dataclass, field

from hub.domain.feed import View
from hub.domain.ids import LabelId
from hub.domain.label import Label
from hub.domain.member import Member, Principal
from hub.domain.policy import CollectionDecision, Decision
from hub.domain.taxii import Collection


@dataclass(frozen=True, slots=True)
class KeptView:
    """A member's view of a collection, and what it was made from: it holds while that is unchanged."""

    revision: int
    labels: int
    edition: int
    made_us: int
    view: View
    plan: str
    bytes_max: int


@dataclass(slots=True)
class Kept:
    """The caches of one process, oldest first."""

    views: OrderedDict[tuple[str, int], KeptView] = field(default_factory=OrderedDict)
    decisions: OrderedDict[tuple[str, Member, Collection], dict[LabelId, Decision]] = field(default_factory=OrderedDict)
    decision_count: int = 0
    rights: OrderedDict[tuple[str, Principal, Collection], CollectionDecision] = field(default_factory=OrderedDict)
    labels: dict[LabelId, Label] = field(default_factory=dict)  # a label never changes
