"""Store visits without a patient or a mark, count missed visits, and note when to try a denied connection again"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connections", sa.Column("retry_at", UtcDateTime(), nullable=True))
    for table in ("identified_patients", "active_patients"):
        with op.batch_alter_table(table) as batch_op:
            batch_op.add_column(sa.Column("missed_appointments", sa.Integer(), nullable=False, server_default="0"))
        with op.batch_alter_table(table) as batch_op:
            batch_op.alter_column("missed_appointments", server_default=None)
    with op.batch_alter_table("mirrored_appointments") as batch_op:
        batch_op.alter_column("did_not_arrive", existing_type=sa.Boolean(), nullable=True)
    with op.batch_alter_table("mirrored_attendees") as batch_op:
        batch_op.alter_column("booking_id", existing_type=sa.String(length=32), nullable=True)
        batch_op.alter_column("patient_id", existing_type=sa.String(length=32), nullable=True)
        batch_op.alter_column("arrived", existing_type=sa.Boolean(), nullable=True)
    # False was stored for "not marked" too, and would make a no-show of every unmarked class visit.
    op.execute("UPDATE mirrored_appointments SET did_not_arrive = NULL WHERE NOT did_not_arrive")
    op.execute("UPDATE mirrored_attendees SET arrived = NULL WHERE NOT arrived")
