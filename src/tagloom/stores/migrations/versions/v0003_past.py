"""The past: what was done to tribes, and what each version did to a tag as numbers."""

from collections.abc import Iterator

import sqlalchemy as sql
from alembic import op

from tagloom.engine.bitmaps import from_bytes

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CHANGES_AT_ONCE = 5_000  # Up to 80 MB of bitmaps.

Total = tuple[int, int, int, int, int]
"""environment, row, version, added, removed."""


def upgrade() -> None:
    """Creates the tables, and counts what the log holds already."""
    create_tribe_changes()
    create_batch_rows()
    count_changes(op.get_bind())


def create_tribe_changes() -> None:
    """Saves and deletions of tribes from now on; what was done before is not known."""
    op.create_table(
        "tribe_change",
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
    op.create_index("tribe_change_of_space", "tribe_change", ["space", "id"])
    op.create_index("tribe_change_of_tribe", "tribe_change", ["space", "tribe", "id"])


def create_batch_rows() -> None:
    """What each version did to a tag, as numbers."""
    op.create_table(
        "batch_row",
        sql.Column("environment", sql.Integer, primary_key=True),
        sql.Column("row", sql.Integer, primary_key=True),
        sql.Column("version", sql.BigInteger, primary_key=True),
        sql.Column("added", sql.BigInteger, nullable=False),
        sql.Column("removed", sql.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def count_changes(connection: sql.Connection) -> None:
    """Fills the numbers from the bitmaps of the log, a version at a time."""
    insert = sql.text("INSERT INTO batch_row VALUES (:environment, :row, :version, :added, :removed)")
    names = ("environment", "row", "version", "added", "removed")
    waiting: list[Total] = []
    for total in _totals(connection):
        waiting.append(total)
        if len(waiting) >= _CHANGES_AT_ONCE:
            connection.execute(insert, [dict(zip(names, each, strict=True)) for each in waiting])
            waiting.clear()
    if waiting:
        connection.execute(insert, [dict(zip(names, each, strict=True)) for each in waiting])


def _totals(connection: sql.Connection) -> Iterator[Total]:
    """The changes of a version lie together in the log, so that one version is held at a time."""
    page = sql.text(
        "SELECT change.id, change.environment, change.version, change.row, added, removed FROM change "
        "JOIN row ON row.id = change.row WHERE change.id > :last AND row.kind = 'tag' ORDER BY change.id LIMIT :most"
    )
    last, version, counts = 0, (0, 0), dict[int, list[int]]()
    while found := connection.execute(page, {"last": last, "most": _CHANGES_AT_ONCE}).all():
        for identity, environment, number, row, added, removed in found:
            last = identity
            if (environment, number) != version:
                yield from ((version[0], row, version[1], *sums) for row, sums in counts.items())  # type: ignore[misc]  # Two sums.
                version, counts = (environment, number), {}
            sums = counts.setdefault(row, [0, 0])
            sums[0] += len(from_bytes(bytes(added)))
            sums[1] += len(from_bytes(bytes(removed)))
    yield from ((version[0], row, version[1], *sums) for row, sums in counts.items())  # type: ignore[misc]  # As above.
