"""How long history is kept."""

import sqlalchemy as sql
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds an environment's retention and how far its log is compacted; all is kept so far."""
    for name, kind in (
        ("retention_seconds", sql.BigInteger),
        ("horizon", sql.BigInteger),
        ("compacted", sql.BigInteger),
        ("compacting_bucket", sql.Integer),
        ("compacting_row", sql.Integer),
        ("compacting_touched", sql.BigInteger),
    ):
        op.add_column("environment", sql.Column(name, kind, nullable=False, server_default="0"))
