"""The shapes of the JSON API: what it takes and what it gives. The description is generated from them.

Members, groups and API Roots are named by their slugs, and wherever one is taken its id does as well.
"""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import MISSING, BaseModel, ConfigDict, Field

from hub.domain.label import Tlp
from hub.domain.member import MemberKind, Role, Size, Standing
from hub.domain.naming import DESCRIPTION_CHARS_MAX, NAME_CHARS_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN
from hub.domain.taxii import MEDIA_TYPE_STIX

KeyT = TypeVar("KeyT", str, int)
ItemT = TypeVar("ItemT")

Name = Annotated[str, Field(max_length=NAME_CHARS_MAX)]
Reference = Annotated[str, Field(max_length=NAME_CHARS_MAX, description="slug or id")]
Description = Annotated[str, Field(max_length=DESCRIPTION_CHARS_MAX)]
Moment = Annotated[str, Field(max_length=40, json_schema_extra={"format": "date-time"})]
Password = Annotated[str, Field(min_length=PASSWORD_CHARS_MIN, max_length=PASSWORD_CHARS_MAX)]
StixIdText = Annotated[str, Field(max_length=300, pattern=r"^[a-z0-9][a-z0-9-]*--[0-9a-f-]{36}$", description="a STIX id")]
GranteeText = Annotated[str, Field(max_length=NAME_CHARS_MAX, description="everyone, kind:KIND, sector:SECTOR, group:SLUG or member:SLUG")]


class Given(BaseModel):
    """What a client sends: nothing unknown, nothing of another type."""

    model_config = ConfigDict(extra="forbid")

    def changes(self) -> dict[str, Any]:
        """Return the fields that were sent, as arguments of a use case."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Shown(BaseModel):
    """What the hub answers."""

    model_config = ConfigDict(extra="forbid")


class PageQuery(Given, Generic[KeyT]):
    """Which page of a list."""

    limit: int = Field(100, ge=1, le=1000, description="entries at most")
    after: KeyT | None = Field(None, description="`next` of the page before")


class NamePage(PageQuery[str]):
    """Which page of a list that is in order of names."""


class RowPage(PageQuery[int]):
    """Which page of a list that is in order of rows."""

    after: int | None = Field(None, ge=1, le=2**63 - 1, description="`next` of the page before")


class Listing(Shown, Generic[ItemT]):
    """A page of a list."""

    items: list[ItemT]
    next: str | int | None = Field(description="`after` of the next page; null where there is none")


# --- members, people, credentials -----------------------------------------------------------------------------------------


class NewMember(Given):
    """A member to be added."""

    slug: str
    name: Name
    kind: MemberKind
    sectors: list[str] = []
    standing: Standing | None = Field(None, description="given for as long as grace lasts; null: a newcomer's")
    size: Size = Field(Size.MEDIUM, description="what it can contribute is measured against others of its size")
    owner: Name | None = Field(None, description="who owns it in the end, as registered; null: nobody but itself")
    id: str | None = Field(None, description="its STIX identity, where it has one already")


class MemberChange(Given):
    """What is to change of a member."""

    name: Name | MISSING = MISSING
    kind: MemberKind | MISSING = MISSING
    sectors: list[str] | MISSING = MISSING
    standing: Standing | MISSING = MISSING
    size: Size | MISSING = MISSING
    owner: Name | MISSING | None = MISSING
    message_signatures_required: bool | MISSING = Field(MISSING, description="what it sends is taken only where one of its keys signed it")


class Member(Shown):
    """An organisation that takes part."""

    id: str
    slug: str
    name: str
    kind: MemberKind
    sectors: list[str]
    standing: Standing
    suspended: bool
    size: Size
    owner: str | None = Field(
        description="null where it is nobody but itself, and for who neither administers the hub nor acts for the member"
    )
    groups: list[str] = Field(description="slugs of its sharing groups, as far as the asker knows of them")
    message_signatures_required: bool = Field(description="what it sends is taken only where one of its keys signed it")


class NewPerson(Given):
    """Somebody to be let in with a password."""

    username: str
    password: Password
    role: Role
    member: Reference | None = Field(None, description="slug or id; null only for an administrator, who then sees no content")


class PersonChange(Given):
    """What is to change of a person."""

    password: Password | MISSING = MISSING
    role: Role | MISSING = MISSING
    disabled: bool | MISSING = MISSING


class Person(Shown):
    """Somebody who signs in with a password."""

    username: str
    member: str | None
    role: Role
    disabled: bool


class NewToken(Given):
    """A token to be issued."""

    name: Name = Field(description="what it is for")
    role: Role
    member: Reference | None = Field(None, description="slug or id of whom it acts for; null is the asker's own member")
    expires_at: Moment | None = Field(None, description="null for never")


class Token(Shown):
    """A machine's credential."""

    id: str
    name: str
    member: str | None
    role: Role
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None


class IssuedToken(Token):
    """A token that was just issued."""

    token: str = Field(description="the token itself: shown this once")


class NewCertificate(Given):
    """A client certificate to be registered."""

    member: Reference
    name: Name
    role: Role
    pem: str = Field(max_length=16_384)


class Certificate(Shown):
    """A client certificate's public key."""

    spki_sha256: str
    name: str
    member: str
    role: Role
    created_at: Moment
    revoked_at: Moment | None


# --- groups, API Roots, collections ---------------------------------------------------------------------------------------


class NewGroup(Given):
    """A sharing group to be added."""

    slug: str
    name: Name
    members: list[Reference] = []


class GroupChange(Given):
    """What is to change of a sharing group."""

    name: Name


class Group(Shown):
    """A circle of members. Its id is the marking definition that producers put on what only the group may see."""

    id: str
    slug: str
    name: str
    members: list[str]


class NewRoot(Given):
    """An API Root to be added."""

    slug: str
    title: Name
    description: Description | None = None
    default: bool = False


class RootChange(Given):
    """What is to change of an API Root."""

    title: Name | MISSING = MISSING
    description: Description | MISSING | None = MISSING
    default: bool | MISSING = MISSING


class Root(Shown):
    """A TAXII API Root."""

    slug: str
    title: str
    description: str | None
    default: bool


class NewCollection(Given):
    """A collection to be added."""

    title: Name
    root: Reference = "hub"
    alias: str | None = None
    description: Description | None = None
    readers: list[GranteeText] = []
    writers: list[GranteeText] = []
    default_tlp: Tlp = Tlp.AMBER
    topic: str = "threat"
    signature_required: bool = False
    media_types: list[str] = [MEDIA_TYPE_STIX]
    reciprocal: bool = Field(default=False, description="whether content that does not say takes part in reciprocal release")
    agreement: Reference | None = Field(
        None, description="the sharing agreement under which its content flows; null: the terms of membership"
    )


class CollectionChange(Given):
    """What is to change of a collection."""

    alias: str | MISSING | None = MISSING
    description: Description | MISSING | None = MISSING
    default_tlp: Tlp | MISSING = MISSING
    topic: str | MISSING = MISSING
    signature_required: bool | MISSING = MISSING
    media_types: list[str] | MISSING = MISSING
    reciprocal: bool | MISSING = MISSING
    agreement: Reference | MISSING | None = MISSING


class Collection(Shown):
    """A TAXII collection."""

    id: str
    root: str
    alias: str | None
    title: str
    description: str | None
    can_read: bool = Field(description="whether the asker may")
    can_write: bool = Field(description="whether the asker may")
    readers: list[str] | None = Field(description="null for who is no administrator")
    writers: list[str] | None = Field(description="null for who is no administrator")
    default_tlp: Tlp
    topic: str
    signature_required: bool
    media_types: list[str]
    reciprocal: bool = Field(description="whether content that does not say takes part in reciprocal release")
    agreement: str | None = Field(description="slug of the sharing agreement under which its content flows, if the asker may know of it")


# --- policies, audit, explanations, oneself -------------------------------------------------------------------------------


class NewBundle(Given):
    """Policies to be put in force."""

    files: dict[str, str] = Field(description="contents by file name: schema.cedarschema, *.cedar, standing.toml and scenarios/*.toml")


class PolicyRule(Shown):
    """A policy."""

    id: str
    effect: str
    reason: str
    source: str = Field(description="file and line")


class PolicyProposal(Shown):
    """Policies that another person has to approve."""

    digest: str
    proposed_at: Moment
    proposed_by: str = Field(description="a credential")


class Policies(Shown):
    """The policies in force."""

    digest: str
    activated_at: Moment
    rules: list[PolicyRule]
    proposals: list[PolicyProposal] | None = Field(description="what waits for a second person; null for who is no administrator")


class Bundle(Shown):
    """A set of policies that is or was in force."""

    digest: str
    activated_at: Moment
    in_force: bool


class AuditEntry(Shown):
    """Something that an administrator did."""

    row: int
    at: Moment
    actor: str
    action: str
    target: str
    detail: dict[str, Any]


class ExplainQuery(Given):
    """Whose view of what is to be explained."""

    member: Reference
    object: StixIdText


class LabelExplanation(Shown):
    """Policy's answer for a label that an object has, or had in a newer version."""

    tlp: Tlp
    allowed: bool
    delay_s: int
    reasons: list[str]
    rules: list[PolicyRule]
    nearest: list[str] = Field(description="where no policy permits it: those that came nearest, and what they missed")


class Basis(Shown):
    """What sharing in a collection rests on: a sharing agreement, or the terms of membership."""

    agreement: str | None = Field(description="slug; null for the terms of membership")
    title: str
    legal_basis: str
    purpose: str | None
    review_at: Moment | None


class VersionExplanation(Shown):
    """Whether a version is seen in a collection, and why."""

    collection: str
    version: Moment
    date_added: Moment
    seen: bool
    seen_since: Moment | None
    basis: Basis
    reasons: list[str]
    labels: list[LabelExplanation]
    signed_with: list[str] = Field(description="thumbprints of its producer's keys whose signatures on the object the hub verified")
    sent_with: list[str] = Field(description="thumbprints of its producer's keys that signed only the message which brought it")
    suspect: bool = Field(description="whether one of these keys, of either list, may have been in other hands by then")


class Explanation(Shown):
    """What a member sees of an object."""

    object: str
    member: str
    seen: bool
    versions: list[VersionExplanation]


class Me(Shown):
    """Who asks, and what it may do."""

    credential: str
    role: Role
    member: Member | None
    collections: list[Collection]


class Problem(Shown):
    """What went wrong (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    error_id: str
