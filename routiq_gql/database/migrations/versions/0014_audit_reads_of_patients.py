"""Let the audit log name the list of patients that was read, and how many patients were shown"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit", sa.Column("list", sa.String(length=32), nullable=True))
    op.add_column("audit", sa.Column("count", sa.Integer(), nullable=True))
