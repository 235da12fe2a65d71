"""What standing and release look at: sizes and owners of members, release and agreement of collections."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("member", sa.Column("size", sa.Text(), nullable=False, server_default="medium"))
    op.add_column("member", sa.Column("owner", sa.Text(), nullable=True))
    op.add_column("collection", sa.Column("reciprocal", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("collection", sa.Column("agreement_id", sa.Text(), nullable=True))
