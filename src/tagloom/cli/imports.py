"""`tagloom import`: tags people from a file, with progress bars and a receipt at the end."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import plural
from tagloom.cli.import_progress import (
    STANDARD_INPUT,
    Imported,
    OnBytes,
    Wanted,
    file_format,
    imported,
    name_of,
    rejected_lines,
    with_regular_file,
)
from tagloom.cli.local_place import Plain
from tagloom.cli.mapping_suggestions import suggestions, with_suggestions
from tagloom.cli.options import (
    AllowEmptyOption,
    AllowUnreadableOption,
    DataOption,
    DryRunOption,
    EncodingOption,
    EnvironmentOption,
    ExpiresAtOption,
    FormatOption,
    JsonOption,
    RejectedOption,
    RejectedRowsOption,
    ShareRemovedOption,
    SpaceOption,
    StartsAtOption,
    TagForAllOption,
    TokenOption,
    TtlOption,
    UrlOption,
    at_site,
    existing_file,
    unicode_text,
)
from tagloom.cli.output import ProgressLines, err, say, say_json, say_receipt, say_table, tell, warn
from tagloom.cli.site import OnRows, Site
from tagloom.words.mappings import Encoding
from tagloom.words.receipts import Mode, Rejected
from tagloom.words.source_addresses import Remote

app = typer.Typer()

TAGS_SHOWN = 20

FileArgument = Annotated[
    str,
    typer.Argument(help="A CSV, NDJSON, JSON or Parquet file, an address such as s3://…, or - for standard input."),
]
MappingOption = Annotated[
    str | None,
    typer.Option(help="The mapping of columns to tags: a TOML or JSON file, or the name of a mapping of the space."),
]
SecretOption = Annotated[str | None, typer.Option(help="The name of the server's secret for the address.")]


@app.command("import")
def import_file(
    context: typer.Context,
    file: FileArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    mode: Annotated[str, typer.Option(help="add, remove, change, set or mirror.")] = "add",
    prefix: Annotated[str | None, typer.Option(help="Only tags at or below this prefix.")] = None,
    dry_run: DryRunOption = False,
    plan: Annotated[bool, typer.Option("--plan", help="Like --dry-run, with each tag and tribe.")] = False,
    normalize: Annotated[
        str | None, typer.Option(help="lowercase: change capitals to lower case instead of rejecting the line.")
    ] = None,
    allow_empty: AllowEmptyOption = False,
    allow_unreadable: AllowUnreadableOption = False,
    share_removed_max: ShareRemovedOption = None,
    format: FormatOption = None,
    user_column: Annotated[str, typer.Option(help="The column of user ids.", callback=unicode_text)] = "user",
    visitor_column: Annotated[str, typer.Option(help="The column of visitor ids.", callback=unicode_text)] = "visitor",
    tag_column: Annotated[str, typer.Option(help="The column of tags.", callback=unicode_text)] = "tag",
    tag: TagForAllOption = None,
    encoding: EncodingOption = "utf-8",
    mapping: MappingOption = None,
    secret: SecretOption = None,
    rejected: RejectedOption = None,
    rejected_rows: RejectedRowsOption = None,
    ttl: TtlOption = None,
    expires_at: ExpiresAtOption = None,
    starts_at: StartsAtOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tag people from a file; exit 3 if lines were rejected."""
    source = _source(file, secret)
    wanted = Wanted(
        file=source,
        format=file_format(source, format),
        mode=_mode(mode),
        prefix=prefix,
        lowercase=_is_lowered(normalize),
        allow_empty=allow_empty,
        allow_unreadable=allow_unreadable,
        user_column=user_column,
        visitor_column=visitor_column,
        tag_column=tag_column,
        mapping=mapping,
        tag=tag,
        encoding=_encoding(encoding),
        share_removed_max=share_removed_max,
        is_dry_run=dry_run or plan,
        starts_at=starts_at,
        expires_at=expires_at,
        ttl=ttl,
    )
    _check_writable(source, rejected, rejected_rows)
    with (
        with_regular_file(wanted) as wanted,
        with_suggestions(wanted, context),
        at_site(data, url, token, space, environment) as site,
        bars(wanted.file, is_shown=not as_json) as (on_bytes, on_rows),
        imported(site, wanted, on_bytes, on_rows) as (found, id),
    ):
        listed = 0 if rejected is None else write_rejected(rejected, site, id)
        _write_rows(rejected_rows, site, id)
        hints = suggestions(wanted, context, is_rejected=True) if found.is_all_rejected and not as_json else []
    _say(wanted, found, is_plan=plan, as_json=as_json)
    _end(found.receipt.rejected_count, rejected, listed, rejected_rows, hints, as_json=as_json)


def _end(
    count: int, rejected: Path | None, listed: int, rejected_rows: Path | None, hints: list[str], *, as_json: bool
) -> None:
    """Prints where the rejected lines are, and hints. Raises: Exit, with 3: lines were rejected."""
    if not as_json:
        _tell_rejected(count, rejected, listed, rejected_rows)
    for hint in hints:
        warn(hint)
    if count:
        raise typer.Exit(3)


def _is_lowered(normalize: str | None) -> bool:
    if normalize not in (None, "lowercase"):
        raise ParameterInvalid(f"--normalize must be 'lowercase', not '{normalize}'.")
    return normalize == "lowercase"


def _write_rows(target: Path | None, site: Site, id: str) -> None:
    if target is not None:
        with target.open("wb") as file:
            file.writelines(site.rejected_rows(id))


def _check_writable(source: Path | Remote, *places: Path | None) -> None:
    """Checks before the import that the files for rejected lines can be written, and changes none of them.

    Raises: BadParameter: one of them is the imported file, or both are one file; OSError.
    """
    others = [source] if isinstance(source, Path) else []
    for place in places:
        if place is None:
            continue
        is_there = place.exists()
        with place.open("ab"):
            is_taken = any(each.exists() and place.samefile(each) for each in others)
        if not is_there:
            place.unlink()
        if is_taken or place in others:
            raise typer.BadParameter(
                f"{place} is the imported file, or the other file of rejected lines. Choose another name."
            )
        others.append(place)


def _tell_rejected(count: int, reasons: Path | None, listed: int, rows: Path | None) -> None:
    if reasons is not None:
        tell(f"{listed:,} of {plural(count, 'rejected line')} {'is' if listed == 1 else 'are'} listed in {reasons}.")
    if rows is not None and count:
        tell(f"Correct the rows in {rows}, and import that file with the same options.")


def _source(text: str, secret: str | None) -> Path | Remote:
    """Returns the path or the address that the argument FILE names. Raises: BadParameter, ParameterInvalid."""
    if "://" in text:
        return Remote(url=text, secret=secret)
    if text == "-":
        return STANDARD_INPUT
    if secret is not None:
        raise ParameterInvalid("--secret is only for an address, not for a file.", parameter="secret")
    return existing_file(text)


def _mode(text: str) -> Mode:
    for mode in get_args(Mode):
        if text == mode:
            return mode  # type: ignore[no-any-return]  # One of its own values.
    raise ParameterInvalid(f"--mode must be one of {', '.join(get_args(Mode))}, not '{text}'.")


def _encoding(text: str) -> Encoding:
    for encoding in get_args(Encoding):
        if text.lower().replace("cp1252", "windows-1252") == encoding:
            return encoding  # type: ignore[no-any-return]  # One of its own values.
    raise ParameterInvalid(f"--encoding must be one of {', '.join(get_args(Encoding))}, not '{text}'.")


def _say(wanted: Wanted, found: Imported, *, is_plan: bool, as_json: bool) -> None:
    receipt: Plain = msgspec.to_builtins(found.receipt)
    if as_json:
        say_json({"receipt": receipt, "plan": found.plan} if is_plan else {**receipt, "versions": found.versions})
        return
    say_receipt(receipt, title=_title(wanted, found), is_all_rejected=found.is_all_rejected)
    for warning in found.warnings:
        tell(warning)
    if len(found.versions) > 1:
        say(f"Applied in {len(found.versions):,} steps, as versions {', '.join(map(str, found.versions))}.")
    if found.receipt.normalized:
        count = found.receipt.normalized
        say(f"{plural(count, 'path was', 'paths were')} lower-cased.")
    if is_plan and found.plan is not None:
        _say_plan(wanted, found.plan)


def _title(wanted: Wanted, found: Imported) -> str:
    if found.is_all_rejected:
        return f"{wanted.name} {'would not be' if wanted.is_dry_run else 'was not'} imported: every line was rejected"
    return f"{wanted.name} {'would be ' if wanted.is_dry_run else ''}imported ({wanted.mode})"


def _say_plan(wanted: Wanted, plan: Plain) -> None:
    preview = plan["preview"]
    if preview["by_tag"]:
        say("")
        rows = [(each["tag"], each["added"], each["removed"]) for each in preview["by_tag"][:TAGS_SHOWN]]
        say_table(("tag", "add", "remove"), rows, numbers=(1, 2))
        more = preview["tags_changed"] - len(rows)
        if more > 0:
            say(f"… and {plural(more, 'more tag')}.")
    if plan["emptied_tags"]:
        tell(f"Nobody would still have these tags: {', '.join(plan['emptied_tags'])}.")
    if preview["tribes"]:
        say("")
        tribes = [(each["tribe"], each["entered"], each["left"], each["after"]) for each in preview["tribes"]]
        say_table(("tribe", "enter", "leave", "after"), tribes, numbers=(1, 2, 3))
    if preview["receipt"]["removed"]:
        limit = wanted.share_removed_max
        is_held = limit is not None and plan["share_removed"] > limit
        held = f", which is more than the {limit} % allowed" if is_held else ""
        say(f"{plan['share_removed']:.1f} % of {plural(plan['taggings'], 'tagging')} would be removed{held}.")


class _Rate(ProgressColumn):
    """The column with the rows per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{int(task.speed or 0):,} rows/s")


@contextmanager
def bars(file: Path | Remote, *, is_shown: bool) -> Iterator[tuple[OnBytes, OnRows]]:
    """Shows on standard error how much of the file was sent, and then how many rows were read.

    Shows two bars on a terminal, and prints lines elsewhere. Yields the functions that take the progress.
    """
    name, size = name_of(file), file.stat().st_size if isinstance(file, Path) else None
    sending, reading = f"{'fetching' if size is None else 'sending'} {name}", f"reading {name}"
    if err.is_terminal or not is_shown:
        with _two_bars(sending, reading, size, is_shown=is_shown) as shown:
            yield shown
        return
    lines, done = ProgressLines(), 0

    def on_bytes(count: int) -> None:
        nonlocal done
        done += count
        lines.show(sending, done, size, "bytes")

    yield on_bytes, lambda rows, total: lines.show(reading, rows, total, "rows")


@contextmanager
def _two_bars(sending: str, reading: str, size: int | None, *, is_shown: bool) -> Iterator[tuple[OnBytes, OnRows]]:
    columns = (TextColumn("{task.description}"), BarColumn())
    first = Progress(
        *(*columns, DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()),
        console=err,
        disable=not is_shown,
        transient=True,
    )
    second = Progress(
        *(*columns, MofNCompleteColumn(), _Rate(), TimeRemainingColumn()),
        console=err,
        disable=not is_shown,
        transient=True,
    )
    sent, read = first.add_task(sending, total=size), second.add_task(reading, total=None)
    first.start()

    def on_rows(rows: int, total: int | None) -> None:
        if not first.finished or not second.live.is_started:
            first.stop()
            second.start()
        second.update(read, completed=rows, total=total)

    try:
        yield lambda count: first.advance(sent, count), on_rows
    finally:
        first.stop()
        second.stop()


def write_rejected(file: Path, site: Site, id: str) -> int:
    """Writes the rejected lines with their reasons. Returns the number of lines.

    The file name decides whether the format is NDJSON or CSV.
    """
    count = 0
    if file.suffix.lower() in (".ndjson", ".jsonl"):
        with file.open("wb") as target:
            for some in rejected_lines(site, id):
                target.write(msgspec.json.Encoder().encode_lines(some))
                count += len(some)
        return count
    with file.open("w", newline="", encoding="utf-8") as text:
        writer = csv.DictWriter(text, Rejected.__struct_fields__)
        writer.writeheader()
        for some in rejected_lines(site, id):
            writer.writerows(_plain_lines(some))
            count += len(some)
    return count


def _plain_lines(lines: Sequence[Rejected]) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = msgspec.to_builtins(lines)
    return plain
