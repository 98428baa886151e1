"""Syncs in the browser: what is kept in step, what became of its runs, and what waits for somebody."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from tagloom.console.forms.sync_form import SOURCE_KINDS, SYNC_MODES, shown_draft
from tagloom.console.framework.context import Answer, Html, Redirect, Toast, Visit
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


def syncs(visit: Visit) -> Answer:
    """The syncs with what became of the newest run of each, and the mappings that the space keeps."""
    listed = visit.loom.syncs.list_syncs(visit.environment)
    return Html(
        "syncs.html",
        {
            "title": "Syncs",
            "breadcrumb": [("Developer", visit.to("tags")), ("Syncs", None)],
            "syncs": listed,
            "newest": visit.loom.syncs.newest_runs(visit.environment),
            "kinds": SOURCE_KINDS,
            "fields": {each.id: shown_draft(each.draft) for each in listed},
            "words": {each.id: in_words(each.draft.schedule) for each in listed if each.draft.schedule},
            "states": RUN_STATES,
            "mappings": visit.loom.mappings.list_mappings(visit.space.id),
            "used": _used(visit, listed),
        },
    )


def _used(visit: Visit, listed: Sequence[Sync]) -> dict[str, list[str]]:
    """Those listed here, and those of the space's other environments, that read by a mapping, by its name."""
    used: dict[str, list[str]] = {}
    for each in listed:
        used.setdefault(each.draft.mapping, []).append(each.id)
    for name in ENVIRONMENT_NAMES:
        if name != visit.environment.name:
            environment = visit.loom.installation.control.get_environment(visit.space.id, name)
            for each in visit.loom.syncs.list_syncs(environment):
                used.setdefault(each.draft.mapping, []).append(f"{each.id} of {name}")
    return used


def show(visit: Visit) -> Answer:
    """One sync: what it does, what became of its runs, and what waits."""
    sync = _sync(visit)
    before = visit.integer("before") if visit.text("before") else None
    runs = visit.loom.syncs.list_runs(visit.environment, sync.id, before=before, limit=RUNS_PER_PAGE + 1)
    became = [(run, _import_of(visit, run)) for run in runs[:RUNS_PER_PAGE]]
    schedule = sync.draft.schedule
    return Html(
        "sync.html",
        {
            "title": sync.id,
            "breadcrumb": [("Syncs", visit.to("syncs")), (sync.id, None)],
            "sync": sync,
            "draft": sync.draft,
            "fields": shown_draft(sync.draft),
            "kinds": SOURCE_KINDS,
            "modes": SYNC_MODES,
            "words": in_words(schedule) if schedule else "",
            "states": RUN_STATES,
            "runs": became,
            "has_more": len(runs) > RUNS_PER_PAGE,
            **(_newest(visit, sync) if before or not became else _standing(*became[0])),
        },
    )


def _newest(visit: Visit, sync: Sync) -> dict[str, Any]:
    """What a page says of the newest run."""
    run = next(iter(visit.loom.syncs.list_runs(visit.environment, sync.id, limit=1)), None)
    return _standing(run, _import_of(visit, run) if run else None)


def _standing(run: SyncRun | None, brought: Import | None) -> dict[str, Any]:
    """What a page says of the newest run, whose import it is, and whether it has ended.

    One whose import was approved or cancelled goes on, also before its runner has seen that.
    """
    is_held = run is not None and run.state == "held" and brought is not None and brought.state in ASKING
    is_under_way = run is not None and run.state in OPEN and not is_held
    return {"run": run, "brought": brought, "is_held": is_held, "is_under_way": is_under_way}


def _sync(visit: Visit) -> Sync:
    return visit.loom.syncs.get_sync(visit.environment, visit.values["sync"])


def _import_of(visit: Visit, run: SyncRun) -> Import | None:
    """What a run became; None while it has not yet, or when its import was forgotten."""
    if run.import_id is None:
        return None
    try:
        return visit.loom.imports.get(visit.environment, run.import_id)
    except ImportNotFound:
        return None


def progress(visit: Visit) -> Answer:
    """How far the newest run is; at the end, the whole page again."""
    sync = _sync(visit)
    newest = _newest(visit, sync)
    if not newest["is_under_way"]:
        return Redirect(visit.to(f"sync/{sync.id}"))
    context = {"title": sync.id, "breadcrumb": [("Syncs", visit.to("syncs")), (sync.id, None)], "sync": sync}
    return Html("sync_progress.html", context | newest)


def run(visit: Visit) -> Answer:
    """Begins a run; when that was asked, one that only says what it would do."""
    sync, asks_first = visit.values["sync"], visit.text("asks_first") == "yes"
    visit.loom.syncs.run_sync(visit.environment, sync, by=visit.signed.actor, asks_first=asks_first)
    return Redirect(visit.to(f"sync/{sync}"))


def pause(visit: Visit) -> Answer:
    """From now on it runs on call only."""
    return _paused(visit, is_paused=True, text="It is paused, and runs on call only.")


def resume(visit: Visit) -> Answer:
    """It runs on its schedule again."""
    return _paused(visit, is_paused=False, text="It runs on its schedule again.")


def _paused(visit: Visit, *, is_paused: bool, text: str) -> Answer:
    sync = _sync(visit)
    draft = replace(sync.draft, is_paused=is_paused)
    visit.loom.syncs.put_sync(visit.environment, sync.id, draft, revision=sync.revision, by=visit.signed.actor)
    return Redirect(visit.to(f"sync/{sync.id}"), Toast(text))


def ask_drop(visit: Visit) -> Answer:
    """What deleting it would end, and what stays."""
    sync = _sync(visit)
    return Html(
        "sync_delete.html",
        {
            "title": f"Delete {sync.id}",
            "breadcrumb": [("Syncs", visit.to("syncs")), (sync.id, visit.to(f"sync/{sync.id}")), ("Delete", None)],
            "sync": sync,
            "bearers": _bearers(visit, sync.draft.under),
        },
    )


def _bearers(visit: Visit, branch: str) -> int:
    """How many people bear a tag at or below the branch of a sync."""
    if not branch:
        return 0
    try:
        return visit.population.get_tag(parse_tag(branch)).subtree_users
    except (TagNotFound, TagIsAlias):
        return 0


def drop(visit: Visit) -> Answer:
    """Forgets it and its runs; what they wrote stays."""
    sync = visit.values["sync"]
    visit.loom.syncs.drop_sync(visit.environment, sync, by=visit.signed.actor)
    return Redirect(visit.to("syncs"), Toast(f"“{sync}” was deleted; what it wrote stays."))


def drop_mapping(visit: Visit) -> Answer:
    """Forgets a mapping with all its versions."""
    name = visit.text("mapping")
    visit.loom.mappings.drop_mapping(visit.space.id, name)
    return Redirect(visit.to("syncs"), Toast(f"The mapping “{name}” was forgotten; what was imported by it stays."))
