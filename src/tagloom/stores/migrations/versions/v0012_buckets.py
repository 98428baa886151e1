"""In PostgreSQL a chunk names its bucket too, by which its statements can be routed to one machine of many."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column there; releases before this one read on by the place. SQLite needs no such thing."""
    if op.get_context().dialect.name != "postgresql":
        return
    # Generated first, so that what is there is written once over instead of being updated row by row.
    op.execute("ALTER TABLE chunk ADD COLUMN bucket int4 NOT NULL GENERATED ALWAYS AS ((place & 65535)::int4) STORED")
    op.execute("ALTER TABLE chunk ALTER COLUMN bucket DROP EXPRESSION")
