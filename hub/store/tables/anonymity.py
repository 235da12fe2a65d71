"""Who asked not to be known, the renditions that were made, and who lifted anonymity."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel

from hub.store.tables.base import ROW


class AttributionRow(SQLModel, table=True):
    """To whom a member wants to be known for what it gives to a collection, unless an object says otherwise."""

    __tablename__ = "attribution"
    member_id: str = Field(sa_column=Column(Text, ForeignKey("member.id"), primary_key=True))
    collection_id: str = Field(sa_column=Column(Text, ForeignKey("collection.id"), primary_key=True))
    known_to: str = Field(sa_column=Column(Text, nullable=False))  # "agencies" or "hub"


class MemberNameRow(SQLModel, table=True):
    """A name or domain of a member beside those that it is registered with: no anonymous rendition holds it."""

    __tablename__ = "member_name"
    member_id: str = Field(sa_column=Column(Text, ForeignKey("member.id"), primary_key=True))
    name: str = Field(sa_column=Column(Text, primary_key=True))


class RenditionRow(SQLModel, table=True):
    """A rendition. What it was made from is sealed under the hub's secret."""

    __tablename__ = "rendition"
    stix_id: str = Field(sa_column=Column(Text, primary_key=True))
    created_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    version_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # of its latest version
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # producer, and id and latest version of the original


class RenditionVersionRow(SQLModel, table=True):
    """A version of a rendition, for one version of the original."""

    __tablename__ = "rendition_version"
    __table_args__ = (Index("ix_rendition_version_stix_id", "stix_id", "version_us", unique=True),)
    token: str = Field(sa_column=Column(Text, primary_key=True))  # the original's version, under the hub's secret
    stix_id: str = Field(sa_column=Column(Text, nullable=False))
    version_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class RenditionWorkRow(SQLModel, table=True):
    """A rendition that is still to be appended to a collection. It does not say by which push it came."""

    __tablename__ = "rendition_work"
    __table_args__ = (Index("ix_rendition_work_due_us", "due_us"),)
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=True))
    collection_row: int = Field(sa_column=Column(Integer, nullable=False))
    token: str = Field(sa_column=Column(Text, nullable=False))
    label: str = Field(sa_column=Column(Text, nullable=False))  # canonical
    due_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class LiftRow(SQLModel, table=True):
    """A proposal to learn who produced a rendition, and what a second officer said."""

    __tablename__ = "anonymity_lift"
    __table_args__ = (Index("ix_anonymity_lift_stix_id", "stix_id"),)
    id: str = Field(sa_column=Column(Text, primary_key=True))
    stix_id: str = Field(sa_column=Column(Text, ForeignKey("rendition.stix_id"), nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    proposed_by: str = Field(sa_column=Column(Text, nullable=False))  # a credential
    proposed_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    answered_by: str | None = Field(sa_column=Column(Text, nullable=True))
    answered_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    approved: int | None = Field(sa_column=Column(Integer, nullable=True))  # 1: yes, 0: no
