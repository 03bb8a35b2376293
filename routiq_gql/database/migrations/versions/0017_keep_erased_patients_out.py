"""Erase single patients, and keep them out of later syncs"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import RowKey, UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

MIRRORED = (
    "patient_versions",
    "appointment_versions",
    "attendee_versions",
    "appointment_type_versions",
    "practitioner_versions",
)


def upgrade() -> None:
    op.create_table(
        "suppressed_patients",
        sa.Column("mirror", RowKey, autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("origin", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("mirror", "digest"),
    )
    op.create_table(
        "suppression_keys",
        sa.Column("mirror", RowKey, autoincrement=False, nullable=False),
        sa.Column("encryption_key_id", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("mirror"),
    )
    op.add_column("mirrors", sa.Column("erased_at", UtcDateTime(), nullable=True))
    for table in MIRRORED:
        op.add_column(table, sa.Column("is_suppressed", sa.Boolean(), server_default=sa.text("false"), nullable=False))
