"""Changes of policy: what was proposed, what was put in force by whom, and what a bundle in the shadow would have decided."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, Text
from sqlmodel import Field, SQLModel


class PolicyActivationRow(SQLModel, table=True):
    """A bundle was put in force. The last row is what is in force."""

    __tablename__ = "policy_activation"
    row: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))  # counted in administrative transactions
    digest: str = Field(sa_column=Column(Text, ForeignKey("policy_bundle.digest"), nullable=False))
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    actor: str = Field(sa_column=Column(Text, nullable=False))
    approver: str | None = Field(sa_column=Column(Text, nullable=True))  # None: nobody else had to approve
    before: int | None = Field(sa_column=Column(Integer, nullable=True))  # the row that rolling back returns to; None: none


class PolicyCandidateRow(SQLModel, table=True):
    """A bundle that decides nothing: one that waits for a second person, or the one in the shadow."""

    __tablename__ = "policy_candidate"
    role: str = Field(sa_column=Column(Text, primary_key=True))  # "proposed" or "shadow"
    digest: str = Field(sa_column=Column(Text, primary_key=True))
    files: str = Field(sa_column=Column(Text, nullable=False))  # JSON: path -> text
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    actor: str = Field(sa_column=Column(Text, nullable=False))


class PolicyDifferenceRow(SQLModel, table=True):
    """Where the bundle in the shadow decided about a member and a label otherwise than the one in force."""

    __tablename__ = "policy_difference"
    shadow: str = Field(sa_column=Column(Text, primary_key=True))  # digest
    member_id: str = Field(sa_column=Column(Text, ForeignKey("member.id"), primary_key=True))
    label_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    rule: str = Field(sa_column=Column(Text, primary_key=True))  # of the shadow; "": no policy permits
    in_force_s: int | None = Field(sa_column=Column(Integer, nullable=True))  # the delay in force; None: denied
    in_shadow_s: int | None = Field(sa_column=Column(Integer, nullable=True))
    times: int = Field(sa_column=Column(Integer, nullable=False))  # that a node found it
    last_us: int = Field(sa_column=Column(BigInteger, nullable=False))
