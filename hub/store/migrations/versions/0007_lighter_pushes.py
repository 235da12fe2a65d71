"""What pushes write no more: rows of their own for the outcomes of what is answered at once."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("push", sa.Column("outcomes", sa.Text(), nullable=True))
