"""Store how many patients a sync has changed"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("syncs", sa.Column("changes", sa.JSON(none_as_null=True), nullable=True))
