"""The board: how the tribes of a space are laid out."""

import sqlalchemy as sql
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table; a space without a row has its tribes by name."""
    op.create_table(
        "board",
        sql.Column("space", sql.Text, sql.ForeignKey("space.id"), primary_key=True),
        sql.Column("arrangement", sql.Text, nullable=False),
    )
