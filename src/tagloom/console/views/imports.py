"""Imports in the browser: bring a file, say what its columns mean, see what it would do, run it, undo it."""

import csv
import io
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from tagloom import limits, problems
from tagloom.console.visit import Answer, Download, Html, Redirect, Toast, Visit
from tagloom.intake.sheets import Sheet, SheetColumn, Use
from tagloom.model import Rejected
from tagloom.times import seconds_of
from tagloom.uploads import BUSY, Plan, Upload

ROWS_SHOWN = 5
REJECTED_SHOWN = 20
MODES = ("add", "remove", "set", "mirror")


class Pace(msgspec.Struct, frozen=True):
    """How far a run has come: rows so far, rows in a second, and the seconds since it began."""

    rows: int
    rows_per_second: int
    seconds: int


def imports(visit: Visit) -> Answer:
    """The files that were brought, and the place to drop another."""
    return Html(
        "imports.html",
        {
            "title": "Imports",
            "breadcrumb": [("Developer", visit.to("tags")), ("Imports", None)],
            "uploads": visit.loom.uploads.list_uploads(visit.environment),
            "bytes_max": limits.UPLOAD_BYTES_MAX,
        },
    )


def bring(visit: Visit) -> Answer:
    """Takes a file in and goes on to its columns."""
    if visit.file is None or not visit.file.filename:
        raise problems.BodyInvalid("Choose a CSV or Parquet file.")
    source = visit.file.file

    def chunks() -> Iterator[bytes]:
        while chunk := source.read(limits.UPLOAD_CHUNK_BYTES):
            yield chunk

    upload = visit.loom.uploads.bring(visit.environment, visit.file.filename, visit.signed.actor, chunks())
    return Redirect(visit.to(f"import/{upload.id}"))


def show(visit: Visit) -> Answer:
    """One upload: its columns, what it would do, how far it is, or what it did."""
    return Html("import.html", _context(visit, _upload(visit)))


def _upload(visit: Visit) -> Upload:
    return visit.loom.uploads.get(visit.environment, visit.values["upload"])


def _context(visit: Visit, upload: Upload, **more: Any) -> dict[str, Any]:
    seen = visit.loom.uploads.glance(upload)
    plan = upload.plan or Plan(sheet=seen.proposal)
    receipt = upload.receipt or (upload.foreseen.receipt if upload.foreseen is not None else None)
    context: dict[str, Any] = {
        "title": upload.name,
        "breadcrumb": [("Imports", visit.to("imports")), (upload.name, None)],
        "upload": upload,
        "plan": plan,
        "uses": get_args(Use),
        "modes": MODES,
        "rows": [dict(zip(seen.names, row, strict=True)) for row in seen.rows[:ROWS_SHOWN]],
        "is_busy": upload.state in BUSY,
        "pace": _pace(visit, upload),
        "rejected": receipt.rejected[:REJECTED_SHOWN] if receipt is not None else (),
        "receipt": receipt,
        "names": {each.id: each.name for each in visit.loom.tribes.list_tribes(visit.space.id)},
        "problem": None,
    }
    return context | more


def _pace(visit: Visit, upload: Upload) -> Pace:
    began = seconds_of(upload.began_at) if upload.began_at else visit.loom.now()
    ended = seconds_of(upload.ended_at) if upload.ended_at and upload.state not in BUSY else visit.loom.now()
    seconds = max(ended - began, 0.0)
    return Pace(upload.rows_read, round(upload.rows_read / max(seconds, 0.5)), round(seconds))


def plan(visit: Visit) -> Answer:
    """Keeps what the columns mean, and begins to find out what applying would do."""
    upload = _upload(visit)
    columns = tuple(
        SheetColumn(
            name=name,
            use=_use(visit.texts("use")[place]),
            branch=visit.texts("branch")[place].strip(),
            separator=visit.texts("separator")[place] or ";",
        )
        for place, name in enumerate(visit.texts("column"))
    )
    mode = visit.text("mode", "add")
    if mode not in MODES:
        raise problems.ParameterInvalid(f"The mode is one of {', '.join(MODES)}.", parameter="mode")
    wanted = Plan(
        sheet=Sheet(columns=columns, prefix=visit.text("prefix").strip()),
        mode=mode,  # type: ignore[arg-type]  # Just looked up.
        under=visit.text("under").strip(),
        lowercase=visit.text("lowercase") == "yes",
    )
    try:
        planned = visit.loom.uploads.plan(visit.environment, upload.id, wanted)
    except (problems.ColumnsInvalid, problems.TagProblem) as problem:
        context = _context(visit, msgspec.structs.replace(upload, plan=wanted), problem=problem)
        return Html("import.html", context, status=problem.status)
    visit.loom.uploads.try_out(visit.environment, planned.id)
    return Redirect(visit.to(f"import/{upload.id}"))


def _use(text: str) -> Use:
    for use in get_args(Use):
        if text == use:
            return use  # type: ignore[no-any-return]  # One of its own values.
    raise problems.ParameterInvalid("A column has a use that there is not.", parameter="use")


def progress(visit: Visit) -> Answer:
    """How far it is; at the end, the whole page again."""
    upload = _upload(visit)
    if upload.state not in BUSY:
        return Redirect(visit.to(f"import/{upload.id}"))
    return Html(
        "import_progress.html",
        {
            "title": upload.name,
            "breadcrumb": [("Imports", visit.to("imports")), (upload.name, None)],
            "upload": upload,
            "pace": _pace(visit, upload),
            "expected": upload.rows_total,
        },
    )


def run(visit: Visit) -> Answer:
    """Applies the file."""
    upload = visit.loom.uploads.run(visit.environment, visit.values["upload"], visit.signed.actor)
    return Redirect(visit.to(f"import/{upload.id}"))


def drop(visit: Visit) -> Answer:
    """Forgets the file."""
    visit.loom.uploads.drop(visit.environment, visit.values["upload"])
    return Redirect(visit.to("imports"), Toast("The file was removed; what it did stays."))


def rejected(visit: Visit) -> Answer:
    """The rejected lines with their reasons, as CSV."""
    upload = _upload(visit)
    receipt = upload.receipt or (upload.foreseen.receipt if upload.foreseen is not None else None)
    lines = receipt.rejected if receipt is not None else ()
    return Download(f"rejected-{upload.name}.csv", "text/csv", _rejected_csv(lines))


def _rejected_csv(lines: tuple[Rejected, ...]) -> Iterator[bytes]:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(("line", "value", "problem", "detail", "suggestion"))
    for line in lines:
        writer.writerow((line.line, line.value, line.problem, line.detail, line.suggestion or ""))
    yield text.getvalue().encode("utf-8", "replace")
