"""Imports in the browser: bring a file, say what its columns mean, see what it would do, run it, undo it."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec

from tagloom.base import limits as base_limits
from tagloom.base.problems import BodyInvalid, ParameterInvalid, Problem
from tagloom.base.times import seconds_of
from tagloom.console import limits
from tagloom.console.forms.mapping_form import mapping_of, read_fields, shown_meaning
from tagloom.console.forms.times import read_moment
from tagloom.console.framework.context import Answer, Download, Html, Redirect, Toast, Visit
from tagloom.console.views.history import is_foreseen
from tagloom.files.problems import ColumnsInvalid
from tagloom.imports.lifecycle import How
from tagloom.imports.mapping_inference import IDS_COLUMN, Beginning, propose, rows_read, without_header
from tagloom.people.export import CONTENT_TYPE_OF_FORMAT
from tagloom.ports.imports import ENDED, WORKED_ON, Hold, Import, ImportFormat, ImportState
from tagloom.ports.problems import UndoConflict
from tagloom.words.expiry import ExpiryInvalid, kept_said
from tagloom.words.mappings import Encoding, Mapping, check_mapping
from tagloom.words.model import Mode
from tagloom.words.problems import MappingInvalid, TagProblem
from tagloom.words.source_addresses import Remote
from tagloom.words.tags import parse_tag

REJECTED_SHOWN = 20
IMPORTS_PER_PAGE = 50
MODES: dict[Mode, str] = {
    "add": "Add these tags",
    "remove": "Remove these tags",
    "set": "Set: each person named has exactly these",
    "mirror": "Mirror: the file is the whole truth",
}
STATES: dict[ImportState, str] = {
    "fetching": "being fetched",
    "waiting": "not looked at",
    "looking": "being looked at",
    "planned": "looked at, not applied",
    "held": "asks before it goes on",
    "running": "being applied",
    "paused": "paused",
    "cancelled": "cancelled",
    "done": "applied",
    "failed": "failed",
}
HOLDS: dict[Hold, str] = {
    "removes-much": "Apply all the same",
    "source-empty": "Apply the empty file",
    "plan-changed": "Apply what it would do now",
    "lines-unreadable": "Apply without these lines",
}
ENCODINGS: dict[Encoding, str] = {
    "windows-1252": "Windows-1252, from Excel",
    "utf-8": "UTF-8; a line that is none is rejected",
    "utf-16": "UTF-16",
}
FORMATS: dict[ImportFormat, str] = {"csv": "CSV", "ndjson": "NDJSON", "parquet": "Parquet"}
# In these it can be said anew how the file is read, as long as nothing of it was applied.
OPEN: tuple[ImportState, ...] = ("waiting", "planned", "held", "failed")


class Pace(msgspec.Struct, frozen=True):
    """How far an import has come: rows so far, rows in a second, and the seconds since it was set to work."""

    rows: int
    rows_per_second: int
    seconds: int


def imports(visit: Visit) -> Answer:
    """The imports, and the place to bring another file."""
    return Html("imports.html", _listed(visit))


def _listed(visit: Visit) -> dict[str, Any]:
    before = visit.text("before") or None
    found = visit.loom.imports.list(visit.environment, limit=IMPORTS_PER_PAGE + 1, before=before)
    return {
        "title": "Imports",
        "breadcrumb": [("Developer", visit.to("tags")), ("Imports", None)],
        "runs": found[:IMPORTS_PER_PAGE],
        "has_more": len(found) > IMPORTS_PER_PAGE,
        "states": STATES,
        "bytes_max": limits.UPLOAD_BYTES_MAX,
        "formats": FORMATS,
        "schemes": visit.loom.installation.reach.schemes,
        "problem": None,
    }


def bring(visit: Visit) -> Answer:
    """Takes a file in and goes on to its columns."""
    if visit.file is None or not visit.file.filename:
        raise BodyInvalid("Choose a CSV, NDJSON or Parquet file.")
    source = visit.file.file

    def chunks() -> Iterator[bytes]:
        while chunk := source.read(base_limits.UPLOAD_CHUNK_BYTES):
            yield chunk

    book, environment = visit.loom.imports, visit.environment
    run = book.bring_file(environment, chunks(), name=visit.file.filename, by=visit.signed.actor)
    try:
        book.beginning(environment, run.id)
    except Problem:
        # Of a file that cannot even be begun there is nothing to show.
        book.drop(environment, run.id)
        raise
    return Redirect(visit.to(f"import/{run.id}"))


def fetch(visit: Visit) -> Answer:
    """Has a file fetched from its address, and goes on to the page that shows how far that is."""
    url, secret = visit.text("url").strip(), visit.text("secret").strip() or None
    try:
        how: How = {"name": "", "by": visit.signed.actor, "format": _format(visit)}
        run = visit.loom.fetcher.bring_address(visit.environment, Remote(url=url, secret=secret), **how)
    except Problem as problem:
        # What was typed stays, beside what is wrong with it.
        return Html("imports.html", _listed(visit) | {"problem": problem}, status=problem.status)
    return Redirect(visit.to(f"import/{run.id}"))


def _format(visit: Visit) -> ImportFormat | None:
    text = visit.text("format")
    for format in FORMATS:
        if text == format:
            return format
    return None


def show(visit: Visit) -> Answer:
    """One import: its columns, what it would do, how far it is, or what it did."""
    run = _run(visit)
    context = _context(visit, run)
    if context["is_open"]:
        try:
            beginning = _beginning(visit, run)
        except (BodyInvalid, ColumnsInvalid) as problem:
            # It was fetched and is no such file: what is wrong is said where it can be removed.
            return Html("import.html", context | {"is_open": False, "problem": problem})
        context |= _meaning(visit, beginning, _mapping(visit, run, beginning))
    return Html("import.html", context)


def _run(visit: Visit) -> Import:
    return visit.loom.imports.get(visit.environment, visit.values["import"])


def _beginning(visit: Visit, run: Import) -> Beginning:
    """The columns and first rows; a file of bare ids has one column of users. Raises: as reading it."""
    found = visit.loom.imports.beginning(visit.environment, run.id)
    said = _said_mapping(visit, run)
    if run.format == "csv" and (said is None or said.header == "if-any"):
        return without_header(found)
    return found


def _said_mapping(visit: Visit, run: Import) -> Mapping | None:
    """A kept mapping that was asked for, or the import's own."""
    if name := visit.text("mapping"):
        return visit.loom.mappings.get_mapping(visit.space.id, name).mapping
    return run.mapping


def _mapping(visit: Visit, run: Import, beginning: Beginning) -> Mapping:
    """The one to begin with: one that was said, or else one that is proposed."""
    said = _said_mapping(visit, run)
    if said is not None:
        return said
    proposed = propose(beginning).mapping
    is_ids = run.format == "csv" and beginning.names == (IDS_COLUMN,)
    return msgspec.structs.replace(proposed, header="if-any") if is_ids else proposed


def _context(visit: Visit, run: Import) -> dict[str, Any]:
    is_untouched = run.tally.steps == 0
    rejected = tuple(islice(visit.loom.imports.rejected(visit.environment, run.id), REJECTED_SHOWN))
    receipt = run.plan.foreseen.receipt if run.plan is not None and is_untouched else run.tally
    return {
        "title": run.name,
        "breadcrumb": [("Imports", visit.to("imports")), (run.name, None)],
        "run": run,
        "is_busy": run.state in WORKED_ON,
        "is_open": run.state in OPEN and is_untouched and run.has_file and run.mode != "change",
        "has_ended": run.state in ENDED,
        "states": STATES,
        "modes": MODES,
        "holds": HOLDS,
        "pace": _pace(visit, run),
        "ends": _ends(run),
        "rejected": rejected,
        "rejected_count": receipt.rejected_count,
        "names": {each.id: each.name for each in visit.loom.tribes.list_tribes(visit.space.id)},
        "problem": None,
    }


def _pace(visit: Visit, run: Import) -> Pace:
    began = seconds_of(run.began_at) if run.began_at else visit.loom.now()
    ended = seconds_of(run.ended_at) if run.ended_at else visit.loom.now()
    seconds = max(ended - began, 0.0)
    return Pace(run.rows_read, round(run.rows_read / max(seconds, 0.5)), round(seconds))


def _meaning(visit: Visit, beginning: Beginning, mapping: Mapping) -> dict[str, Any]:
    return {
        **shown_meaning(mapping, beginning),
        "kept": visit.loom.mappings.list_mappings(visit.space.id),
        "warnings": propose(beginning).warnings,
        "encodings": ENCODINGS if {mapping.encoding, beginning.encoding} != {"utf-8"} else {},
    }


def plan(visit: Visit) -> Answer:
    """Takes what the columns mean, keeps it when that was asked, and has it computed what applying would do."""
    found = _run(visit)
    beginning = _beginning(visit, found)
    fields, base = read_fields(visit.form), _mapping(visit, found, beginning)
    wanted = msgspec.structs.replace(
        found,
        mode=_mode(visit),
        under=visit.text("under").strip(),
        share_removed_max=float(visit.integer("share")) if visit.text("share") else None,
    )
    typed = {"ttl": visit.text("ttl").strip(), "expires_at": read_moment(visit.text("expires_at").strip())}
    try:
        # An end that stays is not held against the clock again.
        is_new = typed != _ends(found)
        end = kept_said(visit.moment("expires_at"), typed["ttl"] or None, visit.loom.now()) if is_new else None
        mapping = check_mapping(
            mapping_of(
                fields, prefix=visit.text("prefix").strip(), base=base, tags=_tags(visit), encoding=_encoding(visit)
            )
        )
        rows_read(beginning, mapping)
        if visit.text("then") != "look":
            _plan(visit, wanted, mapping, end)
            return Redirect(visit.to(f"import/{found.id}"))
    except (
        BodyInvalid,
        MappingInvalid,
        TagProblem,
        ParameterInvalid,
        ExpiryInvalid,
    ) as problem:
        # What was typed stays, beside what is wrong with it.
        shown = {**_meaning(visit, beginning, base), "columns": fields, "read": (), "ends": typed, "problem": problem}
        return Html("import.html", _context(visit, wanted) | shown, status=problem.status)
    return Html("import.html", _context(visit, wanted) | _meaning(visit, beginning, mapping) | {"ends": typed})


def _tags(visit: Visit) -> tuple[str, ...]:
    """What everybody in the file gets: one tag, or several divided by semicolons."""
    return tuple(tag for each in visit.text("tags").split(";") if (tag := each.strip()))


def _encoding(visit: Visit) -> Encoding | None:
    """How the text is to be read, where that was asked."""
    return next((each for each in ENCODINGS if each == visit.text("encoding")), None)


def _ends(run: Import) -> dict[str, str]:
    """When what it gives ends, as the fields show it."""
    return {"ttl": run.ttl, "expires_at": run.expires_at[:16]}


def _plan(visit: Visit, wanted: Import, mapping: Mapping, end: tuple[str, str] | None) -> None:
    if wanted.under:
        parse_tag(wanted.under)
    named = None
    if name := visit.text("keep").strip():
        kept = visit.loom.mappings.put_mapping(visit.space.id, name, mapping, by=visit.signed.actor)
        named = f"{kept.name}, version {kept.version}"
    visit.loom.imports.configure(
        visit.environment,
        wanted.id,
        mapping=mapping,
        mapping_name=named,
        mode=wanted.mode,
        under=wanted.under,
        share_removed_max=wanted.share_removed_max,
        end=end,
    )
    visit.loom.imports.plan(visit.environment, wanted.id)


def _mode(visit: Visit) -> Mode:
    text = visit.text("mode", "add")
    for mode in MODES:
        if text == mode:
            return mode
    raise ParameterInvalid(f"The mode is one of {', '.join(MODES)}.", parameter="mode")


def progress(visit: Visit) -> Answer:
    """How far it is; at the end, the whole page again."""
    run = _run(visit)
    if run.state not in WORKED_ON:
        return Redirect(visit.to(f"import/{run.id}"))
    return Html(
        "import_progress.html",
        {
            "title": run.name,
            "breadcrumb": [("Imports", visit.to("imports")), (run.name, None)],
            "run": run,
            "pace": _pace(visit, run),
        },
    )


def run(visit: Visit) -> Answer:
    """Applies the file; one that is held goes on as its plan says now."""
    book, environment, found = visit.loom.imports, visit.environment, _run(visit)
    if found.state == "held":
        book.approve(environment, found.id)
    else:
        book.run(environment, found.id)
    return Redirect(visit.to(f"import/{found.id}"))


def look(visit: Visit) -> Answer:
    """Has it computed again what applying would do."""
    visit.loom.imports.plan(visit.environment, visit.values["import"])
    return Redirect(visit.to(f"import/{visit.values['import']}"))


def pause(visit: Visit) -> Answer:
    """Stops behind the step that is being applied."""
    visit.loom.imports.pause(visit.environment, visit.values["import"])
    return Redirect(visit.to(f"import/{visit.values['import']}"))


def resume(visit: Visit) -> Answer:
    """Goes on where it was paused."""
    visit.loom.imports.resume(visit.environment, visit.values["import"])
    return Redirect(visit.to(f"import/{visit.values['import']}"))


def cancel(visit: Visit) -> Answer:
    """Ends it; what was applied stays, or is taken back when that was asked."""
    id, undo = visit.values["import"], visit.text("undo") == "yes"
    visit.loom.imports.cancel(visit.environment, id, by=visit.signed.actor, undo=undo)
    return Redirect(visit.to(f"import/{id}"), Toast("The import was cancelled."))


def ask_undo(visit: Visit) -> Answer:
    """What taking back would do, before anybody does; when it is large, the page itself asks for it."""
    found = _run(visit)
    versions = visit.loom.imports.standing(visit.environment, found.id)
    context: dict[str, Any] = {
        "title": "Undo an import",
        "breadcrumb": [("Imports", visit.to("imports")), (found.name, visit.to(f"import/{found.id}")), ("Undo", None)],
        "run": found,
        "versions": versions,
        "foreseen": None,
        "problem": None,
        "names": {each.id: each.name for each in visit.loom.tribes.list_tribes(visit.space.id)},
    }
    if versions and is_foreseen(visit, found.tally.added + found.tally.removed):
        try:
            context["foreseen"] = visit.loom.foresight.undo_all(visit.environment, versions)
        except UndoConflict as problem:
            context["problem"] = problem
    return Html("import_undo_effect.html" if visit.target == "effect" else "import_undo.html", context)


def undo(visit: Visit) -> Answer:
    """Takes back what it did, as one version."""
    id = visit.values["import"]
    undone = visit.loom.imports.undo(visit.environment, id, by=visit.signed.actor).undone
    toast = Toast("The import was undone.", undone[-1]) if undone else Toast("There was nothing left to undo.")
    return Redirect(visit.to(f"import/{id}"), toast)


def drop(visit: Visit) -> Answer:
    """Forgets the import and its file."""
    visit.loom.imports.drop(visit.environment, visit.values["import"])
    return Redirect(visit.to("imports"), Toast("The file was removed; what it did stays."))


def rejected(visit: Visit) -> Answer:
    """The rejected rows as the file had them, with the reasons behind, to be mended and brought again."""
    found = _run(visit)
    rows = visit.loom.imports.rejected_rows(visit.environment, found.id)
    name = found.name.removesuffix(".gz").removesuffix(".zst")
    return Download(f"rejected-{name}", CONTENT_TYPE_OF_FORMAT[found.format], rows)
