"""Remember whose account a connection belongs to, and why it needs attention"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("account_subdomain", sa.Text(), nullable=True))
    op.add_column("connections", sa.Column("problem_code", sa.String(length=32), nullable=True))
    op.add_column("connections", sa.Column("problem_message", sa.Text(), nullable=True))
    op.add_column("connections", sa.Column("problem_what_to_do", sa.Text(), nullable=True))
