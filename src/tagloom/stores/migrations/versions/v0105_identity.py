"""The settings of links between visitors and users of each environment."""

import sqlalchemy as sql
from alembic import op

revision = "0105"
down_revision = "0104"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column of the settings."""
    op.add_column("environment", sql.Column("identity", sql.Text, nullable=False, server_default="{}"))
