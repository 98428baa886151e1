"""The days on which people were seen: the rows of those who have a first and a last day."""

from alembic import op

revision = "0107"
down_revision = "0106"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the two rows in each environment. The next events that are recorded add the days of all earlier ones."""
    for path in ("first_seen", "last_seen"):
        op.execute(
            'INSERT INTO "row" (environment, kind, path, is_live, description, exclusive) '
            f"SELECT key, 'seen', '{path}', true, '', false FROM environment"
        )
