"""Which edition of the subscriptions changed each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscription", sa.Column("edition", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index("ix_subscription_edition", "subscription", ["edition"])
