"""The use cases of syncs for people and tokens: create, change, delete, run on request, and read."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec
from msgspec.structs import replace

from tagloom.accounts.audit_entries import environment_entry
from tagloom.alerts.sending import check_receivers
from tagloom.base import limits as base_limits
from tagloom.base.problems import Problem
from tagloom.base.slugs import parse_slug
from tagloom.base.times import rfc3339
from tagloom.jobs.schedules import check_schedule, next_after
from tagloom.ports.imports import MappingStore
from tagloom.ports.population import Population
from tagloom.ports.syncs import SyncStore
from tagloom.ports.tenants import TenantStore
from tagloom.ports.writes import PutTag, WriteOptions
from tagloom.syncs.problems import SyncBusy, SyncInvalid
from tagloom.syncs.sources import check_source, invalid
from tagloom.words.accounts import AuditEntry
from tagloom.words.changes import Origin
from tagloom.words.mappings import check_mode
from tagloom.words.periods import period_of
from tagloom.words.problems import MappingInvalid
from tagloom.words.syncs import PushSource, SqlSource, Sync, SyncDraft, SyncRun, owner_name
from tagloom.words.tags import TagPath, is_at_or_below, parse_tag
from tagloom.words.tenants import Environment


class DefinitionStores(MappingStore, SyncStore, TenantStore, Protocol):
    """The stores that sync definitions need."""


class Syncs:
    """The syncs of an installation. Every method that takes a sync's name raises SyncNotFound."""

    def __init__(
        self,
        control: DefinitionStores,
        population_of: Callable[[Environment], Population],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._control = control
        self._population_of = population_of
        self._now = now

    def list_syncs(self, environment: Environment) -> tuple[Sync, ...]:
        """Returns all syncs of an environment, by id."""
        return self._control.list_syncs(environment.key)

    def list_newest_runs(self) -> tuple[SyncRun, ...]:
        """Returns the newest run of every sync, in all environments."""
        return self._control.list_newest_runs()

    def find_due_at(self) -> str | None:
        """Returns when the sync that waits longest was due; None if none is due."""
        due = self._control.list_due(rfc3339(self._now()), 1)
        return due[0].definition.next_run_at if due else None

    def get_sync(self, environment: Environment, sync: str) -> Sync:
        """Returns one sync."""
        return self._control.get_sync(environment.key, sync)

    def create_sync(self, environment: Environment, sync: str, draft: SyncDraft, *, by: str) -> Sync:
        """Creates a sync. If the draft has a prefix and `owns`, the sync becomes the owner of that branch.

        Raises: BodyInvalid: the id is invalid; SyncInvalid, StartInvalid, ExpiryInvalid, ExpiryPast, MappingNotFound,
        TagProblem, TagOwned, SyncExists, TooManySyncs.
        """
        self._check(environment, draft)
        created = Sync(id=parse_slug(sync), draft=draft, next_run_at=self._next(draft))
        with self._owning_branch(environment, created, by):
            self._control.add_sync(environment.key, created, [self._entry(environment, by, "sync created", created.id)])
        return created

    def put_sync(self, environment: Environment, sync: str, draft: SyncDraft, *, revision: int | None, by: str) -> Sync:
        """Replaces the draft of a sync. If `revision` is given, it must be the stored revision.

        An incremental source continues at its cursor, unless the column of the cursor changed. Pausing and resuming
        work even if the mapping was deleted or the expiry has passed.

        Raises: SyncChanged, SyncInvalid, StartInvalid, ExpiryInvalid, ExpiryPast, MappingNotFound, TagProblem,
        TagOwned.
        """
        stored = self.get_sync(environment, sync)
        is_paused_only = draft == replace(stored.draft, is_paused=not stored.draft.is_paused)
        if not is_paused_only:
            self._check(environment, draft)
        expected = stored.revision if revision is None else revision
        put = Sync(id=sync, draft=draft, revision=expected + 1, next_run_at=self._next(draft))
        with self._owning_branch(environment, put, by):
            self._control.put_sync(
                environment.key, put, revision=expected, audit=[self._entry(environment, by, "sync changed", sync)]
            )
        if _branch_of(draft) != _branch_of(stored.draft):
            self._release_branch(environment, stored, by)
        if _cursor_of(draft) != _cursor_of(stored.draft):
            self._control.put_cursor(environment.key, sync, None)
        return self.get_sync(environment, sync)

    def delete_sync(self, environment: Environment, sync: str, *, by: str) -> None:
        """Deletes a sync and its runs. The taggings that the runs wrote stay, and the branch has no owner any more."""
        stored = self.get_sync(environment, sync)
        self._control.delete_sync(environment.key, sync, [self._entry(environment, by, "sync deleted", sync)])
        self._release_branch(environment, stored, by)

    def run_sync(self, environment: Environment, sync: str, *, by: str, requires_approval: bool = False) -> SyncRun:
        """Begins a run, which a server process carries out. With `requires_approval`, the run is held after its plan.

        Raises: SyncBusy: another run has not ended; SyncInvalid: the source is a push source.
        """
        stored = self.get_sync(environment, sync)
        if isinstance(stored.draft.source, PushSource):
            raise SyncInvalid("A push source cannot be run: its records are pushed to the sync.")
        run = SyncRun(
            sync=sync, trigger="call", by=by, began_at=rfc3339(self._now()), requires_approval=requires_approval
        )
        begun = self._control.begin_run(environment.key, run, due_at=None, next_run_at=stored.next_run_at)
        if begun is None:
            raise SyncBusy(f"A run of '{sync}' has not ended. Approve it, cancel it or wait for it.")
        return begun

    def newest_runs(self, environment: Environment) -> dict[str, SyncRun]:
        """Returns the newest run of each sync that ever ran, by the sync's id."""
        return {run.sync: run for run in self._control.list_newest_runs(environment.key)}

    def list_runs(
        self,
        environment: Environment,
        sync: str,
        *,
        before: int | None = None,
        limit: int = base_limits.PAGE_ITEMS_DEFAULT,
    ) -> tuple[SyncRun, ...]:
        """Returns the runs with ids below `before`, newest first."""
        self.get_sync(environment, sync)
        return self._control.list_runs(environment.key, sync, before=before, limit=limit)

    @contextmanager
    def _owning_branch(self, environment: Environment, sync: Sync, by: str) -> Iterator[None]:
        """Makes the sync the owner of its branch before the block stores the sync.

        If the block raises a problem, and the sync did not own the branch before, the ownership ends. If the process
        dies in between, the next attempt finds that the sync already owns the branch.

        Raises: TagOwned, TagIsAlias.
        """
        branch, owner = _branch_of(sync.draft), owner_name(sync.id)
        if branch is None:
            yield
            return
        population = self._population_of(environment)
        was_its_own = population.owned_branch(branch) == (branch, owner)
        population.write(PutTag(tag=branch, owner=owner), WriteOptions(Origin(by, owner)))
        try:
            yield
        except Problem:
            if not was_its_own:
                self._release_branch(environment, sync, by)
            raise

    def _release_branch(self, environment: Environment, sync: Sync, by: str) -> None:
        """Ends the ownership of a sync's branch. Does nothing if the sync does not own the branch."""
        branch, owner = _branch_of(sync.draft), owner_name(sync.id)
        population = self._population_of(environment)
        if branch is not None and population.owned_branch(branch) == (branch, owner):
            population.write(PutTag(tag=branch, owner=""), WriteOptions(Origin(by, owner)))

    def _next(self, draft: SyncDraft) -> str | None:
        if draft.schedule is None or draft.is_paused:
            return None
        return rfc3339(next_after(draft.schedule, self._now()))

    def _entry(self, environment: Environment, by: str, action: str, sync: str) -> AuditEntry:
        at = rfc3339(self._now())
        return environment_entry(self._control, environment, at=at, by=by, action=action, subject=sync)

    def _check(self, environment: Environment, draft: SyncDraft) -> None:
        mapping = self._control.get_mapping(environment.space, draft.mapping).mapping
        try:
            check_mode(mapping, draft.mode)
        except MappingInvalid as problem:
            raise invalid(problem.detail, field="$.mode") from problem
        if draft.prefix and not is_at_or_below(TagPath(mapping.prefix), parse_tag(draft.prefix)):
            raise invalid(
                f"The mapping '{draft.mapping}' adds tags below '{mapping.prefix or '(nothing)'}', but the sync owns "
                f"'{draft.prefix}'. Set that prefix in the mapping.",
                field="$.under",
                rule="a mapping whose prefix lies at or below `prefix`",
            )
        if draft.mode in ("mirror", "set") and not draft.prefix:
            raise invalid(
                f"Mode '{draft.mode}' removes tags that the source does not contain, so it needs a branch of its own.",
                field="$.under",
                rule="a branch such as crm",
            )
        if not 0 <= draft.share_removed_max <= 100:
            raise invalid("A share is a percentage from 0 to 100.", field="$.share_removed_max")
        period_of(draft.starts_at or None, draft.expires_at or None, draft.ttl or None, now=self._now())
        if draft.schedule is not None:
            check_schedule(draft.schedule, SyncInvalid)
        check_source(draft.source)
        _check_fit(draft)
        _check_alerts(draft)


def _check_fit(draft: SyncDraft) -> None:
    """Checks that the mode and the schedule of a draft fit its source."""
    match draft.source:
        case SqlSource(cursor=str()) if draft.mode == "mirror":
            raise invalid(
                "A cursor reads only new rows, and a mirror would remove the tags of everybody else. Use mode 'set'.",
                field="$.mode",
            )
        case PushSource() if draft.schedule is not None:
            raise invalid("A push source has no schedule: its records are pushed to the sync.", field="$.schedule")


def _check_alerts(draft: SyncDraft) -> None:
    alerts = draft.alerts
    check_receivers(alerts, lambda says, field: invalid(says, field=f"$.alerts.{field}"))
    if alerts.late_minutes < 1:
        raise invalid("The least time until a sync is late is one minute.", field="$.alerts.late_minutes")


def _branch_of(draft: SyncDraft) -> TagPath | None:
    """Returns the branch that the sync owns, or None if it owns no branch."""
    return parse_tag(draft.prefix) if draft.prefix and draft.owns else None


def _cursor_of(draft: SyncDraft) -> str | None:
    return draft.source.cursor if isinstance(draft.source, SqlSource) else None


def parse_draft(body: bytes) -> SyncDraft:
    """Parses a draft from JSON. Raises: SyncInvalid, which names the field."""
    try:
        return msgspec.json.decode(body, type=SyncDraft)
    except msgspec.DecodeError as error:
        says, _, place = str(error).partition(" - at `")
        field = place.rstrip("`") or "$"
        raise SyncInvalid(f"{field}: {says}.", field=field) from error
