"""Copies a whole installation with its history from one database into another, and compares both at the end.

The log only grows. Its versions are copied in several transactions, some versions in each, so an interrupted copy
continues where it stopped. The log of an environment that was compacted since the last copy is copied again from the
start. All other rows are the present ones, and are written in one last transaction. A repeated copy transfers what was
written to the source in the meantime. Nothing may write to the target before the last copy is finished.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from typing import Any

import msgspec
import sqlalchemy as sql

from tagloom.base.problems import ParameterInvalid
from tagloom.ports.problems import StoreCorrupt
from tagloom.stores import schema

Values = dict[str, Any]
OnVersions = Callable[[int, int], None]

LOG = (schema.batch, schema.change, schema.batch_row, schema.batch_bucket, schema.entry)
# The log depends on these tables. Rows are added to them and changed, but never deleted.
GROUND = (schema.organization, schema.space, schema.environment)
# A table comes after the tables that its rows refer to.
STANDING = tuple(table for table in schema.metadata.sorted_tables if table not in (*LOG, *GROUND))
CHANGES_AT_ONCE = 20_000  # Up to 160 MB of bitmaps in one transaction. A larger batch is copied as a whole.
ROWS_AT_ONCE = 2_000
# The ids of changes differ between two databases, so these columns are not compared. A version stores the id of its
# first change.
PLACES = frozenset({"change.id", "batch.first_change"})


class Copied(msgspec.Struct, frozen=True):
    """The environments and versions of the source, the changes that this run copied, and the rows that it compared."""

    environments: int
    versions: int
    changes: int
    rows_compared: int


def copy(source: sql.Engine, target: sql.Engine, on_versions: OnVersions) -> Copied:
    """Copies an installation, then compares both databases.

    Calls `on_versions` with the number of versions that are copied, and the number of all versions. Both schemas must
    be of this release. The source is read as of one moment. The execution option `populations` of an engine announces
    that chunks, log and keys are read or written, which a database on several machines must know.

    Raises: ParameterInvalid: the target has another installation; StoreCorrupt: the two databases differ at the end.
    """
    source, target = (each.execution_options(populations=True) for each in (source, target))
    with _still(source) as reading:
        _check_same(reading, target)
        heads = dict(_pairs(reading, schema.environment, "key", "version"))
        total = sum(heads.values())
        with target.begin() as writing:
            _forget_compacted(reading, writing)
            _put_ground(reading, writing)
        done, changes = 0, 0
        for key, newest in heads.items():
            for version, count in _copy_log(reading, target, key, newest):
                changes += count
                on_versions(done + version, total)
            done += newest
        with target.begin() as writing:
            _put_ground(reading, writing)
            for table in reversed(STANDING):
                writing.execute(sql.delete(table))
            for table in STANDING:
                for rows in _in_parts(_rows(reading, table)):
                    _put(writing, table, rows)
            _raise_sequences(writing)
        compared = _compare(reading, target)
    return Copied(len(heads), total, changes, compared)


@contextmanager
def _still(engine: sql.Engine) -> Iterator[sql.Connection]:
    """Opens a connection that reads one state of a database, whatever others write."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.execution_options(reads=True, yield_per=ROWS_AT_ONCE).connect() as connection, connection.begin():
        yield connection


def _pairs(connection: sql.Connection, table: sql.Table, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(sql.select(*(table.c[name] for name in names)))]


def _check_same(reading: sql.Connection, target: sql.Engine) -> None:
    """Checks that everything in the target came from this source. Raises: ParameterInvalid."""
    with target.connect() as connection:
        held = {key: bytes(secret) for key, secret in _pairs(connection, schema.environment, "key", "secret")}
        logged = {key for (key,) in connection.execute(sql.select(schema.batch.c.environment).distinct())}
    ours = {key: bytes(secret) for key, secret in _pairs(reading, schema.environment, "key", "secret")}
    if any(ours.get(key) != secret for key, secret in held.items()) or not logged <= ours.keys():
        raise ParameterInvalid("The target holds another installation; copy into an empty database.")


def _put_ground(reading: sql.Connection, writing: sql.Connection) -> None:
    for table in GROUND:
        (key,) = table.primary_key.columns
        known = {identity for (identity,) in writing.execute(sql.select(key))}
        for row in _rows(reading, table):
            if row[key.name] in known:
                writing.execute(sql.update(table).where(key == row[key.name]).values(row))
            else:
                writing.execute(sql.insert(table), [row])


def _copy_log(reading: sql.Connection, target: sql.Engine, key: int, newest: int) -> Iterator[tuple[int, int]]:
    """Copies the log of one environment, some versions in each transaction.

    Yields the newest version that the target has, and the number of changes that the last transaction copied.

    Raises: ParameterInvalid: the target has more versions than the source.
    """
    batch, change = schema.batch, schema.change
    with target.connect() as connection:
        after = connection.execute(sql.select(sql.func.max(batch.c.version)).where(batch.c.environment == key)).scalar()
    after = after or 0
    if after > newest:
        raise ParameterInvalid("The target's history is longer than the source's; it was written to.")
    yield after, 0
    while after < newest:
        until = _until(reading, key, after)
        count = 0
        with target.begin() as writing:
            firsts = _firsts(reading, key, after, until, _next_change_id(writing, key))
            changes = reading.execute(
                sql.select(change).where(*_between(change, key, after, until)).order_by(change.c.id)
            ).mappings()
            for found in _in_parts(changes):
                rows = [dict(each) for each in found]
                for each in rows:
                    ours, theirs = firsts[each["version"]]
                    each["id"] += theirs - ours
                writing.execute(sql.insert(change), rows)
                count += len(rows)
            for table in (schema.batch_row, schema.batch_bucket, schema.entry, batch):
                selected = sql.select(table).where(*_between(table, key, after, until)).order_by(*table.primary_key)
                for found in _in_parts(reading.execute(selected).mappings()):
                    rows = [dict(each) for each in found]
                    if table is batch:
                        for each in rows:
                            each["first_change"] = firsts[each["version"]][1]
                    writing.execute(sql.insert(table), rows)
        after = until
        yield after, count


def _firsts(reading: sql.Connection, key: int, after: int, until: int, next_id: int) -> dict[int, tuple[int, int]]:
    """Returns the id of each version's first change in the source, and the id that this change gets in the target.

    The ids of deleted changes stay unused, because the places of changes are counted from the first change.
    """
    batch, found = schema.batch, dict[int, tuple[int, int]]()
    selected = sql.select(batch.c.version, batch.c.first_change, batch.c.change_count)
    for version, first, count in reading.execute(
        selected.where(*_between(batch, key, after, until)).order_by(batch.c.version)
    ):
        found[version] = first, next_id
        next_id += count
    return found


def _forget_compacted(reading: sql.Connection, writing: sql.Connection) -> None:
    """Deletes from the target the logs of environments that were compacted since they were copied."""
    names = ("horizon", "compacted", "compacting_bucket", "compacting_row", "compacting_touched")
    ours = {key: how for key, *how in _pairs(reading, schema.environment, "key", *names)}
    for key, *how in _pairs(writing, schema.environment, "key", *names):
        if key in ours and how != ours[key]:
            for table in LOG:
                writing.execute(sql.delete(table).where(table.c.environment == key))


def _between(table: sql.Table, key: int, after: int, until: int) -> tuple[sql.ColumnElement[bool], ...]:
    return table.c.environment == key, table.c.version > after, table.c.version <= until


def _until(reading: sql.Connection, key: int, after: int) -> int:
    """Returns the last version after `after` that one transaction copies. It copies at least one version."""
    batch = schema.batch
    following = reading.execute(
        sql.select(batch.c.version, batch.c.change_count)
        .where(batch.c.environment == key, batch.c.version > after)
        .order_by(batch.c.version)
        .limit(ROWS_AT_ONCE)
    ).all()
    changes, until = 0, after
    for version, count in following:
        changes += count
        if until > after and changes > CHANGES_AT_ONCE:
            break
        until = version
    return until


def _next_change_id(writing: sql.Connection, key: int) -> int:
    """Returns the id of the next change of an environment in the target.

    In PostgreSQL each environment has its own range of ids; in SQLite all environments share one.
    """
    change = schema.change
    newest = sql.select(sql.func.max(change.c.id))
    if writing.dialect.name != "postgresql":
        return int(writing.execute(newest).scalar() or 0) + 1
    first = schema.first_change_id(key) + 1
    mine = newest.where(change.c.id >= first, change.c.id < schema.first_change_id(key + 1))
    return int(writing.execute(mine).scalar() or first - 1) + 1


def _raise_sequences(writing: sql.Connection) -> None:
    """Raises the id sequences of PostgreSQL to the largest copied ids, so that no id is assigned twice."""
    if writing.dialect.name != "postgresql":
        return  # SQLite's AUTOINCREMENT continues after the inserted ids.
    for table in (*GROUND, *STANDING):
        for column in table.primary_key:
            name = f'"{table.name}"'
            serial = writing.execute(sql.select(sql.func.pg_get_serial_sequence(name, column.name))).scalar()
            if serial is not None:
                writing.execute(sql.select(sql.func.setval(serial, sql.select(sql.func.max(column)).scalar_subquery())))


# Comparing.


def _compare(reading: sql.Connection, target: sql.Engine) -> int:
    """Compares both databases row by row, without the columns in `PLACES`, and returns the number of rows.

    Raises: StoreCorrupt: at the first row that differs.
    """
    compared = 0
    with _still(target) as copied:
        for table in (*GROUND, *STANDING, *LOG):
            pairs = zip_longest(_comparable(reading, table), _comparable(copied, table))
            for number, (ours, theirs) in enumerate(pairs, 1):
                if ours != theirs:
                    raise StoreCorrupt(f"Row {number} of {table.name} is not the same on both sides.")
                compared += 1
    return compared


def _comparable(connection: sql.Connection, table: sql.Table) -> Iterator[tuple[Any, ...]]:
    names = [column.name for column in table.columns if f"{table.name}.{column.name}" not in PLACES]
    order: Sequence[Any] = (
        (table.c.environment, table.c.id) if table is schema.change else tuple(table.primary_key.columns)
    )
    selected = sql.select(*(table.c[name] for name in names)).order_by(*order)
    return (tuple(row) for row in connection.execute(selected))


def _rows(connection: sql.Connection, table: sql.Table) -> Iterator[Values]:
    return (dict(row) for row in connection.execute(sql.select(table)).mappings())


def _put(writing: sql.Connection, table: sql.Table, rows: list[Values]) -> None:
    if table is schema.chunk and writing.dialect.name == "postgresql":
        table, rows = schema.postgres_chunk, [{**each, "bucket": each["place"] & 0xFFFF} for each in rows]
    writing.execute(sql.insert(table), rows)


def _in_parts(rows: Any) -> Iterator[list[Any]]:
    part: list[Any] = []
    for row in rows:
        part.append(row)
        if len(part) == ROWS_AT_ONCE:
            yield part
            part = []
    if part:
        yield part
