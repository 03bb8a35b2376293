"""Register webhooks, and keep the outbox of their events"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import RowKey, UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.JSON(), nullable=False),
        sa.Column("includes_names", sa.Boolean(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("encryption_key_id", sa.String(length=64), nullable=False),
        sa.Column("encrypted_secret", sa.LargeBinary(), nullable=False),
        sa.Column("earlier_key_id", sa.String(length=64), nullable=True),
        sa.Column("earlier_secret", sa.LargeBinary(), nullable=True),
        sa.Column("earlier_until", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=True),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("next_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_webhooks_organization", "webhooks", ["organization_id"])
    is_pending = sa.text("next_at IS NOT NULL")
    op.create_index("ix_webhooks_next", "webhooks", ["next_at"], sqlite_where=is_pending, postgresql_where=is_pending)
    op.create_table(
        "webhook_events",
        sa.Column("key", RowKey, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_webhook_events_organization", "webhook_events", ["organization_id", "key"])
    op.create_index("ix_webhook_events_time", "webhook_events", ["at"])
    op.create_table(
        "webhook_deliveries",
        sa.Column("key", RowKey, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("organization_id", sa.String(length=64), nullable=False),
        sa.Column("webhook_id", sa.String(length=64), nullable=False),
        sa.Column("event", RowKey, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("last_attempt_at", UtcDateTime(), nullable=True),
        sa.Column("last_status", sa.Integer(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("id"),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhooks.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["event"], ["webhook_events.key"], ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_webhook_deliveries_event", "webhook_deliveries", ["event", "webhook_id"], unique=True)
    op.create_index("ix_webhook_deliveries_webhook", "webhook_deliveries", ["webhook_id", "event"])
    op.create_index("ix_webhook_deliveries_state", "webhook_deliveries", ["webhook_id", "state", "event"])
