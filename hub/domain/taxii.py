"""TAXII 2.1 resources as values: API Root, collection, and the filters of a request."""

from dataclasses import dataclass, field
from enum import StrEnum

from hub.domain.ids import CollectionId
from hub.domain.label import Tlp

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
