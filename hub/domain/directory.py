"""The directory: members, credentials, groups, agreements, API Roots, collections and the policies in force, as of one revision.

It is immutable. Each node reads it whole when the revision of the database has moved, so a change of any of it takes effect
on the next request on every node. What changes as time passes is in it as of one moment, and it says until when that holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.domain.agreement import Agreement
from hub.domain.ids import AgreementId, CollectionId, GroupId, MemberId, TokenId
from hub.domain.label import Attribution
from hub.domain.member import Member, Role, SharingGroup
from hub.domain.signing.registered import MemberKey
from hub.domain.taxii import ApiRoot, Collection


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who signs in with a password."""

    username: str
    member: MemberId | None  # None: an administrator of the hub who sees no content
    role: Role
    password_hash: str  # Argon2id
    epoch: int  # rises with each change of password or role: ends what was cached of earlier log-ins
    disabled: bool


@dataclass(frozen=True, slots=True)
class Token:
    """A machine's credential."""

    id: TokenId
    member: MemberId | None
    name: str
    role: Role
    secret_hash: bytes  # HMAC-SHA-256 under the hub's secret
    created_us: int
    expires_us: int | None  # None: never
    revoked_us: int | None  # None: not revoked


@dataclass(frozen=True, slots=True)
class Certificate:
    """A client certificate's public key, registered for a member."""

    spki_sha256: str  # hex
    member: MemberId
    name: str
    role: Role
    created_us: int
    revoked_us: int | None


@dataclass(frozen=True, slots=True)
class ActivatedBundle:
    """A policy bundle that is, or once was, in force."""

    digest: str
    activated_us: int  # the last time


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Something that an administrator did, or a producer's lowering of a marking."""

    row: int  # rises with time
    at_us: int
    actor: str  # a credential, or "command line"
    action: str  # "member.add", "token.revoke", …
    target: str  # what it was done to
    detail: Mapping[str, object]  # what was written; never a secret


@dataclass(frozen=True, slots=True)
class HeldCollection:
    """A collection and the number that stands for it in the feed's tables."""

    collection: Collection
    row: int


@dataclass(frozen=True, slots=True)
class Directory:
    """Everything that decides who may do what, but for the content itself."""

    revision: int
    at_us: int  # the moment as of which members are parties to the agreements in force
    until_us: int | None  # the first moment for which it holds no longer, as an agreement starts or ends then; None: it holds on
    policy: str  # digest of the policy bundle in force
    members: Mapping[MemberId, Member]
    people: Mapping[str, Person]
    tokens: Mapping[TokenId, Token]
    certificates: Mapping[str, Certificate]
    groups: Mapping[GroupId, SharingGroup]
    roots: Mapping[str, ApiRoot]
    collections: Mapping[CollectionId, HeldCollection]
    agreements: Mapping[AgreementId, Agreement]  # those that have ended, or not yet started, included
    identity: MemberId  # the hub's own; it is no member
    attributions: Mapping[tuple[MemberId, CollectionId], Attribution]  # to whom members want to be known, where it is not everyone
    names: Mapping[MemberId, frozenset[str]]  # names and domains of members, beside those that they are registered with
    keys: Mapping[str, MemberKey]  # of members, by thumbprint; those that have ended included

    @property
    def owners(self) -> frozenset[MemberId]:
        """The ids of all who own the identity of that id: the members, and the hub."""
        return frozenset((*self.members, self.identity))

    def attribution_of(self, member: MemberId, collection: CollectionId) -> Attribution:
        """Return to whom a member wants to be known for what it gives to a collection, where an object says nothing."""
        return self.attributions.get((member, collection), Attribution.EVERYONE)

    def holds_at(self, now_us: int) -> bool:
        """Whether no agreement starts or ends between the moment of the directory and `now_us`."""
        return self.until_us is None or now_us < self.until_us

    def agreement_of(self, collection: Collection) -> Agreement | None:
        """Return the sharing agreement under which a collection's content flows; None: the terms of membership."""
        return self.agreements[collection.agreement] if collection.agreement is not None else None

    def find_agreement(self, name: str) -> Agreement | None:
        """Return the sharing agreement with this id or slug."""
        known = self.agreements.get(AgreementId(name))
        return known or next((a for a in self.agreements.values() if a.slug == name), None)

    def find_member(self, name: str) -> Member | None:
        """Return the member with this id or slug."""
        known = self.members.get(MemberId(name))
        return known or next((m for m in self.members.values() if m.slug == name), None)

    def find_group(self, name: str) -> SharingGroup | None:
        """Return the sharing group with this id or slug."""
        known = self.groups.get(GroupId(name))
        return known or next((g for g in self.groups.values() if g.slug == name), None)

    def find_collection(self, root: str, name: str) -> HeldCollection | None:
        """Return the collection of an API Root with this id or alias (TAXII 2.1 §5.2.1)."""
        held = self.collections.get(CollectionId(name))
        if held is not None:
            return held if held.collection.api_root == root else None
        return next((h for h in self.collections.values() if h.collection.api_root == root and h.collection.alias == name), None)
