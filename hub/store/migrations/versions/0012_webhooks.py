"""Subscriptions to events, and their deliveries."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _subscriptions()
    _progress()
    _deliveries()
    op.create_table(
        "event",
        sa.Column("collection_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("date_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("label_id", sa.BigInteger(), nullable=True),
        sa.Column("entry_us", sa.BigInteger(), nullable=True),
        sa.Column("ordinal", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("collection_row", "date_us", name=op.f("pk_event")),
    )
    # What belongs to no collection has a clock of its own.
    op.execute("INSERT INTO collection_clock (collection_row, clock_us, labels) VALUES (0, 0, 0)")


def _subscriptions() -> None:
    op.create_table(
        "subscription",
        sa.Column("row", _ROW, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("ca", sa.Text(), nullable=True),
        sa.Column("private_cidrs", sa.Text(), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("full", sa.SmallInteger(), nullable=False),
        sa.Column("ordered", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("verified_us", sa.BigInteger(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_subscription_member_id")),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_subscription")),
        sa.UniqueConstraint("id", name=op.f("uq_subscription_id")),
    )
    op.create_index("ix_subscription_member_id", "subscription", ["member_id"])
    op.create_table(
        "subscription_edition",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription_edition")),
    )
    op.execute("INSERT INTO subscription_edition (id, value) VALUES (1, 0)")


def _progress() -> None:
    op.create_table(
        "subscription_cursor",
        sa.Column("subscription_row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("after_us", sa.BigInteger(), nullable=False),
        sa.Column("urgent_us", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscription_row", "collection_row", name=op.f("pk_subscription_cursor")),
    )
    op.create_table(
        "lane",
        sa.Column("subscription_row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=True),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("rest_until_us", sa.BigInteger(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("held_by", sa.Text(), nullable=False),
        sa.Column("held_until_us", sa.BigInteger(), nullable=False),
        sa.Column("served_us", sa.BigInteger(), nullable=False),
        sa.Column("health", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("subscription_row", name=op.f("pk_lane")),
    )
    there_is = sa.text("due_us IS NOT NULL")
    op.create_index("ix_lane_due_us", "lane", ["due_us"], sqlite_where=there_is, postgresql_where=there_is)


def _deliveries() -> None:
    op.create_table(
        "delivery",
        sa.Column("row", _ROW, autoincrement=True, nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("subscription_row", sa.BigInteger(), nullable=False),
        sa.Column("collection_row", sa.Integer(), nullable=False),
        sa.Column("version_row", sa.BigInteger(), nullable=True),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("done_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_delivery")),
        sa.UniqueConstraint("id", name=op.f("uq_delivery_id")),
    )
    waits = sa.text("done_us IS NULL")
    op.create_index("ix_delivery_waiting", "delivery", ["subscription_row", "rank", "due_us"], sqlite_where=waits, postgresql_where=waits)
    op.create_index("ix_delivery_log", "delivery", ["subscription_row", "row"])
    op.create_table(
        "attempt",
        sa.Column("delivery_row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("latency_us", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("response", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_row", "number", name=op.f("pk_attempt")),
    )
