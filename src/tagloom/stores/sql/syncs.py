"""Syncs and their runs in SQL."""

from collections.abc import Sequence
from typing import Any

import msgspec
import sqlalchemy as sql

from tagloom.ports import limits
from tagloom.ports.problems import SyncChanged, SyncExists, SyncNotFound, TooManySyncs
from tagloom.ports.runs import Due, OpenRun
from tagloom.stores import schema
from tagloom.stores.sql.scheduled_runs import RunTables, SqlScheduledRuns
from tagloom.words.accounts import AuditEntry
from tagloom.words.syncs import OPEN, Sync, SyncDraft, SyncRun


class SqlSyncBook(SqlScheduledRuns):
    """Implements `tagloom.ports.syncs.SyncStore`."""

    def list_syncs(self, environment: int) -> tuple[Sync, ...]:
        """See the port."""
        return self._list_definitions(_TABLES, environment)

    def get_sync(self, environment: int, sync: str) -> Sync:
        """See the port."""
        return self._get_definition(_TABLES, environment, sync)

    def add_sync(self, environment: int, sync: Sync, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        self._add_definition(_TABLES, environment, sync, limits.SYNCS_PER_ENVIRONMENT_MAX, audit)

    def put_sync(self, environment: int, sync: Sync, *, revision: int, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        self._put_definition(_TABLES, environment, sync, revision, audit)

    def put_cursor(self, environment: int, sync: str, cursor: str | None) -> None:
        """See the port."""
        here = _TABLES.is_definition(environment, sync)
        self._run(sql.update(schema.sync).where(*here).values(cursor=cursor))

    def delete_sync(self, environment: int, sync: str, audit: Sequence[AuditEntry] = ()) -> None:
        """See the port."""
        self._delete_definition(_TABLES, environment, sync, audit)

    def list_due(self, now: str, limit: int) -> tuple[Due[Sync], ...]:
        """See the port."""
        return self._list_due(_TABLES, now, limit)

    def begin_run(
        self, environment: int, run: SyncRun, *, due_at: str | None, next_run_at: str | None
    ) -> SyncRun | None:
        """See the port."""
        return self._begin(_TABLES, environment, run, due_at, next_run_at)

    def put_run(self, seen: OpenRun[SyncRun], run: SyncRun, *, held_until: str) -> bool:
        """See the port."""
        return self._put(_TABLES, seen, run, held_until)

    def list_open_runs(self) -> tuple[OpenRun[SyncRun], ...]:
        """See the port."""
        return self._list_open(_TABLES)

    def list_newest_runs(self, environment: int | None = None) -> tuple[SyncRun, ...]:
        """See the port."""
        return self._list_newest(_TABLES, environment)

    def list_runs(self, environment: int, sync: str, *, before: int | None = None, limit: int) -> tuple[SyncRun, ...]:
        """See the port."""
        return self._list_runs(_TABLES, environment, sync, before, limit)


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


_TABLES = RunTables(
    word="sync",
    words="syncs",
    definitions=schema.sync,
    runs=schema.sync_run,
    columns=[schema.sync.c[name] for name in ("id", "draft", "revision", "cursor", "next_run_at")],
    definition_of=_sync,
    values_of=_values,
    first_values_of=lambda sync: {"cursor": sync.cursor},
    run_type=SyncRun,
    open_states=OPEN,
    not_found=SyncNotFound,
    exists=SyncExists,
    changed=SyncChanged,
    too_many=TooManySyncs,
)
