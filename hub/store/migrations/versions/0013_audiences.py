"""Who saw what is gone, in place of where it was."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audience",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("members", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_audience")),
    )
    op.add_column("event", sa.Column("audience", sa.Text(), nullable=True))
    op.drop_column("event", "entry_us")
    op.drop_column("event", "ordinal")
