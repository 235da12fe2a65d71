"""Keys of members and of the hub, and which versions were signed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "member_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("jwk", sa.Text(), nullable=False),
        sa.Column("registered_us", sa.BigInteger(), nullable=False),
        sa.Column("not_before_us", sa.BigInteger(), nullable=False),
        sa.Column("not_after_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.Column("compromised_from_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_member_key_member_id")),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_member_key")),
    )
    op.create_table(
        "hub_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("jwk", sa.Text(), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_hub_key")),
    )
    in_use = sa.text("until_us IS NULL")
    op.create_index("ix_hub_key_purpose", "hub_key", ["purpose"], unique=True, sqlite_where=in_use, postgresql_where=in_use)
    op.create_table(
        "version_signature",
        sa.Column("version_row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("version_row", "kid", name=op.f("pk_version_signature")),
    )
    op.create_index("ix_version_signature_kid", "version_signature", ["kid", "version_row"])
