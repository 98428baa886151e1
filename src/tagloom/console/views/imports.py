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
from tagloom.console.framework.context import Answer, Download, Html, PageRequest, Redirect, Toast
from tagloom.console.views.history import is_previewed
from tagloom.files.problems import ColumnsInvalid
from tagloom.imports.lifecycle import How
from tagloom.imports.mapping_inference import IDS_COLUMN, Beginning, infer, rows_read, without_header
from tagloom.people.export import CONTENT_TYPE_OF_FORMAT
from tagloom.ports.imports import ENDED, WORKED_ON, Hold, Import, ImportFormat, ImportState
from tagloom.ports.problems import UndoConflict
from tagloom.ports.writes import Undo
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


def imports(request: PageRequest) -> Answer:
    """The imports, and the place to bring another file."""
    return Html("imports.html", _listed(request))


def _listed(request: PageRequest) -> dict[str, Any]:
    before = request.text("before") or None
    found = request.services.imports.list(request.environment, limit=IMPORTS_PER_PAGE + 1, before=before)
    return {
        "title": "Imports",
        "breadcrumb": [("Developer", request.to("tags")), ("Imports", None)],
        "runs": found[:IMPORTS_PER_PAGE],
        "has_more": len(found) > IMPORTS_PER_PAGE,
        "states": STATES,
        "bytes_max": limits.UPLOAD_BYTES_MAX,
        "formats": FORMATS,
        "schemes": request.services.installation.egress_policy.schemes,
        "problem": None,
    }


def bring(request: PageRequest) -> Answer:
    """Takes a file in and goes on to its columns."""
    if request.file is None or not request.file.filename:
        raise BodyInvalid("Choose a CSV, NDJSON or Parquet file.")
    source = request.file.file

    def chunks() -> Iterator[bytes]:
        while chunk := source.read(base_limits.UPLOAD_CHUNK_BYTES):
            yield chunk

    book, environment = request.services.imports, request.environment
    run = book.bring_file(environment, chunks(), name=request.file.filename, by=request.signed.actor)
    try:
        book.beginning(environment, run.id)
    except Problem:
        # Of a file that cannot even be begun there is nothing to show.
        book.delete(environment, run.id)
        raise
    return Redirect(request.to(f"import/{run.id}"))


def fetch(request: PageRequest) -> Answer:
    """Has a file fetched from its address, and goes on to the page that shows how far that is."""
    url, secret = request.text("url").strip(), request.text("secret").strip() or None
    try:
        how: How = {"name": "", "by": request.signed.actor, "format": _format(request)}
        run = request.services.fetcher.bring_address(request.environment, Remote(url=url, secret=secret), **how)
    except Problem as problem:
        # What was typed stays, beside what is wrong with it.
        return Html("imports.html", _listed(request) | {"problem": problem}, status=problem.status)
    return Redirect(request.to(f"import/{run.id}"))


def _format(request: PageRequest) -> ImportFormat | None:
    text = request.text("format")
    for format in FORMATS:
        if text == format:
            return format
    return None


def show(request: PageRequest) -> Answer:
    """One import: its columns, what it would do, how far it is, or what it did."""
    run = _run(request)
    context = _context(request, run)
    if context["is_open"]:
        try:
            beginning = _beginning(request, run)
        except (BodyInvalid, ColumnsInvalid) as problem:
            # It was fetched and is no such file: what is wrong is said where it can be removed.
            return Html("import.html", context | {"is_open": False, "problem": problem})
        context |= _meaning(request, beginning, _mapping(request, run, beginning))
    return Html("import.html", context)


def _run(request: PageRequest) -> Import:
    return request.services.imports.get(request.environment, request.values["import"])


def _beginning(request: PageRequest, run: Import) -> Beginning:
    """The columns and first rows; a file of bare ids has one column of users. Raises: as reading it."""
    found = request.services.imports.beginning(request.environment, run.id)
    said = _said_mapping(request, run)
    if run.format == "csv" and (said is None or said.header == "if-any"):
        return without_header(found)
    return found


def _said_mapping(request: PageRequest, run: Import) -> Mapping | None:
    """A kept mapping that was asked for, or the import's own."""
    if name := request.text("mapping"):
        return request.services.mappings.get_mapping(request.space.id, name).mapping
    return run.mapping


def _mapping(request: PageRequest, run: Import, beginning: Beginning) -> Mapping:
    """The one to begin with: one that was said, or else one that is proposed."""
    said = _said_mapping(request, run)
    if said is not None:
        return said
    inferred = infer(beginning).mapping
    is_ids = run.format == "csv" and beginning.names == (IDS_COLUMN,)
    return msgspec.structs.replace(inferred, header="if-any") if is_ids else inferred


def _context(request: PageRequest, run: Import) -> dict[str, Any]:
    is_untouched = run.tally.steps == 0
    rejected = tuple(islice(request.services.imports.rejected(request.environment, run.id), REJECTED_SHOWN))
    receipt = run.plan.preview.receipt if run.plan is not None and is_untouched else run.tally
    return {
        "title": run.name,
        "breadcrumb": [("Imports", request.to("imports")), (run.name, None)],
        "run": run,
        "is_busy": run.state in WORKED_ON,
        "is_open": run.state in OPEN and is_untouched and run.has_file and run.mode != "change",
        "has_ended": run.state in ENDED,
        "states": STATES,
        "modes": MODES,
        "holds": HOLDS,
        "pace": _pace(request, run),
        "ends": _ends(run),
        "rejected": rejected,
        "rejected_count": receipt.rejected_count,
        "names": {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)},
        "problem": None,
    }


def _pace(request: PageRequest, run: Import) -> Pace:
    began = seconds_of(run.began_at) if run.began_at else request.services.now()
    ended = seconds_of(run.ended_at) if run.ended_at else request.services.now()
    seconds = max(ended - began, 0.0)
    return Pace(run.rows_read, round(run.rows_read / max(seconds, 0.5)), round(seconds))


def _meaning(request: PageRequest, beginning: Beginning, mapping: Mapping) -> dict[str, Any]:
    return {
        **shown_meaning(mapping, beginning),
        "kept": request.services.mappings.list_mappings(request.space.id),
        "warnings": infer(beginning).warnings,
        "encodings": ENCODINGS if {mapping.encoding, beginning.encoding} != {"utf-8"} else {},
    }


def plan(request: PageRequest) -> Answer:
    """Takes what the columns mean, keeps it when that was asked, and has it computed what applying would do."""
    found = _run(request)
    beginning = _beginning(request, found)
    fields, base = read_fields(request.form), _mapping(request, found, beginning)
    wanted = msgspec.structs.replace(
        found,
        mode=_mode(request),
        prefix=request.text("mirror_prefix").strip(),
        share_removed_max=float(request.integer("share")) if request.text("share") else None,
    )
    typed = {"ttl": request.text("ttl").strip(), "expires_at": read_moment(request.text("expires_at").strip())}
    try:
        # An end that stays is not held against the clock again.
        is_new = typed != _ends(found)
        end = kept_said(request.moment("expires_at"), typed["ttl"] or None, request.services.now()) if is_new else None
        mapping = check_mapping(
            mapping_of(
                fields,
                prefix=request.text("prefix").strip(),
                base=base,
                tags=_tags(request),
                encoding=_encoding(request),
            )
        )
        rows_read(beginning, mapping)
        if request.text("then") != "look":
            _plan(request, wanted, mapping, end)
            return Redirect(request.to(f"import/{found.id}"))
    except (
        BodyInvalid,
        MappingInvalid,
        TagProblem,
        ParameterInvalid,
        ExpiryInvalid,
    ) as problem:
        # What was typed stays, beside what is wrong with it.
        shown = {**_meaning(request, beginning, base), "columns": fields, "read": (), "ends": typed, "problem": problem}
        return Html("import.html", _context(request, wanted) | shown, status=problem.status)
    return Html("import.html", _context(request, wanted) | _meaning(request, beginning, mapping) | {"ends": typed})


def _tags(request: PageRequest) -> tuple[str, ...]:
    """What everybody in the file gets: one tag, or several divided by semicolons."""
    return tuple(tag for each in request.text("tags").split(";") if (tag := each.strip()))


def _encoding(request: PageRequest) -> Encoding | None:
    """How the text is to be read, where that was asked."""
    return next((each for each in ENCODINGS if each == request.text("encoding")), None)


def _ends(run: Import) -> dict[str, str]:
    """When what it gives ends, as the fields show it."""
    return {"ttl": run.ttl, "expires_at": run.expires_at[:16]}


def _plan(request: PageRequest, wanted: Import, mapping: Mapping, end: tuple[str, str] | None) -> None:
    if wanted.prefix:
        parse_tag(wanted.prefix)
    named = None
    if name := request.text("keep").strip():
        kept = request.services.mappings.put_mapping(request.space.id, name, mapping, by=request.signed.actor)
        named = f"{kept.name}, version {kept.version}"
    request.services.imports.configure(
        request.environment,
        wanted.id,
        mapping=mapping,
        mapping_name=named,
        mode=wanted.mode,
        prefix=wanted.prefix,
        share_removed_max=wanted.share_removed_max,
        end=end,
    )
    request.services.imports.plan(request.environment, wanted.id)


def _mode(request: PageRequest) -> Mode:
    text = request.text("mode", "add")
    for mode in MODES:
        if text == mode:
            return mode
    raise ParameterInvalid(f"The mode is one of {', '.join(MODES)}.", parameter="mode")


def progress(request: PageRequest) -> Answer:
    """How far it is; at the end, the whole page again."""
    run = _run(request)
    if run.state not in WORKED_ON:
        return Redirect(request.to(f"import/{run.id}"))
    return Html(
        "import_progress.html",
        {
            "title": run.name,
            "breadcrumb": [("Imports", request.to("imports")), (run.name, None)],
            "run": run,
            "pace": _pace(request, run),
        },
    )


def run(request: PageRequest) -> Answer:
    """Applies the file; one that is held goes on as its plan says now."""
    book, environment, found = request.services.imports, request.environment, _run(request)
    if found.state == "held":
        book.approve(environment, found.id)
    else:
        book.run(environment, found.id)
    return Redirect(request.to(f"import/{found.id}"))


def look(request: PageRequest) -> Answer:
    """Has it computed again what applying would do."""
    request.services.imports.plan(request.environment, request.values["import"])
    return Redirect(request.to(f"import/{request.values['import']}"))


def pause(request: PageRequest) -> Answer:
    """Stops behind the step that is being applied."""
    request.services.imports.pause(request.environment, request.values["import"])
    return Redirect(request.to(f"import/{request.values['import']}"))


def resume(request: PageRequest) -> Answer:
    """Goes on where it was paused."""
    request.services.imports.resume(request.environment, request.values["import"])
    return Redirect(request.to(f"import/{request.values['import']}"))


def cancel(request: PageRequest) -> Answer:
    """Ends it; what was applied stays, or is taken back when that was asked."""
    id, undo = request.values["import"], request.text("undo") == "yes"
    request.services.imports.cancel(request.environment, id, by=request.signed.actor, undo=undo)
    return Redirect(request.to(f"import/{id}"), Toast("The import was cancelled."))


def ask_undo(request: PageRequest) -> Answer:
    """What taking back would do, before anybody does; when it is large, the page itself asks for it."""
    found = _run(request)
    versions = request.services.imports.versions_not_undone(request.environment, found.id)
    context: dict[str, Any] = {
        "title": "Undo an import",
        "breadcrumb": [
            ("Imports", request.to("imports")),
            (found.name, request.to(f"import/{found.id}")),
            ("Undo", None),
        ],
        "run": found,
        "versions": versions,
        "preview": None,
        "problem": None,
        "names": {each.id: each.name for each in request.services.tribes.list_tribes(request.space.id)},
    }
    if versions and is_previewed(request, found.tally.added + found.tally.removed):
        try:
            context["preview"] = request.services.previews.preview(request.environment, Undo(tuple(versions)))
        except UndoConflict as problem:
            context["problem"] = problem
    return Html("import_undo_effect.html" if request.target == "effect" else "import_undo.html", context)


def undo(request: PageRequest) -> Answer:
    """Takes back what it did, as one version."""
    id = request.values["import"]
    undone = request.services.imports.undo(request.environment, id, by=request.signed.actor).undone
    toast = Toast("The import was undone.", undone[-1]) if undone else Toast("There was nothing left to undo.")
    return Redirect(request.to(f"import/{id}"), toast)


def delete(request: PageRequest) -> Answer:
    """Forgets the import and its file."""
    request.services.imports.delete(request.environment, request.values["import"])
    return Redirect(request.to("imports"), Toast("The file was removed; what it did stays."))


def rejected(request: PageRequest) -> Answer:
    """The rejected rows as the file had them, with the reasons behind, to be mended and brought again."""
    found = _run(request)
    rows = request.services.imports.rejected_rows(request.environment, found.id)
    name = found.name.removesuffix(".gz").removesuffix(".zst")
    return Download(f"rejected-{name}", CONTENT_TYPE_OF_FORMAT[found.format], rows)
