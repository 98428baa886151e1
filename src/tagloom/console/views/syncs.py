"""Syncs in the browser: the list, one sync with its runs, and its actions."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from tagloom.console.forms.sync_form import SOURCE_KINDS, SYNC_MODES, shown_draft
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.jobs.schedules import in_words
from tagloom.ports.imports import ASKING, Import
from tagloom.ports.problems import ImportNotFound, TagNotFound
from tagloom.words.problems import TagIsAlias
from tagloom.words.syncs import OPEN, RunState, Sync, SyncRun
from tagloom.words.tags import parse_tag
from tagloom.words.tenants import ENVIRONMENT_NAMES

RUNS_PER_PAGE = 20
RUN_STATES: dict[RunState, str] = {
    "reading": "reading the source",
    "importing": "importing",
    "held": "waits for approval",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


def syncs(request: PageRequest) -> Answer:
    """Lists the syncs with the newest run of each, and the mappings of the space."""
    listed = request.services.syncs.list_syncs(request.environment)
    return Html(
        "syncs.html",
        {
            "title": "Syncs",
            "breadcrumb": [("Developer", request.to("tags")), ("Syncs", None)],
            "syncs": listed,
            "newest": request.services.syncs.newest_runs(request.environment),
            "kinds": SOURCE_KINDS,
            "fields": {each.id: shown_draft(each.draft) for each in listed},
            "words": {each.id: in_words(each.draft.schedule) for each in listed if each.draft.schedule},
            "states": RUN_STATES,
            "mappings": request.services.mappings.list_mappings(request.space.id),
            "used": _used(request, listed),
        },
    )


def _used(request: PageRequest, listed: Sequence[Sync]) -> dict[str, list[str]]:
    """Returns the syncs of all environments of the space, by the name of their mapping."""
    used: dict[str, list[str]] = {}
    for each in listed:
        used.setdefault(each.draft.mapping, []).append(each.id)
    for name in ENVIRONMENT_NAMES:
        if name != request.environment.name:
            environment = request.services.access.get_environment(request.space.id, name)
            for each in request.services.syncs.list_syncs(environment):
                used.setdefault(each.draft.mapping, []).append(f"{each.id} of {name}")
    return used


def show(request: PageRequest) -> Answer:
    """Shows a sync and its runs."""
    sync = _sync(request)
    before = request.integer("before") if request.text("before") else None
    runs = request.services.syncs.list_runs(request.environment, sync.id, before=before, limit=RUNS_PER_PAGE + 1)
    with_imports = [(run, _import_of(request, run)) for run in runs[:RUNS_PER_PAGE]]
    schedule = sync.draft.schedule
    return Html(
        "sync.html",
        {
            "title": sync.id,
            "breadcrumb": [("Syncs", request.to("syncs")), (sync.id, None)],
            "sync": sync,
            "draft": sync.draft,
            "fields": shown_draft(sync.draft),
            "kinds": SOURCE_KINDS,
            "modes": SYNC_MODES,
            "words": in_words(schedule) if schedule else "",
            "states": RUN_STATES,
            "runs": with_imports,
            "has_more": len(runs) > RUNS_PER_PAGE,
            **(_newest(request, sync) if before or not with_imports else _run_context(*with_imports[0])),
        },
    )


def _newest(request: PageRequest, sync: Sync) -> dict[str, Any]:
    """Returns the values that a page shows of the newest run."""
    run = next(iter(request.services.syncs.list_runs(request.environment, sync.id, limit=1)), None)
    return _run_context(run, _import_of(request, run) if run else None)


def _run_context(run: SyncRun | None, brought: Import | None) -> dict[str, Any]:
    """Returns the values that a page shows of a run: its import, and whether it waits for approval or is under way.

    A run whose import was approved or cancelled is under way, even if the state of the run has not changed yet.
    """
    is_held = run is not None and run.state == "held" and brought is not None and brought.state in ASKING
    is_under_way = run is not None and run.state in OPEN and not is_held
    return {"run": run, "brought": brought, "is_held": is_held, "is_under_way": is_under_way}


def _sync(request: PageRequest) -> Sync:
    return request.services.syncs.get_sync(request.environment, request.values["sync"])


def _import_of(request: PageRequest, run: SyncRun) -> Import | None:
    """Returns the import of a run; None if it has none yet, or the import was deleted."""
    if run.import_id is None:
        return None
    try:
        return request.services.imports.get(request.environment, run.import_id)
    except ImportNotFound:
        return None


def progress(request: PageRequest) -> Answer:
    """Shows the progress of the newest run; at its end, redirects to the page of the sync."""
    sync = _sync(request)
    newest = _newest(request, sync)
    if not newest["is_under_way"]:
        return Redirect(request.to(f"sync/{sync.id}"))
    context = {"title": sync.id, "breadcrumb": [("Syncs", request.to("syncs")), (sync.id, None)], "sync": sync}
    return Html("sync_progress.html", context | newest)


def run(request: PageRequest) -> Answer:
    """Starts a run. With `requires_approval` it stops at its preview."""
    sync, requires_approval = request.values["sync"], request.text("requires_approval") == "yes"
    request.services.syncs.run_sync(
        request.environment, sync, by=request.signed.actor, requires_approval=requires_approval
    )
    return Redirect(request.to(f"sync/{sync}"))


def pause(request: PageRequest) -> Answer:
    """Pauses the schedule of a sync."""
    return _paused(request, is_paused=True, text="The sync was paused.")


def resume(request: PageRequest) -> Answer:
    """Resumes the schedule of a sync."""
    return _paused(request, is_paused=False, text="The sync was resumed.")


def _paused(request: PageRequest, *, is_paused: bool, text: str) -> Answer:
    sync = _sync(request)
    draft = replace(sync.draft, is_paused=is_paused)
    request.services.syncs.put_sync(
        request.environment, sync.id, draft, revision=sync.revision, by=request.signed.actor
    )
    return Redirect(request.to(f"sync/{sync.id}"), Toast(text))


def ask_delete(request: PageRequest) -> Answer:
    """Shows what deleting a sync would change."""
    sync = _sync(request)
    return Html(
        "sync_delete.html",
        {
            "title": f"Delete {sync.id}",
            "breadcrumb": [("Syncs", request.to("syncs")), (sync.id, request.to(f"sync/{sync.id}")), ("Delete", None)],
            "sync": sync,
            "people_with": _people_with(request, sync.draft.prefix),
        },
    )


def _people_with(request: PageRequest, branch: str) -> int:
    """Returns how many people have a tag at or below a branch."""
    if not branch:
        return 0
    try:
        return request.services.catalogue.get_tag(request.environment, parse_tag(branch)).subtree_users
    except (TagNotFound, TagIsAlias):
        return 0


def delete(request: PageRequest) -> Answer:
    """Deletes a sync and its runs. Their taggings stay."""
    sync = request.values["sync"]
    request.services.syncs.delete_sync(request.environment, sync, by=request.signed.actor)
    return Redirect(request.to("syncs"), Toast(f"“{sync}” was deleted. Its taggings stay."))


def delete_mapping(request: PageRequest) -> Answer:
    """Deletes a mapping with all its versions."""
    name = request.text("mapping")
    request.services.mappings.delete_mapping(request.space.id, name)
    return Redirect(request.to("syncs"), Toast(f"The mapping “{name}” was deleted. Imported taggings stay."))
