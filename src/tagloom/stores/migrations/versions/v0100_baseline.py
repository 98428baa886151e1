"""The baseline: every table of the first release. This file must not change when the schema in the code changes.

Revisions 0001 to 0014 belonged to development versions; see `DEVELOPMENT_REVISIONS`.
"""

from typing import Any

import sqlalchemy as sql
from alembic import op

revision = "0100"
down_revision = None
branch_labels = None
depends_on = None

# SQLite assigns ids by itself only in a column of the type INTEGER.
BIG_KEY = sql.BigInteger().with_variant(sql.Integer, "sqlite")
# Columns with packed bytes. PostgreSQL would compress them again, which takes time and saves one percent.
PACKED = {
    "chunk": ("people",),
    "change": ("added", "removed"),
    "batch_bucket": ("people", "places"),
    "page": ("entries",),
    "segment": ("keys",),
}


def upgrade() -> None:
    """Creates every table, index and row of a new installation."""
    create_tenants()
    create_tribes()
    create_accounts()
    create_sign_in()
    create_audit()
    create_dictionary()
    create_log()
    create_totals()
    create_keys()
    create_imports()
    create_syncs()
    store_packed_bytes_plain()


def column(name: str, *references: sql.ForeignKey, kind: Any = sql.Text, **options: Any) -> sql.Column[Any]:
    """Returns a column. By default it contains text and is never NULL."""
    return sql.Column(name, kind, *references, **{"nullable": False, **options})


def key(name: str, *references: sql.ForeignKey, **options: Any) -> sql.Column[Any]:
    """Returns a column of the primary key."""
    return column(name, *references, primary_key=True, **options)


def where(condition: str) -> dict[str, Any]:
    """Returns the options that make an index partial in both dialects."""
    return {"sqlite_where": sql.text(condition), "postgresql_where": sql.text(condition)}


def is_postgresql() -> bool:
    """Returns whether the tables are created in PostgreSQL."""
    return op.get_context().dialect.name == "postgresql"


def create_tenants() -> None:
    """Creates the tables of organizations, spaces and environments."""
    op.create_table(
        "organization",
        key("id"),
        column("name"),
    )
    op.create_table(
        "space",
        key("id"),
        column("organization", sql.ForeignKey("organization.id"), index=True),
        column("name"),
    )
    op.create_table(
        "environment",
        key("key", kind=sql.Integer),
        column("space", sql.ForeignKey("space.id")),
        column("name"),
        column("catalogue"),
        column("secret", kind=sql.LargeBinary),
        column("version", kind=sql.BigInteger),
        column("next_ordinal", kind=sql.BigInteger),
        column("catalogue_generation", kind=sql.BigInteger),
        column("keys_generation", kind=sql.BigInteger),
        column("retention_seconds", kind=sql.BigInteger, server_default="0"),
        column("horizon", kind=sql.BigInteger, server_default="0"),
        column("compacted", kind=sql.BigInteger, server_default="0"),
        column("compacting_bucket", kind=sql.Integer, server_default="0"),
        column("compacting_row", kind=sql.Integer, server_default="0"),
        column("compacting_touched", kind=sql.BigInteger, server_default="0"),
        sql.UniqueConstraint("space", "name"),
    )


def create_tribes() -> None:
    """Creates the tables of tribes, their changes, and their layout in the console."""
    op.create_table(
        "tribe",
        key("space", sql.ForeignKey("space.id")),
        key("id"),
        column("name"),
        column("description"),
        column("category"),
        column("audience"),
        column("rule"),
        column("revision", kind=sql.Integer),
    )
    op.create_table(
        "tribe_change",
        key("id", kind=BIG_KEY),
        column("space", sql.ForeignKey("space.id")),
        column("at"),
        column("actor"),
        column("source"),
        column("tribe"),
        column("action"),
        column("before", nullable=True),
        column("after", nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("tribe_change_of_space", "tribe_change", ["space", "id"])
    op.create_index("tribe_change_of_tribe", "tribe_change", ["space", "tribe", "id"])
    op.create_table(
        "board",
        key("space", sql.ForeignKey("space.id")),
        column("arrangement"),
    )


def create_accounts() -> None:
    """Creates the tables of accounts, memberships, permissions, invitations and tokens."""
    op.create_table(
        "account",
        key("id"),
        column("email"),
        column("email_key", unique=True),
        column("name"),
        column("password_hash", nullable=True),
        column("created_at"),
        column("last_signed_in_at", nullable=True),
    )
    op.create_table(
        "token",
        key("id"),
        column("organization", sql.ForeignKey("organization.id"), index=True),
        column("name"),
        column("scopes"),
        column("secret_hash", kind=sql.LargeBinary, unique=True),
        column("created_at"),
        column("expires_at"),
        column("last_used_at", nullable=True),
        column("account", sql.ForeignKey("account.id"), nullable=True, index=True),
    )
    op.create_table(
        "membership",
        key("organization", sql.ForeignKey("organization.id")),
        key("account", sql.ForeignKey("account.id"), index=True),
        column("is_administrator", kind=sql.Boolean),
        column("state"),
        column("joined_at"),
        column("last_seen_at", nullable=True),
    )
    op.create_table(
        "permission",
        key("organization"),
        key("account"),
        key("space", sql.ForeignKey("space.id")),
        column("names"),
        sql.ForeignKeyConstraint(["organization", "account"], ["membership.organization", "membership.account"]),
    )
    op.create_table(
        "invitation",
        key("id"),
        column("organization", sql.ForeignKey("organization.id")),
        column("email"),
        column("email_key", index=True),
        column("is_administrator", kind=sql.Boolean),
        column("permissions"),
        column("invited_by"),
        column("created_at"),
        column("expires_at"),
        column("secret_hash", kind=sql.LargeBinary, unique=True),
        sql.UniqueConstraint("organization", "email_key"),
    )


def create_sign_in() -> None:
    """Creates the tables of sessions, resets, identities and the set-up code.

    The table of the set-up code always has one row.
    """
    op.create_table(
        "session",
        key("id"),
        column("account", sql.ForeignKey("account.id"), index=True),
        column("organization", sql.ForeignKey("organization.id")),
        column("secret_hash", kind=sql.LargeBinary, unique=True),
        column("created_at"),
        column("last_seen_at"),
        column("expires_at", index=True),
        column("address"),
        column("agent"),
    )
    op.create_table(
        "reset",
        key("account", sql.ForeignKey("account.id")),
        column("secret_hash", kind=sql.LargeBinary, unique=True),
        column("expires_at"),
    )
    op.create_table(
        "identity",
        key("issuer"),
        key("subject"),
        column("account", sql.ForeignKey("account.id"), index=True),
        column("linked_at"),
    )
    op.create_table(
        "set_up",
        key("id", kind=sql.Integer),
        column("code_hash", kind=sql.LargeBinary, nullable=True),
    )
    op.execute("INSERT INTO set_up (id) VALUES (1)")


def create_audit() -> None:
    """Creates the table of the audit log."""
    op.create_table(
        "audit_log",
        key("id", kind=BIG_KEY),
        column("organization", sql.ForeignKey("organization.id")),
        column("space", nullable=True),
        column("at"),
        column("actor"),
        column("action"),
        column("subject"),
        column("detail"),
        sqlite_autoincrement=True,
    )
    op.create_index("audit_log_of_organization", "audit_log", ["organization", "id"])


def create_dictionary() -> None:
    """Creates the tables of rows, aliases and chunks.

    In PostgreSQL the table of chunks has a column for the bucket, by which Citus routes statements.
    """
    op.create_table(
        "row",
        key("id", kind=sql.Integer),
        column("environment", sql.ForeignKey("environment.key"), kind=sql.Integer, index=True),
        column("kind"),
        column("path"),
        column("is_live", kind=sql.Boolean),
        column("description"),
        column("exclusive", kind=sql.Boolean),
        column("owner", server_default=""),
        column("ttl_seconds", kind=sql.Integer, server_default="0"),
        column("expires_at", kind=sql.Integer, server_default="0"),
        column("tag", kind=sql.Integer, server_default="0"),
        sqlite_autoincrement=True,
    )
    op.create_index("row_end", "row", ["environment", "tag", "expires_at"], unique=True, **where("kind = 'end'"))
    op.create_index("row_ending", "row", ["expires_at", "environment"], **where("is_live AND expires_at > 0"))
    op.create_index("row_live_path", "row", ["environment", "kind", "path"], unique=True, **where("is_live"))
    op.create_table(
        "alias",
        key("environment", sql.ForeignKey("environment.key"), kind=sql.Integer),
        key("path"),
        column("target"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "chunk",
        key("place", kind=BIG_KEY, autoincrement=False),
        *([column("bucket", kind=sql.Integer)] if is_postgresql() else []),
        column("people", kind=sql.LargeBinary),
    )


def create_log() -> None:
    """Creates the tables of versions and their changes."""
    op.create_table(
        "batch",
        key("environment", sql.ForeignKey("environment.key"), kind=sql.Integer),
        key("version", kind=sql.BigInteger),
        column("at"),
        column("action"),
        column("actor"),
        column("source"),
        column("added", kind=sql.BigInteger),
        column("removed", kind=sql.BigInteger),
        column("new_people", kind=sql.BigInteger),
        column("undoes", kind=sql.BigInteger, nullable=True),
        column("is_final", kind=sql.Boolean),
        column("first_change", kind=sql.BigInteger),
        column("change_count", kind=sql.Integer),
        sqlite_with_rowid=False,
    )
    op.create_index("batch_undoing", "batch", ["environment", "undoes"], **where("undoes IS NOT NULL"))
    op.create_table(
        "undone",
        key("environment", kind=sql.Integer),
        key("version", kind=sql.BigInteger),
        key("by", kind=sql.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("undone_by", "undone", ["environment", "by"])
    op.create_table(
        "change",
        key("id", kind=BIG_KEY),
        column("environment", kind=sql.Integer),
        column("version", kind=sql.BigInteger),
        column("row", kind=sql.Integer),
        column("bucket", kind=sql.Integer),
        column("added", kind=sql.LargeBinary),
        column("removed", kind=sql.LargeBinary),
    )
    op.create_index("change_of_chunk", "change", ["environment", "bucket", "row", "version"])
    op.create_table(
        "entry",
        key("environment", kind=sql.Integer),
        key("version", kind=sql.BigInteger),
        key("number", kind=sql.Integer),
        column("kind"),
        column("name"),
        column("before"),
        column("after"),
        sqlite_with_rowid=False,
    )
    op.create_index("entry_of_name", "entry", ["environment", "kind", "name", "version"])


def create_totals() -> None:
    """Creates the tables of what each version changed, by tag and by bucket."""
    op.create_table(
        "batch_row",
        key("environment", kind=sql.Integer),
        key("row", kind=sql.Integer),
        key("version", kind=sql.BigInteger),
        column("added", kind=sql.BigInteger),
        column("removed", kind=sql.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "batch_bucket",
        key("environment", kind=sql.Integer),
        key("bucket", kind=sql.Integer),
        key("version", kind=sql.BigInteger),
        key("part", kind=sql.Integer),
        column("people", kind=sql.LargeBinary),
        column("places", kind=sql.LargeBinary),
        sqlite_with_rowid=False,
    )


def create_keys() -> None:
    """Creates the tables of the runs, pages and segments of keys, and of the idempotency keys."""
    op.create_table(
        "run",
        key("id", kind=sql.Integer),
        column("environment", kind=sql.Integer, index=True),
        column("keys", kind=sql.BigInteger),
        column("pages", kind=sql.Integer),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "page",
        key("place", kind=BIG_KEY, autoincrement=False),
        column("entries", kind=sql.LargeBinary),
    )
    op.create_table(
        "segment",
        key("environment", kind=sql.Integer),
        key("first", kind=sql.BigInteger),
        column("size", kind=sql.Integer),
        column("keys", kind=sql.LargeBinary),
    )
    op.create_table(
        "replay",
        key("environment", kind=sql.Integer),
        key("key"),
        column("fingerprint"),
        column("receipt", kind=sql.LargeBinary),
        column("at", index=True),
    )


def create_imports() -> None:
    """Creates the tables of imports, their committed steps, and named mappings."""
    op.create_table(
        "import_step",
        key("environment", kind=sql.Integer),
        key("run"),
        key("number", kind=sql.Integer),
        column("through", kind=sql.BigInteger),
        column("version", kind=sql.BigInteger, nullable=True),
        column("receipt", kind=sql.LargeBinary),
        column("rejected", kind=sql.LargeBinary),
    )
    op.create_table(
        "import",
        key("id"),
        column("environment", sql.ForeignKey("environment.key"), kind=sql.Integer),
        column("created_at"),
        column("state", index=True),
        column("revision", kind=sql.Integer),
        column("record"),
        column("rows_read", kind=sql.BigInteger),
        column("owner", nullable=True),
        column("leased_until", nullable=True),
    )
    op.create_index("import_of_environment", "import", ["environment", "created_at", "id"])
    op.create_table(
        "mapping",
        key("space", sql.ForeignKey("space.id")),
        key("name"),
        key("version", kind=sql.Integer),
        column("at"),
        column("by"),
        column("form"),
    )


def create_syncs() -> None:
    """Creates the tables of syncs and their runs."""
    op.create_table(
        "sync",
        key("environment", sql.ForeignKey("environment.key"), kind=sql.Integer),
        key("id"),
        column("draft"),
        column("revision", kind=sql.Integer),
        column("cursor", nullable=True),
        column("next_run_at", nullable=True, index=True),
    )
    op.create_table(
        "sync_run",
        key("id", kind=sql.Integer),
        column("environment", sql.ForeignKey("environment.key"), kind=sql.Integer),
        column("sync"),
        column("state", index=True),
        column("record"),
        column("held_until"),
        sqlite_autoincrement=True,
    )
    op.create_index("sync_run_of_sync", "sync_run", ["environment", "sync", "id"])


def store_packed_bytes_plain() -> None:
    """Makes PostgreSQL store packed bytes without compression."""
    if is_postgresql():
        for table, names in PACKED.items():
            changes = ", ".join(f"ALTER COLUMN {name} SET STORAGE EXTERNAL" for name in names)
            op.execute(f"ALTER TABLE {table} {changes}")
