"""A fault of Tagloom's own: the command line says where it came from, and never what a customer's row says."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tagloom.cli import Commands
from tagloom.cli.logs import configure_logs
from tagloom.serve import log_as_json
from tests.cli.running import ask, run, write

ROW = "anna@example.com,Gold"


@pytest.fixture
def unconfigured() -> Iterator[None]:
    """Logs as nobody has set them up yet."""
    before = structlog.get_config()
    structlog.reset_defaults()
    yield
    structlog.configure(**before)


def fail() -> None:
    row = ROW
    raise ValueError(f"cannot convert {row}")


class Broken(Commands):
    """A command line whose only command fails."""

    def make_context(self, *_: object, **__: object) -> None:  # type: ignore[override]  # It never gives one.
        fail()


def test_a_command_that_fails_says_where_and_never_what_a_row_says(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        Broken(name="tagloom").main([])

    err = capsys.readouterr().err
    assert caught.value.code == 1
    assert "ValueError" in err
    assert "in fail" in err
    assert "anna" not in err


def test_the_log_of_a_command_says_where_an_error_came_from_and_never_what_a_row_says(
    unconfigured: None, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logs()
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("import.failed", run="r1")

    err = capsys.readouterr().err
    assert "import.failed" in err
    assert "in fail" in err
    assert "anna" not in err


def test_the_log_of_a_server_holds_the_traceback_of_an_error(
    unconfigured: None, capsys: pytest.CaptureFixture[str]
) -> None:
    log_as_json("info")
    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("request.failed")

    said = json.loads(capsys.readouterr().err)
    assert said["event"] == "request.failed"
    assert 'raise ValueError(f"cannot convert {row}")' in said["exception"]


NO_TEXT = os.fsdecode(b"\xff\xfe")  # Bytes that are not UTF-8, as Python reads them from the command line.


@pytest.mark.parametrize(
    "words",
    [("show", NO_TEXT), ("show", "--visitor", NO_TEXT), ("history", "--person", NO_TEXT), ("tag", NO_TEXT, "a")],
)
def test_every_command_refuses_an_id_that_is_not_unicode(data: Path, words: tuple[str, ...]) -> None:
    said = run(*words, "--data", data)

    assert said.code == 1
    assert "An id must have 1 to 256 characters without control characters." in said.err
    assert "U+DCFF at character 1" in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("show", "u1", "--space", NO_TEXT),
        ("show", "u1", "--environment", NO_TEXT),
        ("undo", "--actor", NO_TEXT),
        ("undo", "--source", NO_TEXT),
        ("tribe", "count", NO_TEXT),
        ("tribe", "delete", NO_TEXT),
        ("tribe", "tag", NO_TEXT, "a"),
        ("export", "tribe", NO_TEXT),
        ("token", "revoke", NO_TEXT),
        ("teammate", "reset", NO_TEXT),
        ("import", "-", "--format", "csv", "--user-column", NO_TEXT),
    ],
)
def test_an_argument_that_is_not_utf8_is_wrong_usage(data: Path, words: tuple[str, ...]) -> None:
    said = run(*words, "--data", data)

    assert said.code == 2
    assert "is not UTF-8." in said.err


def test_a_file_is_imported_whatever_the_bytes_of_its_name(data: Path, tmp_path: Path) -> None:
    file = write(tmp_path / f"{NO_TEXT}.csv", "user,tag\nu1,a\n")

    assert run("import", file, "--data", data).code == 0
    assert ask("show", "u1", "--data", data)["tags"] == ["a"]
