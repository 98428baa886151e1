"""A fault of Tagloom's own: the command line says where it came from, and never what a customer's row says."""

import json
from collections.abc import Iterator

import pytest
import structlog

from tagloom.cli import Commands
from tagloom.cli.logs import configure_logs
from tagloom.serve import log_as_json

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
