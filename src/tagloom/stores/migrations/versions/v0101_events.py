"""Events: their log, the totals of their types, and the fact that a person has events."""

import sqlalchemy as sql
from alembic import op

revision = "0101"
down_revision = "0100"
branch_labels = None
depends_on = None

NUMBERS = ("first_version", "recorded_at", "first_at", "last_at", "events")
# Columns with packed bytes. PostgreSQL would compress them again, which takes time and saves one percent.
PACKED = ("people", "ids", "columns")


def upgrade() -> None:
    """Creates the tables of events, and the row `with_events` of each environment."""
    op.add_column("batch", sql.Column("events", sql.BigInteger, nullable=False, server_default="0"))
    is_listed = sql.text("action <> 'events'")
    op.create_index(
        "batch_listed", "batch", ["environment", "version"], sqlite_where=is_listed, postgresql_where=is_listed
    )
    op.create_table(
        "event_block",
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
        sql.Column("version", sql.BigInteger, primary_key=True),
        *(sql.Column(name, sql.BigInteger, nullable=False) for name in NUMBERS),
        *(sql.Column(name, sql.LargeBinary, nullable=False) for name in PACKED),
    )
    op.create_index("event_block_last", "event_block", ["environment", "last_at"])
    op.create_index("event_block_recorded", "event_block", ["environment", "recorded_at"])
    op.create_table(
        "event_type",
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
        sql.Column("type", sql.Text, primary_key=True),
        *(sql.Column(name, sql.BigInteger, nullable=False) for name in ("events", "first_at", "last_at")),
    )
    if op.get_bind().dialect.name == "postgresql":
        changes = ", ".join(f"ALTER COLUMN {name} SET STORAGE EXTERNAL" for name in PACKED)
        op.execute(f"ALTER TABLE event_block {changes}")
    op.execute(
        'INSERT INTO "row" (environment, kind, path, is_live, description, exclusive) '
        "SELECT key, 'fact', 'with_events', true, '', false FROM environment"
    )
