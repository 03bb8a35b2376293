"""Name webhooks in the audit log, and keep the attempts of each delivery"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit", sa.Column("webhook_id", sa.String(length=64), nullable=True))
    op.add_column("audit", sa.Column("webhook_host", sa.Text(), nullable=True))
    op.add_column("webhook_deliveries", sa.Column("attempt_log", sa.JSON(), nullable=True))
