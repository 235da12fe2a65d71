"""Proposed and approved changes of policy, and what a bundle in the shadow would have decided."""

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
