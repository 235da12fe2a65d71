"""The ledger and what is computed from it: items, observables, vouching, accounts, standings, contests; and reports that were asked for.

`ledger` is the truth; `contest`, `report_request` and `report_receipt` add what people wrote. All else here can be computed from it again.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, SmallInteger, Text, text
from sqlmodel import Field, SQLModel

from hub.store.tables.base import ROW


class LedgerRow(SQLModel, table=True):
    """What a member gave, and what came of it. Appended in the transaction of the thing itself.

    Triggers refuse to change or delete a line; only `assessed` may change.
    """

    __tablename__ = "ledger"
    __table_args__ = (
        Index("ix_ledger_open", "row", sqlite_where=text("assessed = 0"), postgresql_where=text("assessed = 0")),
        Index("ix_ledger_member_id", "member_id", "row"),
    )
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=True))
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    member_id: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))  # "accepted", "ruled", …
    version_row: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # the version that was accepted
    collection_row: int | None = Field(sa_column=Column(Integer, nullable=True))  # where it was accepted
    label_id: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # under which label
    subject: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # the row of the ledger that this one is about
    detail: str = Field(sa_column=Column(Text, nullable=False))  # JSON, or "" where there is nothing to add
    assessed: int = Field(sa_column=Column(SmallInteger, nullable=False))  # whether what is computed takes it into account


class AssessmentRow(SQLModel, table=True):
    """One row: how far the computed tables are."""

    __tablename__ = "assessment"
    id: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    edition: int = Field(sa_column=Column(BigInteger, nullable=False))  # rises with each change of the computed tables: two nodes never mix
    items: int = Field(sa_column=Column(BigInteger, nullable=False))  # how many items there are: one of each ten is drawn for a ruling
    day: int = Field(sa_column=Column(Integer, nullable=False))  # the last day for which all standings were found
    rules: str = Field(sa_column=Column(Text, nullable=False))  # digest of the rules that the accounts rest on
    rebuilding: int = Field(sa_column=Column(SmallInteger, nullable=False))  # while 1, accounts are incomplete and no tier changes


class ItemRow(SQLModel, table=True):
    """An object that counts as given: its first accepted version, what is known of it, and what it is worth. Shares are in millionths."""

    __tablename__ = "item"
    __table_args__ = (
        Index("ix_item_day", "member_id", "day", "quality", "row"),
        Index("ix_item_object", "object_row", unique=True),
        Index("ix_item_alias", "alias", sqlite_where=text("alias IS NOT NULL"), postgresql_where=text("alias IS NOT NULL")),
        Index("ix_item_audit", "row", sqlite_where=text("audit = 1 AND ruled = ''"), postgresql_where=text("audit = 1 AND ruled = ''")),
    )
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=False))  # the ledger's
    object_row: int = Field(sa_column=Column(BigInteger, nullable=False))
    alias: str | None = Field(sa_column=Column(Text, nullable=True))  # the id by which others know it, where its producer is not named
    version_row: int = Field(sa_column=Column(BigInteger, nullable=False))
    member_id: str = Field(sa_column=Column(Text, nullable=False))
    collection_row: int = Field(sa_column=Column(Integer, nullable=False))
    label_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    day: int = Field(sa_column=Column(Integer, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    observed_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    novelty: int = Field(sa_column=Column(Integer, nullable=False))
    vouched: int = Field(sa_column=Column(BigInteger, nullable=False))
    relevance: int = Field(sa_column=Column(Integer, nullable=False))
    context: int = Field(sa_column=Column(Integer, nullable=False))
    usability: int = Field(sa_column=Column(Integer, nullable=False))
    related: str = Field(sa_column=Column(Text, nullable=False))  # types of the objects it is tied to, joined by ","
    ruled: str = Field(sa_column=Column(Text, nullable=False))  # "", "true" or "false"
    ruled_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    retracted_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    quality: int = Field(sa_column=Column(Integer, nullable=False))
    credit: int = Field(sa_column=Column(Integer, nullable=False))
    audit: int = Field(sa_column=Column(SmallInteger, nullable=False))  # whether it was drawn for a ruling


class ObservableRow(SQLModel, table=True):
    """An observable that the hub holds: who gave it first, and whether it is public."""

    __tablename__ = "observable"
    key: str = Field(sa_column=Column(Text, primary_key=True))  # hash of the normalised observable
    item_row: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # the first item with it; None: only a public source has it
    public: int = Field(sa_column=Column(SmallInteger, nullable=False))


class VoucherRow(SQLModel, table=True):
    """An owner that vouched for an item: each has one vote."""

    __tablename__ = "voucher"
    item_row: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    owner: str = Field(sa_column=Column(Text, primary_key=True))
    weight: int = Field(sa_column=Column(Integer, nullable=False))  # millionths


class VouchPairRow(SQLModel, table=True):
    """How often two owners vouched for each other, either way, under forward decay."""

    __tablename__ = "vouch_pair"
    pair: str = Field(sa_column=Column(Text, primary_key=True))  # both, in their order
    mass: str = Field(sa_column=Column(Text, nullable=False))  # a whole number that outgrows 64 bits


class StandingEventRow(SQLModel, table=True):
    """Feedback, practice and rulings, as they count; what counts of items stands in `item`."""

    __tablename__ = "standing_event"
    __table_args__ = (
        Index("ix_standing_event_member_id", "member_id", "day"),
        Index("ix_standing_event_item_row", "item_row", "member_id"),
    )
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=False))  # the ledger's
    member_id: str = Field(sa_column=Column(Text, nullable=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    day: int = Field(sa_column=Column(Integer, nullable=False))
    credit: int = Field(sa_column=Column(Integer, nullable=False))  # millionths; 0 where it earned nothing, or nothing yet
    item_row: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # what it is about
    stance: str = Field(sa_column=Column(Text, nullable=False))  # of an opinion: "agree", "disagree" or ""


class AccountRow(SQLModel, table=True):
    """A member's sums, and the tier that they gave it. The sums are whole numbers that outgrow 64 bits."""

    __tablename__ = "account"
    member_id: str = Field(sa_column=Column(Text, primary_key=True))
    contribution: str = Field(sa_column=Column(Text, nullable=False))
    feedback: str = Field(sa_column=Column(Text, nullable=False))
    practice: str = Field(sa_column=Column(Text, nullable=False))
    good: str = Field(sa_column=Column(Text, nullable=False))
    bad: str = Field(sa_column=Column(Text, nullable=False))
    feedback_day: int = Field(sa_column=Column(Integer, nullable=False))  # the last day with feedback, and how much of it counted then
    feedback_count: int = Field(sa_column=Column(Integer, nullable=False))
    nil_day: int = Field(sa_column=Column(Integer, nullable=False))  # the last day of a nil return that nobody had asked for
    grace_until_day: int | None = Field(sa_column=Column(Integer, nullable=True))
    granted: str | None = Field(sa_column=Column(Text, nullable=True))  # a standing that an administrator gave
    granted_until_day: int | None = Field(sa_column=Column(Integer, nullable=True))
    earned: str = Field(sa_column=Column(Text, nullable=False))
    ground: str = Field(sa_column=Column(Text, nullable=False))
    cents: int = Field(sa_column=Column(Integer, nullable=False))  # the score when it was last looked at


class StandingHistoryRow(SQLModel, table=True):
    """What a member's score and tier were: a row for each change of tier, and at most one more a day."""

    __tablename__ = "standing_history"
    __table_args__ = (Index("ix_standing_history_member_id", "member_id", "row"),)
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=True))
    member_id: str = Field(sa_column=Column(Text, nullable=False))
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    cents: int = Field(sa_column=Column(Integer, nullable=False))
    standing: str = Field(sa_column=Column(Text, nullable=False))
    ground: str = Field(sa_column=Column(Text, nullable=False))
    before: str = Field(sa_column=Column(Text, nullable=False))  # the standing until then
    why: str = Field(sa_column=Column(Text, nullable=False))  # a sentence for the member


class ContestRow(SQLModel, table=True):
    """An event that a member contests, and what a reviewer answered."""

    __tablename__ = "contest"
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=False))  # the ledger's, of the contest
    event_row: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True))  # each event once
    member_id: str = Field(sa_column=Column(Text, nullable=False))
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    reviewer: str | None = Field(sa_column=Column(Text, nullable=True))  # who answered: a credential
    answered_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    upheld: int | None = Field(sa_column=Column(SmallInteger, nullable=True))
    answer: str | None = Field(sa_column=Column(Text, nullable=True))


class ReportRequestRow(SQLModel, table=True):
    """An object whose producer asks those who see it to report back."""

    __tablename__ = "report_request"
    __table_args__ = (Index("ix_report_request_by_us", "by_us"),)
    item_row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=False))
    member_id: str = Field(sa_column=Column(Text, nullable=False))  # who asks
    stix_id: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    collection_row: int = Field(sa_column=Column(Integer, nullable=False))
    label_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    by_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # until when
    audience: str = Field(sa_column=Column(Text, nullable=False))  # JSON list of grantees
    nil_returns: int = Field(sa_column=Column(SmallInteger, nullable=False))  # whether having seen nothing is to be reported too


class ReportReceiptRow(SQLModel, table=True):
    """What a member did about a request: fetched it, and what it reported first."""

    __tablename__ = "report_receipt"
    item_row: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    member_id: str = Field(sa_column=Column(Text, primary_key=True))
    fetched_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    reported_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    outcome: str = Field(sa_column=Column(Text, nullable=False))  # "seen", "nothing", "commented", or "" where nothing was reported
    named: int = Field(sa_column=Column(SmallInteger, nullable=False))  # whether the reporter is known to everyone by its report
