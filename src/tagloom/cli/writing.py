"""Commands that write: import, tag, undo; and the history they leave."""

import csv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, get_args

import msgspec
import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from tagloom import limits, problems
from tagloom.cli.options import (
    DataOption,
    EnvironmentOption,
    JsonOption,
    SpaceOption,
    TokenOption,
    UrlOption,
    VisitorOption,
    at_site,
    person_of,
)
from tagloom.cli.site import Load, OnBytes
from tagloom.cli.speaking import err, say, say_json, say_receipt, say_table, tell
from tagloom.intake import Format
from tagloom.model import Mode
from tagloom.undos import Chosen

app = typer.Typer()

FORMAT_OF_SUFFIX: dict[str, Format] = {
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "json",
    ".parquet": "parquet",
}


def format_of(file: Path, named: str | None) -> Format:
    """The format that was named, or that the file's name ends with."""
    found = FORMAT_OF_SUFFIX.get(f".{named}" if named else file.suffix.lower())
    if found is None:
        raise problems.ParameterInvalid(
            f"'{file.name}' ends with none of {', '.join(FORMAT_OF_SUFFIX)}; name its --format."
        )
    return found


def load_of(file: Path, *, mapping: Path | None = None) -> Load:
    """A file to be added as it is."""
    return Load(
        file=file,
        format=format_of(file, None),
        mode="add",
        under=None,
        dry_run=False,
        lowercase=False,
        allow_empty=False,
        user_column="user",
        visitor_column="visitor",
        tag_column="tag",
        mapping=mapping,
        rejected_max=limits.REJECTED_PER_RECEIPT_MAX,
    )


@contextmanager
def progress_of(file: Path, *, is_shown: bool) -> Iterator[OnBytes]:
    """A bar on standard error with rate and time left, when somebody looks."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, disable=not is_shown, transient=True) as bar:
        task = bar.add_task(f"reading {file.name}", total=file.stat().st_size)
        yield lambda count: bar.update(task, advance=count)


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A CSV, NDJSON, JSON or Parquet file.", exists=True, dir_okay=False)],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    mode: Annotated[str, typer.Option(help="add, remove, change, set or mirror.")] = "add",
    under: Annotated[str | None, typer.Option(help="Only tags at or below this prefix.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    normalize: Annotated[str | None, typer.Option(help="lowercase: fold capitals instead of refusing them.")] = None,
    allow_empty: Annotated[bool, typer.Option("--allow-empty", help="Let an empty mirror take every tag.")] = False,
    format: Annotated[
        str | None, typer.Option(help="csv, ndjson, json or parquet, when the name does not say.")
    ] = None,
    user_column: Annotated[str, typer.Option(help="The column of user ids.")] = "user",
    visitor_column: Annotated[str, typer.Option(help="The column of visitor ids.")] = "visitor",
    tag_column: Annotated[str, typer.Option(help="The column of tags.")] = "tag",
    mapping: Annotated[
        Path | None, typer.Option(help="A TOML mapping of a wide CSV's columns to tags.", exists=True)
    ] = None,
    rejected: Annotated[Path | None, typer.Option(help="Write every rejected line to this CSV or NDJSON file.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Tag people from a file, as one batch; exit 3 when some lines were rejected."""
    if mode not in get_args(Mode):
        raise problems.ParameterInvalid(f"--mode is one of {', '.join(get_args(Mode))}, not '{mode}'.")
    if normalize not in (None, "lowercase"):
        raise problems.ParameterInvalid(f"--normalize takes only 'lowercase', not '{normalize}'.")
    load = Load(
        file=file,
        format=format_of(file, format),
        mode=mode,  # type: ignore[arg-type]  # Checked against the literals above.
        under=under,
        dry_run=dry_run,
        lowercase=normalize == "lowercase",
        allow_empty=allow_empty,
        user_column=user_column,
        visitor_column=visitor_column,
        tag_column=tag_column,
        mapping=mapping,
        rejected_max=limits.REJECTED_PER_FILE_MAX if rejected else limits.REJECTED_PER_RECEIPT_MAX,
    )
    if rejected is not None:
        # A place that cannot be written to must be told before anything is done, not after.
        write_rejected(rejected, [])
    with (
        at_site(data, url, token, space, environment) as site,
        progress_of(file, is_shown=not as_json and err.is_terminal) as on_bytes,
    ):
        receipt = site.load(load, on_bytes)
    if rejected is not None:
        write_rejected(rejected, receipt["rejected"])
    if as_json:
        say_json(receipt | {"rejected": receipt["rejected"][: limits.REJECTED_PER_RECEIPT_MAX]})
    else:
        say_receipt(receipt, title=f"{file.name} {'would be ' if dry_run else ''}imported ({mode})")
        if receipt["normalized"]:
            say(f"{receipt['normalized']:,} {'path was' if receipt['normalized'] == 1 else 'paths were'} lower-cased.")
        if rejected is not None:
            listed = len(receipt["rejected"])
            tell(f"{listed:,} of {receipt['rejected_count']:,} rejected lines are listed in {rejected}.")
    if receipt["rejected_count"]:
        raise typer.Exit(3)


def write_rejected(file: Path, rejected: list[dict[str, Any]]) -> None:
    """The rejected lines with their reasons, as NDJSON when the file is named so, else as CSV."""
    if file.suffix.lower() in (".ndjson", ".jsonl"):
        file.write_bytes(msgspec.json.Encoder().encode_lines(rejected))
        return
    with file.open("w", newline="", encoding="utf-8") as text:
        writer = csv.DictWriter(text, ("line", "value", "problem", "detail", "suggestion"))
        writer.writeheader()
        writer.writerows(rejected)


@app.command("tag")
def tag_person(
    person: Annotated[str, typer.Argument(help="The user id (or visitor id with --visitor).")],
    tags: Annotated[list[str], typer.Argument(help="Tags to give.")],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take the tags instead of giving them.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Give a person tags, or take them."""
    with at_site(data, url, token, space, environment) as site:
        receipt = site.change_tags(person_of(person, is_visitor=visitor), "remove" if remove else "add", tags)
    if as_json:
        say_json(receipt)
    else:
        say_receipt(receipt, title=f"Tags {'taken from' if remove else 'given to'} {person}")
    if receipt["rejected_count"]:
        raise typer.Exit(1)


@app.command("history")
def show_history(
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    person: Annotated[str | None, typer.Option("--person", help="Only what touched this person.")] = None,
    visitor: VisitorOption = False,
    tag: Annotated[str | None, typer.Option("--tag", help="Only what touched this tag or what is below it.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Only versions above this one.")] = 0,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="At most so many.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List what was written: version, time, by whom, from what, and its effect."""
    who = None if person is None else person_of(person, is_visitor=visitor)
    with at_site(data, url, token, space, environment) as site:
        changes = site.history(person=who, tag=tag, after=after, limit=limit)
    if as_json:
        say_json(changes)
        return
    rows = [
        (
            change["version"],
            change["at"][:19].replace("T", " "),
            change["action"] + _undone(change),
            change["actor"],
            change["source"],
            change["added"],
            change["removed"],
            *([signed(change)] if who else []),
        )
        for change in changes
    ]
    columns = ("version", "at (UTC)", "action", "by", "from", "added", "removed", *(["their tags"] if who else []))
    say_table(columns, rows, numbers=(0, 5, 6), wraps=(3, 4, 7) if who else (3, 4))


def _undone(change: Mapping[str, Any]) -> str:
    if change["undoes"]:
        return f" of {change['undoes']}"
    return f" of {change['undoes_count']} versions" if change["undoes_count"] else ""


def signed(change: Mapping[str, Any]) -> str:
    """A person's tags of one change: `+given -taken`."""
    return " ".join([f"+{name}" for name in change["tags_added"]] + [f"-{name}" for name in change["tags_removed"]])


@app.command("undo")
def undo_versions(
    versions: Annotated[list[int] | None, typer.Argument(min=1, help="The version to take back, or several.")] = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    actor: Annotated[str | None, typer.Option(help="All that this actor wrote, instead of versions.")] = None,
    source: Annotated[str | None, typer.Option(help="All that came from this source.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="Of that, what was written since this time.")] = None,
    until: Annotated[str | None, typer.Option(help="Of that, what was written before this time.")] = None,
    override: Annotated[bool, typer.Option("--override", help="Also what others touched since.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Take back what versions did, as one new version; what others touched since is left alone."""
    chosen = Chosen(versions=versions or None, actor=actor, source=source, since=since, until=until)
    if (versions and (actor or source or since or until)) or not (versions or actor or source):
        raise problems.ParameterInvalid("Name versions; or --actor or --source, and --from and --until if you like.")
    with at_site(data, url, token, space, environment) as site:
        receipt = site.undo(chosen, dry_run=dry_run, override=override)
    if as_json:
        say_json(receipt)
        return
    what = f"Version {receipt['undoes']:,}" if receipt["undoes"] else f"{receipt['undoes_count']:,} versions"
    say_receipt(receipt, title=f"{what} {'would be ' if dry_run else ''}undone")
    if receipt["touched_by"]:
        tell(f"Left alone for versions {', '.join(map(str, receipt['touched_by']))}; --override takes these too.")
