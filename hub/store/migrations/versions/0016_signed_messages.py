"""Which key signed the message that brought a version."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("version_signature", sa.Column("of_object", sa.SmallInteger(), nullable=False, server_default="1"))
    op.add_column("push", sa.Column("sent_with", sa.Text(), nullable=True))
