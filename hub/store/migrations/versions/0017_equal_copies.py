"""Versions that are held beside another producer's equal entry."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "equal_copy",
        sa.Column("collection_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version_row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("label_id", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("collection_row", "version_row", name=op.f("pk_equal_copy")),
    )
