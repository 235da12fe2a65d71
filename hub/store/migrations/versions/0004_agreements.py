"""Sharing agreements and requests for wider release."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agreement",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("topics", sa.Text(), nullable=False),
        sa.Column("tlp_max", sa.Text(), nullable=True),
        sa.Column("starts_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_us", sa.BigInteger(), nullable=True),
        sa.Column("review_us", sa.BigInteger(), nullable=False),
        sa.Column("signatories", sa.Text(), nullable=False),
        sa.Column("ended_us", sa.BigInteger(), nullable=True),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement")),
        sa.UniqueConstraint("slug", name=op.f("uq_agreement_slug")),
    )
    op.create_table(
        "agreement_party",
        sa.Column("agreement_id", sa.Text(), nullable=False),
        sa.Column("grantee_kind", sa.Text(), nullable=False),
        sa.Column("grantee_value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_agreement_party_agreement_id")),
        sa.PrimaryKeyConstraint("agreement_id", "grantee_kind", "grantee_value", name=op.f("pk_agreement_party")),
    )
    op.create_table(
        "release_request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("asked_us", sa.BigInteger(), nullable=False),
        sa.Column("asker_id", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("source_known", sa.SmallInteger(), nullable=False),
        sa.Column("collection_row", sa.Integer(), nullable=False),
        sa.Column("object_row", sa.BigInteger(), nullable=False),
        sa.Column("stix_id", sa.Text(), nullable=False),
        sa.Column("version_us", sa.BigInteger(), nullable=False),
        sa.Column("label_id", sa.BigInteger(), nullable=False),
        sa.Column("grantee_kind", sa.Text(), nullable=False),
        sa.Column("grantee_value", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answered_us", sa.BigInteger(), nullable=True),
        sa.Column("agreed", sa.SmallInteger(), nullable=True),
        sa.Column("marking", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["asker_id"], ["member.id"], name=op.f("fk_release_request_asker_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_request")),
    )
    op.create_index("ix_release_request_asker_id", "release_request", ["asker_id", "asked_us"])
    op.create_index("ix_release_request_source_key", "release_request", ["source_key", "asked_us"])
