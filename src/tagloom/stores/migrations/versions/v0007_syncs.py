"""Syncs: what is read, when, and each run of it."""

import sqlalchemy as sql
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables."""
    op.create_table(
        "sync",
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
        sql.Column("id", sql.Text, primary_key=True),
        sql.Column("draft", sql.Text, nullable=False),
        sql.Column("revision", sql.Integer, nullable=False),
        sql.Column("cursor", sql.Text),
        sql.Column("next_run_at", sql.Text),
    )
    op.create_index("ix_sync_next_run_at", "sync", ["next_run_at"])
    op.create_table(
        "sync_run",
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), nullable=False),
        sql.Column("sync", sql.Text, nullable=False),
        sql.Column("state", sql.Text, nullable=False),
        sql.Column("record", sql.Text, nullable=False),
        sql.Column("held_until", sql.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_sync_run_state", "sync_run", ["state"])
    op.create_index("sync_run_of_sync", "sync_run", ["environment", "sync", "id"])
