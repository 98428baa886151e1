"""Branches that somebody owns."""

import sqlalchemy as sql
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the owner of a tag; nobody owns any so far."""
    op.add_column("row", sql.Column("owner", sql.Text, nullable=False, server_default=""))
