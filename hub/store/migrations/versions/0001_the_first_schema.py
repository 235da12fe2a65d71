"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _hub()
    _members()
    _credentials()
    _collections()
    _objects()
    _entries()
    _views()
    _pushes()
    _connectors()


def _hub() -> None:
    op.create_table(
        "hub_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_hub_state")),
    )
    op.create_table(
        "revision",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revision")),
    )
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lease")),
    )
    op.create_table(
        "policy_bundle",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("files", sa.Text(), nullable=False),
        sa.Column("activated_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_policy_bundle")),
    )
    op.create_table(
        "audit",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_audit")),
    )


def _members() -> None:
    op.create_table(
        "member",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sectors", sa.Text(), nullable=False),
        sa.Column("standing", sa.Text(), nullable=False),
        sa.Column("suspended", sa.SmallInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
        sa.UniqueConstraint("slug", name=op.f("uq_member_slug")),
    )
    op.create_table(
        "sharing_group",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sharing_group")),
        sa.UniqueConstraint("slug", name=op.f("uq_sharing_group_slug")),
    )
    op.create_table(
        "sharing_group_member",
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("joined_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["sharing_group.id"], name=op.f("fk_sharing_group_member_group_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_sharing_group_member_member_id")),
        sa.PrimaryKeyConstraint("group_id", "member_id", name=op.f("pk_sharing_group_member")),
    )


def _credentials() -> None:
    op.create_table(
        "person",
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("disabled", sa.SmallInteger(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_person_member_id")),
        sa.PrimaryKeyConstraint("username", name=op.f("pk_person")),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("expires_us", sa.BigInteger(), nullable=True),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_token_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
    )
    op.create_table(
        "certificate",
        sa.Column("spki_sha256", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("revoked_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_certificate_member_id")),
        sa.PrimaryKeyConstraint("spki_sha256", name=op.f("pk_certificate")),
    )


def _collections() -> None:
    op.create_table(
        "api_root",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("is_default", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_api_root")),
    )
    op.create_table(
        "collection",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("api_root", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("default_tlp", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("signature_required", sa.SmallInteger(), nullable=False),
        sa.Column("media_types", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["api_root"], ["api_root.slug"], name=op.f("fk_collection_api_root")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_collection")),
        sa.UniqueConstraint("api_root", "alias", name=op.f("uq_collection_api_root_alias")),
        sa.UniqueConstraint("api_root", "title", name=op.f("uq_collection_api_root_title")),
        sa.UniqueConstraint("row", name=op.f("uq_collection_row")),
    )
    op.create_table(
        "collection_right",
        sa.Column("collection_id", sa.Text(), nullable=False),
        sa.Column("right", sa.Text(), nullable=False),
        sa.Column("grantee_kind", sa.Text(), nullable=False),
        sa.Column("grantee_value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["collection_id"], ["collection.id"], name=op.f("fk_collection_right_collection_id")),
        sa.PrimaryKeyConstraint("collection_id", "right", "grantee_kind", "grantee_value", name=op.f("pk_collection_right")),
    )
    op.create_table(
        "collection_clock",
        sa.Column("collection_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("clock_us", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("collection_row", name=op.f("pk_collection_clock")),
    )
    op.create_table(
        "label",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("collection_row", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("canonical", sa.Text(), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.Column("bytes_max", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label")),
        sa.UniqueConstraint("collection_row", "digest", name=op.f("uq_label_collection_row_digest")),
        sa.UniqueConstraint("collection_row", "number", name=op.f("uq_label_collection_row_number")),
    )
    op.create_table(
        "marking",
        sa.Column("stix_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("meaning", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("stix_id", "member_id", name=op.f("pk_marking")),
    )


def _objects() -> None:
    op.create_table(
        "object",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("stix_id", sa.Text(), nullable=False),
        sa.Column("lineage", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("created", sa.Text(), nullable=True),
        sa.Column("created_by_ref", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_object")),
        sa.UniqueConstraint("stix_id", "lineage", name=op.f("uq_object_stix_id_lineage")),
    )
    op.create_table(
        "version",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("object_row", sa.BigInteger(), nullable=False),
        sa.Column("version_us", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("spec_version", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("producer_id", sa.Text(), nullable=False),
        sa.Column("accepted_us", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_version")),
        sa.UniqueConstraint("object_row", "version_us", name=op.f("uq_version_object_row_version_us")),
    )
    op.create_table(
        "deletion",
        sa.Column("collection_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version_row", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("deleted_us", sa.BigInteger(), nullable=False),
        sa.Column("deleted_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("collection_row", "version_row", name=op.f("pk_deletion")),
    )


def _entries() -> None:
    op.create_table(
        "entry",
        sa.Column("collection_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("date_us", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("label_id", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.BigInteger(), nullable=False),
        sa.Column("object_row", sa.BigInteger(), nullable=False),
        sa.Column("version_row", sa.BigInteger(), nullable=False),
        sa.Column("version_us", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("superseded_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("collection_row", "date_us", name=op.f("pk_entry")),
    )
    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.create_index("ix_entry_label", ["collection_row", "label_id", "date_us"], unique=False)
        batch_op.create_index(
            "ix_entry_label_latest",
            ["collection_row", "label_id", "date_us"],
            unique=False,
            sqlite_where=sa.text("superseded_us IS NULL"),
            postgresql_where=sa.text("superseded_us IS NULL"),
        )
        batch_op.create_index(
            "ix_entry_latest",
            ["collection_row", "date_us"],
            unique=False,
            sqlite_where=sa.text("superseded_us IS NULL"),
            postgresql_where=sa.text("superseded_us IS NULL"),
        )
        batch_op.create_index("ix_entry_object", ["object_row", "collection_row"], unique=False)
        batch_op.create_index("ix_entry_ordinal", ["collection_row", "label_id", "ordinal"], unique=True)
        batch_op.create_index("ix_entry_type", ["collection_row", "type", "date_us"], unique=False)


def _views() -> None:
    op.create_table(
        "member_view",
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("collection_row", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("labels_seen", sa.Integer(), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("delayed", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("member_id", "collection_row", name=op.f("pk_member_view")),
    )


def _pushes() -> None:
    op.create_table(
        "push",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("api_root", sa.Text(), nullable=False),
        sa.Column("collection_row", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("request_us", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("completed_us", sa.BigInteger(), nullable=True),
        sa.Column("leased_until_us", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_push")),
    )
    with op.batch_alter_table("push", schema=None) as batch_op:
        batch_op.create_index("ix_push_completed_us", ["completed_us"], unique=False)
        batch_op.create_index(
            "ix_push_pending",
            ["request_us"],
            unique=False,
            sqlite_where=sa.text("completed_us IS NULL"),
            postgresql_where=sa.text("completed_us IS NULL"),
        )

    op.create_table(
        "push_outcome",
        sa.Column("push_id", sa.Text(), nullable=False),
        sa.Column("first", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outcomes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("push_id", "first", name=op.f("pk_push_outcome")),
    )


def _connectors() -> None:
    op.create_table(
        "connector_state",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("run_us", sa.BigInteger(), nullable=False),
        sa.Column("success_us", sa.BigInteger(), nullable=True),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_connector_state")),
    )
