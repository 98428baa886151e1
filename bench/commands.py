"""The start of a command, from outside: the help, and one person shown from a local directory."""

import shutil
import subprocess
import sys
from functools import partial

from bench.report import Contender
from bench.run import Run

COMMAND = (sys.executable, "-c", "from tagloom.cli import main; main()")
LIBRARIES = "import numpy, pyarrow"


def measure(run: Run) -> None:
    """Compares commands with the import of the two libraries that no command on data can do without."""
    folder = run.workdir / "commands"
    shutil.rmtree(folder, ignore_errors=True)
    _run(*COMMAND, "init", "--data", str(folder))
    _run(*COMMAND, "tag", "u1", "tier/gold", "--data", str(folder))
    run.report.compare(
        "Start a command",
        [
            Contender(f'python -c "{LIBRARIES}"', partial(_run, sys.executable, "-c", LIBRARIES)),
            Contender("tagloom --help", partial(_run, *COMMAND, "--help")),
            Contender("tagloom show", partial(_run, *COMMAND, "show", "u1", "--data", str(folder))),
        ],
        data="a directory with one person; whole processes",
    )
    shutil.rmtree(folder)


def _run(*command: str) -> None:
    """Runs a process that must succeed."""
    subprocess.run(command, capture_output=True, check=True)
