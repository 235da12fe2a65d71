"""Where an entry was before it came anew, and when a subscription had been told all."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "moved_entry",
        sa.Column("collection_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("date_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("before_label_id", sa.BigInteger(), nullable=False),
        sa.Column("before_us", sa.BigInteger(), nullable=False),
        sa.Column("before_ordinal", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("collection_row", "date_us", name=op.f("pk_moved_entry")),
    )
    op.add_column("subscription_cursor", sa.Column("caught_up_us", sa.BigInteger(), nullable=False, server_default="-1"))
