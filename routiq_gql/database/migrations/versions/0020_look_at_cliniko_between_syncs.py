"""Keep the findings of looks at Cliniko, and mark the syncs that they start"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import RowKey, UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "refreshes",
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("is_asked", sa.Boolean(), nullable=False),
        sa.Column("next_at", UtcDateTime(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("sync", RowKey, nullable=True),
        sa.Column("spent", sa.JSON(), nullable=False),
        sa.Column("spent_by", RowKey, nullable=True),
        sa.Column("allowance", sa.Integer(), nullable=True),
        sa.Column("found", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id"),
    )
    op.create_index("ix_refreshes_next", "refreshes", ["next_at"])
    op.add_column("syncs", sa.Column("refresh", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.drop_index("ix_syncs_totals", table_name="syncs")
    op.create_index(
        "ix_syncs_totals", "syncs", ["organization_id", "status", "mode", "refresh", "started_at", "completed_at"]
    )
    op.add_column("mirrors", sa.Column("compared_at", UtcDateTime(), nullable=True))
