"""Order syncs and the audit log by their numbers, and store the progress of pruning"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "retention",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("cutoff", UtcDateTime(), nullable=False),
        sa.Column("moved_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind"),
    )
    with op.batch_alter_table("syncs", schema=None) as batch_op:
        batch_op.create_index("ix_syncs_organization_key", ["organization_id", "key"], unique=False)
        batch_op.create_index("ix_syncs_organization_status", ["organization_id", "status", "key"], unique=False)
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_organization")
        batch_op.create_index("ix_audit_organization", ["organization_id", "key"], unique=False)
