"""Syncs and their runs in SQL."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sql
from sqlalchemy import exc

from tagloom.ports import limits
from tagloom.ports.problems import SyncChanged, SyncExists, SyncNotFound, TooManySyncs
from tagloom.ports.syncs import Due, OpenRun
from tagloom.stores import schema
from tagloom.stores.sql.transactions import SqlConnecting
from tagloom.words.accounts import AuditEntry
from tagloom.words.syncs import OPEN, Sync, SyncDraft, SyncRun

_SYNC = schema.sync
_RUN = schema.sync_run
_COLUMNS = (_SYNC.c.id, _SYNC.c.draft, _SYNC.c.revision, _SYNC.c.cursor, _SYNC.c.next_run_at)


class SqlSyncBook(SqlConnecting):
    """Implements `tagloom.ports.syncs.SyncStore`."""

    def list_syncs(self, environment: int) -> tuple[Sync, ...]:
        """See the port."""
        found = self._run(sql.select(*_COLUMNS).where(_SYNC.c.environment == environment).order_by(_SYNC.c.id))
        return tuple(_sync(*each) for each in found)

    def get_sync(self, environment: int, sync: str) -> Sync:
        """See the port."""
        found = self._run(sql.select(*_COLUMNS).where(*_is(environment, sync)))
        if not found:
            raise _not_found(sync)
        return _sync(*found[0])

    def add_sync(self, environment: int, sync: Sync, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        counted = sql.select(sql.func.count()).where(_SYNC.c.environment == environment)
        try:
            with self._writing(audit) as connection:
                if connection.execute(counted).scalar_one() >= limits.SYNCS_PER_ENVIRONMENT_MAX:
                    raise TooManySyncs(
                        f"An environment has at most {limits.SYNCS_PER_ENVIRONMENT_MAX} syncs.",
                        syncs_max=limits.SYNCS_PER_ENVIRONMENT_MAX,
                    )
                connection.execute(
                    sql.insert(_SYNC).values(environment=environment, cursor=sync.cursor, **_values(sync))
                )
        except exc.IntegrityError as error:
            raise SyncExists(f"There is a sync '{sync.id}' already.", value=sync.id) from error

    def put_sync(self, environment: int, sync: Sync, *, revision: int, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        changing = sql.update(_SYNC).where(*_is(environment, sync.id), _SYNC.c.revision == revision)
        with self._writing(audit) as connection:
            if connection.execute(changing.values(_values(sync))).rowcount:
                return
            if connection.execute(sql.select(_SYNC.c.id).where(*_is(environment, sync.id))).first() is None:
                raise _not_found(sync.id)
            raise SyncChanged(f"The sync '{sync.id}' was changed since revision {revision}.")

    def put_cursor(self, environment: int, sync: str, cursor: str | None) -> None:
        """See the port."""
        self._run(sql.update(_SYNC).where(*_is(environment, sync)).values(cursor=cursor))

    def delete_sync(self, environment: int, sync: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        with self._writing(audit) as connection:
            connection.execute(sql.delete(_RUN).where(_RUN.c.environment == environment, _RUN.c.sync == sync))
            if not connection.execute(sql.delete(_SYNC).where(*_is(environment, sync))).rowcount:
                raise _not_found(sync)

    def list_due(self, now: str, limit: int) -> tuple[Due, ...]:
        """See the port."""
        place = schema.environment
        found = self._run(
            sql.select(place.c.space, place.c.name, *_COLUMNS)
            .join(place, place.c.key == _SYNC.c.environment)
            .where(_SYNC.c.next_run_at <= now)
            .order_by(_SYNC.c.next_run_at, _SYNC.c.environment, _SYNC.c.id)
            .limit(limit)
        )
        return tuple(Due(space, name, _sync(*columns)) for space, name, *columns in found)

    def begin_run(
        self, environment: int, run: SyncRun, *, due_at: str | None, next_run_at: str | None
    ) -> SyncRun | None:
        """See the port."""
        # The row of the sync is changed first, so that two runs that begin at the same time wait for each other.
        taking = sql.update(_SYNC).where(*_is(environment, run.sync)).values(next_run_at=next_run_at)
        is_open = sql.select(_RUN.c.id).where(
            _RUN.c.environment == environment, _RUN.c.sync == run.sync, _RUN.c.state.in_(OPEN)
        )
        with self._writing() as connection:
            if due_at is not None:
                taking = taking.where(_SYNC.c.next_run_at == due_at)
            if not connection.execute(taking).rowcount:
                if connection.execute(sql.select(_SYNC.c.id).where(*_is(environment, run.sync))).first() is None:
                    raise _not_found(run.sync)
                return None
            if connection.execute(is_open).first() is not None:
                return None
            identity = connection.execute(
                sql.insert(_RUN)
                .values(environment=environment, sync=run.sync, held_until=run.began_at, **_run_values(run))
                .returning(_RUN.c.id)
            ).scalar_one()
        return msgspec.structs.replace(run, id=identity)

    def put_run(self, seen: OpenRun, run: SyncRun, *, held_until: str) -> bool:
        """See the port."""
        changing = sql.update(_RUN).where(
            _RUN.c.id == seen.run.id,
            _RUN.c.held_until == seen.held_until,
            _RUN.c.record == _run_values(seen.run)["record"],
        )
        return bool(self._run(changing.values(held_until=held_until, **_run_values(run)))[0])

    def list_open_runs(self) -> tuple[OpenRun, ...]:
        """See the port."""
        place = schema.environment
        found = self._run(
            sql.select(place.c.space, place.c.name, _RUN.c.id, _RUN.c.record, _RUN.c.held_until)
            .join(place, place.c.key == _RUN.c.environment)
            .where(_RUN.c.state.in_(OPEN))
            .order_by(_RUN.c.id)
        )
        return tuple(
            OpenRun(space, name, _sync_run(identity, record), held) for space, name, identity, record, held in found
        )

    def list_newest_runs(self, environment: int | None = None) -> tuple[SyncRun, ...]:
        """See the port."""
        later = _RUN.alias()
        of_the_sync = (later.c.environment == _SYNC.c.environment, later.c.sync == _SYNC.c.id)
        newest = sql.select(sql.func.max(later.c.id)).where(*of_the_sync).scalar_subquery()
        asking = sql.select(_RUN.c.id, _RUN.c.record).join_from(_SYNC, _RUN, _RUN.c.id == newest)
        if environment is not None:
            asking = asking.where(_SYNC.c.environment == environment)
        return tuple(_sync_run(*each) for each in self._run(asking))

    def list_runs(self, environment: int, sync: str, *, before: int | None = None, limit: int) -> tuple[SyncRun, ...]:
        """See the port."""
        asking = sql.select(_RUN.c.id, _RUN.c.record).where(_RUN.c.environment == environment, _RUN.c.sync == sync)
        if before is not None:
            asking = asking.where(_RUN.c.id < before)
        return tuple(_sync_run(*each) for each in self._run(asking.order_by(_RUN.c.id.desc()).limit(limit)))


def _is(environment: int, sync: str) -> tuple[sql.ColumnElement[bool], sql.ColumnElement[bool]]:
    return _SYNC.c.environment == environment, _SYNC.c.id == sync


def _not_found(sync: str) -> SyncNotFound:
    return SyncNotFound(f"There is no sync '{sync}'.", value=sync)


def _values(sync: Sync) -> dict[str, Any]:
    return {
        "id": sync.id,
        "draft": msgspec.json.encode(sync.draft).decode(),
        "revision": sync.revision,
        "next_run_at": sync.next_run_at,
    }


def _sync(id: str, draft: str, revision: int, cursor: str | None, next_run_at: str | None) -> Sync:
    return Sync(
        id=id,
        draft=msgspec.json.decode(draft, type=SyncDraft),
        revision=revision,
        cursor=cursor,
        next_run_at=next_run_at,
    )


def _run_values(run: SyncRun) -> dict[str, Any]:
    # The row has the id in its own column, so the record does not contain it.
    return {"state": run.state, "record": msgspec.json.encode(msgspec.structs.replace(run, id=0)).decode()}


def _sync_run(id: int, record: str) -> SyncRun:
    return msgspec.structs.replace(msgspec.json.decode(record, type=SyncRun), id=id)
