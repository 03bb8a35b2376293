"""Look less often at organizations that no client reads, and share the requests of an API key"""

import sqlalchemy as sa
from alembic import op

from routiq_gql.database.columns import UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("refreshes", sa.Column("watched_at", UtcDateTime(), nullable=True))
    op.add_column("refreshes", sa.Column("key_digest", sa.LargeBinary(), nullable=True))
    op.create_index("ix_refreshes_key", "refreshes", ["key_digest"])
