"""Sharing agreements and their parties, and members' requests that what they see be released wider."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, SmallInteger, Text
from sqlmodel import Field, SQLModel


class AgreementRow(SQLModel, table=True):
    """A sharing agreement. Never deleted: what was shared under it keeps its basis."""

    __tablename__ = "agreement"
    id: str = Field(sa_column=Column(Text, primary_key=True))
    slug: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    title: str = Field(sa_column=Column(Text, nullable=False))
    legal_basis: str = Field(sa_column=Column(Text, nullable=False))
    purpose: str = Field(sa_column=Column(Text, nullable=False))
    topics: str = Field(sa_column=Column(Text, nullable=False))  # JSON list; empty: all
    tlp_max: str | None = Field(sa_column=Column(Text, nullable=True))  # None: all
    starts_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    ends_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # by its own terms; None: open-ended
    review_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    signatories: str = Field(sa_column=Column(Text, nullable=False))  # JSON list of [member, person, role, signed_us]
    ended_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # when it was ended before its time
    created_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class AgreementPartyRow(SQLModel, table=True):
    """Whom an agreement binds and lets in, as rights on collections are given."""

    __tablename__ = "agreement_party"
    agreement_id: str = Field(sa_column=Column(Text, ForeignKey("agreement.id"), primary_key=True))
    grantee_kind: str = Field(sa_column=Column(Text, primary_key=True))
    grantee_value: str = Field(sa_column=Column(Text, primary_key=True))


class ReleaseRequestRow(SQLModel, table=True):
    """A member's request that the source of what it sees release it wider, and the source's answer."""

    __tablename__ = "release_request"
    __table_args__ = (
        Index("ix_release_request_asker_id", "asker_id", "asked_us"),
        Index("ix_release_request_source_key", "source_key", "asked_us"),
    )
    id: str = Field(sa_column=Column(Text, primary_key=True))
    asked_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    asker_id: str = Field(sa_column=Column(Text, ForeignKey("member.id"), nullable=False))
    source_key: str = Field(sa_column=Column(Text, nullable=False))  # the source's id; of a rendition a hash under the hub's secret
    source_known: int = Field(sa_column=Column(SmallInteger, nullable=False))  # 1: the asker may know who the source is
    collection_row: int = Field(sa_column=Column(Integer, nullable=False))
    object_row: int = Field(sa_column=Column(BigInteger, nullable=False))
    stix_id: str = Field(sa_column=Column(Text, nullable=False))
    version_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    label_id: int = Field(sa_column=Column(BigInteger, nullable=False))  # of that version when it was asked about
    grantee_kind: str = Field(sa_column=Column(Text, nullable=False))  # to whom it should be released
    grantee_value: str = Field(sa_column=Column(Text, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    answered_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # or withdrawn; None: open
    agreed: int | None = Field(sa_column=Column(SmallInteger, nullable=True))  # 1: yes, 0: no; None: open, or withdrawn by the asker
    marking: str | None = Field(sa_column=Column(Text, nullable=True))  # what the source will publish it under, where it agreed
    answer: str | None = Field(sa_column=Column(Text, nullable=True))  # the source's reason
