"""The deliveries of events, their positions, and their runs."""

import sqlalchemy as sql
from alembic import op

revision = "0110"
down_revision = "0109"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables of deliveries and of their runs."""
    op.create_table(
        "delivery",
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
        sql.Column("id", sql.Text, primary_key=True),
        sql.Column("draft", sql.Text, nullable=False),
        sql.Column("revision", sql.Integer, nullable=False),
        sql.Column("next_version", sql.BigInteger, nullable=False),
        sql.Column("step_end", sql.BigInteger),
        sql.Column("next_run_at", sql.Text, index=True),
    )
    op.create_table(
        "delivery_run",
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), nullable=False),
        sql.Column("delivery", sql.Text, nullable=False),
        sql.Column("state", sql.Text, nullable=False, index=True),
        sql.Column("record", sql.Text, nullable=False),
        sql.Column("held_until", sql.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("delivery_run_of_delivery", "delivery_run", ["environment", "delivery", "id"])
