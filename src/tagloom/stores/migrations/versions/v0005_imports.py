"""Imports as resources: what they are, the steps that were committed of them, and named mappings."""

import sqlalchemy as sql
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables; whatever was imported before left batches, and they stay."""
    op.create_table(
        "import_step",
        sql.Column("environment", sql.Integer, primary_key=True),
        sql.Column("run", sql.Text, primary_key=True),
        sql.Column("number", sql.Integer, primary_key=True),
        sql.Column("through", sql.BigInteger, nullable=False),
        sql.Column("version", sql.BigInteger),
        sql.Column("receipt", sql.LargeBinary, nullable=False),
        sql.Column("rejected", sql.LargeBinary, nullable=False),
    )
    op.create_table(
        "import",
        sql.Column("id", sql.Text, primary_key=True),
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), nullable=False),
        sql.Column("created_at", sql.Text, nullable=False),
        sql.Column("state", sql.Text, nullable=False),
        sql.Column("revision", sql.Integer, nullable=False),
        sql.Column("record", sql.Text, nullable=False),
        sql.Column("rows_read", sql.BigInteger, nullable=False),
        sql.Column("owner", sql.Text),
        sql.Column("leased_until", sql.Text),
    )
    op.create_index("ix_import_state", "import", ["state"])
    op.create_index("import_of_environment", "import", ["environment", "created_at", "id"])
    op.create_table(
        "mapping",
        sql.Column("space", sql.Text, sql.ForeignKey("space.id"), primary_key=True),
        sql.Column("name", sql.Text, primary_key=True),
        sql.Column("version", sql.Integer, primary_key=True),
        sql.Column("at", sql.Text, nullable=False),
        sql.Column("by", sql.Text, nullable=False),
        sql.Column("form", sql.Text, nullable=False),
    )
