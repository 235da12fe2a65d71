"""The transparency log: what waits to be entered, its leaves and its tree, what was signed, and the chain of the audit trail."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel

from hub.store.tables.base import ROW


class LogPendingRow(SQLModel, table=True):
    """What is to be entered, written in the transaction of the thing itself and gone once it is entered."""

    __tablename__ = "log_pending"
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=True))
    due_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # not before this moment, which the leaf tells at the earliest
    kind: str = Field(sa_column=Column(Text, nullable=False))  # of the leaf
    about: str = Field(sa_column=Column(Text, nullable=False))  # JSON list: rows of `version`, or of `audit`; a leaf for each version
    # Of what it is about, where it is about no rows. Of versions those of all, where each is both that of the whole and that of what
    # signatures would be made over; else NULL, and both are found when they are entered.
    digest: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    collection_row: int | None = Field(sa_column=Column(Integer, nullable=True))


class LogLeafRow(SQLModel, table=True):
    """A leaf. Appended, never changed."""

    __tablename__ = "log_leaf"
    __table_args__ = (Index("ix_log_leaf_digest", "digest"),)
    number: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=False))  # 0, 1, … without gaps
    leaf: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    salt: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # what opens the leaf: without it nobody can tell what it is about
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # of what it is about
    version_row: int | None = Field(sa_column=Column(BigInteger, nullable=True))


class LogTileRow(SQLModel, table=True):
    """256 hashes of the tree, or as many as are complete: grows to the right, and never changes where it has grown."""

    __tablename__ = "log_tile"
    level: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    number: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    hashes: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class LogCheckpointRow(SQLModel, table=True):
    """A checkpoint that was signed: one for each size at the most, as a log that signs two roots for a size is a fork."""

    __tablename__ = "log_checkpoint"
    origin: str = Field(sa_column=Column(Text, primary_key=True))
    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    note: str = Field(sa_column=Column(Text, nullable=False))
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))


class LogCosignatureRow(SQLModel, table=True):
    """A witness's cosignature of a checkpoint."""

    __tablename__ = "log_cosignature"
    origin: str = Field(sa_column=Column(Text, primary_key=True))
    size: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    witness: str = Field(sa_column=Column(Text, primary_key=True))  # its verifier key
    line: str = Field(sa_column=Column(Text, nullable=False))  # as it stands in the checkpoint


class AuditChainRow(SQLModel, table=True):
    """A line of the audit trail in the order in which they were chained: `chain` depends on it and on all before it."""

    __tablename__ = "audit_chain"
    number: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=False))  # 1, 2, … without gaps
    audit_row: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True))
    chain: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
