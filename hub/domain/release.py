"""Requests that the source of what a member sees release it wider, and what became of them."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from hub.domain.ids import LabelId, MemberId, ReleaseId
from hub.domain.label import Attribution, Label
from hub.domain.labelling import loosens
from hub.domain.member import Member, MemberKind
from hub.domain.taxii import Grantee


class ReleaseState(StrEnum):
    """Where a request stands."""

    OPEN = "open"  # the source has not answered
    REFUSED = "refused"
    AGREED = "agreed"  # the source is going to publish a looser version
    DONE = "done"  # it has
    WITHDRAWN = "withdrawn"  # the asker took it back before the source had answered


@dataclass(frozen=True, slots=True)
class AskedVersion:
    """The version that a request is about, as it stood in a collection when it was asked about."""

    collection_row: int
    object_row: int
    stix_id: str
    version_us: int
    label: LabelId


@dataclass(frozen=True, slots=True)
class ReleaseAnswer:
    """What the source says to a request."""

    agreed: bool
    reason: str
    marking: str | None  # where agreed: what it is going to publish the object under
    answered_us: int


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """A member's request to the source of an object."""

    id: ReleaseId
    asked_us: int
    asker: MemberId
    source_key: str  # `source_key()` of the source
    source_known: bool  # the asker may know who the source is
    about: AskedVersion
    to: Grantee
    reason: str
    answer: ReleaseAnswer | None = None
    withdrawn_us: int | None = None  # when the asker took it back; None: it did not

    @property
    def is_about_rendition(self) -> bool:
        """Whether what it is about names nobody, so that nothing may tell who its source is."""
        return not self.source_key.startswith("identity--")

    def state(self, released_us: int | None) -> ReleaseState:
        """Return where the request stands, if the source has published a looser version at `released_us` (None: it has not)."""
        if self.withdrawn_us is not None:
            return ReleaseState.WITHDRAWN
        if self.answer is None:
            return ReleaseState.OPEN
        if not self.answer.agreed:
            return ReleaseState.REFUSED
        return ReleaseState.AGREED if released_us is None else ReleaseState.DONE


def source_key(secret: bytes, source: MemberId, *, anonymous: bool) -> str:
    """Return what a request keeps of its source: who reads the request alone must not learn who is behind a rendition."""
    return hmac.new(secret, f"release source\0{source}".encode(), hashlib.sha256).hexdigest() if anonymous else source


def may_know_source(asker: Member, labels: Iterable[Label]) -> bool:
    """Whether a member may know who produced what carries all these labels."""
    return all(
        not label.anonymous
        and (label.attribution is Attribution.EVERYONE or (label.attribution is Attribution.AGENCIES and asker.kind is MemberKind.AGENCY))
        for label in labels
    )


def is_looser(later: Iterable[Label], earlier: Iterable[Label]) -> bool:
    """Whether a version under all of the labels `later` may reach somebody whom one of the labels `earlier` leaves out."""
    before = list(earlier)
    return all(any(loosens(label, narrow) for narrow in before) for label in later)
