"""The ledger, items and standings, and reports that were asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _ledger()
    _items()
    _vouching()
    _standings()
    _reports()
    op.execute("INSERT INTO assessment (id, edition, items, day, rules, rebuilding) VALUES (1, 0, 0, 0, '', 0)")


def _ledger() -> None:
    op.create_table(
        "ledger",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version_row", sa.BigInteger(), nullable=True),
        sa.Column("collection_row", sa.Integer(), nullable=True),
        sa.Column("label_id", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.BigInteger(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("assessed", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_ledger")),
    )
    with op.batch_alter_table("ledger", schema=None) as batch_op:
        batch_op.create_index("ix_ledger_member_id", ["member_id", "row"], unique=False)
        batch_op.create_index(
            "ix_ledger_open", ["row"], unique=False, sqlite_where=sa.text("assessed = 0"), postgresql_where=sa.text("assessed = 0")
        )

    op.create_table(
        "contest",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("event_row", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reviewer", sa.Text(), nullable=True),
        sa.Column("answered_us", sa.BigInteger(), nullable=True),
        sa.Column("upheld", sa.SmallInteger(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_contest")),
        sa.UniqueConstraint("event_row", name=op.f("uq_contest_event_row")),
    )


def _items() -> None:
    op.create_table(
        "item",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("object_row", sa.BigInteger(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=True),
        sa.Column("version_row", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("collection_row", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("observed_us", sa.BigInteger(), nullable=False),
        sa.Column("novelty", sa.Integer(), nullable=False),
        sa.Column("vouched", sa.BigInteger(), nullable=False),
        sa.Column("relevance", sa.Integer(), nullable=False),
        sa.Column("context", sa.Integer(), nullable=False),
        sa.Column("usability", sa.Integer(), nullable=False),
        sa.Column("related", sa.Text(), nullable=False),
        sa.Column("ruled", sa.Text(), nullable=False),
        sa.Column("ruled_us", sa.BigInteger(), nullable=True),
        sa.Column("retracted_us", sa.BigInteger(), nullable=True),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("credit", sa.Integer(), nullable=False),
        sa.Column("audit", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_item")),
    )
    with op.batch_alter_table("item", schema=None) as batch_op:
        batch_op.create_index(
            "ix_item_alias",
            ["alias"],
            unique=False,
            sqlite_where=sa.text("alias IS NOT NULL"),
            postgresql_where=sa.text("alias IS NOT NULL"),
        )
        batch_op.create_index(
            "ix_item_audit",
            ["row"],
            unique=False,
            sqlite_where=sa.text("audit = 1 AND ruled = ''"),
            postgresql_where=sa.text("audit = 1 AND ruled = ''"),
        )
        batch_op.create_index("ix_item_day", ["member_id", "day", "quality", "row"], unique=False)
        batch_op.create_index("ix_item_object", ["object_row"], unique=True)


def _vouching() -> None:
    op.create_table(
        "observable",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("item_row", sa.BigInteger(), nullable=True),
        sa.Column("public", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_observable")),
    )
    op.create_table(
        "voucher",
        sa.Column("item_row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("item_row", "owner", name=op.f("pk_voucher")),
    )
    op.create_table(
        "vouch_pair",
        sa.Column("pair", sa.Text(), nullable=False),
        sa.Column("mass", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("pair", name=op.f("pk_vouch_pair")),
    )


def _standings() -> None:
    op.create_table(
        "account",
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("contribution", sa.Text(), nullable=False),
        sa.Column("feedback", sa.Text(), nullable=False),
        sa.Column("practice", sa.Text(), nullable=False),
        sa.Column("good", sa.Text(), nullable=False),
        sa.Column("bad", sa.Text(), nullable=False),
        sa.Column("feedback_day", sa.Integer(), nullable=False),
        sa.Column("feedback_count", sa.Integer(), nullable=False),
        sa.Column("nil_day", sa.Integer(), nullable=False),
        sa.Column("grace_until_day", sa.Integer(), nullable=True),
        sa.Column("granted", sa.Text(), nullable=True),
        sa.Column("granted_until_day", sa.Integer(), nullable=True),
        sa.Column("earned", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("cents", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("member_id", name=op.f("pk_account")),
    )
    op.create_table(
        "assessment",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("rebuilding", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
    )
    op.create_table(
        "standing_event",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("credit", sa.Integer(), nullable=False),
        sa.Column("item_row", sa.BigInteger(), nullable=True),
        sa.Column("stance", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_standing_event")),
    )
    with op.batch_alter_table("standing_event", schema=None) as batch_op:
        batch_op.create_index("ix_standing_event_item_row", ["item_row", "member_id"], unique=False)
        batch_op.create_index("ix_standing_event_member_id", ["member_id", "day"], unique=False)

    op.create_table(
        "standing_history",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("cents", sa.Integer(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_standing_history")),
    )
    with op.batch_alter_table("standing_history", schema=None) as batch_op:
        batch_op.create_index("ix_standing_history_member_id", ["member_id", "row"], unique=False)


def _reports() -> None:
    op.create_table(
        "report_request",
        sa.Column("item_row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("stix_id", sa.Text(), nullable=False),
        sa.Column("collection_row", sa.Integer(), nullable=False),
        sa.Column("label_id", sa.BigInteger(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("by_us", sa.BigInteger(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("nil_returns", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("item_row", name=op.f("pk_report_request")),
        sa.UniqueConstraint("stix_id", name=op.f("uq_report_request_stix_id")),
    )
    with op.batch_alter_table("report_request", schema=None) as batch_op:
        batch_op.create_index("ix_report_request_by_us", ["by_us"], unique=False)

    op.create_table(
        "report_receipt",
        sa.Column("item_row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("fetched_us", sa.BigInteger(), nullable=True),
        sa.Column("reported_us", sa.BigInteger(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("named", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("item_row", "member_id", name=op.f("pk_report_receipt")),
    )
