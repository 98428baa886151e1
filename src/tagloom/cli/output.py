"""Prints the output of commands: tables and sentences for people, JSON for programs, problems on standard error."""

import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
from rich.cells import cell_len, chop_cells
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tagloom.base.problems import Problem

out = Console(highlight=False, emoji=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, emoji=False, soft_wrap=True)

SECONDS_BETWEEN_LINES = 5.0
_GAP = "  "  # The space between two columns.
_WRAPPED_MIN = 12  # The least width of a wrapped column, in characters.


def say(text: str) -> None:
    """Prints a line with Rich markup. Escape text from users, or print it with `tell`."""
    out.print(text)


def tell(text: str) -> None:
    """Prints a line without markup."""
    out.print(text, markup=False)


def warn(text: str) -> None:
    """Prints a line on standard error, without markup."""
    err.print(text, markup=False)


def say_json(value: Any) -> None:
    """Prints a value as one line of JSON."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


class ProgressLines:
    """A printer of progress as lines on standard error, at most one line in `SECONDS_BETWEEN_LINES`.

    `now` returns seconds.
    """

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._printed_at = now()

    def show(self, what: str, done: int, total: int | None, unit: str) -> None:
        """Prints the progress, unless a line was printed recently."""
        if self._now() - self._printed_at < SECONDS_BETWEEN_LINES:
            return
        self._printed_at = self._now()
        of = "" if total is None else f" of {total:,} ({100 * done // max(total, 1)} %)"
        warn(f"{what}: {done:,}{of} {unit}".rstrip())


@contextmanager
def progress(what: str, *, is_shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Shows a bar with the remaining time on standard error. If standard error is not a terminal, prints lines.

    Yields a function that takes the number of finished units and the total.
    """
    if not err.is_terminal:
        lines = ProgressLines()
        yield (lambda done, total: lines.show(what, done, total, "")) if is_shown else (lambda done, total: None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, disable=not is_shown, transient=True) as bar:
        task = bar.add_task(what)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def say_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Sequence[int] = (), wraps: Sequence[int] = ()
) -> None:
    """Prints a table. The columns of `numbers` are aligned right, with thousands separators.

    Text is never cut. On a terminal, no line is too wide: the columns of `wraps` are wrapped first, and then the other
    texts. If this is not enough, each row becomes a block of lines. Elsewhere, each row is one line.
    """
    head, body = list(columns), [[f"{c:,}" if isinstance(c, int) else str(c) for c in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(head, *body, strict=True)]
    if out.is_terminal:
        others = [place for place in range(len(widths)) if place not in (*numbers, *wraps)]
        _narrow(widths, wraps)
        _narrow(widths, others)
        if _width_of(widths) > out.width:
            _say_blocks(head, body)
            return
    for line in _lines_of(head, widths, numbers):
        out.print(f"[bold]{escape(line)}[/]")
    for row in body:
        for line in _lines_of(row, widths, numbers):
            out.print(escape(line))


def _width_of(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _narrow(widths: list[int], places: Iterable[int]) -> None:
    """Makes these columns narrower, the widest first, until the table fits. No column gets less than _WRAPPED_MIN."""
    for place in sorted(places, key=lambda place: -widths[place]):
        excess = max(_width_of(widths) - out.width, 0)
        widths[place] = max(min(widths[place], _WRAPPED_MIN), widths[place] - excess)


def _say_blocks(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints each row as a block, with a line for each column and its name. Prints a blank line between rows."""
    label = min(max(map(cell_len, head)), max(out.width // 3, 1))
    room = max(out.width - label - len(_GAP), 1)
    for number, row in enumerate(rows):
        if number:
            out.print()
        for name, cell in zip(head, row, strict=True):
            for first, second in zip_longest(_wrapped(name, label), _wrapped(cell, room), fillvalue=""):
                blanks = " " * (label - cell_len(first))
                end = _GAP + escape(second) if second else ""
                out.print(f"[bold]{escape(first)}[/]{blanks}{end}".rstrip())


def _lines_of(row: Sequence[str], widths: Sequence[int], numbers: Sequence[int]) -> Iterator[str]:
    """Yields the lines of a row, without trailing blanks."""
    columns = [_wrapped(cell, widths[place]) for place, cell in enumerate(row)]
    for line in zip_longest(*columns, fillvalue=""):
        padded = []
        for place, text in enumerate(line):
            blanks = " " * (widths[place] - cell_len(text))
            padded.append(blanks + text if place in numbers else text + blanks)
        yield _GAP.join(padded).rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    """Wraps a text to a width in terminal columns. A longer word is split."""
    if cell_len(text) <= width:
        return [text]
    lines = textwrap.wrap(text, width)
    return [part for line in lines for part in (chop_cells(line, width) if cell_len(line) > width else [line])]


def complain(problem: Problem) -> None:
    """Prints a problem, with its suggestion if there is one."""
    err.print(f"[bold red]{escape(problem.title())}[/] {escape(problem.detail)}")
    suggestion = problem.members.get("suggestion")
    if suggestion and str(suggestion) not in problem.detail:
        err.print(f"Try: {escape(str(suggestion))}")


def complain_of_usage(error: Exception) -> None:
    """Prints the error in the arguments, and the command that prints the help."""
    message = getattr(error, "format_message", lambda: str(error))()
    context = getattr(error, "ctx", None)
    if context is not None and type(error).__name__ == "NoArgsIsHelpError":
        # Typer has already printed the help.
        return
    path = "tagloom" if context is None else context.command_path
    line = " ".join(message.split()).rstrip(".") + "."
    err.print(f"[bold red]Wrong usage.[/] {escape(line)} See: {escape(path)} --help")


def complain_of_files(error: OSError) -> None:
    """Prints the file of an OSError and the reason of the error."""
    where = f"'{error.filename}': " if error.filename else ""
    err.print(f"[bold red]A file cannot be used.[/] {escape(where)}{escape(error.strerror or str(error))}.")


def complain_of_fault(frames: Sequence[str]) -> None:
    """Prints the code lines of a bug in Tagloom, without the message of the error, which may contain customer data."""
    err.print("[bold red]Tagloom failed.[/] This is a bug in Tagloom. Report it with these lines:")
    for frame in frames:
        err.print(escape(frame), highlight=False, soft_wrap=True)


def say_receipt(receipt: Mapping[str, Any], *, title: str, is_all_rejected: bool = False) -> None:
    """Prints a receipt as a table, with the first rejected lines.

    `is_all_rejected` means that all lines were rejected and the title says this.
    """
    verb = "would " if receipt.get("dry_run") else ""
    rows = [
        (f"{verb}add", receipt["added"]),
        (f"{verb}remove", receipt["removed"]),
        ("unchanged", receipt["unchanged"]),
        ("new people", receipt["new_people"]),
        ("rejected lines", receipt["rejected_count"]),
    ]
    for label, field in (
        ("renewed", "renewed"),
        ("scheduled", "scheduled"),
        ("no longer scheduled", "unscheduled"),
        ("new tags", "new_tags"),
        ("skipped", "skipped"),
        ("people removed", "people_removed"),
        ("attribute values", "attributes"),
        ("new attributes", "new_attributes"),
        ("people linked or separated", "linked"),
    ):
        if receipt.get(field):
            rows.append((label, receipt[field]))
    changed = (
        "added",
        "removed",
        "renewed",
        "scheduled",
        "unscheduled",
        "new_people",
        "new_tags",
        "people_removed",
        "attributes",
        "new_attributes",
        "linked",
    )
    is_idle = not any(receipt.get(field) for field in changed)
    idle = "nothing changed, " if is_idle and not is_all_rejected else ""
    say(f"[bold]{escape(title)}[/]  {idle}version {receipt['version']:,}")
    say_table(("", "count"), rows, numbers=(1,))
    for old, new in receipt.get("aliases", {}).items():
        tell(f"'{old}' was renamed to '{new}'. Send the new name.")
    say_rejected(receipt, "Use --rejected FILE to list them.")


def say_rejected(receipt: Mapping[str, Any], remedy: str) -> None:
    """Prints the first rejected lines of a receipt. `remedy` says how to list the others."""
    rejected = receipt.get("rejected", ())
    if rejected:
        say("")
        say_table(
            ("line", "value", "reason"),
            [(each["line"], each["value"], each["detail"]) for each in rejected[:10]],
            numbers=(0,),
            wraps=(2,),
        )
        if receipt["rejected_count"] > 10:
            say(f"… and {receipt['rejected_count'] - min(10, len(rejected)):,} more. {remedy}")


def shown_time(time_text: str) -> str:
    """Returns an RFC 3339 time in UTC as a table shows it, to the second.

    >>> shown_time("2026-03-01T09:00:00.000Z")
    '2026-03-01 09:00:00'
    """
    return time_text[:19].replace("T", " ")


def write_chunks(chunks: Iterator[bytes], file: Path | None) -> None:
    """Writes bytes to a file, and says so, or to standard output if `file` is None."""
    if file is None:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        return
    _write_whole(file, chunks)
    tell(f"Wrote {file} ({file.stat().st_size:,} bytes).")


def _write_whole(file: Path, chunks: Iterator[bytes]) -> None:
    """Writes a file under a temporary name, and renames it when it is complete. A failed write leaves no file."""
    partial = file.with_name(file.name + ".partial")
    try:
        with partial.open("wb") as to:
            for chunk in chunks:
                to.write(chunk)
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)
