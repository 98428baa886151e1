"""Imports in the browser: upload a file, choose its mapping, preview it, apply it, undo it."""

from itertools import islice
from typing import Any

import msgspec

from tagloom.base.problems import BodyInvalid, ParameterInvalid, Problem
from tagloom.base.times import seconds_of
from tagloom.console import limits
from tagloom.console.forms.mapping_form import mapping_of, read_fields, shown_meaning
from tagloom.console.forms.times import read_moment
from tagloom.console.framework.context import Answer, Download, Html, PageRequest, Redirect, Toast
from tagloom.console.views.history import is_previewed
from tagloom.files.problems import ColumnsInvalid
from tagloom.files.table_encoding import CONTENT_TYPE_OF_FORMAT
from tagloom.imports.lifecycle import How
from tagloom.imports.mapping_inference import IDS_COLUMN, Beginning, infer, rows_read, without_header
from tagloom.ports.imports import ENDED, WORKED_ON, Hold, Import, ImportFormat, ImportState
from tagloom.ports.problems import UndoConflict
from tagloom.ports.writes import Undo
from tagloom.server.body_reader import media_type
from tagloom.server.multipart import MULTIPART, boundary_of, kept_form
from tagloom.words.expiry import ExpiryInvalid
from tagloom.words.mappings import Encoding, Mapping, check_mapping
from tagloom.words.periods import PeriodTexts, StartInvalid, period_texts
from tagloom.words.problems import MappingInvalid, TagProblem
from tagloom.words.receipts import Mode
from tagloom.words.source_addresses import Remote
from tagloom.words.tags import parse_tag

REJECTED_SHOWN = 20
IMPORTS_PER_PAGE = 50
MODES: dict[Mode, str] = {
    "add": "Add these tags",
    "remove": "Remove these tags",
    "set": "Set: each person gets exactly these tags",
    "mirror": "Mirror: make the tags equal to the file",
}
STATES: dict[ImportState, str] = {
    "fetching": "fetching",
    "waiting": "no preview yet",
    "planning": "preview running",
    "planned": "previewed, not applied",
    "held": "waits for approval",
    "running": "applying",
    "paused": "paused",
    "cancelled": "cancelled",
    "done": "applied",
    "failed": "failed",
}
HOLDS: dict[Hold, str] = {
    "removes-much": "Apply anyway",
    "source-empty": "Apply the empty file",
    "plan-changed": "Apply the new preview",
    "lines-unreadable": "Apply without these lines",
}
ENCODINGS: dict[Encoding, str] = {
    "windows-1252": "Windows-1252, from Excel",
    "utf-8": "UTF-8; other lines are rejected",
    "utf-16": "UTF-16",
}
NO_FILE = "Choose a CSV, NDJSON or Parquet file."
FORMATS: dict[ImportFormat, str] = {"csv": "CSV", "ndjson": "NDJSON", "parquet": "Parquet"}
# The states in which the mapping can be changed, if nothing was applied.
OPEN: tuple[ImportState, ...] = ("waiting", "planned", "held", "failed")


class Pace(msgspec.Struct, frozen=True):
    """The progress of an import: rows read, rows per second, and seconds since its start."""

    rows: int
    rows_per_second: int
    seconds: int


def imports(request: PageRequest) -> Answer:
    """Lists the imports, with the form to upload a file."""
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
        "schemes": request.services.egress_policy.schemes,
        "problem": None,
    }


def upload(request: PageRequest) -> Answer:
    """Stores an uploaded file and redirects to its mapping."""
    if media_type(request.content_type) != MULTIPART:
        raise BodyInvalid(NO_FILE)
    book, environment = request.services.imports, request.environment
    with kept_form(
        request.body,
        boundary_of(request.content_type),
        keep=lambda file: book.store(environment, file),
        discard=book.discard,
        no_file=NO_FILE,
    ) as form:
        if not form.name:
            # A browser sends an empty file without a name if no file was chosen.
            raise BodyInvalid(NO_FILE)
        run = book.create_import(environment, form.file, name=form.name, by=request.signed.actor)
    try:
        book.beginning(environment, run.id)
    except Problem:
        # A file whose first rows cannot be read has nothing to show.
        book.delete(environment, run.id)
        raise
    return Redirect(request.to(f"import/{run.id}"))


def fetch(request: PageRequest) -> Answer:
    """Begins to fetch a file from an address, and redirects to its progress."""
    url, secret = request.text("url").strip(), request.text("secret").strip() or None
    try:
        how: How = {"name": "", "by": request.signed.actor, "format": _format(request)}
        run = request.services.fetcher.create_import_from_url(
            request.environment, Remote(url=url, secret=secret), **how
        )
    except Problem as problem:
        # The form keeps the typed values, with the problem.
        return Html("imports.html", _listed(request) | {"problem": problem}, status=problem.status)
    return Redirect(request.to(f"import/{run.id}"))


def _format(request: PageRequest) -> ImportFormat | None:
    text = request.text("format")
    for format in FORMATS:
        if text == format:
            return format
    return None


def show(request: PageRequest) -> Answer:
    """Shows an import: its mapping, its preview, its progress or its result."""
    run = _run(request)
    context = _context(request, run)
    if context["is_open"]:
        try:
            beginning = _beginning(request, run)
        except (BodyInvalid, ColumnsInvalid) as problem:
            # The fetched file cannot be read. Its page shows the problem and can delete it.
            return Html("import.html", context | {"is_open": False, "problem": problem})
        context |= _meaning(request, beginning, _mapping(request, run, beginning))
    return Html("import.html", context)


def _run(request: PageRequest) -> Import:
    return request.services.imports.get(request.environment, request.values["import"])


def _beginning(request: PageRequest, run: Import) -> Beginning:
    """Returns the columns and first rows. A file of bare ids has one column of users.

    Raises: BodyInvalid, ColumnsInvalid: the file cannot be read.
    """
    found = request.services.imports.beginning(request.environment, run.id)
    chosen = _chosen_mapping(request, run)
    if run.format == "csv" and (chosen is None or chosen.header == "if-any"):
        return without_header(found)
    return found


def _chosen_mapping(request: PageRequest, run: Import) -> Mapping | None:
    """Returns the saved mapping of the request, or else the import's own mapping."""
    if name := request.text("mapping"):
        return request.services.mappings.get_mapping(request.space.id, name).mapping
    return run.mapping


def _mapping(request: PageRequest, run: Import, beginning: Beginning) -> Mapping:
    """Returns the chosen mapping, or else one that is inferred from the file."""
    chosen = _chosen_mapping(request, run)
    if chosen is not None:
        return chosen
    inferred = infer(beginning).mapping
    is_ids = run.format == "csv" and beginning.names == (IDS_COLUMN,)
    return msgspec.structs.replace(inferred, header="if-any") if is_ids else inferred


def _context(request: PageRequest, run: Import) -> dict[str, Any]:
    is_unapplied = run.tally.steps == 0
    rejected = tuple(islice(request.services.imports.rejected(request.environment, run.id), REJECTED_SHOWN))
    receipt = run.plan.preview.receipt if run.plan is not None and is_unapplied else run.tally
    return {
        "title": run.name,
        "breadcrumb": [("Imports", request.to("imports")), (run.name, None)],
        "run": run,
        "is_busy": run.state in WORKED_ON,
        "is_open": run.state in OPEN and is_unapplied and run.has_file and run.mode != "change",
        "has_ended": run.state in ENDED,
        "states": STATES,
        "modes": MODES,
        "holds": HOLDS,
        "pace": _pace(request, run),
        "period": _period(run),
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
    """Stores the mapping and options of an import, and begins its preview."""
    found = _run(request)
    beginning = _beginning(request, found)
    fields, base = read_fields(request.form), _mapping(request, found, beginning)
    wanted = msgspec.structs.replace(
        found,
        mode=_mode(request),
        prefix=request.text("mirror_prefix").strip(),
        share_removed_max=float(request.integer("share")) if request.text("share") else None,
    )
    typed = {"ttl": request.text("ttl").strip()}
    typed |= {name: read_moment(request.text(name).strip()) for name in ("starts_at", "expires_at")}
    try:
        # A period that did not change is not compared with the clock again.
        starts_at, expires_at = request.moment("starts_at"), request.moment("expires_at")
        period = None
        if typed != _period(found):
            period = period_texts(starts_at, expires_at, typed["ttl"] or None, request.services.now())
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
        if request.text("then") != "rows":
            _plan(request, wanted, mapping, period)
            return Redirect(request.to(f"import/{found.id}"))
    except (
        BodyInvalid,
        MappingInvalid,
        TagProblem,
        ParameterInvalid,
        ExpiryInvalid,
        StartInvalid,
    ) as problem:
        # The form keeps the typed values, with the problem.
        shown = {
            **_meaning(request, beginning, base),
            "columns": fields,
            "read": (),
            "period": typed,
            "problem": problem,
        }
        return Html("import.html", _context(request, wanted) | shown, status=problem.status)
    return Html("import.html", _context(request, wanted) | _meaning(request, beginning, mapping) | {"period": typed})


def _tags(request: PageRequest) -> tuple[str, ...]:
    """Returns the tags of everyone in the file; the field separates several by semicolons."""
    return tuple(tag for each in request.text("tags").split(";") if (tag := each.strip()))


def _encoding(request: PageRequest) -> Encoding | None:
    """Returns the chosen encoding; None if the form has none."""
    return next((each for each in ENCODINGS if each == request.text("encoding")), None)


def _period(run: Import) -> dict[str, str]:
    """Returns the start and the expiry of an import as the form shows them."""
    return {"ttl": run.ttl, "starts_at": run.starts_at[:16], "expires_at": run.expires_at[:16]}


def _plan(request: PageRequest, wanted: Import, mapping: Mapping, period: PeriodTexts | None) -> None:
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
        period=period,
    )
    request.services.imports.plan(request.environment, wanted.id)


def _mode(request: PageRequest) -> Mode:
    text = request.text("mode", "add")
    for mode in MODES:
        if text == mode:
            return mode
    raise ParameterInvalid(f"The mode must be one of {', '.join(MODES)}.", parameter="mode")


def progress(request: PageRequest) -> Answer:
    """Shows the progress of an import; at its end, redirects to its page."""
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
    """Applies an import, or approves one that waits for approval."""
    book, environment, found = request.services.imports, request.environment, _run(request)
    if found.state == "held":
        book.approve(environment, found.id)
    else:
        book.run(environment, found.id)
    return Redirect(request.to(f"import/{found.id}"))


def preview(request: PageRequest) -> Answer:
    """Begins a new preview of an import."""
    request.services.imports.plan(request.environment, request.values["import"])
    return Redirect(request.to(f"import/{request.values['import']}"))


def pause(request: PageRequest) -> Answer:
    """Pauses an import after its current step."""
    request.services.imports.pause(request.environment, request.values["import"])
    return Redirect(request.to(f"import/{request.values['import']}"))


def resume(request: PageRequest) -> Answer:
    """Resumes a paused import."""
    request.services.imports.resume(request.environment, request.values["import"])
    return Redirect(request.to(f"import/{request.values['import']}"))


def cancel(request: PageRequest) -> Answer:
    """Cancels an import. What was applied stays, or is undone if the form says so."""
    id, undo = request.values["import"], request.text("undo") == "yes"
    request.services.imports.cancel(request.environment, id, by=request.signed.actor, undo=undo)
    return Redirect(request.to(f"import/{id}"), Toast("The import was cancelled."))


def ask_undo(request: PageRequest) -> Answer:
    """Shows the preview of an undo. The page requests a large preview later."""
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
    if versions and is_previewed(request, found.tally.added + found.tally.removed + found.tally.attributes):
        try:
            context["preview"] = request.services.previews.preview(request.environment, Undo(tuple(versions)))
        except UndoConflict as problem:
            context["problem"] = problem
    return Html("import_undo_effect.html" if request.target == "effect" else "import_undo.html", context)


def undo(request: PageRequest) -> Answer:
    """Undoes an import, as one version."""
    id = request.values["import"]
    undone = request.services.imports.undo(request.environment, id, by=request.signed.actor).undone
    toast = Toast("The import was undone.", undone[-1]) if undone else Toast("There was nothing left to undo.")
    return Redirect(request.to(f"import/{id}"), toast)


def delete(request: PageRequest) -> Answer:
    """Deletes an import and its file."""
    request.services.imports.delete(request.environment, request.values["import"])
    return Redirect(request.to("imports"), Toast("The file was deleted. Its taggings stay."))


def rejected(request: PageRequest) -> Answer:
    """Returns the rejected rows in the format of the file, with the reasons in a last column."""
    found = _run(request)
    rows = request.services.imports.rejected_rows(request.environment, found.id)
    name = found.name.removesuffix(".gz").removesuffix(".zst")
    return Download(f"rejected-{name}", CONTENT_TYPE_OF_FORMAT[found.format], rows)
