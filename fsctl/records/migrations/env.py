"""Read by Alembic: `fsctl.records.store` has it run on a connection of its own."""

from alembic import context

from fsctl.records.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters no table
)
with context.begin_transaction():
    context.run_migrations()
