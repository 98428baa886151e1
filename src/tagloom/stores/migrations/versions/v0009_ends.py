"""When taggings and tags end."""

import sqlalchemy as sql
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a tag's ttl and end, and the tag of an end; nothing ends so far."""
    for name in ("ttl_seconds", "expires_at", "tag"):
        op.add_column("row", sql.Column(name, sql.Integer, nullable=False, server_default="0"))
    is_end, is_ending = sql.text("kind = 'end'"), sql.text("is_live AND expires_at > 0")
    op.create_index(
        "row_end",
        "row",
        ["environment", "tag", "expires_at"],
        unique=True,
        sqlite_where=is_end,
        postgresql_where=is_end,
    )
    op.create_index(
        "row_ending", "row", ["expires_at", "environment"], sqlite_where=is_ending, postgresql_where=is_ending
    )
