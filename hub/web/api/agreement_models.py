"""The shapes of sharing agreements and of requests for wider release. `hub.web.api.models` says what is common to all shapes."""

from pydantic import MISSING, Field

from hub.domain.label import Tlp
from hub.domain.release import ReleaseState
from hub.web.api.models import Description, Given, GranteeText, Moment, Name, NamePage, Reference, Shown, StixIdText


class Signing(Given):
    """Who signed an agreement, for which member."""

    member: Reference
    person: Name
    role: Name = Field(description="in the member's organisation, such as Chief Operating Officer")
    signed_at: Moment


class NewAgreement(Given):
    """A sharing agreement to be added."""

    slug: str
    title: Name
    parties: list[GranteeText]
    legal_basis: Description = Field(description="the law or the contract that allows the sharing")
    purpose: Description = Field(description="what the content may be used for")
    starts_at: Moment
    ends_at: Moment | None = Field(None, description="null for an agreement without an end")
    review_at: Moment = Field(description="by when it is to be looked at again")
    signatories: list[Signing]
    topics: list[str] = Field([], description="topics that may flow under it; none for all")
    tlp_max: Tlp | None = Field(None, description="the strictest colour that may flow under it; null for all")


class AgreementChange(Given):
    """What is to change of a sharing agreement."""

    title: Name | MISSING = MISSING
    parties: list[GranteeText] | MISSING = MISSING
    legal_basis: Description | MISSING = MISSING
    purpose: Description | MISSING = MISSING
    starts_at: Moment | MISSING = MISSING
    ends_at: Moment | MISSING | None = MISSING
    review_at: Moment | MISSING = MISSING
    signatories: list[Signing] | MISSING = MISSING
    topics: list[str] | MISSING = MISSING
    tlp_max: Tlp | MISSING | None = MISSING


class AgreementEnd(Given):
    """Why a sharing agreement ends before its time."""

    reason: Description


class AgreementPage(NamePage):
    """Which page of the list of agreements."""

    due: bool = Field(default=False, description="only those whose review is past or at most 30 days ahead")


class Signatory(Shown):
    """Who signed an agreement, for which member."""

    member: str
    person: str
    role: str
    signed_at: Moment


class Agreement(Shown):
    """A sharing agreement. Its parties see it whole."""

    id: str
    slug: str
    title: str
    parties: list[str]
    legal_basis: str
    purpose: str
    topics: list[str] = Field(description="none: all")
    tlp_max: Tlp | None
    starts_at: Moment
    ends_at: Moment | None
    review_at: Moment
    signatories: list[Signatory]
    ended_at: Moment | None = Field(description="when it was ended before its time")
    in_force: bool
    review_due: bool


class NewRelease(Given):
    """A request that the source of an object release it wider."""

    object: StixIdText
    to: GranteeText = Field(description="everyone, kind:KIND, sector:SECTOR, group:SLUG of a group of your own, or member:ID")
    reason: Description = Field(description="why; the source decides by it")


class ReleaseAnswer(Given):
    """The source's answer to a request for wider release."""

    agreed: bool
    reason: Description = Field(description="why, or why not; the asker reads it")
    marking: Name | None = Field(None, description="with a yes: what you are going to publish the object under")


class Release(Shown):
    """A request for wider release, as its asker or the source sees it."""

    id: str
    asked_at: Moment
    asker: str
    source: str | None = Field(description="null where it is not for the asker to know, and of an object that names nobody")
    object: str
    version: Moment
    to: str
    reason: str
    state: ReleaseState
    answered_at: Moment | None
    answer: str | None
    marking: str | None = Field(description="what the source is going to publish the object under")
    released_at: Moment | None = Field(description="when the source published a looser version")
    withdrawn_at: Moment | None = Field(description="when the asker took it back")
