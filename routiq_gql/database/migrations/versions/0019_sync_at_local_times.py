"""Keep the times of day at which an organization is synced, beside intervals"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedules", sa.Column("times", sa.String(300), nullable=True))
    op.add_column("schedules", sa.Column("weekdays", sa.String(32), nullable=True))
    op.add_column("schedules", sa.Column("time_zone", sa.String(64), nullable=True))
