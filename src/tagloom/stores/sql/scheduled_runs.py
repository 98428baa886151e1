"""Definitions with a schedule and their runs in SQL: syncs and deliveries are stored in the same way."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import msgspec
import sqlalchemy as sql
from sqlalchemy import exc

from tagloom.base.problems import Problem
from tagloom.base.text import plural
from tagloom.ports.runs import Due, OpenRun
from tagloom.stores import schema
from tagloom.stores.sql.transactions import SqlConnecting
from tagloom.words.accounts import AuditEntry


class _Stored(Protocol):
    """A definition: a sync or a delivery."""

    @property
    def id(self) -> str: ...


class _StoredRun(Protocol):
    """A run of a definition."""

    @property
    def id(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def began_at(self) -> str: ...


Definition = TypeVar("Definition", bound=_Stored)
Run = TypeVar("Run", bound=_StoredRun)


class RunTables(NamedTuple, Generic[Definition, Run]):
    """How definitions of one kind and their runs are stored.

    The column `word` of `runs` has the id of the definition, and so has the attribute `word` of a run. `columns` are
    the columns of a definition, in the order of the arguments of `definition_of`. `values_of` returns the columns that
    a change of the draft replaces, and `first_values_of` the other columns of a new definition.
    """

    word: str
    words: str
    definitions: sql.Table
    runs: sql.Table
    columns: Sequence[sql.Column[Any]]
    definition_of: Callable[..., Definition]
    values_of: Callable[[Definition], dict[str, Any]]
    first_values_of: Callable[[Definition], dict[str, Any]]
    run_type: type[Run]
    open_states: Sequence[str]
    not_found: type[Problem]
    exists: type[Problem]
    changed: type[Problem]
    too_many: type[Problem]

    def is_definition(self, environment: int, id: str) -> tuple[sql.ColumnElement[bool], sql.ColumnElement[bool]]:
        """Returns the conditions of one definition."""
        table = self.definitions
        return table.c.environment == environment, table.c.id == id

    def is_run_of(self, environment: int, id: str) -> tuple[sql.ColumnElement[bool], sql.ColumnElement[bool]]:
        """Returns the conditions of the runs of one definition."""
        return self.runs.c.environment == environment, self.runs.c[self.word] == id

    def problem_not_found(self, id: str) -> Problem:
        """Returns the problem of an unknown definition."""
        return self.not_found(f"There is no {self.word} '{id}'.", value=id)

    def run_of(self, id: int, record: str) -> Run:
        """Returns a stored run."""
        found: Any = msgspec.json.decode(record, type=self.run_type)
        run: Run = msgspec.structs.replace(found, id=id)
        return run


class SqlScheduledRuns(SqlConnecting):
    """The statements about definitions with a schedule and their runs."""

    def _list_definitions(self, tables: RunTables[Definition, Run], environment: int) -> tuple[Definition, ...]:
        table = tables.definitions
        found = self._run(sql.select(*tables.columns).where(table.c.environment == environment).order_by(table.c.id))
        return tuple(tables.definition_of(*each) for each in found)

    def _get_definition(self, tables: RunTables[Definition, Run], environment: int, id: str) -> Definition:
        found = self._run(sql.select(*tables.columns).where(*tables.is_definition(environment, id)))
        if not found:
            raise tables.problem_not_found(id)
        return tables.definition_of(*found[0])

    def _add_definition(
        self,
        tables: RunTables[Definition, Run],
        environment: int,
        definition: Definition,
        most: int,
        audit: Sequence[AuditEntry],
    ) -> None:
        """Stores a new definition, if the environment has fewer than `most`."""
        table = tables.definitions
        counted = sql.select(sql.func.count()).where(table.c.environment == environment)
        values = {**tables.values_of(definition), **tables.first_values_of(definition)}
        try:
            with self._writing(audit) as connection:
                if connection.execute(counted).scalar_one() >= most:
                    raise tables.too_many(
                        f"An environment has at most {plural(most, tables.word, tables.words)}.",
                        **{f"{tables.words}_max": most},
                    )
                connection.execute(sql.insert(table).values(environment=environment, **values))
        except exc.IntegrityError as error:
            raise tables.exists(f"There is a {tables.word} '{definition.id}' already.", value=definition.id) from error

    def _put_definition(
        self,
        tables: RunTables[Definition, Run],
        environment: int,
        definition: Definition,
        revision: int,
        audit: Sequence[AuditEntry],
    ) -> None:
        table, here = tables.definitions, tables.is_definition(environment, definition.id)
        changing = sql.update(table).where(*here, table.c.revision == revision)
        with self._writing(audit) as connection:
            if connection.execute(changing.values(tables.values_of(definition))).rowcount:
                return
            if connection.execute(sql.select(table.c.id).where(*here)).first() is None:
                raise tables.problem_not_found(definition.id)
            raise tables.changed(f"The {tables.word} '{definition.id}' was changed since revision {revision}.")

    def _delete_definition(
        self, tables: RunTables[Definition, Run], environment: int, id: str, audit: Sequence[AuditEntry]
    ) -> None:
        with self._writing(audit) as connection:
            connection.execute(sql.delete(tables.runs).where(*tables.is_run_of(environment, id)))
            deleting = sql.delete(tables.definitions).where(*tables.is_definition(environment, id))
            if not connection.execute(deleting).rowcount:
                raise tables.problem_not_found(id)

    def _list_due(self, tables: RunTables[Definition, Run], now: str, limit: int) -> tuple[Due[Definition], ...]:
        place, table = schema.environment, tables.definitions
        found = self._run(
            sql.select(place.c.space, place.c.name, *tables.columns)
            .join_from(table, place, place.c.key == table.c.environment)
            .where(table.c.next_run_at <= now)
            .order_by(table.c.next_run_at, table.c.environment, table.c.id)
            .limit(limit)
        )
        return tuple(Due(space, name, tables.definition_of(*columns)) for space, name, *columns in found)

    def _begin(
        self,
        tables: RunTables[Definition, Run],
        environment: int,
        run: Run,
        due_at: str | None,
        next_run_at: str | None,
    ) -> Run | None:
        table, runs, id = tables.definitions, tables.runs, getattr(run, tables.word)
        here = tables.is_definition(environment, id)
        # The row of the definition is changed first, so that two runs that begin at the same time wait for each other.
        taking = sql.update(table).where(*here).values(next_run_at=next_run_at)
        open_runs = sql.select(runs.c.id).where(
            *tables.is_run_of(environment, id), runs.c.state.in_(tables.open_states)
        )
        with self._writing() as connection:
            if due_at is not None:
                taking = taking.where(table.c.next_run_at == due_at)
            if not connection.execute(taking).rowcount:
                if connection.execute(sql.select(table.c.id).where(*here)).first() is None:
                    raise tables.problem_not_found(id)
                return None
            if connection.execute(open_runs).first() is not None:
                return None
            values = {"environment": environment, tables.word: id, "held_until": run.began_at, **_run_values(run)}
            identity = connection.execute(sql.insert(runs).values(values).returning(runs.c.id)).scalar_one()
        begun: Any = run
        made: Run = msgspec.structs.replace(begun, id=identity)
        return made

    def _put(
        self,
        tables: RunTables[Definition, Run],
        seen: OpenRun[Run],
        run: Run,
        held_until: str,
        also: dict[str, Any] | None = None,
    ) -> bool:
        """Replaces a run. `also` has columns of its definition that change in the same transaction."""
        runs, table, place = tables.runs, tables.definitions, schema.environment
        changing = sql.update(runs).where(
            runs.c.id == seen.run.id,
            runs.c.held_until == seen.held_until,
            runs.c.record == _run_values(seen.run)["record"],
        )
        with self._writing() as connection:
            if not connection.execute(changing.values(held_until=held_until, **_run_values(run))).rowcount:
                return False
            if also is not None:
                key = sql.select(place.c.key).where(place.c.space == seen.space, place.c.name == seen.environment)
                here = tables.is_definition(connection.execute(key).scalar_one(), getattr(run, tables.word))
                connection.execute(sql.update(table).where(*here).values(also))
        return True

    def _list_open(self, tables: RunTables[Definition, Run]) -> tuple[OpenRun[Run], ...]:
        place, runs = schema.environment, tables.runs
        found = self._run(
            sql.select(place.c.space, place.c.name, runs.c.id, runs.c.record, runs.c.held_until)
            .join_from(runs, place, place.c.key == runs.c.environment)
            .where(runs.c.state.in_(tables.open_states))
            .order_by(runs.c.id)
        )
        return tuple(
            OpenRun(space, name, tables.run_of(identity, record), held) for space, name, identity, record, held in found
        )

    def _list_newest(self, tables: RunTables[Definition, Run], environment: int | None) -> tuple[Run, ...]:
        table, runs, later = tables.definitions, tables.runs, tables.runs.alias()
        of_the_same = (later.c.environment == table.c.environment, later.c[tables.word] == table.c.id)
        newest = sql.select(sql.func.max(later.c.id)).where(*of_the_same).scalar_subquery()
        asking = sql.select(runs.c.id, runs.c.record).join_from(table, runs, runs.c.id == newest)
        if environment is not None:
            asking = asking.where(table.c.environment == environment)
        return tuple(tables.run_of(*each) for each in self._run(asking))

    def _list_runs(
        self, tables: RunTables[Definition, Run], environment: int, id: str, before: int | None, limit: int
    ) -> tuple[Run, ...]:
        runs = tables.runs
        asking = sql.select(runs.c.id, runs.c.record).where(*tables.is_run_of(environment, id))
        if before is not None:
            asking = asking.where(runs.c.id < before)
        return tuple(tables.run_of(*each) for each in self._run(asking.order_by(runs.c.id.desc()).limit(limit)))


def _run_values(run: _StoredRun) -> dict[str, Any]:
    # The row has the id in its own column, so the record does not contain it.
    stored: Any = run
    return {"state": run.state, "record": msgspec.json.encode(msgspec.structs.replace(stored, id=0)).decode()}
