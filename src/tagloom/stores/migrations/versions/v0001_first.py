"""The first schema."""

import sqlalchemy as sql
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates every table."""
    create_tenants()
    create_dictionary()
    create_log()
    create_keys()


def create_tenants() -> None:
    """Organizations, spaces, environments, tokens, tribes."""
    op.create_table(
        "organization",
        sql.Column("id", sql.Text, primary_key=True),
        sql.Column("name", sql.Text, nullable=False),
    )
    op.create_table(
        "space",
        sql.Column("id", sql.Text, primary_key=True),
        sql.Column("organization", sql.Text, sql.ForeignKey("organization.id"), nullable=False),
        sql.Column("name", sql.Text, nullable=False),
    )
    op.create_table(
        "environment",
        sql.Column("key", sql.Integer, primary_key=True),
        sql.Column("space", sql.Text, sql.ForeignKey("space.id"), nullable=False),
        sql.Column("name", sql.Text, nullable=False),
        sql.Column("catalogue", sql.Text, nullable=False),
        sql.Column("secret", sql.LargeBinary, nullable=False),
        sql.Column("version", sql.BigInteger, nullable=False),
        sql.Column("next_ordinal", sql.BigInteger, nullable=False),
        sql.Column("catalogue_generation", sql.BigInteger, nullable=False),
        sql.Column("keys_generation", sql.BigInteger, nullable=False),
        sql.UniqueConstraint("space", "name"),
    )
    op.create_table(
        "token",
        sql.Column("id", sql.Text, primary_key=True),
        sql.Column("organization", sql.Text, sql.ForeignKey("organization.id"), nullable=False),
        sql.Column("name", sql.Text, nullable=False),
        sql.Column("scopes", sql.Text, nullable=False),
        sql.Column("secret_hash", sql.LargeBinary, nullable=False, unique=True),
        sql.Column("created_at", sql.Text, nullable=False),
        sql.Column("expires_at", sql.Text, nullable=False),
        sql.Column("last_used_at", sql.Text),
    )
    op.create_table(
        "tribe",
        sql.Column("space", sql.Text, sql.ForeignKey("space.id"), primary_key=True),
        sql.Column("id", sql.Text, primary_key=True),
        sql.Column("name", sql.Text, nullable=False),
        sql.Column("description", sql.Text, nullable=False),
        sql.Column("category", sql.Text, nullable=False),
        sql.Column("audience", sql.Text, nullable=False),
        sql.Column("rule", sql.Text, nullable=False),
        sql.Column("revision", sql.Integer, nullable=False),
    )
    op.create_index("ix_space_organization", "space", ["organization"])
    op.create_index("ix_token_organization", "token", ["organization"])


def create_dictionary() -> None:
    """Rows, aliases, chunks."""
    op.create_table(
        "row",
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), nullable=False),
        sql.Column("kind", sql.Text, nullable=False),
        sql.Column("path", sql.Text, nullable=False),
        sql.Column("is_live", sql.Boolean, nullable=False),
        sql.Column("description", sql.Text, nullable=False),
        sql.Column("exclusive", sql.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "alias",
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
        sql.Column("path", sql.Text, primary_key=True),
        sql.Column("target", sql.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "chunk",
        sql.Column(
            "place", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True, autoincrement=False
        ),
        sql.Column("bearers", sql.LargeBinary, nullable=False),
    )
    op.create_index("ix_row_environment", "row", ["environment"])
    live = sql.text("is_live")
    op.create_index(
        "row_live_path", "row", ["environment", "kind", "path"], unique=True, sqlite_where=live, postgresql_where=live
    )


def create_log() -> None:
    """Batches, changes, entries."""
    op.create_table(
        "batch",
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
        sql.Column("version", sql.BigInteger, primary_key=True),
        sql.Column("at", sql.Text, nullable=False),
        sql.Column("action", sql.Text, nullable=False),
        sql.Column("actor", sql.Text, nullable=False),
        sql.Column("source", sql.Text, nullable=False),
        sql.Column("added", sql.BigInteger, nullable=False),
        sql.Column("removed", sql.BigInteger, nullable=False),
        sql.Column("new_people", sql.BigInteger, nullable=False),
        sql.Column("undoes", sql.BigInteger),
        sql.Column("is_final", sql.Boolean, nullable=False),
        sql.Column("first_change", sql.BigInteger, nullable=False),
        sql.Column("change_count", sql.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "change",
        sql.Column("id", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True),
        sql.Column("environment", sql.Integer, nullable=False),
        sql.Column("version", sql.BigInteger, nullable=False),
        sql.Column("row", sql.Integer, nullable=False),
        sql.Column("bucket", sql.Integer, nullable=False),
        sql.Column("added", sql.LargeBinary, nullable=False),
        sql.Column("removed", sql.LargeBinary, nullable=False),
    )
    op.create_table(
        "entry",
        sql.Column("environment", sql.Integer, primary_key=True),
        sql.Column("version", sql.BigInteger, primary_key=True),
        sql.Column("number", sql.Integer, primary_key=True),
        sql.Column("kind", sql.Text, nullable=False),
        sql.Column("name", sql.Text, nullable=False),
        sql.Column("before", sql.Text, nullable=False),
        sql.Column("after", sql.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    undoing = sql.text("undoes IS NOT NULL")
    op.create_index("batch_undoing", "batch", ["environment", "undoes"], sqlite_where=undoing, postgresql_where=undoing)
    op.create_index("entry_of_name", "entry", ["environment", "kind", "name", "version"])
    op.create_index("change_of_chunk", "change", ["environment", "bucket", "row", "version"])


def create_keys() -> None:
    """Runs, pages, segments, and the idempotency keys."""
    op.create_table(
        "run",
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("environment", sql.Integer, nullable=False),
        sql.Column("keys", sql.BigInteger, nullable=False),
        sql.Column("pages", sql.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "page",
        sql.Column(
            "place", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True, autoincrement=False
        ),
        sql.Column("entries", sql.LargeBinary, nullable=False),
    )
    op.create_table(
        "segment",
        sql.Column("environment", sql.Integer, primary_key=True),
        sql.Column("first", sql.BigInteger, primary_key=True),
        sql.Column("size", sql.Integer, nullable=False),
        sql.Column("keys", sql.LargeBinary, nullable=False),
    )
    op.create_table(
        "replay",
        sql.Column("environment", sql.Integer, primary_key=True),
        sql.Column("key", sql.Text, primary_key=True),
        sql.Column("fingerprint", sql.Text, nullable=False),
        sql.Column("receipt", sql.LargeBinary, nullable=False),
        sql.Column("at", sql.Text, nullable=False),
    )
    op.create_index("ix_run_environment", "run", ["environment"])
    op.create_index("ix_replay_at", "replay", ["at"])
