"""Nonces of signed messages, so that none is taken twice."""

from sqlalchemy import BigInteger, Column, Index, Text
from sqlmodel import Field, SQLModel


class NonceRow(SQLModel, table=True):
    """A nonce that came with a good signature. Forgotten once the signature would be refused for its age."""

    __tablename__ = "nonce"
    __table_args__ = (Index("ix_nonce_until_us", "until_us"),)
    kid: str = Field(sa_column=Column(Text, primary_key=True))  # thumbprint of the key that signed
    nonce: str = Field(sa_column=Column(Text, primary_key=True))
    until_us: int = Field(sa_column=Column(BigInteger, nullable=False))
