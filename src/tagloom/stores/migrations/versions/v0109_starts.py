"""Taggings that start later: their rows in the dictionary, and the number of them in each version."""

import sqlalchemy as sql
from alembic import op

revision = "0109"
down_revision = "0108"
branch_labels = None
depends_on = None

_IS_PERIOD, _IS_STARTING = sql.text("kind = 'end'"), sql.text("is_live AND starts_at > 0")


def upgrade() -> None:
    """Creates the columns of starts and counts, and the index of what starts next."""
    op.add_column("row", sql.Column("starts_at", sql.Integer, nullable=False, server_default="0"))
    op.add_column("batch", sql.Column("scheduled", sql.BigInteger, nullable=False, server_default="0"))
    op.drop_index("row_end", "row")
    op.create_index(
        "row_end",
        "row",
        ["environment", "tag", "expires_at", "starts_at"],
        unique=True,
        sqlite_where=_IS_PERIOD,
        postgresql_where=_IS_PERIOD,
    )
    op.create_index(
        "row_starting",
        "row",
        ["starts_at", "environment"],
        sqlite_where=_IS_STARTING,
        postgresql_where=_IS_STARTING,
    )
