"""Sharing agreements: between whom, on what basis, for what content and how long; and what a decision rests on.

* An agreement is in force from its start until it ends by its own terms or is ended, whichever is sooner. That is a matter of the moment
  alone: nothing has to be done for it to start or to end.
* What flows under an agreement flows among its parties only, and only as far as its topics and its colour reach.
* Where a collection names no agreement, sharing in it rests on the terms of membership.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hub.domain.ids import AgreementId, MemberId
from hub.domain.label import Tlp
from hub.domain.member import Member
from hub.domain.naming import checked_description, checked_name, checked_slug, checked_topic
from hub.domain.taxii import Grantee, audiences_of
from hub.domain.timestamp import format_timestamp
from hub.errors import Invalid

REVIEW_AHEAD_US = 30 * 24 * 3600 * 1_000_000  # a review is due from so long before its date


@dataclass(frozen=True, slots=True)
class Signatory:
    """Who signed an agreement, for which member."""

    member: MemberId
    person: str
    role: str  # in the member's organisation, such as "Chief Operating Officer"
    signed_us: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """A sharing agreement. Never deleted: what was shared under it keeps its basis."""

    id: AgreementId
    slug: str  # [a-z0-9-], 1..63 characters, unique: what people type
    title: str
    parties: frozenset[Grantee]
    legal_basis: str  # the law or contract that allows the sharing
    purpose: str  # what the content may be used for
    starts_us: int
    review_us: int  # by when it is to be looked at again
    signatories: tuple[Signatory, ...]
    ends_us: int | None = None  # by its own terms; None: open-ended
    topics: frozenset[str] = frozenset()  # permitted; empty: all
    tlp_max: Tlp | None = None  # the strictest colour that may flow under it; None: all
    ended_us: int | None = None  # when it was ended before its time; None: it was not

    def is_in_force(self, at_us: int) -> bool:
        """Whether it has started and not ended."""
        return self.starts_us <= at_us and not self.has_ended(at_us)

    def has_ended(self, at_us: int) -> bool:
        """Whether it is in force no longer. One that was ended has ended by every node's clock, also by one that is behind."""
        return self.ended_us is not None or (self.ends_us is not None and self.ends_us <= at_us)

    def includes(self, member: Member) -> bool:
        """Whether a member is a party."""
        return not self.parties.isdisjoint(audiences_of(member))

    def is_due(self, at_us: int) -> bool:
        """Whether its review is past or near, and it has not ended."""
        return self.review_us <= at_us + REVIEW_AHEAD_US and not self.has_ended(at_us)

    def is_overdue(self, at_us: int) -> bool:
        """Whether its review is past, and it has not ended."""
        return self.review_us <= at_us and not self.has_ended(at_us)

    def refusal(self, producer: Member, at_us: int) -> str | None:
        """Return why `producer` may bring nothing at all under the agreement at this moment, or None. What comes before the start waits."""
        if not self.includes(producer):
            return "this collection rests on a sharing agreement, and your organisation is not a party to it"
        if self.has_ended(at_us):
            return f"{self._named()} has ended; nothing is shared under it any more"
        return None

    def refusal_of(self, topic: str, tlp: Tlp) -> str | None:
        """Return why content of this topic and colour may not flow under the agreement, or None."""
        if self.topics and topic not in self.topics:
            return f"topic: {self._named()} covers {', '.join(sorted(self.topics))}, not {topic}"
        if self.tlp_max is not None and tlp.rank > self.tlp_max.rank:
            return f"marking: {self._named()} covers content up to TLP:{self.tlp_max.upper()}, not TLP:{tlp.upper()}"
        return None

    def warning(self, at_us: int) -> str | None:
        """Return what is to be known of content that comes at this moment, or None."""
        if at_us < self.starts_us:
            return f"{self._named()} starts at {format_timestamp(self.starts_us)}: only then do others see what flows under it"
        return None

    def _named(self) -> str:
        return f"the sharing agreement {self.slug} ({self.title}, {self.id}), on which this collection rests,"


@dataclass(frozen=True, slots=True)
class Basis:
    """What sharing in a collection rests on: an agreement, or the terms of membership."""

    title: str
    legal_basis: str
    agreement: str | None = None  # its slug; None: the terms of membership
    purpose: str | None = None
    review_us: int | None = None


def basis_of(agreement: Agreement | None, membership: str) -> Basis:
    """Return the basis that an agreement gives, or that membership gives where there is none.

    Args:
        membership: the terms of membership, as the settings put them.
    """
    if agreement is None:
        return Basis("Terms of membership", membership)
    return Basis(agreement.title, agreement.legal_basis, agreement.slug, agreement.purpose, agreement.review_us)


def checked_agreement(agreement: Agreement) -> Agreement:
    """Return an agreement, if it is complete and its dates follow one another.

    Raises:
        Invalid: it is not; the detail begins with the field and says what to write instead. Moments are named as people write them,
            `ends_at` for `ends_us`.
    """
    checked_slug(agreement.slug)
    checked_name(agreement.title, "title")
    if not agreement.parties:
        raise Invalid("parties: name at least one: everyone, kind:KIND, sector:SECTOR, group:SLUG or member:SLUG")
    _refuse_empty("legal_basis", agreement.legal_basis, "write the law or the contract that allows the sharing")
    _refuse_empty("purpose", agreement.purpose, "write what the content may be used for")
    for topic in agreement.topics:
        _checked_permitted_topic(topic)
    _check_dates(agreement)
    if not agreement.signatories:
        raise Invalid("signatories: name at least one: member, person, role and signed_at")
    for signatory in agreement.signatories:
        checked_name(signatory.person, "signatories: person")
        checked_name(signatory.role, "signatories: role")
    return agreement


def next_moment(agreements: Iterable[Agreement], at_us: int) -> int | None:
    """Return the next moment after `at_us` at which one of the agreements starts or ends; None: nothing changes by itself."""
    moments = [moment for agreement in agreements if agreement.ended_us is None for moment in (agreement.starts_us, agreement.ends_us)]
    return min((moment for moment in moments if moment is not None and moment > at_us), default=None)


def _check_dates(agreement: Agreement) -> None:
    starts, ends = format_timestamp(agreement.starts_us), agreement.ends_us
    if ends is not None and ends <= agreement.starts_us:
        raise Invalid(f"ends_at: it ends before it has started ({starts}); write a later moment, or leave it out if it has no end")
    if agreement.review_us < agreement.starts_us:
        raise Invalid(f"review_at: it is reviewed before it has started ({starts}); write a later moment")
    if ends is not None and agreement.review_us > ends:
        raise Invalid(f"review_at: it is reviewed after its end ({format_timestamp(ends)}); write an earlier moment")


def _refuse_empty(field: str, text: str, instead: str) -> None:
    if not text.strip():
        raise Invalid(f"{field}: it is empty; {instead}")
    checked_description(text, field)


def _checked_permitted_topic(topic: str) -> None:
    try:
        checked_topic(topic)
    except Invalid as e:
        raise Invalid(f"topics: {e.detail.removeprefix('topic: ')}") from e
