"""Ctrl-C ends any command within five seconds, and says how to go on."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tagloom.cli.interrupts import CLEAN_UP_SECONDS_MAX, EXIT_CODE
from tests.cli.running import ask, run, write

# A little more than what a command has to tidy up, for a slow machine.
PATIENCE_SECONDS = CLEAN_UP_SECONDS_MAX + 8

# A commit that takes a minute, as that of ten million new people may; the thread waits as it would for the disk.
SLOW = """
import sys, time
from tagloom.cli import main
from tagloom.engine.write import committer
real = committer.Committer.submit
def slow(self, job):
    print("committing", flush=True)
    time.sleep(60)
    return real(self, job)
committer.Committer.submit = slow
main()
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    run("init", "--data", tmp_path / "data")
    return tmp_path / "data"


def slowly(*arguments: object) -> "subprocess.Popen[bytes]":
    """A command that is in the middle of a commit."""
    command = subprocess.Popen(
        [sys.executable, "-c", SLOW, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None
    assert command.stdout.readline() == b"committing\n"
    return command


def interrupted(command: "subprocess.Popen[bytes]") -> tuple[int, str]:
    """The exit code of a command behind an interrupt, and what it said."""
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=PATIENCE_SECONDS)
    return command.returncode, said.decode()


def test_an_import_ends_within_a_long_commit_says_how_to_go_on_and_is_not_gone_on_with(
    data: Path, tmp_path: Path
) -> None:
    file = write(tmp_path / "people.csv", "user,tag\nu1,a\n")

    code, said = interrupted(slowly("import", file, "--data", data))

    assert code == EXIT_CODE
    assert "Run the same command again to continue: nothing is applied twice." in said
    assert "Traceback" not in said
    # Whoever works on imports next ends it, and the same command again applies the file.
    assert ask("import", file, "--data", data)["added"] == 1
    (left,) = (data / "uploads").iterdir()
    assert (left / "given-up").exists()


def test_a_second_interrupt_ends_a_command_at_once(data: Path, tmp_path: Path) -> None:
    command = slowly("import", write(tmp_path / "people.csv", "user,tag\nu1,a\n"), "--data", data)
    command.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert command.poll() is None

    code, said = interrupted(command)

    assert (code, said.count("Stopped.")) == (EXIT_CODE, 1)


def test_a_command_that_ends_in_time_tidies_up_and_says_how_to_go_on(data: Path) -> None:
    # Here it is the main thread that waits, and an interrupt reaches it.
    code, said = interrupted(slowly("tag", "u1", "a", "--data", data))

    assert (code, said.strip()) == (EXIT_CODE, "Stopped. Stored data stays. Run the command again to continue.")
