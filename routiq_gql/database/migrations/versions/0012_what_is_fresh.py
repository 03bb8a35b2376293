"""Note when schedules were first due and how many rows a key check counted, and index lists of organizations"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedules", sa.Column("first_at", UtcDateTime(), nullable=True))
    op.add_column("connections", sa.Column("totals", sa.JSON(none_as_null=True), nullable=True))
    op.create_index("ix_connections_name", "connections", ["account_name", "organization_id"])
    is_completed = sa.text("status = 'completed'")
    is_early = sa.text("failure_step <= 2 OR completed_at IS NULL")
    op.create_index(
        "ix_syncs_completed",
        "syncs",
        ["organization_id", "mode", "key"],
        sqlite_where=is_completed,
        postgresql_where=is_completed,
    )
    op.create_index(
        "ix_syncs_early",
        "syncs",
        ["organization_id"],
        sqlite_where=is_early,
        postgresql_where=is_early,
    )
