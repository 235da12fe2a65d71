"""Renditions that do not name their producer."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("object") as batch_op:
        batch_op.add_column(sa.Column("attribution", sa.Text(), nullable=True))
    _settings()
    _renditions()
    op.create_table(
        "anonymity_lift",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("stix_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("proposed_by", sa.Text(), nullable=False),
        sa.Column("proposed_us", sa.BigInteger(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("answered_us", sa.BigInteger(), nullable=True),
        sa.Column("approved", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["stix_id"], ["rendition.stix_id"], name=op.f("fk_anonymity_lift_stix_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_anonymity_lift")),
    )
    op.create_index("ix_anonymity_lift_stix_id", "anonymity_lift", ["stix_id"])


def _settings() -> None:
    op.create_table(
        "attribution",
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("collection_id", sa.Text(), nullable=False),
        sa.Column("known_to", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_attribution_member_id")),
        sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], name=op.f("fk_attribution_collection_id")),
        sa.PrimaryKeyConstraint("member_id", "collection_id", name=op.f("pk_attribution")),
    )
    op.create_table(
        "member_name",
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_member_name_member_id")),
        sa.PrimaryKeyConstraint("member_id", "name", name=op.f("pk_member_name")),
    )


def _renditions() -> None:
    op.create_table(
        "rendition",
        sa.Column("stix_id", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("version_us", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stix_id", name=op.f("pk_rendition")),
    )
    op.create_table(
        "rendition_version",
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("stix_id", sa.Text(), nullable=False),
        sa.Column("version_us", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_rendition_version")),
    )
    op.create_index("ix_rendition_version_stix_id", "rendition_version", ["stix_id", "version_us"], unique=True)
    op.create_table(
        "rendition_work",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("collection_row", sa.Integer(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_rendition_work")),
    )
    op.create_index("ix_rendition_work_due_us", "rendition_work", ["due_us"])
