"""Note in the audit log which token was created or revoked"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("audit", sa.Column("token_id", sa.String(length=64), nullable=True))
