"""Keep the clinic's time zone with each sync, for the dates that its readers see"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("syncs", sa.Column("time_zone", sa.String(64), nullable=True))
