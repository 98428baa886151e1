"""A whole installation, with its history, from one database into another, and a comparison of both at the end.

The log only grows: its versions are copied some at a time, each time in a transaction, so that a copy which was cut off
goes on where it stopped. One that was compacted since is copied anew. Everything else is what stands now, and is put in
one last transaction. Copying again brings over what was written meanwhile; nothing may write to the target until then.
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
# What the log stands on: rows of these are added and changed, and never go.
GROUND = (schema.organization, schema.space, schema.environment)
# In the order in which rows may name others.
STANDING = tuple(table for table in schema.metadata.sorted_tables if table not in (*LOG, *GROUND))
CHANGES_AT_ONCE = 20_000  # Up to 160 MB of bitmaps in one transaction; a larger batch is copied whole.
ROWS_AT_ONCE = 2_000
# Where changes lie is each database's own affair: a version names its first one.
PLACES = frozenset({"change.id", "batch.first_change"})


class Copied(msgspec.Struct, frozen=True):
    """What was copied by this run, and what was compared at its end."""

    environments: int
    versions: int
    changes: int
    rows_compared: int


def copy(source: sql.Engine, target: sql.Engine, on_versions: OnVersions) -> Copied:
    """Copies, then compares. `on_versions` is told how many versions are copied, of how many.

    Both schemas are of this release. The source is read as of one moment. Engines are told by the execution option
    `populations` that chunks, log and keys are read or written, which databases over several machines must know.
    Raises: ParameterInvalid: the target holds another installation; StoreCorrupt: the two differ in the end.
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
    """One moment of a database, whatever others write."""
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.execution_options(reads=True, yield_per=ROWS_AT_ONCE).connect() as connection, connection.begin():
        yield connection


def _pairs(connection: sql.Connection, table: sql.Table, *names: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(sql.select(*(table.c[name] for name in names)))]


def _check_same(reading: sql.Connection, target: sql.Engine) -> None:
    """Raises: ParameterInvalid: what the target holds did not come from this source."""
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
    """Some versions at a time: the newest that is there then, and how many changes came with them."""
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
    """Where the first change of each version lies in the source, and is to lie. Those that are gone leave their gaps:
    places are counted from the first."""
    batch, found = schema.batch, dict[int, tuple[int, int]]()
    selected = sql.select(batch.c.version, batch.c.first_change, batch.c.change_count)
    for version, first, count in reading.execute(
        selected.where(*_between(batch, key, after, until)).order_by(batch.c.version)
    ):
        found[version] = first, next_id
        next_id += count
    return found


def _forget_compacted(reading: sql.Connection, writing: sql.Connection) -> None:
    """Takes from the target the log of environments that were compacted since it was copied."""
    names = ("horizon", "compacted", "compacting_bucket", "compacting_row", "compacting_touched")
    ours = {key: how for key, *how in _pairs(reading, schema.environment, "key", *names)}
    for key, *how in _pairs(writing, schema.environment, "key", *names):
        if key in ours and how != ours[key]:
            for table in LOG:
                writing.execute(sql.delete(table).where(table.c.environment == key))


def _between(table: sql.Table, key: int, after: int, until: int) -> tuple[sql.ColumnElement[bool], ...]:
    return table.c.environment == key, table.c.version > after, table.c.version <= until


def _until(reading: sql.Connection, key: int, after: int) -> int:
    """The last of the versions behind `after` that are copied together: at least one."""
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
    """Where the target's next change of an environment lies, by the rule of its kind of database."""
    change = schema.change
    newest = sql.select(sql.func.max(change.c.id))
    if writing.dialect.name != "postgresql":
        return int(writing.execute(newest).scalar() or 0) + 1
    first = schema.first_change_id(key) + 1
    mine = newest.where(change.c.id >= first, change.c.id < schema.first_change_id(key + 1))
    return int(writing.execute(mine).scalar() or first - 1) + 1


def _raise_sequences(writing: sql.Connection) -> None:
    """Ids that were copied are not given again."""
    if writing.dialect.name != "postgresql":
        return  # SQLite's AUTOINCREMENT follows what was inserted.
    for table in (*GROUND, *STANDING):
        for column in table.primary_key:
            name = f'"{table.name}"'
            serial = writing.execute(sql.select(sql.func.pg_get_serial_sequence(name, column.name))).scalar()
            if serial is not None:
                writing.execute(sql.select(sql.func.setval(serial, sql.select(sql.func.max(column)).scalar_subquery())))


# Comparing.


def _compare(reading: sql.Connection, target: sql.Engine) -> int:
    """How many rows both sides hold. Raises: StoreCorrupt: at the first that differs."""
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
