"""Proposed and approved changes of policy, and what a bundle in the shadow would have decided."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "policy_activation",
        sa.Column("row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("approver", sa.Text(), nullable=True),
        sa.Column("before", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["digest"], ["policy_bundle.digest"], name=op.f("fk_policy_activation_digest")),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_policy_activation")),
    )
    op.create_table(
        "policy_candidate",
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("role", "digest", name=op.f("pk_policy_candidate")),
    )
    op.create_table(
        "policy_difference",
        sa.Column("shadow", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("label_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("in_force_s", sa.Integer(), nullable=True),
        sa.Column("in_shadow_s", sa.Integer(), nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_policy_difference_member_id")),
        sa.PrimaryKeyConstraint("shadow", "member_id", "label_id", "rule", name=op.f("pk_policy_difference")),
    )
    # What was put in force before is what can be returned to, in the order of the last activations.
    op.execute(
        "INSERT INTO policy_activation (row, digest, at_us, actor, approver, before) "
        "SELECT n, digest, activated_us, 'unknown', NULL, CASE WHEN n > 1 THEN n - 1 END "
        "FROM (SELECT digest, activated_us, CAST(row_number() OVER (ORDER BY activated_us, digest) AS INTEGER) AS n FROM policy_bundle) AS held"
    )
