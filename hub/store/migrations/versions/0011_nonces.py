"""Nonces of signed messages, and which members have to sign theirs."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("member", sa.Column("message_signatures_required", sa.SmallInteger(), nullable=False, server_default="0"))
    op.create_table(
        "nonce",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kid", "nonce", name=op.f("pk_nonce")),
    )
    op.create_index("ix_nonce_until_us", "nonce", ["until_us"])
