"""Whom each version touched, bucket by bucket."""

from array import array
from collections.abc import Iterator

import sqlalchemy as sql
from alembic import op

from tagloom.engine.bitmaps import BitMap, from_bytes, to_bytes

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_CHANGES_AT_ONCE = 5_000  # Up to 80 MB of bitmaps.
_NAMES = ("environment", "bucket", "version", "people", "places")


def upgrade() -> None:
    """Adds the table, and fills it from the log."""
    op.create_table(
        "batch_bucket",
        sql.Column("environment", sql.Integer, primary_key=True),
        sql.Column("bucket", sql.Integer, primary_key=True),
        sql.Column("version", sql.BigInteger, primary_key=True),
        sql.Column("people", sql.LargeBinary, nullable=False),
        sql.Column("places", sql.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    insert = sql.text("INSERT INTO batch_bucket VALUES (:environment, :bucket, :version, :people, :places)")
    for (environment, version), changes in _versions(connection):
        rows = [(environment, bucket, version, *kept) for bucket, kept in sorted(_touched(changes).items())]
        connection.execute(insert, [dict(zip(_NAMES, row, strict=True)) for row in rows])


def _versions(connection: sql.Connection) -> Iterator[tuple[tuple[int, int], list[tuple[int, BitMap]]]]:
    """The changes of each version, which lie together in the log: the bucket of each, and whom it touched."""
    page = sql.text(
        "SELECT id, environment, version, bucket, added, removed FROM change WHERE id > :last ORDER BY id LIMIT :most"
    )
    last, version, changes = 0, (0, 0), list[tuple[int, BitMap]]()
    while found := connection.execute(page, {"last": last, "most": _CHANGES_AT_ONCE}).all():
        for identity, environment, number, bucket, added, removed in found:
            last = identity
            if (environment, number) != version:
                if changes:
                    yield version, changes
                version, changes = (environment, number), []
            changes.append((bucket, from_bytes(bytes(added)) | from_bytes(bytes(removed))))
    if changes:
        yield version, changes


def _touched(changes: list[tuple[int, BitMap]]) -> dict[int, tuple[bytes, bytes]]:
    people: dict[int, list[BitMap]] = {}
    places: dict[int, array[int]] = {}
    for place, (bucket, touched) in enumerate(changes):
        people.setdefault(bucket, []).append(touched)
        places.setdefault(bucket, array("I")).append(place)
    return {bucket: (to_bytes(BitMap.union(*each)), places[bucket].tobytes()) for bucket, each in people.items()}
