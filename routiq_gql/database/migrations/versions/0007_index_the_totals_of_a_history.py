"""Index the totals of a history: counts and the average duration are computed without reading every sync"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("syncs", schema=None) as batch_op:
        batch_op.create_index(
            "ix_syncs_totals", ["organization_id", "status", "started_at", "completed_at"], unique=False
        )
