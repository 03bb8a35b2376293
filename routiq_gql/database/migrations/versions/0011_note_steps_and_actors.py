"""Store when a sync entered its steps, and who or what started and cancelled it"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("syncs", sa.Column("steps", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("syncs", sa.Column("started_by", sa.String(length=16), nullable=True))
    op.add_column("syncs", sa.Column("started_by_name", sa.Text(), nullable=True))
    op.add_column("syncs", sa.Column("cancelled_by", sa.String(length=16), nullable=True))
    op.add_column("syncs", sa.Column("cancelled_by_name", sa.Text(), nullable=True))
