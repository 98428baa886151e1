"""What was taken back by an undo of several versions."""

import sqlalchemy as sql
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "undone",
        sql.Column("environment", sql.Integer, primary_key=True),
        sql.Column("version", sql.BigInteger, primary_key=True),
        sql.Column("by", sql.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("undone_by", "undone", ["environment", "by"])
