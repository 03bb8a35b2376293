"""Keep with each sync the span that started it, so that any process continues the trace"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("syncs", sa.Column("trace_parent", sa.String(64), nullable=True))
    op.add_column("syncs", sa.Column("trace_state", sa.Text(), nullable=True))
    op.add_column("syncs", sa.Column("trace_span", sa.String(64), nullable=True))
