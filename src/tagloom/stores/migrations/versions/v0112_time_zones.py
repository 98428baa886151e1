"""The time zone of an environment, whose days are counted."""

import sqlalchemy as sql
from alembic import op

revision = "0112"
down_revision = "0111"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the column. Environments of earlier releases keep the days of UTC."""
    op.add_column("environment", sql.Column("time_zone", sql.Text, nullable=False, server_default="UTC"))
