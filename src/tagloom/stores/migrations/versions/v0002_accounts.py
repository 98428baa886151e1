"""Accounts: who signs in, what they may, and what was done to the organization."""

import sqlalchemy as sql
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the tables of accounts; tokens that are there go on belonging to nobody."""
    create_accounts()
    create_sign_in()
    create_events()
    # Written out, since Alembic would add the reference by itself, which SQLite cannot do.
    op.execute("ALTER TABLE token ADD COLUMN account TEXT REFERENCES account (id)")
    op.create_index("ix_token_account", "token", ["account"])


def create_accounts() -> None:
    """Accounts, memberships, permissions, invitations."""
    op.create_table(
        "account",
        sql.Column("id", sql.Text, primary_key=True),
        sql.Column("email", sql.Text, nullable=False),
        sql.Column("email_key", sql.Text, nullable=False, unique=True),
        sql.Column("name", sql.Text, nullable=False),
        sql.Column("password_hash", sql.Text),
        sql.Column("created_at", sql.Text, nullable=False),
        sql.Column("last_signed_in_at", sql.Text),
    )
    op.create_table(
        "membership",
        sql.Column("organization", sql.Text, sql.ForeignKey("organization.id"), primary_key=True),
        sql.Column("account", sql.Text, sql.ForeignKey("account.id"), primary_key=True),
        sql.Column("is_administrator", sql.Boolean, nullable=False),
        sql.Column("state", sql.Text, nullable=False),
        sql.Column("joined_at", sql.Text, nullable=False),
        sql.Column("last_seen_at", sql.Text),
    )
    op.create_table(
        "permission",
        sql.Column("organization", sql.Text, primary_key=True),
        sql.Column("account", sql.Text, primary_key=True),
        sql.Column("space", sql.Text, sql.ForeignKey("space.id"), primary_key=True),
        sql.Column("names", sql.Text, nullable=False),
        sql.ForeignKeyConstraint(["organization", "account"], ["membership.organization", "membership.account"]),
    )
    op.create_table(
        "invitation",
        sql.Column("id", sql.Text, primary_key=True),
        sql.Column("organization", sql.Text, sql.ForeignKey("organization.id"), nullable=False),
        sql.Column("email", sql.Text, nullable=False),
        sql.Column("email_key", sql.Text, nullable=False),
        sql.Column("is_administrator", sql.Boolean, nullable=False),
        sql.Column("permissions", sql.Text, nullable=False),
        sql.Column("invited_by", sql.Text, nullable=False),
        sql.Column("created_at", sql.Text, nullable=False),
        sql.Column("expires_at", sql.Text, nullable=False),
        sql.Column("secret_hash", sql.LargeBinary, nullable=False, unique=True),
        sql.UniqueConstraint("organization", "email_key"),
    )
    op.create_index("ix_membership_account", "membership", ["account"])
    op.create_index("ix_invitation_email_key", "invitation", ["email_key"])


def create_sign_in() -> None:
    """Sessions, resets, identities, the set-up code."""
    op.create_table(
        "session",
        sql.Column("id", sql.Text, primary_key=True),
        sql.Column("account", sql.Text, sql.ForeignKey("account.id"), nullable=False),
        sql.Column("organization", sql.Text, sql.ForeignKey("organization.id"), nullable=False),
        sql.Column("secret_hash", sql.LargeBinary, nullable=False, unique=True),
        sql.Column("created_at", sql.Text, nullable=False),
        sql.Column("last_seen_at", sql.Text, nullable=False),
        sql.Column("expires_at", sql.Text, nullable=False),
        sql.Column("address", sql.Text, nullable=False),
        sql.Column("agent", sql.Text, nullable=False),
    )
    op.create_table(
        "reset",
        sql.Column("account", sql.Text, sql.ForeignKey("account.id"), primary_key=True),
        sql.Column("secret_hash", sql.LargeBinary, nullable=False, unique=True),
        sql.Column("expires_at", sql.Text, nullable=False),
    )
    op.create_table(
        "identity",
        sql.Column("issuer", sql.Text, primary_key=True),
        sql.Column("subject", sql.Text, primary_key=True),
        sql.Column("account", sql.Text, sql.ForeignKey("account.id"), nullable=False),
        sql.Column("linked_at", sql.Text, nullable=False),
    )
    op.create_table(
        "set_up",
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("code_hash", sql.LargeBinary),
    )
    op.create_index("ix_session_account", "session", ["account"])
    op.create_index("ix_session_expires_at", "session", ["expires_at"])
    op.create_index("ix_identity_account", "identity", ["account"])
    op.execute("INSERT INTO set_up (id) VALUES (1)")


def create_events() -> None:
    """What was done to organizations."""
    op.create_table(
        "event",
        sql.Column("id", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True),
        sql.Column("organization", sql.Text, sql.ForeignKey("organization.id"), nullable=False),
        sql.Column("space", sql.Text),
        sql.Column("at", sql.Text, nullable=False),
        sql.Column("actor", sql.Text, nullable=False),
        sql.Column("action", sql.Text, nullable=False),
        sql.Column("subject", sql.Text, nullable=False),
        sql.Column("detail", sql.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("event_of_organization", "event", ["organization", "id"])
