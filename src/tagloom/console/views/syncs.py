"""Syncs in the browser: what is kept in step, what became of its runs, and what waits for somebody."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from tagloom.console.forms.sync_form import SOURCE_KINDS, SYNC_MODES, shown_draft
from tagloom.console.framework.context import Answer, Html, PageRequest, Redirect, Toast
from tagloom.ports.imports import ASKING, Import
from tagloom.ports.problems import ImportNotFound, TagNotFound
from tagloom.syncs.schedules import in_words
from tagloom.words.model import ENVIRONMENT_NAMES
from tagloom.words.problems import TagIsAlias
from tagloom.words.syncs import OPEN, RunState, Sync, SyncRun
from tagloom.words.tags import parse_tag

RUNS_PER_PAGE = 20
RUN_STATES: dict[RunState, str] = {
    "reading": "reading its source",
    "importing": "being imported",
    "held": "asks before it goes on",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


def syncs(request: PageRequest) -> Answer:
    """The syncs with what became of the newest run of each, and the mappings that the space keeps."""
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
    """Those listed here, and those of the space's other environments, that read by a mapping, by its name."""
    used: dict[str, list[str]] = {}
    for each in listed:
        used.setdefault(each.draft.mapping, []).append(each.id)
    for name in ENVIRONMENT_NAMES:
        if name != request.environment.name:
            environment = request.services.installation.control.get_environment(request.space.id, name)
            for each in request.services.syncs.list_syncs(environment):
                used.setdefault(each.draft.mapping, []).append(f"{each.id} of {name}")
    return used


def show(request: PageRequest) -> Answer:
    """One sync: what it does, what became of its runs, and what waits."""
    sync = _sync(request)
    before = request.integer("before") if request.text("before") else None
    runs = request.services.syncs.list_runs(request.environment, sync.id, before=before, limit=RUNS_PER_PAGE + 1)
    became = [(run, _import_of(request, run)) for run in runs[:RUNS_PER_PAGE]]
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
            "runs": became,
            "has_more": len(runs) > RUNS_PER_PAGE,
            **(_newest(request, sync) if before or not became else _environment(*became[0])),
        },
    )


def _newest(request: PageRequest, sync: Sync) -> dict[str, Any]:
    """What a page says of the newest run."""
    run = next(iter(request.services.syncs.list_runs(request.environment, sync.id, limit=1)), None)
    return _environment(run, _import_of(request, run) if run else None)


def _environment(run: SyncRun | None, brought: Import | None) -> dict[str, Any]:
    """What a page says of the newest run, whose import it is, and whether it has ended.

    One whose import was approved or cancelled goes on, also before its runner has seen that.
    """
    is_held = run is not None and run.state == "held" and brought is not None and brought.state in ASKING
    is_under_way = run is not None and run.state in OPEN and not is_held
    return {"run": run, "brought": brought, "is_held": is_held, "is_under_way": is_under_way}


def _sync(request: PageRequest) -> Sync:
    return request.services.syncs.get_sync(request.environment, request.values["sync"])


def _import_of(request: PageRequest, run: SyncRun) -> Import | None:
    """What a run became; None while it has not yet, or when its import was forgotten."""
    if run.import_id is None:
        return None
    try:
        return request.services.imports.get(request.environment, run.import_id)
    except ImportNotFound:
        return None


def progress(request: PageRequest) -> Answer:
    """How far the newest run is; at the end, the whole page again."""
    sync = _sync(request)
    newest = _newest(request, sync)
    if not newest["is_under_way"]:
        return Redirect(request.to(f"sync/{sync.id}"))
    context = {"title": sync.id, "breadcrumb": [("Syncs", request.to("syncs")), (sync.id, None)], "sync": sync}
    return Html("sync_progress.html", context | newest)


def run(request: PageRequest) -> Answer:
    """Begins a run; when that was asked, one that only says what it would do."""
    sync, asks_first = request.values["sync"], request.text("asks_first") == "yes"
    request.services.syncs.run_sync(request.environment, sync, by=request.signed.actor, asks_first=asks_first)
    return Redirect(request.to(f"sync/{sync}"))


def pause(request: PageRequest) -> Answer:
    """From now on it runs on call only."""
    return _paused(request, is_paused=True, text="It is paused, and runs on call only.")


def resume(request: PageRequest) -> Answer:
    """It runs on its schedule again."""
    return _paused(request, is_paused=False, text="It runs on its schedule again.")


def _paused(request: PageRequest, *, is_paused: bool, text: str) -> Answer:
    sync = _sync(request)
    draft = replace(sync.draft, is_paused=is_paused)
    request.services.syncs.put_sync(
        request.environment, sync.id, draft, revision=sync.revision, by=request.signed.actor
    )
    return Redirect(request.to(f"sync/{sync.id}"), Toast(text))


def ask_delete(request: PageRequest) -> Answer:
    """What deleting it would end, and what stays."""
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
    """How many people bear a tag at or below the branch of a sync."""
    if not branch:
        return 0
    try:
        return request.population.get_tag(parse_tag(branch)).subtree_users
    except (TagNotFound, TagIsAlias):
        return 0


def delete(request: PageRequest) -> Answer:
    """Forgets it and its runs; what they wrote stays."""
    sync = request.values["sync"]
    request.services.syncs.delete_sync(request.environment, sync, by=request.signed.actor)
    return Redirect(request.to("syncs"), Toast(f"“{sync}” was deleted; what it wrote stays."))


def delete_mapping(request: PageRequest) -> Answer:
    """Forgets a mapping with all its versions."""
    name = request.text("mapping")
    request.services.mappings.delete_mapping(request.space.id, name)
    return Redirect(request.to("syncs"), Toast(f"The mapping “{name}” was forgotten; what was imported by it stays."))
