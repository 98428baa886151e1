"""The suppression list of each environment: hashes of the ids of people whom no write may name."""

import sqlalchemy as sql
from alembic import op

revision = "0106"
down_revision = "0105"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table of hashes, and the column of its generation."""
    op.add_column(
        "environment", sql.Column("suppressed_generation", sql.BigInteger, nullable=False, server_default="0")
    )
    op.create_table(
        "suppressed_key",
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
        sql.Column("high", sql.BigInteger, primary_key=True),
        sql.Column("low", sql.BigInteger, primary_key=True),
        sqlite_with_rowid=False,
    )
