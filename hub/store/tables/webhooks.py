"""Webhooks: subscriptions, how far each has been told, deliveries that are on their way or were made, and what happened beside the feed.

The feed itself is the outbox: a push writes nothing here.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, SmallInteger, Text, text
from sqlmodel import Field, SQLModel

from hub.store.tables.base import ROW


class SubscriptionRow(SQLModel, table=True):
    """A member's wish to be told. Never deleted, as its log stays."""

    __tablename__ = "subscription"
    __table_args__ = (Index("ix_subscription_member_id", "member_id"), Index("ix_subscription_edition", "edition"))
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=True))
    id: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    member_id: str = Field(sa_column=Column(Text, ForeignKey("member.id"), nullable=False))
    name: str = Field(sa_column=Column(Text, nullable=False))
    url: str = Field(sa_column=Column(Text, nullable=False))
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))  # signing keys, headers, client certificate (webhooks.sealing)
    ca: str | None = Field(sa_column=Column(Text, nullable=True))  # PEM
    private_cidrs: str = Field(sa_column=Column(Text, nullable=False))  # JSON list
    filter: str = Field(sa_column=Column(Text, nullable=False))  # JSON
    format: str = Field(sa_column=Column(Text, nullable=False))
    full: int = Field(sa_column=Column(SmallInteger, nullable=False))
    ordered: int = Field(sa_column=Column(SmallInteger, nullable=False))
    state: str = Field(sa_column=Column(Text, nullable=False))
    reason: str | None = Field(sa_column=Column(Text, nullable=True))  # why it is disabled
    verified_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # when the endpoint agreed
    created_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    created_by: str = Field(sa_column=Column(Text, nullable=False))
    edition: int = Field(sa_column=Column(BigInteger, nullable=False))  # of `subscription_edition`, which its last change made


class SubscriptionEdition(SQLModel, table=True):
    """One row: rises with every change of a subscription, so that each node knows when to read what changed."""

    __tablename__ = "subscription_edition"
    id: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    value: int = Field(sa_column=Column(BigInteger, nullable=False))


class SubscriptionCursorRow(SQLModel, table=True):
    """How far a subscription has been told of a collection. `collection_row` 0 is what belongs to none."""

    __tablename__ = "subscription_cursor"
    subscription_row: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    collection_row: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    after_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # effective date up to which deliveries were made
    urgent_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # the same of imminent threats, which wait for nothing else
    caught_up_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # the clock when all had been told, last; -1: never yet
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))  # of the last delivery


class LaneRow(SQLModel, table=True):
    """The deliveries of a subscription that wait, as a whole: held by one node at a time, which sends them."""

    __tablename__ = "lane"
    __table_args__ = (
        Index("ix_lane_due_us", "due_us", sqlite_where=text("due_us IS NOT NULL"), postgresql_where=text("due_us IS NOT NULL")),
    )
    subscription_row: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    due_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # when there is something to send; None: nothing waits
    rank: int = Field(sa_column=Column(SmallInteger, nullable=False))  # of what is sent first
    rest_until_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # nothing but what is urgent is sent before
    waiting: int = Field(sa_column=Column(Integer, nullable=False))  # deliveries that are not done
    held_by: str = Field(sa_column=Column(Text, nullable=False))
    held_until_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    served_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # when it was last taken: who waits longest comes first
    health: str = Field(sa_column=Column(Text, nullable=False))  # JSON, see webhooks.schedule.Health


class DeliveryRow(SQLModel, table=True):
    """One event for one subscription."""

    __tablename__ = "delivery"
    __table_args__ = (
        Index(
            "ix_delivery_waiting",
            "subscription_row",
            "rank",
            "due_us",
            sqlite_where=text("done_us IS NULL"),
            postgresql_where=text("done_us IS NULL"),
        ),
        Index("ix_delivery_log", "subscription_row", "row"),
    )
    row: int = Field(sa_column=Column(ROW, primary_key=True, autoincrement=True))
    id: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))  # the UUID that receivers see
    subscription_row: int = Field(sa_column=Column(BigInteger, nullable=False))
    collection_row: int = Field(sa_column=Column(Integer, nullable=False))  # 0: none
    version_row: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # the entry's; None: of `event`
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))  # effective date of the entry, or date of the event
    kind: str = Field(sa_column=Column(Text, nullable=False))
    sequence: int = Field(sa_column=Column(BigInteger, nullable=False))
    rank: int = Field(sa_column=Column(SmallInteger, nullable=False))
    created_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    due_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    attempts: int = Field(sa_column=Column(Integer, nullable=False))  # ever begun
    tries: int = Field(sa_column=Column(Integer, nullable=False))  # of them, since it was last put in line: its place in the schedule
    state: str = Field(sa_column=Column(Text, nullable=False))
    done_us: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # None: it waits


class AttemptRow(SQLModel, table=True):
    """What became of one attempt."""

    __tablename__ = "attempt"
    delivery_row: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    number: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    at_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    latency_us: int = Field(sa_column=Column(BigInteger, nullable=False))
    status: int | None = Field(sa_column=Column(Integer, nullable=True))  # of the answer
    error: str | None = Field(sa_column=Column(Text, nullable=True))  # why there was none
    response: str = Field(sa_column=Column(Text, nullable=False))  # how the answer began


class EventRow(SQLModel, table=True):
    """What happened beside the feed, dated by its collection's clock, so that dates rise in commit order."""

    __tablename__ = "event"
    collection_row: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))  # 0: none
    date_us: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    kind: str = Field(sa_column=Column(Text, nullable=False))
    member_id: str | None = Field(sa_column=Column(Text, nullable=True))  # whom it is for; None: whoever saw the entry, or everyone
    label_id: int | None = Field(sa_column=Column(BigInteger, nullable=True))  # of the entry that it is about, which is gone
    audience: str | None = Field(sa_column=Column(Text, nullable=True))  # who saw that entry: digest of an `audience`; None: nobody
    subject: str = Field(sa_column=Column(Text, nullable=False))
    version: str | None = Field(sa_column=Column(Text, nullable=True))
    facts: str = Field(sa_column=Column(Text, nullable=False))  # JSON


class AudienceRow(SQLModel, table=True):
    """Members who saw an entry when it went. Kept once, as the entries of a label mostly have the same."""

    __tablename__ = "audience"
    digest: str = Field(sa_column=Column(Text, primary_key=True))  # SHA-256 of `members`, in hexadecimal
    members: str = Field(sa_column=Column(Text, nullable=False))  # JSON list of ids, sorted
