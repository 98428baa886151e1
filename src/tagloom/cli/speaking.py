"""How the command line speaks: tables and sentences for people, JSON for programs, problems on standard error."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tagloom import problems

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One line for people."""
    out.print(text)


def say_json(value: Any) -> None:
    """One value for programs, on one line."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")


def say_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, numbers: Sequence[int] = ()) -> None:
    """A table; the columns named by `numbers` are set right with separators between thousands."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place in numbers else "left", no_wrap=place in numbers)
    for row in rows:
        table.add_row(*(f"{cell:,}" if isinstance(cell, int) else escape(str(cell)) for cell in row))
    out.print(table)


def complain(problem: problems.Problem) -> None:
    """What went wrong, and the remedy where there is one."""
    err.print(f"[bold red]{escape(problem.title())}[/] {escape(problem.detail)}")
    suggestion = problem.members.get("suggestion")
    if suggestion and str(suggestion) not in problem.detail:
        err.print(f"Try: {escape(str(suggestion))}")


def say_receipt(receipt: Mapping[str, Any], *, title: str) -> None:
    """A receipt as a table, with the first rejected lines under it."""
    verb = "would " if receipt.get("dry_run") else ""
    rows = [
        (f"{verb}add", receipt["added"]),
        (f"{verb}remove", receipt["removed"]),
        ("unchanged", receipt["unchanged"]),
        ("new people", receipt["new_people"]),
        ("rejected lines", receipt["rejected_count"]),
    ]
    for label, field in (("new tags", "new_tags"), ("left alone", "left_alone"), ("people removed", "people_removed")):
        if receipt.get(field):
            rows.append((label, receipt[field]))
    say(f"[bold]{escape(title)}[/]  version {receipt['version']:,}")
    say_table(("", "count"), rows, numbers=(1,))
    for old, new in receipt.get("aliases", {}).items():
        say(f"'{escape(old)}' was renamed: it counts as '{escape(new)}'. Send the new name.")
    rejected = receipt.get("rejected", ())
    if rejected:
        say("")
        say_table(("line", "value", "why"), [(each["line"], each["value"], each["detail"]) for each in rejected[:10]])
        if receipt["rejected_count"] > 10:
            say(f"… and {receipt['rejected_count'] - min(10, len(rejected)):,} more; --rejected FILE lists them.")
