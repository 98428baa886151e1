"""Tribes as feature flags: who can read them."""

import sqlalchemy as sql
from alembic import op

revision = "0111"
down_revision = "0110"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column. No tribe of before is a flag."""
    op.add_column("tribe", sql.Column("flag", sql.Text, nullable=False, server_default="off"))
