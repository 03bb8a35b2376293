"""Run by Alembic: applies migrations on the connection, and inside the transaction, that ``schema.upgrade`` opened."""

from alembic import context

from routiq_gql.database.tables import METADATA


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or not (name or "").startswith("procrastinate_")


for table in METADATA.tables.values():
    for index in table.indexes:  # see partial_index
        index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,
    include_name=_is_ours,
)
with context.begin_transaction():
    context.run_migrations()
