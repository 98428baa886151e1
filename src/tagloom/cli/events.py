"""Commands: events."""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, cast, get_args

import msgspec
import typer
from rich.markup import escape

from tagloom.base.limits import UPLOAD_CHUNK_BYTES
from tagloom.base.text import plural
from tagloom.cli.local_place import Plain, plain
from tagloom.cli.options import (
    DataOption,
    EnvironmentOption,
    JsonOption,
    SpaceOption,
    TokenOption,
    UrlOption,
    VisitorOption,
    at_site,
    existing_file,
    person_of,
    unicode_text,
)
from tagloom.cli.output import ProgressLines, say, say_json, say_rejected, say_table, shown_time, write_chunks
from tagloom.cli.site import Site
from tagloom.events.event_exports import EventQuery, check_query
from tagloom.events.event_files import EventsPart, parts_of_lines, parts_of_table
from tagloom.files.decompression import Squeezed
from tagloom.files.table_encoding import ExportFormat
from tagloom.ports.limits import REJECTED_PER_RECEIPT_MAX

_STANDARD_INPUT = "-"
_COMPRESSED = (".gz", ".zst")
_COUNTS = ("events", "repeats", "new_people", "linked", "suppressed")
_OF_LINES = ("rejected", "ignored")
_FileFormat = Literal["ndjson", "json", "csv", "parquet"]

LimitOption = Annotated[int, typer.Option(min=1, max=100_000, help="The largest number of events to list.")]

app = typer.Typer()
events_app = typer.Typer(help="Events of people: record, list, recent, export, types.", no_args_is_help=True)
app.add_typer(events_app, name="events")


@events_app.command("record")
def record_events(
    file: Annotated[
        str, typer.Argument(help="A file of events: NDJSON, JSON, CSV or Parquet. - reads NDJSON from standard input.")
    ],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    format: Annotated[
        str | None, typer.Option("--format", help="ndjson, json, csv or parquet. Default: by the file name.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--source", help="The source for the history. Default: the file name.", callback=unicode_text),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be recorded.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Record the events of a file; exit 3 if events were rejected."""
    body, name = _source(file)
    chosen = _format(file, format)
    with at_site(data, url, token, space, environment) as site:
        if chosen == "json":
            receipt = site.record_events(body, "json", source=source or name, dry_run=dry_run)
        else:
            receipt = _record_parts(site, _parts(body, chosen), source=source or name, dry_run=dry_run)
    if as_json:
        say_json(receipt)
    else:
        _say_recorded(receipt, name)
    if receipt["rejected_count"]:
        raise typer.Exit(3)


@events_app.command("list")
def list_events(
    person: Annotated[str, typer.Argument(help="The user id (or visitor id with --visitor).")],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """List the events of a person, the last recorded first."""
    who = person_of(person, is_visitor=visitor)
    with at_site(data, url, token, space, environment) as site:
        events = site.list_events(who, limit=limit)
    if as_json:
        say_json(events)
        return
    rows = [(shown_time(each["at"]), each["event"], _properties(each), each["id"]) for each in events]
    say_table(("at (UTC)", "event", "properties", "id"), rows, wraps=(2, 3))


@events_app.command("recent")
def list_recent_events(
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    source: Annotated[
        str | None,
        typer.Option("--source", help="Only events of the event source with this id.", callback=unicode_text),
    ] = None,
    limit: LimitOption = 100,
    as_json: JsonOption = False,
) -> None:
    """List the events of all people, or of one event source, the last recorded first."""
    with at_site(data, url, token, space, environment) as site:
        events = site.list_recent_events(source, limit=limit)
    if as_json:
        say_json(events)
        return
    rows = [(shown_time(each["at"]), *_person(each), each["event"], _properties(each)) for each in events]
    say_table(("at (UTC)", "kind", "person", "event", "properties"), rows, wraps=(2, 4))


@events_app.command("export")
def export_events(
    person: Annotated[
        str | None,
        typer.Argument(help="Only events of this user (or visitor with --visitor).", callback=unicode_text),
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    event: Annotated[
        str | None,
        typer.Option("--event", help="Only events of this type, this category, or * (all).", callback=unicode_text),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Only events of this time (RFC 3339) or later.", callback=unicode_text)
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", help="Only events before this time (RFC 3339).", callback=unicode_text)
    ] = None,
    tribe: Annotated[
        str | None, typer.Option("--tribe", help="Only events of the members of this tribe.", callback=unicode_text)
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="csv, ndjson or parquet. Default: by the file name, or ndjson."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="The file to write. Default: standard output.")] = None,
) -> None:
    """Write events in the order of recording."""
    chosen = _export_format(format, out)
    who = None if person is None else person_of(person, is_visitor=visitor)
    query = EventQuery(event=event, since=since, until=until, person=who, tribe=tribe)
    check_query(query)
    with at_site(data, url, token, space, environment) as site:
        write_chunks(site.export_events(query, chosen), out)


@events_app.command("types")
def list_event_types(
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the event types with the number of their events."""
    with at_site(data, url, token, space, environment) as site:
        types = site.list_event_types()
    if as_json:
        say_json(types)
        return
    rows = [(each["event"], each["events"], each["first_at"][:10], each["last_at"][:10]) for each in types]
    say_table(("event", "events", "first", "last"), rows, numbers=(1,))


def _source(file: str) -> tuple[Path | BinaryIO, str]:
    """Returns the body that the argument FILE names, and its name. Raises: BadParameter."""
    if file == _STANDARD_INPUT:
        return sys.stdin.buffer, "standard input"
    path = existing_file(file)
    return path, path.name


def _parts(body: Path | BinaryIO, format: Literal["ndjson", "csv", "parquet"]) -> Iterator[EventsPart]:
    """Yields the parts of a file. Raises: BadParameter: a table comes from standard input."""
    if format == "ndjson":
        with body.open("rb") if isinstance(body, Path) else nullcontext(body) as file:
            yield from parts_of_lines(iter(lambda: file.read(UPLOAD_CHUNK_BYTES), b""))
        return
    if not isinstance(body, Path):
        raise typer.BadParameter("A table is read from a file, not from standard input.", param_hint="'FILE'")
    squeezed: Squeezed = {".gz": "gzip", ".zst": "zstd"}.get(body.suffix.lower(), "none")  # type: ignore[assignment]
    yield from parts_of_table(body, format, squeezed)


def _record_parts(site: Site, parts: Iterator[EventsPart], *, source: str, dry_run: bool) -> Plain:
    """Records each part as one batch. Returns one receipt for all: its version is that of the last batch."""
    total: Plain = {}
    lines = ProgressLines()
    for part in parts:
        receipt = site.record_events(io.BytesIO(part.body), "ndjson", source=source, dry_run=dry_run)
        of_lines, ignored = ([_renumbered(each, part.numbers) for each in receipt[name]] for name in _OF_LINES)
        refused = sorted([*of_lines, *map(plain, part.rejected)], key=lambda each: each["line"])
        counts = {name: total.get(name, 0) + receipt[name] for name in _COUNTS}
        rejected_count = total.get("rejected_count", 0) + receipt["rejected_count"] + len(part.rejected)
        shown = [*total.get("rejected", []), *refused][:REJECTED_PER_RECEIPT_MAX]
        ignored = [*total.get("ignored", []), *ignored][:REJECTED_PER_RECEIPT_MAX]
        total = {**receipt, **counts, "rejected_count": rejected_count, "rejected": shown, "ignored": ignored}
        lines.show("Recorded", counts["events"] + counts["repeats"], None, "events")
    return total


def _renumbered(rejected: Plain, numbers: Sequence[int]) -> Plain:
    """Returns a rejected line of a part with its number in the file, also in the reason."""
    line, number = rejected["line"], numbers[rejected["line"] - 1]
    of_part, detail = f"Line {line} ", rejected["detail"]
    if detail.startswith(of_part):
        detail = f"Line {number} {detail.removeprefix(of_part)}"
    return {**rejected, "line": number, "detail": detail}


def _format(file: str, format: str | None) -> _FileFormat:
    """Returns the format of a body, by the option or by the name of the file. Raises: BadParameter."""
    if format is None:
        name = file.lower()
        for ending in _COMPRESSED:
            name = name.removesuffix(ending)
        return next((each for each in get_args(_FileFormat) if name.endswith(f".{each}")), "ndjson")
    if format in get_args(_FileFormat):
        return cast(_FileFormat, format)
    raise typer.BadParameter(
        f"'{format}' is not a format of events. Use ndjson, json, csv or parquet.", param_hint="'--format'"
    )


def _export_format(format: str | None, out: Path | None) -> ExportFormat:
    """Returns the format of an export, by the option or by the name of the file. Raises: BadParameter."""
    if format is None:
        ending = "" if out is None else out.suffix.lower()
        return "csv" if ending == ".csv" else "parquet" if ending == ".parquet" else "ndjson"
    if format in get_args(ExportFormat):
        return cast(ExportFormat, format)
    raise typer.BadParameter(f"'{format}' is not a format. Use csv, ndjson or parquet.", param_hint="'--format'")


def _say_recorded(receipt: Mapping[str, Any], name: str) -> None:
    would = "would be " if receipt["dry_run"] else ""
    title = f"{plural(receipt['events'], 'event')} {would}recorded from {name}"
    idle = "" if receipt["events"] else "nothing changed, "
    say(f"[bold]{escape(title)}[/]  {idle}version {receipt['version']:,}")
    rows = [
        ("events", receipt["events"]),
        ("repeats", receipt["repeats"]),
        ("new people", receipt["new_people"]),
        *([("linked people", receipt["linked"])] if receipt["linked"] else []),
        *([("of suppressed people", receipt["suppressed"])] if receipt["suppressed"] else []),
        ("rejected events", receipt["rejected_count"]),
    ]
    say_table(("", "count"), rows, numbers=(1,))
    say_rejected(receipt, "Use --json to list up to 1,000.")
    if receipt["ignored"]:
        say("")
        ignored = [(each["line"], each["value"], each["detail"]) for each in receipt["ignored"][:10]]
        say_table(("line", "not linked", "reason"), ignored, numbers=(0,), wraps=(2,))


def _person(event: Mapping[str, Any]) -> tuple[str, str]:
    """Returns the kind and the id of the person of an event."""
    return ("visitor", event["visitor"]) if event["user"] is None else ("user", event["user"])


def _properties(event: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_value(value)}" for name, value in event["properties"].items())


def _value(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
