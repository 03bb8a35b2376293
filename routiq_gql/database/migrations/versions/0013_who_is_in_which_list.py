"""Store who is in which list of patients, and the terms by which a sync decided that"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import CompactTime, RowKey, UtcDateTime
from routiq_gql.database.migrations.to_versions import CURRENT

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

LISTINGS = "listing_versions"


def upgrade() -> None:
    op.add_column("syncs", sa.Column("seen_within_weeks", sa.Integer(), nullable=True))
    op.add_column("syncs", sa.Column("horizon_from", UtcDateTime(), nullable=True))
    op.drop_index("ix_syncs_totals", table_name="syncs")
    op.create_index("ix_syncs_totals", "syncs", ["organization_id", "status", "mode", "started_at", "completed_at"])
    folded = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        LISTINGS,
        sa.Column("mirror", RowKey, autoincrement=False, nullable=False),
        sa.Column("list", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("to_sync", RowKey, autoincrement=False, nullable=False),
        sa.Column("from_sync", RowKey, nullable=False),
        sa.Column("name_key", folded, nullable=False),
        sa.Column("search", folded, nullable=False),
        sa.Column("last_at", CompactTime(), nullable=True),
        sa.Column("next_at", CompactTime(), nullable=True),
        sa.Column("last_practitioner_id", sa.BigInteger(), nullable=True),
        sa.Column("next_practitioner_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("mirror", "list", "id", "to_sync"),
        sqlite_with_rowid=False,
    )
    is_closed = sa.text(f"to_sync < {CURRENT}")
    op.create_index(f"ix_{LISTINGS}_from", LISTINGS, ["mirror", "from_sync"])
    op.create_index(
        f"ix_{LISTINGS}_closed", LISTINGS, ["mirror", "to_sync"], sqlite_where=is_closed, postgresql_where=is_closed
    )
    for name, column in (("name", "name_key"), ("last", "last_at"), ("next", "next_at")):
        op.create_index(f"ix_{LISTINGS}_{name}", LISTINGS, ["mirror", "list", column, "id", "to_sync", "from_sync"])
