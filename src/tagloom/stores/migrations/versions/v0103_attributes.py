"""Attributes: their types, their distinct texts, and the number of values that each version changed."""

import sqlalchemy as sql
from alembic import op

revision = "0103"
down_revision = "0102"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the table of texts, and the columns of types and counts."""
    op.add_column("row", sql.Column("type", sql.Text, nullable=False, server_default=""))
    op.add_column("batch", sql.Column("attributes", sql.BigInteger, nullable=False, server_default="0"))
    op.create_table(
        "attribute_value",
        sql.Column("attribute", sql.Integer, sql.ForeignKey("row.id"), primary_key=True),
        sql.Column("number", sql.Integer, primary_key=True),
        sql.Column("value", sql.Text),
        sql.Column("person", sql.BigInteger, nullable=False),
        sql.UniqueConstraint("attribute", "value"),
    )
    op.create_index("attribute_value_of_person", "attribute_value", ["attribute", "person"])
