"""The alerts of tribes: their settings, their state, and the time of the next check."""

import sqlalchemy as sql
from alembic import op

revision = "0108"
down_revision = "0107"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table of alerts."""
    op.create_table(
        "tribe_alert",
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
        sql.Column("tribe", sql.Text, primary_key=True),
        sql.Column("settings", sql.Text, nullable=False),
        sql.Column("state", sql.Text, nullable=False),
        sql.Column("status", sql.Text, nullable=False),
        sql.Column("next_check_at", sql.Text, nullable=False, index=True),
    )
