"""What people read: tables, sentences and complaints."""

import os
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tagloom.cli import output
from tests.cli.running import TAGLOOM, ask, run, run_process, write

LONG = "a very long level that somebody made/of a very long tag that somebody made/for a very long reason"


def test_nothing_is_cut_off_or_wrapped_when_somebody_else_reads(data: Path, tmp_path: Path) -> None:
    name = "the nightly export of the customer relations system of the whole of europe.csv"
    ask("import", write(tmp_path / name, f"user,tag\nu1,{LONG}\n"), "--data", data)
    said = run_process("history", "--person", "u1", "--data", data)

    head, line = said.out.splitlines()
    assert head.split() == ["version", "at", "(UTC)", "action", "by", "from", "added", "removed", "their", "changes"]
    assert line.endswith(f"+{LONG}")
    assert name in line
    assert "\x1b" not in said.out
    assert not any(line != line.rstrip() for line in said.out.splitlines())


def test_numbers_are_set_right(data: Path, tmp_path: Path) -> None:
    lines = "".join(f"u{n},a\n" for n in range(1_234))
    ask("import", write(tmp_path / "p.csv", f"user,tag\n{lines}"), "--data", data)
    ask("tribe", "create", "Few", '{"type":"any","of":[]}', "--data", data)
    ask("tribe", "create", "Many", '{"type":"tag","tag":"a"}', "--data", data)

    assert run("tribe", "list", "--data", data).out.splitlines() == [
        "id    name  audience  people     of  alert",
        "few   Few   everyone       0  1,234",
        "many  Many  everyone   1,234  1,234",
    ]
    assert run("tribe", "count", "many", "--data", data).out == "1,234 of 1,234 (100.0 %), as of version 1\n"


def terminal(width: int) -> dict[str, str]:
    """The variables by which Rich takes what it writes to for a terminal of this width."""
    return {"TTY_COMPATIBLE": "1", "TERM": "xterm", "COLUMNS": str(width)}


def table_at(width: int, columns: Sequence[str], rows: Iterable[Sequence[Any]], **options: Sequence[int]) -> str:
    """A table as a terminal of this width shows it."""
    told = StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(told):
        for name, value in terminal(width).items():
            patch.setenv(name, value)
        output.say_table(columns, rows, **options)
    return told.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_wraps_only_the_columns_that_may(width: int) -> None:
    rows = [(1_000, "alice", "word " * 30)]

    lines = table_at(width, ("n", "who", "why"), rows, numbers=(0,), wraps=(2,)).splitlines()

    assert max(map(len, lines)) <= width
    assert lines[1].startswith("1,000  alice  word word")
    assert sum(line.count("word") for line in lines) == 30


def shown_at(width: int, *arguments: object) -> list[str]:
    """The lines of a command on a terminal of this width."""
    said = run(*arguments, environ=terminal(width))
    assert said.code == 0
    return said.out.splitlines()


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_line_of_a_listing_is_wider_than_the_terminal(data: Path, tmp_path: Path, width: int) -> None:
    name = "the nightly export of the customer relations system of the whole of europe.csv"
    ask("import", write(tmp_path / name, f"user,tag\nu1,{LONG}\n"), "--data", data)
    ask("tribe", "create", "Everybody with a very long name", f'{{"type":"tag","tag":"{LONG}"}}', "--data", data)
    ask("token", "create", "--scopes", "tags:read,tags:write,people:read,tribes:read,decisions", "--data", data)

    for command in (("history",), ("history", "--person", "u1"), ("tribe", "list"), ("token", "list")):
        lines = shown_at(width, *command, "--data", data)
        assert max(map(len, lines)) <= width, lines
        assert "…" not in "".join(lines)
    shown = "\n".join(shown_at(width, "history", "--data", data))
    assert [word for word in name.split() if word not in shown] == []


TEXTS = st.text(st.sampled_from("xb 日本é-/[]"), max_size=60)


@given(st.lists(st.lists(TEXTS, min_size=5, max_size=5), min_size=1, max_size=4), st.sampled_from([30, 60, 80]))
def test_a_table_fits_its_terminal_and_loses_no_letter(rows: list[list[str]], width: int) -> None:
    shown = table_at(width, ("name", "what", "who", "why", "where"), rows, wraps=(3,))

    lines = shown.splitlines()
    assert all(cell_len(line) <= width for line in lines), lines
    for letter in "xb日本é/[]":
        wanted = sum(cell.count(letter) for row in rows for cell in row)
        assert shown.count(letter) == wanted


def test_progress_elsewhere_than_on_a_terminal_is_a_line_in_some_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter([0.0, 1.0, 6.0, 6.0, 7.0, 12.0, 12.0])
    lines = output.ProgressLines(lambda: next(clock))

    for rows in (1_000, 2_000, 3_000, 4_000):
        lines.show("reading p.csv", rows, 8_000 if rows > 2_000 else None, "rows")

    assert capsys.readouterr().err.splitlines() == [
        "reading p.csv: 2,000 rows",
        "reading p.csv: 4,000 of 8,000 (50 %) rows",
    ]


def test_a_word_longer_than_its_column_is_folded_and_not_cut() -> None:
    shown = table_at(30, ("id", "tags"), [("0123456789", "+" + "x" * 50)], wraps=(1,))

    assert shown.count("x") == 50
    assert "…" not in shown


def test_what_users_wrote_is_shown_as_they_wrote_it(data: Path) -> None:
    tag, person = "[bold]:cat:[/x]", "[/]u\\"
    ask("tag", person, tag, "--data", data)
    ask("tribe", "create", "All", f'{{"type":"tag","tag":"{tag}"}}', "--data", data)

    said = run("show", person, "--data", data)

    assert said.out.splitlines() == [
        f"user {person}  as of version 1",
        f"tags    {tag}",
        "tribes  all",
        f"  all: has {tag}  [{tag} since version 1 (command line)]",
    ]
    assert f"Tags added to {person}" in run("tag", person, tag, "--data", data).out
    assert f"+{tag}" in run("history", "--person", person, "--data", data).out
    assert tag.upper() in run("tag", person, tag.upper(), "--data", data).out


def test_a_receipt_says_what_was_done(data: Path) -> None:
    given = run("tag", "u1", "a/b", "c", "--data", data)
    again = run("tag", "u1", "a/b", "c", "--data", data)
    taken = run("tag", "u1", "c", "--remove", "--data", data)
    dry = run("undo", "2", "--dry-run", "--data", data)
    undone = run("undo", "2", "--data", data)

    assert given.out.splitlines()[0] == "Tags added to u1  version 1"
    assert [line.split() for line in given.out.splitlines()[2:4]] == [["add", "2"], ["remove", "0"]]
    assert again.out.splitlines()[0] == "Tags added to u1  nothing changed, version 1"
    assert taken.out.splitlines()[0] == "Tags removed from u1  version 2"
    assert dry.out.splitlines()[0] == "Version 2 would be undone  version 2"
    assert undone.out.splitlines()[0] == "Version 2 undone  version 3"
    assert run("history", "--data", data).out.splitlines()[-1].split()[3:6] == ["undo", "of", "2"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["show"],
        ["show", "u1"],
        ["show", "u1", "--data", "/nonexistent/data"],
        ["history", "--limit", "many"],
        ["undo", "0"],
        ["tribe", "frobnicate"],
        ["serve", "--port", "70000"],
        ["init", "--what"],
        ["import", "/nonexistent/file.csv"],
        ["token", "create", "--scopes", "everything"],
        ["token", "create", "--scopes", "admin", "--expires", "soon"],
        ["tribe", "create", "A", '{"type":"all","of":[]}', "--audience", "cats"],
        ["show", "u1", "--url", "nowhere", "--token", "t"],
    ],
)
def test_wrong_usage_is_code_2_and_one_line(arguments: list[str]) -> None:
    said = run(*arguments)

    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)


def test_a_process_complains_in_one_line_too() -> None:
    said = run_process("show", "u1", "--data", "/nonexistent/data")

    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert "tagloom init --data /nonexistent/data" in said.err


def test_without_a_command_the_help_is_shown() -> None:
    said = run()

    assert said.code == 2
    assert "Usage: tagloom" in said.out + said.err
    assert run("--help").code == 0


def test_a_reader_that_has_enough_is_no_traceback(data: Path, tmp_path: Path) -> None:
    text = "user,tag\n" + "".join(f"user-{n},a\n" for n in range(50_000))
    ask("import", write(tmp_path / "p.csv", text), "--data", data)
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*TAGLOOM, "export", "taggings", "--data", str(data)], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert os.read(reading, 4) == b"user"
    os.close(reading)
    assert process.communicate()[1] == b""


def test_the_demonstration_tags_and_targets(tmp_path: Path) -> None:
    examples = Path(__file__).resolve().parents[2] / "examples" / "telco"
    options = ("--customers", examples / "telco-customer-churn.csv", "--mapping", examples / "mapping.toml")
    said = run("demo", "--data", tmp_path, "--no-serve", *options)
    again = run("demo", "--data", tmp_path, "--no-serve", *options)

    assert (said.code, again.code) == (0, 0)
    assert "at-risk" in said.out
    assert '{"user": "3655-SNQYZ"}' in said.out
    assert [token["name"] for token in ask("token", "list", "--data", tmp_path)].count("demonstration") == 1
