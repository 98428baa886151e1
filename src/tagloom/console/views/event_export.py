"""The export of events: a form that selects them, and the file."""

from datetime import date, datetime, timedelta

import msgspec

from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.base.text import printable
from tagloom.console.forms.times import read_moment
from tagloom.console.framework.context import Answer, Download, Html, PageRequest
from tagloom.events.event_encoding import encode_events
from tagloom.events.event_exports import EventQuery
from tagloom.files.table_encoding import CONTENT_TYPE_OF_FORMAT
from tagloom.ports.problems import PersonNotFound, TribeNotFound
from tagloom.words.people import Kind, Person
from tagloom.words.person_ids import parse_id
from tagloom.words.problems import PersonIdInvalid, TribeNeedsContext

_NAMES = {"csv": "CSV", "ndjson": "NDJSON", "parquet": "Parquet"}


class ExportFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of the form as they were typed. The two days are in UTC, and both are included."""

    event: str
    first_day: str
    last_day: str
    tribe: str
    kind: Kind
    person: str
    format: str


def ask(request: PageRequest) -> Answer:
    """Shows the form."""
    return _page(request, _fields(request))


def export(request: PageRequest) -> Answer:
    """Streams the selected events as a file, or shows the form again with the problem."""
    fields = _fields(request)
    try:
        format = next((each for each in CONTENT_TYPE_OF_FORMAT if each == fields.format), None)
        if format is None:
            raise ParameterInvalid("The format must be csv, ndjson or parquet.", parameter="format")
        version, chunks = request.services.event_exports.stream(request.environment, _query(fields))
    except (ParameterInvalid, PersonIdInvalid, PersonNotFound, TribeNotFound, TribeNeedsContext) as problem:
        return _page(request, fields, problem)
    name = f"events-{request.environment.name}-v{version}.{format}"
    return Download(name, CONTENT_TYPE_OF_FORMAT[format], encode_events(chunks, format))


def _fields(request: PageRequest) -> ExportFields:
    return ExportFields(
        event=request.text("event").strip(),
        first_day=request.text("first_day").strip(),
        last_day=request.text("last_day").strip(),
        tribe=request.text("tribe"),
        kind="visitor" if request.text("kind") == "visitor" else "user",
        person=request.text("person").strip(),
        format=request.text("format", "csv"),
    )


def _query(fields: ExportFields) -> EventQuery:
    """Returns the query of the fields. Raises: ParameterInvalid, PersonIdInvalid."""
    first, last = _day("first_day", fields.first_day), _day("last_day", fields.last_day)
    if first is not None and last is not None and last < first:
        raise ParameterInvalid("The last day is before the first day.", parameter="last_day")
    return EventQuery(
        event=fields.event or None,
        since=None if first is None else f"{first}T00:00:00Z",
        until=None if last is None else f"{last + timedelta(days=1)}T00:00:00Z",
        person=Person(fields.kind, parse_id(fields.person, field="person")) if fields.person else None,
        tribe=fields.tribe or None,
    )


def _day(parameter: str, text: str) -> date | None:
    """Returns a day, or None if the text is empty. Raises: ParameterInvalid."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(read_moment(text)).date()
        found + timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise ParameterInvalid(f"'{printable(text)}' is not a day such as 1 Mar 2026.", parameter=parameter) from error
    return found


def _page(request: PageRequest, fields: ExportFields, problem: Problem | None = None) -> Html:
    needing_context = request.services.tribes.needing_context(request.space.id)
    tribes = [each for each in request.services.tribes.list_tribes(request.space.id) if each.id not in needing_context]
    context = {
        "title": "Export events",
        "breadcrumb": [("Developer", request.to("tags")), ("Events", request.to("events")), ("Export", None)],
        "fields": fields,
        "formats": _NAMES,
        "tribes": sorted(tribes, key=lambda each: each.name.casefold()),
        "types": [each.type for each in request.services.events.list_types(request.environment)],
        "problem": problem,
        "problem_at": str(problem.members.get("parameter") or _field_of(problem)) if problem is not None else "",
    }
    return Html("event_export.html", context, status=200 if problem is None else problem.status)


def _field_of(problem: Problem) -> str:
    """Returns the field that a problem without a parameter is about."""
    return "person" if isinstance(problem, PersonIdInvalid | PersonNotFound) else "tribe"
