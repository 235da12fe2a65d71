"""The ledger and the audit trail take no changes: the database itself refuses them.

* Of a line of the ledger only `assessed` may change, which says whether what is computed takes the line into account.
* A trigger that names the columns costs nothing where `assessed` alone is set.
* A later migration that makes one of these tables anew, as SQLite does for some changes, makes its triggers anew as well.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_FIXED = {
    "ledger": ("row", "at_us", "member_id", "kind", "version_row", "collection_row", "label_id", "subject", "detail"),
    "audit": ("row", "at_us", "actor", "action", "target", "detail"),
}


def upgrade() -> None:
    make = _on_sqlite if op.get_bind().dialect.name == "sqlite" else _on_postgresql
    for table, columns in _FIXED.items():
        make(table, ", ".join(f'"{column}"' for column in columns))


def _on_sqlite(table: str, columns: str) -> None:
    for name, event in (("changed", f"UPDATE OF {columns}"), ("deleted", "DELETE")):
        op.execute(
            f"CREATE TRIGGER tr_{table}_never_{name} BEFORE {event} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only: its lines are never {name}'); END"
        )


def _on_postgresql(table: str, columns: str) -> None:
    for name, event in (("changed", f"UPDATE OF {columns}"), ("deleted", "DELETE OR TRUNCATE")):
        op.execute(
            f"CREATE FUNCTION {table}_never_{name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE '{table} is append-only: its lines are never {name}' USING ERRCODE = 'restrict_violation'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER tr_{table}_never_{name} BEFORE {event} ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {table}_never_{name}()"
        )
