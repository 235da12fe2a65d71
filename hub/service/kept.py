"""What a process keeps between requests. All of it can be thrown away at any time: it only saves asking again."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

from hub.domain.directory import Directory
from hub.domain.feed import View
from hub.domain.ids import CollectionId, LabelId, MemberId
from hub.domain.label import Label
from hub.domain.member import Member, Principal, Role
from hub.domain.policy import CollectionDecision, Decision, PolicyBundle
from hub.domain.reporting import ReportRequest
from hub.domain.taxii import Collection
from hub.store.subscriptions import Held

_BEARERS_MAX = 20_000
_RIGHTS_MAX = 100_000
_VIEWS_MAX = 20_000
_PRODUCERS_MAX = 10_000
_LABELS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class KeptView:
    """A member's view of a collection, and what it was made from beside the directory: it holds while that is unchanged."""

    labels: int
    edition: int
    made_us: int
    view: View
    plan: str
    bytes_max: int


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a token proves, for as long as the directory is as it is."""

    principal: Principal
    expires_us: int | None


@dataclass(frozen=True, slots=True)
class KeptRights:
    """What policy says of a member and a collection. Not of others that go by their ids, such as a collection that is about to change."""

    member: Member | None
    collection: Collection
    decision: CollectionDecision


RightsKey = tuple[str, Role, MemberId | None, CollectionId]
"""Credential, role and member of a principal, and a collection. Ids, as the things themselves take long to compare."""


@dataclass(slots=True)
class KeptDecisions:
    """What a bundle decides about a member and the labels of a collection."""

    by_id: dict[LabelId, Decision] = field(default_factory=dict)
    by_open_label: dict[Label, Decision] = field(default_factory=dict)  # with ANYBODY for a producer (see `hub.domain.policy_classes`)


@dataclass(slots=True)
class KeptOfDirectory:
    """What was worked out of one directory. It is of no use for another: so a revocation leaves nothing behind."""

    directory: Directory
    views: dict[tuple[MemberId, int], KeptView] = field(default_factory=dict)  # by member and the collection's row
    bearers: dict[bytes, Bearer] = field(default_factory=dict)  # by the hash of the header that they sent
    rights: dict[RightsKey, KeptRights] = field(default_factory=dict)
    shadow: PolicyBundle | None = None  # evaluated beside the policies in force
    shadow_is_known: bool = False  # whether it was looked for
    requests: dict[int, list[ReportRequest]] | None = None  # for reports back that are open, by collection; None: not looked for yet
    fetched: set[tuple[int, MemberId]] = field(default_factory=set)  # of those, what is known to have been fetched by whom
    audiences: dict[CollectionId, frozenset[str]] = field(default_factory=dict)  # sectors of those who may read a collection

    def keep_bearer(self, sent: bytes, bearer: Bearer) -> None:
        """Keep whom a header proves."""
        if len(self.bearers) >= _BEARERS_MAX:
            self.bearers.clear()
        self.bearers[sent] = bearer

    def keep_rights(self, key: RightsKey, rights: KeptRights) -> None:
        """Keep what policy says about a collection."""
        if len(self.rights) >= _RIGHTS_MAX:
            self.rights.clear()
        self.rights[key] = rights

    def keep_view(self, key: tuple[MemberId, int], view: KeptView) -> None:
        """Keep what a member may see of a collection."""
        if len(self.views) >= _VIEWS_MAX:
            self.views.clear()
        self.views[key] = view


@dataclass(slots=True)
class Kept:
    """The caches of one process, oldest first."""

    decisions: OrderedDict[tuple[str, Member, Collection], KeptDecisions] = field(default_factory=OrderedDict)
    decision_count: int = 0
    produced: OrderedDict[tuple[str, Member, Collection], dict[Label, Label]] = field(default_factory=OrderedDict)
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32))  # under which headers are hashed
    directory: KeptOfDirectory | None = None
    labels: dict[LabelId, Label] = field(default_factory=dict)  # a label never changes
    parts: dict[LabelId, tuple[Label, ...]] = field(default_factory=dict)  # plain labels of each label that an event was about
    subscribed: Held | None = None  # subscriptions, as of one edition

    def of(self, directory: Directory) -> KeptOfDirectory:
        """Return what is kept of this very directory: nothing at first."""
        if self.directory is None or self.directory.directory is not directory:
            self.directory = KeptOfDirectory(directory)
        return self.directory

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
