"""The exchange itself: members and their credentials, collections, the feed, pushes, and what keeps the hub at work."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, SmallInteger, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from hub.store.tables.base import ROW


class HubState(SQLModel, table=True):
    """Facts about the hub as a whole: `secret` (the key for token hashes, hex), `identity` (its STIX identity id), …"""

    __tablename__ = "hub_state"
    name: str = Field(sa_column=Column(Text, primary_key=True))
    value: str = Field(sa_column=Column(Text, nullable=False))


class Revision(SQLModel, table=True):
    """One row: rises with every administrative change, so that each node knows when to read members and rights anew."""

    id: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    value: int = Field(sa_column=Column(BigInteger, nullable=False))


class MemberRow(SQLModel, table=True):
    """An organisation. Never deleted: its objects and its trail stay."""

    __tablename__ = "member"
    id: str = Field(sa_column=Column(Text, primary_key=True))
    slug: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    sectors: str = Field(sa_column=Column(Text, nullable=False))  # JSON list
    standing: str = Field(sa_column=Column(Text, nullable=False))
    suspended: int = Field(sa_column=Column(SmallInteger, nullable=False))
    size: str = Field(sa_column=Column(Text, nullable=False, server_default="medium"))
    owner: str | None = Field(sa_column=Column(Text, nullable=True))  # who owns it in the end, as registered
    message_signatures_required: int = Field(sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    created_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class PersonRow(SQLModel, table=True):
    """Somebody who signs in with a password. Without a member: an administrator who sees no content."""

    __tablename__ = "person"
    username: str = Field(sa_column=Column(Text, primary_key=True))
    member_id: str | None = Field(sa_column=Column(Text, ForeignKey("member.id"), nullable=True))
    role: str = Field(sa_column=Column(Text, nullable=False))
    password_hash: str = Field(sa_column=Column(Text, nullable=False))  # Argon2id
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False))  # rises with each change of password or role: ends cached log-ins
    disabled: int = Field(sa_column=Column(SmallInteger, nullable=False))
    created_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class TokenRow(SQLModel, table=True):
    """A machine's credential. The secret itself is shown once and never stored."""

    __tablename__ = "token"
    id: str = Field(sa_column=Column(Text, primary_key=True))
    member_id: str | None = Field(sa_column=Column(Text, ForeignKey("member.id"), nullable=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    role: str = Field(sa_column=Column(Text, nullable=False))
    secret_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # HMAC-SHA-256 under the hub's secret
    created_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    expires_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # None: never
    revoked_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))


class CertificateRow(SQLModel, table=True):
    """A client certificate, by the SHA-256 of its public key (SPKI): a renewed certificate of the same key stays known."""

    __tablename__ = "certificate"
    spki_sha256: str = Field(sa_column=Column(Text, primary_key=True))  # hex
    member_id: str = Field(sa_column=Column(Text, ForeignKey("member.id"), nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    role: str = Field(sa_column=Column(Text, nullable=False))
    created_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    revoked_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))


class SharingGroupRow(SQLModel, table=True):
    """A circle of members; `id` is its marking definition."""

    __tablename__ = "sharing_group"
    id: str = Field(sa_column=Column(Text, primary_key=True))
    slug: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    name: str = Field(sa_column=Column(Text, nullable=False))
    created_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class SharingGroupMemberRow(SQLModel, table=True):
    """Who belongs to a sharing group now."""

    __tablename__ = "sharing_group_member"
    group_id: str = Field(sa_column=Column(Text, ForeignKey("sharing_group.id"), primary_key=True))
    member_id: str = Field(sa_column=Column(Text, ForeignKey("member.id"), primary_key=True))
    joined_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class ApiRootRow(SQLModel, table=True):
    """A TAXII API Root."""

    __tablename__ = "api_root"
    slug: str = Field(sa_column=Column(Text, primary_key=True))
    title: str = Field(sa_column=Column(Text, nullable=False))
    description: str | None = Field(sa_column=Column(Text, nullable=True))
    is_default: int = Field(sa_column=Column(SmallInteger, nullable=False))


class CollectionRow(SQLModel, table=True):
    """A TAXII collection. `row` stands for its id wherever that is stored millions of times."""

    __tablename__ = "collection"
    __table_args__ = (UniqueConstraint("api_root", "title"), UniqueConstraint("api_root", "alias"))
    id: str = Field(sa_column=Column(Text, primary_key=True))
    row: int = Field(sa_column=Column(Integer, nullable=False, unique=True))
    api_root: str = Field(sa_column=Column(Text, ForeignKey("api_root.slug"), nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    alias: str | None = Field(sa_column=Column(Text, nullable=True))
    description: str | None = Field(sa_column=Column(Text, nullable=True))
    default_tlp: str = Field(sa_column=Column(Text, nullable=False))
    topic: str = Field(sa_column=Column(Text, nullable=False))
    signature_required: int = Field(sa_column=Column(SmallInteger, nullable=False))
    media_types: str = Field(sa_column=Column(Text, nullable=False))  # JSON list
    reciprocal: int = Field(sa_column=Column(SmallInteger, nullable=False, server_default="0"))
    agreement_id: str | None = Field(sa_column=Column(Text, nullable=True))  # None: the terms of membership
    created_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class CollectionRightRow(SQLModel, table=True):
    """Who may read or write a collection."""

    __tablename__ = "collection_right"
    collection_id: str = Field(sa_column=Column(Text, ForeignKey("collection.id"), primary_key=True))
    right: str = Field(sa_column=Column(Text, primary_key=True))  # "read" or "write"
    grantee_kind: str = Field(sa_column=Column(Text, primary_key=True))
    grantee_value: str = Field(sa_column=Column(Text, primary_key=True))


class CollectionClock(SQLModel, table=True):
    """Time in a collection: locked by whoever appends, so that dates rise in commit order whatever any node's clock says."""

    __tablename__ = "collection_clock"
    collection_row: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    clock_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # no entry has a later date
    labels: int = Field(sa_column=Column(Integer, nullable=False))  # how many labels the collection has; the next label's number


class LabelRow(SQLModel, table=True):
    """What policy may look at, shared by all versions of a collection that have it.

    A plain label has `parts` "" and its text in `canonical`; a narrowed one (versions older than one with another label)
    lists in `parts` the plain labels that must all be visible.
    """

    __tablename__ = "label"
    __table_args__ = (UniqueConstraint("collection_row", "digest"), UniqueConstraint("collection_row", "number"))
    id: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=False))  # collection_row * 2**32 + number
    collection_row: int = Field(sa_column=Column(Integer, nullable=False))
    number: int = Field(sa_column=Column(Integer, nullable=False))  # 0, 1, … in the order of their first use in the collection
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    canonical: str = Field(sa_column=Column(Text, nullable=False))
    parts: str = Field(sa_column=Column(Text, nullable=False))  # label ids joined by ","
    entries: int = Field(sa_column=Column(BigInteger, nullable=False))  # how many entries it ever got; the next ordinal
    last_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # date of its latest entry
    bytes_max: int = Field(sa_column=Column(Integer, nullable=False))  # size of its largest object


class ObjectRow(SQLModel, table=True):
    """One lineage of a STIX object: the id, and who owns it.

    An SDO or SRO has one lineage and an owner for ever (`lineage` ""). Deterministic objects and marking definitions belong
    to nobody: each producer's copy is a lineage of its own (`lineage` is the producer), so no producer's copy can hide another's,
    nor take it along when it is deleted.
    """

    __tablename__ = "object"
    __table_args__ = (UniqueConstraint("stix_id", "lineage"),)
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=True))
    stix_id: str = Field(sa_column=Column(Text, nullable=False))
    lineage: str = Field(sa_column=Column(Text, nullable=False))
    type: str = Field(sa_column=Column(Text, nullable=False))
    owner_id: str = Field(sa_column=Column(Text, nullable=False))
    created: str | None = Field(sa_column=Column(Text, nullable=True))  # never changes (STIX 2.1 §3.6)
    created_by_ref: str | None = Field(sa_column=Column(Text, nullable=True))  # never changes
    attribution: str | None = Field(sa_column=Column(Text, nullable=True))  # to whom the owner is known; None: everyone


class VersionRow(SQLModel, table=True):
    """One version of an object, its bytes as they came, once for all collections that hold it."""

    __tablename__ = "version"
    __table_args__ = (UniqueConstraint("object_row", "version_us"),)
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=True))
    object_row: int = Field(sa_column=Column(BigInteger, nullable=False))
    version_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    version: str = Field(sa_column=Column(Text, nullable=False))  # as its producer wrote it, or the date added
    spec_version: str = Field(sa_column=Column(Text, nullable=False))
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # SHA-256 over RFC 8785
    producer_id: str = Field(sa_column=Column(Text, nullable=False))
    accepted_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class EntryRow(SQLModel, table=True):
    """The feed: one version in one collection under one label. Appended, withdrawn by a deletion, never changed but for `superseded_us`."""

    __tablename__ = "entry"
    __table_args__ = (
        # The default view (only latest versions) and the whole view, for who sees all or most labels …
        Index(
            "ix_entry_latest",
            "collection_row",
            "date_us",
            sqlite_where=text("superseded_us IS NULL"),
            postgresql_where=text("superseded_us IS NULL"),
        ),
        # … and for who sees few of them: one seek a label.
        Index("ix_entry_label", "collection_row", "label_id", "date_us"),
        Index(
            "ix_entry_label_latest",
            "collection_row",
            "label_id",
            "date_us",
            sqlite_where=text("superseded_us IS NULL"),
            postgresql_where=text("superseded_us IS NULL"),
        ),
        # A backlog in front of the cursor counts by ordinal.
        Index("ix_entry_ordinal", "collection_row", "label_id", "ordinal", unique=True),
        Index("ix_entry_type", "collection_row", "type", "date_us"),
        Index("ix_entry_object", "object_row", "collection_row"),
    )
    collection_row: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    date_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))  # date added: unique, rising in commit order
    label_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    ordinal: int = Field(sa_column=Column(BigInteger, nullable=False))  # 0, 1, … within the label
    object_row: int = Field(sa_column=Column(BigInteger, nullable=False))
    version_row: int = Field(sa_column=Column(BigInteger, nullable=False))
    version_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    type: str = Field(sa_column=Column(Text, nullable=False))
    bytes: int = Field(sa_column=Column(Integer, nullable=False))  # size of the body
    superseded_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # date of the entry that made it not the latest


class MovedEntryRow(SQLModel, table=True):
    """Where an entry was before it was withdrawn and appended anew, under another label, as the latest, or as another's equal copy.

    Never changed.
    """

    __tablename__ = "moved_entry"
    collection_row: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    date_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))  # of the new entry
    before_label_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    before_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    before_ordinal: int = Field(sa_column=Column(BigInteger, nullable=False))


class DeletionRow(SQLModel, table=True):
    """A version that its owner deleted from a collection. Its bytes stay in `version`."""

    __tablename__ = "deletion"
    collection_row: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    version_row: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    deleted_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    deleted_by: str = Field(sa_column=Column(Text, nullable=False))


class EqualCopyRow(SQLModel, table=True):
    """A version in a collection without an entry: another producer's equal one serves for both, until it is deleted.

    Never changed; gone once the version is entered in that one's place, or is deleted itself.
    """

    __tablename__ = "equal_copy"
    collection_row: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    version_row: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    label_id: int = Field(sa_column=Column(BigInteger, nullable=False))  # under which it is to be entered
    bytes: int = Field(sa_column=Column(Integer, nullable=False))  # size of the body


class MarkingRow(SQLModel, table=True):
    """What a marking definition means to a member that pushed it; the first meaning that it gave stands."""

    __tablename__ = "marking"
    stix_id: str = Field(sa_column=Column(Text, primary_key=True))
    member_id: str = Field(sa_column=Column(Text, primary_key=True))
    meaning: str = Field(sa_column=Column(Text, nullable=False))  # JSON
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class MemberViewRow(SQLModel, table=True):
    """What a member's polls of a collection observed of its rights, so that a later grant comes in front of every cursor.

    Labels numbered below `labels_seen` that `state` does not name were visible without delay when they were observed.
    """

    __tablename__ = "member_view"
    member_id: str = Field(sa_column=Column(Text, primary_key=True))
    collection_row: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    labels_seen: int = Field(sa_column=Column(Integer, nullable=False))
    edition: int = Field(sa_column=Column(BigInteger, nullable=False))  # rises with each change of this row
    delayed: int = Field(sa_column=Column(SmallInteger, nullable=False))  # 1: entries come into view as time passes, so the clock is ticked
    state: str = Field(sa_column=Column(Text, nullable=False))  # JSON, see hub.domain.feed.Observed


class PushRow(SQLModel, table=True):
    """A push and its TAXII status. `body` is kept while work on it is left."""

    __tablename__ = "push"
    __table_args__ = (
        Index("ix_push_pending", "request_us", sqlite_where=text("completed_us IS NULL"), postgresql_where=text("completed_us IS NULL")),
        Index("ix_push_completed_us", "completed_us"),
    )
    id: str = Field(sa_column=Column(Text, primary_key=True))
    api_root: str = Field(sa_column=Column(Text, nullable=False))
    collection_row: int = Field(sa_column=Column(Integer, nullable=False))
    member_id: str = Field(sa_column=Column(Text, nullable=False))
    credential: str = Field(sa_column=Column(Text, nullable=False))
    role: str = Field(sa_column=Column(Text, nullable=False))
    request_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    total: int = Field(sa_column=Column(Integer, nullable=False))
    done: int = Field(sa_column=Column(Integer, nullable=False))  # objects that have an outcome, in envelope order
    completed_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    leased_until_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # who works on it in the background may until then
    body: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    outcomes: str | None = Field(sa_column=Column(Text, nullable=True))  # JSON, of a push that was answered at once
    sent_with: str | None = Field(sa_column=Column(Text, nullable=True))  # thumbprint of the key that signed the message; None: unsigned


class PushOutcomeRow(SQLModel, table=True):
    """The outcomes of one stretch of a push in the background, written in the transaction that appended it."""

    __tablename__ = "push_outcome"
    push_id: str = Field(sa_column=Column(Text, primary_key=True))
    first: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))  # place in the envelope
    outcomes: str = Field(sa_column=Column(Text, nullable=False))  # JSON list of [id, version, failure or null]


class PolicyBundleRow(SQLModel, table=True):
    """A set of policy files that was activated at some time; `hub_state` "policy" names the one in force."""

    __tablename__ = "policy_bundle"
    digest: str = Field(sa_column=Column(Text, primary_key=True))
    files: str = Field(sa_column=Column(Text, nullable=False))  # JSON: path -> text
    activated_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class LeaseRow(SQLModel, table=True):
    """Who does a job that one node at a time may do."""

    __tablename__ = "lease"
    name: str = Field(sa_column=Column(Text, primary_key=True))
    holder: str = Field(sa_column=Column(Text, nullable=False))
    until_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class ConnectorStateRow(SQLModel, table=True):
    """Where a connector stands, so that it goes on there after a restart."""

    __tablename__ = "connector_state"
    name: str = Field(sa_column=Column(Text, primary_key=True))
    cursor: str = Field(sa_column=Column(Text, nullable=False))  # JSON, the connector's own
    run_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # when it last ran
    success_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # when it last ran to the end
    accepted: int = Field(sa_column=Column(BigInteger, nullable=False))
    refused: int = Field(sa_column=Column(BigInteger, nullable=False))
    error: str | None = Field(sa_column=Column(Text, nullable=True))  # why the last run ended early


class AuditRow(SQLModel, table=True):
    """What administrators did. Appended in the transaction of the change itself; triggers refuse to change or delete a line."""

    __tablename__ = "audit"
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=True))
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    actor: str = Field(sa_column=Column(Text, nullable=False))  # a credential, or "command line"
    action: str = Field(sa_column=Column(Text, nullable=False))  # "member.add", "token.revoke", …
    target: str = Field(sa_column=Column(Text, nullable=False))
    detail: str = Field(sa_column=Column(Text, nullable=False))  # JSON, without secrets
