"""Distinguish a pause from a crash, store the reason of a wait, and add a row for the write probe"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("syncs", sa.Column("waiting_for", sa.String(length=16), nullable=True))
    op.add_column("syncs", sa.Column("claimed_by", sa.String(length=64), nullable=True))
    op.add_column("syncs", sa.Column("lost_claims", sa.Integer(), server_default="0", nullable=False))
    op.add_column("syncs", sa.Column("pauses", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "write_probe",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
