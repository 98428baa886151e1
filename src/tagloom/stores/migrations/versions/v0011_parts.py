"""Versions that touched many tell so in parts."""

import sqlalchemy as sql
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lets a version have several rows a bucket. What was written before stays one part, and is as true."""
    op.rename_table("batch_bucket", "batch_bucket_whole")
    op.create_table(
        "batch_bucket",
        sql.Column("environment", sql.Integer, primary_key=True),
        sql.Column("bucket", sql.Integer, primary_key=True),
        sql.Column("version", sql.BigInteger, primary_key=True),
        sql.Column("part", sql.Integer, primary_key=True),
        sql.Column("people", sql.LargeBinary, nullable=False),
        sql.Column("places", sql.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO batch_bucket (environment, bucket, version, part, people, places) "
        "SELECT environment, bucket, version, 0, people, places FROM batch_bucket_whole"
    )
    op.drop_table("batch_bucket_whole")
