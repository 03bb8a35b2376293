"""Support syncs in many processes: their job queue, the workers, schedules, and a pace for each API key"""

from importlib import import_module

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("every_seconds", sa.Integer(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id"),
    )
    with op.batch_alter_table("schedules", schema=None) as batch_op:
        batch_op.create_index("ix_schedules_next", ["next_at"], unique=False)
    op.create_table(
        "workers",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("max_syncs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "key_paces",
        sa.Column("key_digest", sa.LargeBinary(), nullable=False),
        sa.Column("turn_at", UtcDateTime(), nullable=False),
        sa.Column("free_at", UtcDateTime(), nullable=False),
        sa.Column("held_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key_digest"),
    )
    bind = op.get_bind()
    if bind.dialect.name != "postgresql":
        return
    # Room in each page for the next form of a row that changes several times a second.
    for table in ("syncs", "key_paces"):
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")
    # Loaded here, as users of SQLite don't have it. Its schema is several statements, so without parameters.
    queue = import_module("procrastinate.schema").SchemaManager.get_schema()
    bind.exec_driver_sql(queue, execution_options={"no_parameters": True})
