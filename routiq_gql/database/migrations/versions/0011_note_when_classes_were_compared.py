"""Note when the attendees of a class were compared with Cliniko"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import RowKey, UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "class_checks",
        sa.Column("mirror", RowKey, autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("checked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("mirror", "id"),
    )
