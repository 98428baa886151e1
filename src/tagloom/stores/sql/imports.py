"""Imports and mappings in SQL.

The lease of an import is stored in its own columns, which conditional updates change.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sql
from sqlalchemy import exc

from tagloom.ports import limits
from tagloom.ports.imports import APPLIED, Import, ImportCount, ImportState, SavedMapping
from tagloom.ports.problems import (
    EnvironmentNotFound,
    ImportChanged,
    ImportNotFound,
    MappingChanged,
    MappingNotFound,
    SpaceNotFound,
    TooManyMappings,
)
from tagloom.stores import schema
from tagloom.stores.sql.transactions import SqlConnecting
from tagloom.words.mappings import Mapping

_IMPORT = schema.import_.c
_MAPPING = schema.mapping.c
_CANDIDATES = 20  # Imports that are tried for one lease. Other workers may have leased each of them meanwhile.


class SqlImportBook(SqlConnecting):
    """Implements `ImportStore` and `MappingStore` of `tagloom.ports.imports`."""

    def add_import(self, run: Import) -> None:
        """See the port."""
        where = schema.environment.c
        query = sql.select(where.key).where(where.space == run.space, where.name == run.environment)
        values = _columns(msgspec.structs.replace(run, revision=0))
        try:
            with self._writing() as connection:
                key = connection.execute(query).scalar()
                if key is None:
                    raise EnvironmentNotFound(f"The space '{run.space}' has no such environment.")
                connection.execute(
                    sql.insert(schema.import_).values(id=run.id, environment=key, created_at=run.created_at, **values)
                )
        except exc.IntegrityError as error:
            raise ImportChanged("There is an import of this id already.") from error

    def get_import(self, id: str) -> Import:
        """See the port."""
        found = self._run(_READ.where(_IMPORT.id == id))
        if not found:
            raise ImportNotFound("There is no such import.", value=id[:64])
        return _import(found[0])

    def list_imports(
        self, space: str, environment: str, *, limit: int, before: str | None = None
    ) -> tuple[Import, ...]:
        """See the port."""
        where = schema.environment.c
        query = _READ.join(schema.environment, where.key == _IMPORT.environment).where(
            where.space == space, where.name == environment
        )
        if before is not None:
            last = self.get_import(before)
            query = query.where(
                sql.or_(
                    _IMPORT.created_at < last.created_at,
                    sql.and_(_IMPORT.created_at == last.created_at, _IMPORT.id < last.id),
                )
            )
        query = query.order_by(_IMPORT.created_at.desc(), _IMPORT.id.desc()).limit(limit)
        return tuple(map(_import, self._run(query)))

    def count_imports(self) -> tuple[ImportCount, ...]:
        """See the port."""
        columns = (_IMPORT.state, sql.func.count(), sql.func.min(_IMPORT.created_at))
        return tuple(ImportCount(*found) for found in self._run(sql.select(*columns).group_by(_IMPORT.state)))

    def put_import(self, run: Import) -> Import:
        """See the port."""
        put = msgspec.structs.replace(run, revision=run.revision + 1)
        statement = (
            sql.update(schema.import_)
            .where(_IMPORT.id == run.id, _IMPORT.revision == run.revision)
            .values(owner=None, leased_until=None, **_columns(put))
        )
        if self._run(statement) == [0]:
            self.get_import(run.id)
            raise ImportChanged("The import was changed at the same moment; look at it again.")
        return put

    def delete_import(self, id: str) -> None:
        """See the port."""
        if self._run(sql.delete(schema.import_).where(_IMPORT.id == id)) == [0]:
            raise ImportNotFound("There is no such import.", value=id[:64])

    def lease_import(
        self, owner: str, *, now: str, until: str, only: str | None = None, states: Sequence[ImportState] = APPLIED
    ) -> Import | None:
        """See the port."""
        is_free = sql.or_(_IMPORT.leased_until.is_(None), _IMPORT.leased_until <= now)
        is_meant = sql.true() if only is None else _IMPORT.id == only
        waiting = sql.and_(_IMPORT.state.in_(states), is_free, is_meant)
        query = sql.select(_IMPORT.id).where(waiting).order_by(_IMPORT.created_at, _IMPORT.id).limit(_CANDIDATES)
        for (id,) in self._run(query):
            # The update repeats the condition, so only one of two workers that found the import free changes it.
            taken = sql.update(schema.import_).where(_IMPORT.id == id, waiting).values(owner=owner, leased_until=until)
            if self._run(taken) == [1]:
                return self.get_import(id)
        return None

    def put_progress(self, id: str, owner: str, *, rows_read: int | None, until: str) -> ImportState | None:
        """See the port."""
        values: dict[str, Any] = {"leased_until": until}
        if rows_read is not None:
            values["rows_read"] = rows_read
        statement = sql.update(schema.import_).where(_IMPORT.id == id, _IMPORT.owner == owner).values(**values)
        if self._run(statement) == [0]:
            return None
        return self.get_import(id).state

    def release_import(self, id: str, owner: str) -> None:
        """See the port."""
        mine = sql.and_(_IMPORT.id == id, _IMPORT.owner == owner)
        self._run(sql.update(schema.import_).where(mine).values(owner=None, leased_until=None))

    # Mappings.

    def put_mapping(self, space: str, kept: SavedMapping) -> None:
        """See the port."""
        here = _MAPPING.space == space
        try:
            with self._writing() as connection:
                newest = connection.execute(
                    sql.select(sql.func.max(_MAPPING.version)).where(here, _MAPPING.name == kept.name)
                ).scalar()
                count = connection.execute(
                    sql.select(sql.func.count(sql.distinct(_MAPPING.name))).where(here)
                ).scalar_one()
                if newest is None and count >= limits.MAPPINGS_PER_SPACE_MAX:
                    raise TooManyMappings(f"A space keeps {limits.MAPPINGS_PER_SPACE_MAX} mappings.")
                if kept.version != (newest or 0) + 1:
                    raise MappingChanged(f"The mapping is at version {newest or 0}.", version=newest or 0)
                if kept.version > limits.VERSIONS_PER_MAPPING_MAX:
                    raise TooManyMappings(f"A mapping has {limits.VERSIONS_PER_MAPPING_MAX} versions at most.")
                connection.execute(
                    sql.insert(schema.mapping).values(
                        space=space,
                        name=kept.name,
                        version=kept.version,
                        at=kept.at,
                        by=kept.by,
                        form=msgspec.json.encode(kept.mapping).decode(),
                    )
                )
        except exc.IntegrityError as error:
            if not self._run(sql.select(schema.space.c.id).where(schema.space.c.id == space)):
                raise SpaceNotFound(f"There is no space '{space}'.", value=space) from error
            raise MappingChanged("Somebody else saved this mapping at the same moment.") from error

    def get_mapping(self, space: str, name: str, *, version: int | None = None) -> SavedMapping:
        """See the port."""
        query = sql.select(schema.mapping).where(_MAPPING.space == space, _MAPPING.name == name)
        if version is not None:
            query = query.where(_MAPPING.version == version)
        found = self._run(query.order_by(_MAPPING.version.desc()).limit(1))
        if not found:
            raise MappingNotFound("There is no such mapping here.", value=name[:64])
        return _kept(found[0])

    def list_mappings(self, space: str) -> tuple[SavedMapping, ...]:
        """See the port."""
        newest = (
            sql.select(_MAPPING.name, sql.func.max(_MAPPING.version).label("version"))
            .where(_MAPPING.space == space)
            .group_by(_MAPPING.name)
            .subquery()
        )
        query = (
            sql.select(schema.mapping)
            .join(newest, sql.and_(newest.c.name == _MAPPING.name, newest.c.version == _MAPPING.version))
            .where(_MAPPING.space == space)
        )
        # The names are sorted by code point here, because not every database sorts text like this.
        return tuple(sorted(map(_kept, self._run(query)), key=lambda kept: kept.name))

    def delete_mapping(self, space: str, name: str) -> None:
        """See the port."""
        statement = sql.delete(schema.mapping).where(_MAPPING.space == space, _MAPPING.name == name)
        if self._run(statement) == [0]:
            raise MappingNotFound("There is no such mapping here.", value=name[:64])


_READ = sql.select(_IMPORT.record, _IMPORT.rows_read)


def _columns(run: Import) -> dict[str, Any]:
    return {
        "state": run.state,
        "revision": run.revision,
        "record": msgspec.json.encode(run).decode(),
        "rows_read": run.rows_read,
    }


def _import(found: Any) -> Import:
    run = msgspec.json.decode(found.record, type=Import)
    return msgspec.structs.replace(run, rows_read=found.rows_read)


def _kept(found: Any) -> SavedMapping:
    mapping = msgspec.json.decode(found.form, type=Mapping)
    return SavedMapping(name=found.name, version=found.version, at=found.at, by=found.by, mapping=mapping)
