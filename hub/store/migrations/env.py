"""Run by Alembic, on the connection that `hub.store.migrate` gives."""

from alembic import context
from sqlmodel import SQLModel

import hub.store.tables  # noqa: F401 - fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
