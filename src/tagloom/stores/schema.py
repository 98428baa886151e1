"""The tables: one schema for every SQL store. Migrations create the tables; `stores/sql` queries some of them."""

import sqlalchemy as sql

metadata = sql.MetaData()

organization = sql.Table(
    "organization",
    metadata,
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("name", sql.Text, nullable=False),
)

space = sql.Table(
    "space",
    metadata,
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("organization", sql.Text, sql.ForeignKey("organization.id"), nullable=False, index=True),
    sql.Column("name", sql.Text, nullable=False),
)

environment = sql.Table(
    "environment",
    metadata,
    sql.Column("key", sql.Integer, primary_key=True),
    sql.Column("space", sql.Text, sql.ForeignKey("space.id"), nullable=False),
    sql.Column("name", sql.Text, nullable=False),
    sql.Column("catalogue", sql.Text, nullable=False),
    sql.Column("secret", sql.LargeBinary, nullable=False),
    sql.Column("version", sql.BigInteger, nullable=False),
    sql.Column("next_ordinal", sql.BigInteger, nullable=False),
    sql.Column("catalogue_generation", sql.BigInteger, nullable=False),
    sql.Column("keys_generation", sql.BigInteger, nullable=False),
    # How long history is kept, 0 for ever; the horizon, up to which history is compacted; and the progress of the
    # compaction.
    sql.Column("retention_seconds", sql.BigInteger, nullable=False, server_default="0"),
    sql.Column("horizon", sql.BigInteger, nullable=False, server_default="0"),
    sql.Column("compacted", sql.BigInteger, nullable=False, server_default="0"),
    sql.Column("compacting_bucket", sql.Integer, nullable=False, server_default="0"),
    sql.Column("compacting_row", sql.Integer, nullable=False, server_default="0"),
    sql.Column("compacting_touched", sql.BigInteger, nullable=False, server_default="0"),
    # The settings of links between visitors and users, as JSON.
    sql.Column("identity", sql.Text, nullable=False, server_default="{}"),
    # Grows whenever the suppression list of the environment changes.
    sql.Column("suppressed_generation", sql.BigInteger, nullable=False, server_default="0"),
    # Days are those of this time zone.
    sql.Column("time_zone", sql.Text, nullable=False, server_default="UTC"),
    sql.UniqueConstraint("space", "name"),
)

token = sql.Table(
    "token",
    metadata,
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("organization", sql.Text, sql.ForeignKey("organization.id"), nullable=False, index=True),
    sql.Column("name", sql.Text, nullable=False),
    sql.Column("scopes", sql.Text, nullable=False),
    sql.Column("secret_hash", sql.LargeBinary, nullable=False, unique=True),
    sql.Column("created_at", sql.Text, nullable=False),
    sql.Column("expires_at", sql.Text, nullable=False),
    sql.Column("last_used_at", sql.Text),
    sql.Column("account", sql.Text, sql.ForeignKey("account.id"), index=True),
)

account = sql.Table(
    "account",
    metadata,
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("email", sql.Text, nullable=False),
    sql.Column("email_key", sql.Text, nullable=False, unique=True),
    sql.Column("name", sql.Text, nullable=False),
    sql.Column("password_hash", sql.Text),
    sql.Column("created_at", sql.Text, nullable=False),
    sql.Column("last_signed_in_at", sql.Text),
)

membership = sql.Table(
    "membership",
    metadata,
    sql.Column("organization", sql.Text, sql.ForeignKey("organization.id"), primary_key=True),
    sql.Column("account", sql.Text, sql.ForeignKey("account.id"), primary_key=True, index=True),
    sql.Column("is_administrator", sql.Boolean, nullable=False),
    sql.Column("state", sql.Text, nullable=False),
    sql.Column("joined_at", sql.Text, nullable=False),
    sql.Column("last_seen_at", sql.Text),
)

# Without a row here, a space does not exist for a teammate. `names` are separated by spaces.
permission = sql.Table(
    "permission",
    metadata,
    sql.Column("organization", sql.Text, primary_key=True),
    sql.Column("account", sql.Text, primary_key=True),
    sql.Column("space", sql.Text, sql.ForeignKey("space.id"), primary_key=True),
    sql.Column("names", sql.Text, nullable=False),
    sql.ForeignKeyConstraint(["organization", "account"], ["membership.organization", "membership.account"]),
)

invitation = sql.Table(
    "invitation",
    metadata,
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("organization", sql.Text, sql.ForeignKey("organization.id"), nullable=False),
    sql.Column("email", sql.Text, nullable=False),
    sql.Column("email_key", sql.Text, nullable=False, index=True),
    sql.Column("is_administrator", sql.Boolean, nullable=False),
    sql.Column("permissions", sql.Text, nullable=False),
    sql.Column("invited_by", sql.Text, nullable=False),
    sql.Column("created_at", sql.Text, nullable=False),
    sql.Column("expires_at", sql.Text, nullable=False),
    sql.Column("secret_hash", sql.LargeBinary, nullable=False, unique=True),
    sql.UniqueConstraint("organization", "email_key"),
)

session = sql.Table(
    "session",
    metadata,
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("account", sql.Text, sql.ForeignKey("account.id"), nullable=False, index=True),
    sql.Column("organization", sql.Text, sql.ForeignKey("organization.id"), nullable=False),
    sql.Column("secret_hash", sql.LargeBinary, nullable=False, unique=True),
    sql.Column("created_at", sql.Text, nullable=False),
    sql.Column("last_seen_at", sql.Text, nullable=False),
    sql.Column("expires_at", sql.Text, nullable=False, index=True),
    sql.Column("address", sql.Text, nullable=False),
    sql.Column("agent", sql.Text, nullable=False),
)

reset = sql.Table(
    "reset",
    metadata,
    sql.Column("account", sql.Text, sql.ForeignKey("account.id"), primary_key=True),
    sql.Column("secret_hash", sql.LargeBinary, nullable=False, unique=True),
    sql.Column("expires_at", sql.Text, nullable=False),
)

# Which account a person of an OpenID Connect provider has.
identity = sql.Table(
    "identity",
    metadata,
    sql.Column("issuer", sql.Text, primary_key=True),
    sql.Column("subject", sql.Text, primary_key=True),
    sql.Column("account", sql.Text, sql.ForeignKey("account.id"), nullable=False, index=True),
    sql.Column("linked_at", sql.Text, nullable=False),
)

# The table always has one row. While there is no account, it has the hash of the newest set-up code, afterwards NULL. A
# transaction that sets up the installation first changes this row, so only one of several succeeds.
set_up = sql.Table(
    "set_up",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("code_hash", sql.LargeBinary),
)

audit_log = sql.Table(
    "audit_log",
    metadata,
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
sql.Index("audit_log_of_organization", audit_log.c.organization, audit_log.c.id)

tribe = sql.Table(
    "tribe",
    metadata,
    sql.Column("space", sql.Text, sql.ForeignKey("space.id"), primary_key=True),
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("name", sql.Text, nullable=False),
    sql.Column("description", sql.Text, nullable=False),
    sql.Column("category", sql.Text, nullable=False),
    sql.Column("audience", sql.Text, nullable=False),
    sql.Column("rule", sql.Text, nullable=False),
    sql.Column("revision", sql.Integer, nullable=False),
    sql.Column("flag", sql.Text, nullable=False, server_default="off"),
)

# The changes of tribes. `before` and `after` are JSON, NULL for absent.
tribe_change = sql.Table(
    "tribe_change",
    metadata,
    sql.Column("id", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True),
    sql.Column("space", sql.Text, sql.ForeignKey("space.id"), nullable=False),
    sql.Column("at", sql.Text, nullable=False),
    sql.Column("actor", sql.Text, nullable=False),
    sql.Column("source", sql.Text, nullable=False),
    sql.Column("tribe", sql.Text, nullable=False),
    sql.Column("action", sql.Text, nullable=False),
    sql.Column("before", sql.Text),
    sql.Column("after", sql.Text),
    sqlite_autoincrement=True,
)
sql.Index("tribe_change_of_space", tribe_change.c.space, tribe_change.c.id)
sql.Index("tribe_change_of_tribe", tribe_change.c.space, tribe_change.c.tribe, tribe_change.c.id)

# The dictionary: tags, facts such as `everyone`, period rows, which belong to a `tag` and two minutes, and
# attributes, which have a `type`, with the rows of their bits, whose `tag` is the attribute. Ids are never used again.
row = sql.Table(
    "row",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), nullable=False, index=True),
    sql.Column("kind", sql.Text, nullable=False),
    sql.Column("path", sql.Text, nullable=False),
    sql.Column("is_live", sql.Boolean, nullable=False),
    sql.Column("description", sql.Text, nullable=False),
    sql.Column("exclusive", sql.Boolean, nullable=False),
    sql.Column("owner", sql.Text, nullable=False, server_default=""),
    sql.Column("ttl_seconds", sql.Integer, nullable=False, server_default="0"),
    sql.Column("expires_at", sql.Integer, nullable=False, server_default="0"),
    sql.Column("tag", sql.Integer, nullable=False, server_default="0"),
    sql.Column("type", sql.Text, nullable=False, server_default=""),
    sql.Column("starts_at", sql.Integer, nullable=False, server_default="0"),
    sqlite_autoincrement=True,
)
sql.Index(
    "row_live_path",
    row.c.environment,
    row.c.kind,
    row.c.path,
    unique=True,
    sqlite_where=row.c.is_live,
    postgresql_where=row.c.is_live,
)
_is_period, _is_expiring = sql.text("kind = 'end'"), sql.text("is_live AND expires_at > 0")
_is_starting = sql.text("is_live AND starts_at > 0")
sql.Index(
    "row_end",
    row.c.environment,
    row.c.tag,
    row.c.expires_at,
    row.c.starts_at,
    unique=True,
    sqlite_where=_is_period,
    postgresql_where=_is_period,
)
# Finds what expires next in all environments.
sql.Index(
    "row_ending",
    row.c.expires_at,
    row.c.environment,
    sqlite_where=_is_expiring,
    postgresql_where=_is_expiring,
)
# Finds what starts next in all environments.
sql.Index(
    "row_starting",
    row.c.starts_at,
    row.c.environment,
    sqlite_where=_is_starting,
    postgresql_where=_is_starting,
)

alias = sql.Table(
    "alias",
    metadata,
    sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
    sql.Column("path", sql.Text, primary_key=True),
    sql.Column("target", sql.Text, nullable=False),
    sqlite_with_rowid=False,
)

# `place` is row << 16 | bucket. One number is the fastest key of a B-tree, and chunks of one row are stored together.
chunk = sql.Table(
    "chunk",
    metadata,
    sql.Column("place", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sql.Column("people", sql.LargeBinary, nullable=False),
)

# In PostgreSQL a chunk has a column for its bucket, by which statements can be routed.
postgres_chunk = sql.Table(
    "chunk",
    sql.MetaData(),
    sql.Column("place", sql.BigInteger, primary_key=True, autoincrement=False),
    sql.Column("bucket", sql.Integer, nullable=False),
    sql.Column("people", sql.LargeBinary, nullable=False),
)

batch = sql.Table(
    "batch",
    metadata,
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
    sql.Column("events", sql.BigInteger, nullable=False, server_default="0"),
    sql.Column("attributes", sql.BigInteger, nullable=False, server_default="0"),
    sql.Column("scheduled", sql.BigInteger, nullable=False, server_default="0"),
    sqlite_with_rowid=False,
)

# Lists of changes leave out the versions that recorded events, of which there may be millions.
sql.Index(
    "batch_listed",
    batch.c.environment,
    batch.c.version,
    sqlite_where=sql.text("action <> 'events'"),
    postgresql_where=sql.text("action <> 'events'"),
)

# Finds the versions with the newest events of an event source.
sql.Index(
    "batch_of_events",
    batch.c.environment,
    batch.c.actor,
    batch.c.version,
    sqlite_where=sql.text("action = 'events'"),
    postgresql_where=sql.text("action = 'events'"),
)

sql.Index(
    "batch_undoing",
    batch.c.environment,
    batch.c.undoes,
    sqlite_where=batch.c.undoes.is_not(None),
    postgresql_where=batch.c.undoes.is_not(None),
)

# The versions that one version undid together. A version that undid a single version stores it in `batch`.
undone = sql.Table(
    "undone",
    metadata,
    sql.Column("environment", sql.Integer, primary_key=True),
    sql.Column("version", sql.BigInteger, primary_key=True),
    sql.Column("by", sql.BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)
sql.Index("undone_by", undone.c.environment, undone.c.by)

# The ids of changes are in the order of the commits. A batch stores the id of its first change and the number of its
# changes.
change = sql.Table(
    "change",
    metadata,
    sql.Column("id", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True),
    sql.Column("environment", sql.Integer, nullable=False),
    sql.Column("version", sql.BigInteger, nullable=False),
    sql.Column("row", sql.Integer, nullable=False),
    sql.Column("bucket", sql.Integer, nullable=False),
    sql.Column("added", sql.LargeBinary, nullable=False),
    sql.Column("removed", sql.LargeBinary, nullable=False),
)
sql.Index("change_of_chunk", change.c.environment, change.c.bucket, change.c.row, change.c.version)

# In PostgreSQL the changes of an environment have their own range of ids. A writer locks the environment, so the next
# id is the newest one plus 1, and the changes of one batch are stored together, whatever other environments write
# meanwhile.
CHANGES_PER_ENVIRONMENT_BITS = 40


def first_change_id(environment: int) -> int:
    """Returns the lower bound of the ids of an environment's changes in PostgreSQL.

    All changes of environments with lower keys have lower ids.
    """
    return environment << CHANGES_PER_ENVIRONMENT_BITS


# How many people a version added to a tag and removed from it: the sums of its changes over all buckets. Facts have no
# totals.
batch_row = sql.Table(
    "batch_row",
    metadata,
    sql.Column("environment", sql.Integer, primary_key=True),
    sql.Column("row", sql.Integer, primary_key=True),
    sql.Column("version", sql.BigInteger, primary_key=True),
    sql.Column("added", sql.BigInteger, nullable=False),
    sql.Column("removed", sql.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# The people that a version changed in a bucket (roaring bytes), and the places of its changes there, counted from its
# first change (32-bit numbers). A search for the changes of one person begins here. A version that changed many people
# has several parts, each for some of its changes.
batch_bucket = sql.Table(
    "batch_bucket",
    metadata,
    sql.Column("environment", sql.Integer, primary_key=True),
    sql.Column("bucket", sql.Integer, primary_key=True),
    sql.Column("version", sql.BigInteger, primary_key=True),
    sql.Column("part", sql.Integer, primary_key=True),
    sql.Column("people", sql.LargeBinary, nullable=False),
    sql.Column("places", sql.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

entry = sql.Table(
    "entry",
    metadata,
    sql.Column("environment", sql.Integer, primary_key=True),
    sql.Column("version", sql.BigInteger, primary_key=True),
    sql.Column("number", sql.Integer, primary_key=True),
    sql.Column("kind", sql.Text, nullable=False),
    sql.Column("name", sql.Text, nullable=False),
    sql.Column("before", sql.Text, nullable=False),
    sql.Column("after", sql.Text, nullable=False),
    sqlite_with_rowid=False,
)

sql.Index("entry_of_name", entry.c.environment, entry.c.kind, entry.c.name, entry.c.version)

run = sql.Table(
    "run",
    metadata,
    sql.Column("id", sql.Integer, primary_key=True),
    sql.Column("environment", sql.Integer, nullable=False, index=True),
    sql.Column("keys", sql.BigInteger, nullable=False),
    sql.Column("pages", sql.Integer, nullable=False),
    sqlite_autoincrement=True,
)

# `place` is run << 24 | page.
page = sql.Table(
    "page",
    metadata,
    sql.Column("place", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True, autoincrement=False),
    sql.Column("entries", sql.LargeBinary, nullable=False),
)

segment = sql.Table(
    "segment",
    metadata,
    sql.Column("environment", sql.Integer, primary_key=True),
    sql.Column("first", sql.BigInteger, primary_key=True),
    sql.Column("size", sql.Integer, nullable=False),
    sql.Column("keys", sql.LargeBinary, nullable=False),
)

# The suppression list: the hashes of the ids of people whom no write may name, in two halves. `high` has the bits of an
# unsigned number.
suppressed_key = sql.Table(
    "suppressed_key",
    metadata,
    sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
    sql.Column("high", sql.BigInteger, primary_key=True),
    sql.Column("low", sql.BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)

# The events of the versions from `first_version` to `version`, as packed columns. Times are in milliseconds since 1970.
# `people` are roaring bytes, and `ids` has the hashes of the ids.
event_block = sql.Table(
    "event_block",
    metadata,
    sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
    sql.Column("version", sql.BigInteger, primary_key=True),
    sql.Column("first_version", sql.BigInteger, nullable=False),
    sql.Column("recorded_at", sql.BigInteger, nullable=False),
    sql.Column("first_at", sql.BigInteger, nullable=False),
    sql.Column("last_at", sql.BigInteger, nullable=False),
    sql.Column("events", sql.BigInteger, nullable=False),
    sql.Column("people", sql.LargeBinary, nullable=False),
    sql.Column("ids", sql.LargeBinary, nullable=False),
    sql.Column("columns", sql.LargeBinary, nullable=False),
)
sql.Index("event_block_last", event_block.c.environment, event_block.c.last_at)
sql.Index("event_block_recorded", event_block.c.environment, event_block.c.recorded_at)

# The number of events of each type, and the times of the first and the last one. Erasures do not lower them.
event_type = sql.Table(
    "event_type",
    metadata,
    sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
    sql.Column("type", sql.Text, primary_key=True),
    sql.Column("events", sql.BigInteger, nullable=False),
    sql.Column("first_at", sql.BigInteger, nullable=False),
    sql.Column("last_at", sql.BigInteger, nullable=False),
)

# The distinct texts of each attribute, and its lists as JSON, each with its number. `person` is the ordinal of the only
# person who ever had it, or -1 for several. The text of one erased person is NULL, and its number is not used again.
attribute_value = sql.Table(
    "attribute_value",
    metadata,
    sql.Column("attribute", sql.Integer, sql.ForeignKey("row.id"), primary_key=True),
    sql.Column("number", sql.Integer, primary_key=True),
    sql.Column("value", sql.Text),
    sql.Column("person", sql.BigInteger, nullable=False),
    sql.UniqueConstraint("attribute", "value"),
)
sql.Index("attribute_value_of_person", attribute_value.c.attribute, attribute_value.c.person)

# The apps that send events by client libraries. `draft` is JSON. `secret_hash` is the hash of the secret key.
# `identity_secrets` is JSON, with the secrets.
event_source = sql.Table(
    "event_source",
    metadata,
    sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("draft", sql.Text, nullable=False),
    sql.Column("revision", sql.Integer, nullable=False),
    sql.Column("created_at", sql.Text, nullable=False),
    sql.Column("write_key", sql.Text, nullable=False, unique=True),
    sql.Column("secret_hash", sql.LargeBinary, unique=True),
    sql.Column("identity_secrets", sql.Text, nullable=False, server_default="[]"),
)

# The newest messages of each event source that were not recorded. `record` is JSON.
rejected_message = sql.Table(
    "rejected_message",
    metadata,
    sql.Column("id", sql.BigInteger().with_variant(sql.Integer, "sqlite"), primary_key=True),
    sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), nullable=False),
    sql.Column("source", sql.Text, nullable=False),
    sql.Column("at", sql.Text, nullable=False, index=True),
    sql.Column("record", sql.Text, nullable=False),
    sqlite_autoincrement=True,
)
sql.Index(
    "rejected_message_of_source", rejected_message.c.environment, rejected_message.c.source, rejected_message.c.id
)

replay = sql.Table(
    "replay",
    metadata,
    sql.Column("environment", sql.Integer, primary_key=True),
    sql.Column("key", sql.Text, primary_key=True),
    sql.Column("fingerprint", sql.Text, nullable=False),
    sql.Column("receipt", sql.LargeBinary, nullable=False),
    sql.Column("at", sql.Text, nullable=False, index=True),
)

# The committed steps of imports. `rejected` is compressed JSON. Step 0 seals the import against further steps.
import_step = sql.Table(
    "import_step",
    metadata,
    sql.Column("environment", sql.Integer, primary_key=True),
    sql.Column("run", sql.Text, primary_key=True),
    sql.Column("number", sql.Integer, primary_key=True),
    sql.Column("through", sql.BigInteger, nullable=False),
    sql.Column("version", sql.BigInteger),
    sql.Column("receipt", sql.LargeBinary, nullable=False),
    sql.Column("rejected", sql.LargeBinary, nullable=False),
)

# `record` is the import as JSON. The other columns are used for searches, or change while a worker processes the
# import.
import_ = sql.Table(
    "import",
    metadata,
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), nullable=False),
    sql.Column("created_at", sql.Text, nullable=False),
    sql.Column("state", sql.Text, nullable=False, index=True),
    sql.Column("revision", sql.Integer, nullable=False),
    sql.Column("record", sql.Text, nullable=False),
    sql.Column("rows_read", sql.BigInteger, nullable=False),
    sql.Column("owner", sql.Text),
    sql.Column("leased_until", sql.Text),
)
sql.Index("import_of_environment", import_.c.environment, import_.c.created_at, import_.c.id)

# The mappings by name. Each change of a mapping is a new version, and the newest version is in use.
mapping = sql.Table(
    "mapping",
    metadata,
    sql.Column("space", sql.Text, sql.ForeignKey("space.id"), primary_key=True),
    sql.Column("name", sql.Text, primary_key=True),
    sql.Column("version", sql.Integer, primary_key=True),
    sql.Column("at", sql.Text, nullable=False),
    sql.Column("by", sql.Text, nullable=False),
    sql.Column("form", sql.Text, nullable=False),
)

# The layout of the tribes of a space in the console, as JSON.
board = sql.Table(
    "board",
    metadata,
    sql.Column("space", sql.Text, sql.ForeignKey("space.id"), primary_key=True),
    sql.Column("arrangement", sql.Text, nullable=False),
)


def _runs_of(word: str) -> sql.Table:
    """Returns the table of the runs of syncs or deliveries. `word` is the column with the id of the definition."""
    runs = sql.Table(
        f"{word}_run",
        metadata,
        sql.Column("id", sql.Integer, primary_key=True),
        sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), nullable=False),
        sql.Column(word, sql.Text, nullable=False),
        sql.Column("state", sql.Text, nullable=False, index=True),
        sql.Column("record", sql.Text, nullable=False),
        sql.Column("held_until", sql.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    sql.Index(f"{word}_run_of_{word}", runs.c.environment, runs.c[word], runs.c.id)
    return runs


# The sources that are read into an environment. `draft` is JSON.
sync = sql.Table(
    "sync",
    metadata,
    sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("draft", sql.Text, nullable=False),
    sql.Column("revision", sql.Integer, nullable=False),
    sql.Column("cursor", sql.Text),
    sql.Column("next_run_at", sql.Text, index=True),
)

sync_run = _runs_of("sync")

# The alerts of tribes. `settings` and `state` are JSON, and `status` is the one in `state`.
tribe_alert = sql.Table(
    "tribe_alert",
    metadata,
    sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
    sql.Column("tribe", sql.Text, primary_key=True),
    sql.Column("settings", sql.Text, nullable=False),
    sql.Column("state", sql.Text, nullable=False),
    sql.Column("status", sql.Text, nullable=False),
    sql.Column("next_check_at", sql.Text, nullable=False, index=True),
)

# Where the events of an environment are delivered. `draft` is JSON. `next_version` and `step_end` are its position.
delivery = sql.Table(
    "delivery",
    metadata,
    sql.Column("environment", sql.Integer, sql.ForeignKey("environment.key"), primary_key=True),
    sql.Column("id", sql.Text, primary_key=True),
    sql.Column("draft", sql.Text, nullable=False),
    sql.Column("revision", sql.Integer, nullable=False),
    sql.Column("next_version", sql.BigInteger, nullable=False),
    sql.Column("step_end", sql.BigInteger),
    sql.Column("next_run_at", sql.Text, index=True),
)

delivery_run = _runs_of("delivery")
