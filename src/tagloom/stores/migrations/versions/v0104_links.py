"""Links of people: the row of those who are linked, and the row of those whose id means a newer person."""

from alembic import op

revision = "0104"
down_revision = "0103"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the two rows in each environment."""
    for kind, path in (("fact", "superseded"), ("link", "link")):
        op.execute(
            'INSERT INTO "row" (environment, kind, path, is_live, description, exclusive) '
            f"SELECT key, '{kind}', '{path}', true, '', false FROM environment"
        )
