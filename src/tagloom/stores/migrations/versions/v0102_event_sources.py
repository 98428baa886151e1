"""Event sources with their keys, their rejected messages, and an index of the versions that recorded events."""

import sqlalchemy as sql
from alembic import op

revision = "0102"
down_revision = "0101"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables of event sources, and the index of the versions with events."""
    has_events = sql.text("action = 'events'")
    op.create_index(
        "batch_of_events",
        "batch",
        ["environment", "actor", "version"],
        sqlite_where=has_events,
        postgresql_where=has_events,
    )
    op.create_table(
        "event_source",
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
        sql.Column("id", sql.Text, primary_key=True),
        sql.Column("draft", sql.Text, nullable=False),
        sql.Column("revision", sql.Integer, nullable=False),
        sql.Column("created_at", sql.Text, nullable=False),
        sql.Column("write_key", sql.Text, nullable=False, unique=True),
        sql.Column("secret_hash", sql.LargeBinary, unique=True),
    )
    op.create_table(
        "rejected_message",
        sql.Column("id", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True),
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), nullable=False),
        sql.Column("source", sql.Text, nullable=False),
        sql.Column("at", sql.Text, nullable=False, index=True),
        sql.Column("record", sql.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("rejected_message_of_source", "rejected_message", ["environment", "source", "id"])
