"""The table of commands, which the help shows without importing them."""

import subprocess
import sys

import pytest

import tagloom
from tagloom.cli import COMMANDS, load_command
from tests.cli.running import TAGLOOM, run

# What the help does without, and every command waited two seconds for.
HEAVY = {"numpy", "pyarrow", "sqlalchemy", "alembic", "starlette", "granian", "httpx", "structlog", "psycopg"}
# What a command on a local directory of SQLite does without.
OF_SERVERS = {"alembic", "starlette", "granian", "psycopg", "authlib", "fsspec", "httpx"} | {
    "tagloom.http.app",
    "tagloom.console.app",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_help_of_a_command_is_its_own(name: str) -> None:
    assert load_command(name).get_short_help_str(limit=200) == COMMANDS[name][1]


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_help_lists_every_command(option: str) -> None:
    shown = run(option).out

    assert all(name in shown for name in COMMANDS)


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").out == f"tagloom {tagloom.__version__}\n"


def test_an_unknown_command_is_wrong_usage() -> None:
    said = run("shwo")

    assert (said.code, said.out) == (2, "")
    assert "No such command 'shwo'" in said.err


def test_the_help_imports_no_library_that_is_slow_to_import() -> None:
    assert HEAVY & imported_by("--help") == set()


def test_a_command_on_a_directory_imports_nothing_of_a_server(tmp_path: object) -> None:
    data = str(tmp_path)
    imported_by("init", "--data", data)
    imported_by("tag", "u1", "a", "--data", data)

    assert OF_SERVERS & imported_by("show", "u1", "--data", data) == set()


def imported_by(*arguments: str) -> set[str]:
    """Runs a command that must succeed, and returns the modules that it imported."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *TAGLOOM[1:], *arguments], capture_output=True, text=True, check=True
    )
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
