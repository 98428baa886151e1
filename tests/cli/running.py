"""How the tests of this folder run the command line: in this process when that is enough, as a process when not."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from tagloom.cli import app

TAGLOOM = [sys.executable, "-c", "from tagloom.cli import main; main()"]
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Said:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str
    out_bytes: bytes

    @property
    def json(self) -> Any:
        """The one value on standard output."""
        assert self.out.count("\n") == 1, self
        return json.loads(self.out)


def run(*arguments: object, environ: dict[str, str] | None = None, typed: bytes | None = None) -> Said:
    """Runs a command in this process, with what is `typed` on its standard input.

    Only what ends it is caught, so a traceback fails the test.
    """
    words = [str(each) for each in arguments]
    result = CliRunner().invoke(app, words, env=environ, input=typed, catch_exceptions=False)
    return Said(result.exit_code, result.stdout, result.stderr, result.stdout_bytes)


def ask(*arguments: object) -> Any:
    """The JSON of a command that must succeed."""
    said = run(*arguments, "--json")
    assert said.code == 0, said
    return said.json


def run_process(*arguments: object) -> Said:
    """Runs a command as a process of its own."""
    done = subprocess.run([*TAGLOOM, *map(str, arguments)], capture_output=True, timeout=PATIENCE_SECONDS, check=False)
    return Said(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode(), done.stdout)


def write(file: Path, text: str) -> Path:
    """The file, written."""
    file.write_text(text, encoding="utf-8")
    return file
