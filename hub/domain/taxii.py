"""TAXII 2.1 resources as values: API Root, collection, and the filters of a request."""

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from hub.domain.ids import AgreementId, CollectionId, StatusId
from hub.domain.json import read_items
from hub.domain.label import Tlp
from hub.domain.member import Member

MEDIA_TYPE_TAXII = "application/taxii+json;version=2.1"
MEDIA_TYPE_STIX = "application/stix+json;version=2.1"


class Right(StrEnum):
    """What a collection grants to whom."""

    READ = "read"
    WRITE = "write"


class GranteeKind(StrEnum):
    """The ways to name who has a right on a collection."""

    EVERYONE = "everyone"  # value is ""
    KIND = "kind"  # value is a MemberKind
    SECTOR = "sector"  # value is a sector
    GROUP = "group"  # value is a GroupId
    MEMBER = "member"  # value is a MemberId


@dataclass(frozen=True, slots=True, order=True)
class Grantee:
    """Who has a right: everyone, or the members of a kind, sector or group, or one member. Written `kind:value` or `everyone`."""

    kind: GranteeKind
    value: str = ""

    def __str__(self) -> str:
        return self.kind if self.kind is GranteeKind.EVERYONE else f"{self.kind}:{self.value}"


def audiences_of(member: Member) -> list[Grantee]:
    """Return every way of naming grantees that takes this member in."""
    return [
        Grantee(GranteeKind.EVERYONE),
        Grantee(GranteeKind.KIND, member.kind),
        Grantee(GranteeKind.MEMBER, member.id),
        *(Grantee(GranteeKind.SECTOR, sector) for sector in member.sectors),
        *(Grantee(GranteeKind.GROUP, group) for group in member.groups),
    ]


@dataclass(frozen=True, slots=True)
class ApiRoot:
    """A TAXII API Root (§4.2). `slug` is its last path segment."""

    slug: str
    title: str
    description: str | None = None
    default: bool = False  # the root that discovery names as default; exactly one


@dataclass(frozen=True, slots=True)
class Collection:
    """A TAXII collection (§5.2) and what the hub adds: who may read and write, the default label, whether signatures are required."""

    id: CollectionId
    api_root: str  # slug of its API Root
    title: str  # unique in its root, without "." and "," (clients glue titles together with these)
    alias: str | None = None  # unique in its root; stands in for the id in every path
    description: str | None = None
    readers: frozenset[Grantee] = frozenset()
    writers: frozenset[Grantee] = frozenset()
    default_tlp: Tlp = Tlp.AMBER  # for content without a marking; never CLEAR by default
    topic: str = "threat"  # the label's topic for content that does not say
    signature_required: bool = False  # unsigned objects are refused
    media_types: tuple[str, ...] = field(default=(MEDIA_TYPE_STIX,))
    reciprocal: bool = False  # content that does not say takes part in reciprocal release
    agreement: AgreementId | None = None  # the sharing agreement under which its content flows; None: the terms of membership


@dataclass(frozen=True, slots=True)
class VersionMatch:
    """Which versions a request asks for (§3.4.1, match[version]). The default is what its absence means."""

    all: bool = False
    first: bool = False
    last: bool = True
    exact_us: tuple[int, ...] = ()  # moments, compared as times


ALL_VERSIONS = VersionMatch(all=True, last=False)


@dataclass(frozen=True, slots=True)
class Query:
    """The URL parameters of a reading request (§3.4), well-formed. Fields with None or () do not filter."""

    added_after_us: int | None = None  # exclusive
    limit: int | None = None  # above 0; the hub's own maximum counts where it is lower
    next: str | None = None  # where a previous page ended
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    versions: VersionMatch = VersionMatch()
    spec_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a view, oldest first. Dates are the effective ones, which `added_after` is compared with."""

    first_us: int | None  # of the first entry; None where the page is empty
    last_us: int | None
    next: str | None  # set exactly when there is more


@dataclass(frozen=True, slots=True)
class ObjectPage(Page):
    """Objects, as stored bytes."""

    objects: bytes = b""  # with commas between them: a page goes out as one piece

    @property
    def bodies(self) -> list[bytes]:
        """Each object by itself."""
        return read_items(b"[%b]" % self.objects)


@dataclass(frozen=True, slots=True)
class ManifestPage(Page):
    """Manifest records: (object id, effective date, version)."""

    records: tuple[tuple[str, int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class VersionPage(Page):
    """Versions of one object, as their producer wrote them."""

    versions: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True):  # a dataclass takes several times as long to make, and each object of a push makes one
    """What became of one object of a push (§4.3.1, status-details)."""

    id: str
    version: str
    failure: str | None = None  # why it was refused; None: accepted
    warning: str | None = None  # what its author should look at though it was accepted


@dataclass(frozen=True, slots=True)
class Status:
    """How far a push is (§4.3.1). `complete` never changes again."""

    id: StatusId
    request_us: int
    complete: bool
    total: int
    successes: tuple[Outcome, ...] = ()
    failures: tuple[Outcome, ...] = ()
    pendings: tuple[Outcome, ...] = ()
