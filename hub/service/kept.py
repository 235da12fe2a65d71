"""What a process keeps between requests. All of it can be thrown away at any time: it only saves asking again."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from hub.domain.feed import View
from hub.domain.ids import LabelId, TokenId
from hub.domain.label import Label
from hub.domain.member import Member, Principal
from hub.domain.policy import CollectionDecision, Decision
from hub.domain.taxii import Collection

_TOKENS_MAX = 20_000
_PRODUCERS_MAX = 10_000
_LABELS_MAX = 1_000


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
class KeptTokens:
    """Which tokens were proven by their secrets. Whether a token is still good is for the directory to say each time."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    proven: OrderedDict[bytes, TokenId] = field(default_factory=OrderedDict)  # by the hash of what was sent, under `key`

    def keep(self, sent: bytes, token: TokenId) -> None:
        """Keep that `sent` proves a token."""
        self.proven[sent] = token
        if len(self.proven) > _TOKENS_MAX:
            self.proven.popitem(last=False)


@dataclass(slots=True)
class Kept:
    """The caches of one process, oldest first."""

    views: OrderedDict[tuple[str, int], KeptView] = field(default_factory=OrderedDict)
    decisions: OrderedDict[tuple[str, Member, Collection], dict[LabelId, Decision]] = field(default_factory=OrderedDict)
    decision_count: int = 0
    rights: OrderedDict[tuple[str, Principal, Collection], CollectionDecision] = field(default_factory=OrderedDict)
    produced: OrderedDict[tuple[str, Member, Collection], dict[Label, Label]] = field(default_factory=OrderedDict)
    tokens: KeptTokens = field(default_factory=KeptTokens)
    labels: dict[LabelId, Label] = field(default_factory=dict)  # a label never changes

    def labels_of(self, producer: tuple[str, Member, Collection]) -> dict[Label, Label]:
        """Return the labels that a producer's content had in a collection under a bundle: as resolved, to as given.

        Args:
            producer: digest of the policy bundle, member and collection.
        """
        labels = self.produced.setdefault(producer, {})
        if len(labels) > _LABELS_MAX:
            labels.clear()
        if len(self.produced) > _PRODUCERS_MAX:
            self.produced.popitem(last=False)
        return labels
