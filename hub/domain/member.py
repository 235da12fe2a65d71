"""Members of the hub, their people and machines, and the sharing groups they form."""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from hub.domain.ids import AgreementId, GroupId, MemberId


class MemberKind(StrEnum):
    """What sort of organisation a member is; policies may look at it."""

    AGENCY = "agency"  # a public body that publishes advisories
    OPERATOR = "operator"  # a firm that runs critical national infrastructure
    PARTNER = "partner"  # a security firm or team that works for operators
    REGULATOR = "regulator"  # a body that supervises operators


class Role(StrEnum):
    """What a credential may do for its member; each includes those before it."""

    READER = "reader"  # reads what the member may see
    PUBLISHER = "publisher"  # also pushes and deletes the member's objects
    COORDINATOR = "coordinator"  # also manages sharing groups
    ADMIN = "admin"  # also administers the hub

    @cached_property
    def rank(self) -> int:
        """Position from 0 (reader) to 3 (admin)."""
        return list(Role).index(self)

    def includes(self, other: "Role") -> bool:
        """Whether a holder of this role may do what `other` may do."""
        return self.rank >= other.rank


class Standing(StrEnum):
    """A member's tier; an attribute that policies may look at, never an `if` in code."""

    OBSERVER = "observer"
    CONTRIBUTOR = "contributor"
    PARTNER = "partner"
    STEWARD = "steward"

    @cached_property
    def rank(self) -> int:
        """Position from 0 (observer) to 3 (steward); policies compare it as `principal.tier`."""
        return list(Standing).index(self)


class Size(StrEnum):
    """How large an organisation is, as what it can contribute is measured against what others of its size do."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class Band(NamedTuple):
    """What a member's contribution is measured against: the opportunity of its size and of its sectors."""

    size: Size
    sectors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation that takes part. `id` is its STIX identity."""

    id: MemberId
    slug: str  # [a-z0-9-], 1..63 characters, unique: what people type
    name: str
    kind: MemberKind
    sectors: frozenset[str] = frozenset()  # values of SECTORS
    standing: Standing = Standing.OBSERVER
    suspended: bool = False  # a suspended member sees and writes nothing
    groups: frozenset[GroupId] = field(default=frozenset())  # the sharing groups that it belongs to
    size: Size = Size.MEDIUM
    owner: str | None = None  # who owns it in the end, as registered (a company number, a name); None: nobody but itself
    agreements: frozenset[AgreementId] = field(default=frozenset())  # the sharing agreements in force that it is a party to
    message_signatures_required: bool = False  # what it sends is taken only where a key of its own signed the request

    @property
    def band(self) -> Band:
        """What its contribution is measured against."""
        return Band(self.size, self.sectors)


@dataclass(frozen=True, slots=True)
class SharingGroup:
    """A named circle of members. `id` is the marking definition that producers put on what only the group may see."""

    id: GroupId
    slug: str
    name: str
    members: frozenset[MemberId] = frozenset()


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request: a credential's role, acting for a member.

    `member` is None for an administrator of the hub who belongs to no member: such a person administers, and sees no content.
    """

    credential: str  # stable name of the credential, for rate limits, logs and audit: "token:<id>", "person:<username>", "cert:<spki>"
    role: Role
    member: Member | None = None


# STIX 2.1 §10.13, Industry Sector Vocabulary, and the UK's thirteen CNI sectors (NPSA), spelt in the same manner.
STIX_SECTORS = frozenset(
    """agriculture aerospace automotive chemical commercial communications construction defense education energy
    entertainment financial-services government emergency-services government-local government-national
    government-public-services government-regional healthcare hospitality-leisure infrastructure dams nuclear water
    insurance manufacturing mining non-profit pharmaceuticals retail technology telecommunications transportation
    utilities""".split()
)
UK_CNI_SECTORS = frozenset(
    """chemicals civil-nuclear communications data-infrastructure defence emergency-services energy finance food government health
    space transport water""".split()
)
SECTORS = STIX_SECTORS | UK_CNI_SECTORS
