"""Keys that sign: the members' and the hub's own, and which versions the members' keys vouched for."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, LargeBinary, SmallInteger, Text, text
from sqlmodel import Field, SQLModel


class MemberKeyRow(SQLModel, table=True):
    """A public key that a member proved to hold. It stays when it is good no longer, as what it signed stays."""

    __tablename__ = "member_key"
    kid: str = Field(sa_column=Column(Text, primary_key=True))  # thumbprint, RFC 7638
    member_id: str = Field(sa_column=Column(Text, ForeignKey("member.id"), nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    jwk: str = Field(sa_column=Column(Text, nullable=False))  # JSON
    registered_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    not_before_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    not_after_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    revoked_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # when it ends, or ended
    compromised_from_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))


class HubKeyRow(SQLModel, table=True):
    """A public key of the hub's own, so that all nodes have the same, and what earlier ones signed can be verified."""

    __tablename__ = "hub_key"
    __table_args__ = (
        Index(
            "ix_hub_key_purpose", "purpose", unique=True, sqlite_where=text("until_us IS NULL"), postgresql_where=text("until_us IS NULL")
        ),
    )
    kid: str = Field(sa_column=Column(Text, primary_key=True))
    purpose: str = Field(sa_column=Column(Text, nullable=False))  # a value of Purpose
    jwk: str = Field(sa_column=Column(Text, nullable=False))  # JSON
    since_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    until_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # None: in use
    sealed: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))  # encrypted PKCS#8, where no directory is set for the keys


class VersionSignatureRow(SQLModel, table=True):
    """A member's key whose signature on a version, or on the message that brought it, was verified when the version was accepted."""

    __tablename__ = "version_signature"
    __table_args__ = (Index("ix_version_signature_kid", "kid", "version_row"),)
    version_row: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    kid: str = Field(sa_column=Column(Text, primary_key=True))
    of_object: int = Field(sa_column=Column(SmallInteger, nullable=False, server_default="1"))  # 0: only the message is signed with it
