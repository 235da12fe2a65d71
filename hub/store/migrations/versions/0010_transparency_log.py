"""The transparency log. What the hub holds already is entered after the migration, as if it came then."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TOGETHER = 512


def upgrade() -> None:
    _outbox()
    op.create_table(
        "log_leaf",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("version_row", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_log_leaf")),
    )
    op.create_index("ix_log_leaf_digest", "log_leaf", ["digest"])
    op.create_table(
        "log_tile",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "number", name=op.f("pk_log_tile")),
    )
    _signed()
    op.create_table(
        "audit_chain",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("audit_row", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_chain")),
        sa.UniqueConstraint("audit_row", name=op.f("uq_audit_chain_audit_row")),
    )


def _outbox() -> None:
    op.create_table(
        "log_pending",
        sa.Column("row", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("collection_row", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_log_pending")),
    )
    rows = 'json_group_array("row")' if op.get_bind().dialect.name == "sqlite" else 'json_agg("row")::text'
    for kind, table in (("add", "version"), ("audit", "audit")):
        op.execute(
            f"INSERT INTO log_pending (due_us, kind, about) SELECT 0, '{kind}', {rows} FROM {table} "
            f'GROUP BY "row" / {_TOGETHER} ORDER BY "row" / {_TOGETHER}'
        )


def _signed() -> None:
    op.create_table(
        "log_checkpoint",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "size", name=op.f("pk_log_checkpoint")),
    )
    op.create_table(
        "log_cosignature",
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "size", "witness", name=op.f("pk_log_cosignature")),
    )
