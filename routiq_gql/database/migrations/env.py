"""Run by Alembic: applies migrations on the connection, and inside the transaction, that ``schema.upgrade`` opened."""

from alembic import context

from routiq_gql.database.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
