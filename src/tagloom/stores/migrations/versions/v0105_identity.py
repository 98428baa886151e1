"""The settings of links between visitors and users of each environment, and the identity secrets of event sources."""

import sqlalchemy as sql
from alembic import op

revision = "0105"
down_revision = "0104"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns of the settings and of the secrets."""
    op.add_column("environment", sql.Column("identity", sql.Text, nullable=False, server_default="{}"))
    op.add_column("event_source", sql.Column("identity_secrets", sql.Text, nullable=False, server_default="[]"))
