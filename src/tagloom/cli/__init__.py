"""The command line: `tagloom …`. Scripts rely on its options, its JSON and its exit codes."""

import errno
import os
import sys
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from tagloom import problems
from tagloom.cli import demonstration, importing, installing, inviting, keeping, shelving, syncing, targeting, writing
from tagloom.cli.speaking import complain, complain_of_files, complain_of_usage, err
from tagloom.cli.stopping import EXIT_CODE, how_to_go_on, stoppable
from tagloom.serving import log_troubles

# Typer gives no name to the class above this one; every complaint about the arguments is one.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
WRONG_USAGE = (problems.ParameterInvalid, problems.InstallationMissing)


class Commands(TyperGroup):
    """All commands: whatever goes wrong in one becomes a line on standard error and an exit code, never a traceback."""

    def main(self, *args: Any, **named: Any) -> NoReturn:
        """Ends the process: 0 done, 1 the answer is no or the check failed, 2 wrong usage, 3 lines were rejected.

        130 is Ctrl-C.
        """
        sys.exit(self._run(*args, **named | {"standalone_mode": False}))

    def _run(self, *args: Any, **named: Any) -> int:
        log_troubles()
        with stoppable():
            return self._end_of(*args, **named)

    def _end_of(self, *args: Any, **named: Any) -> int:
        try:
            code = super().main(*args, **named)
            sys.stdout.flush()
            if code == EXIT_CODE:
                err.print(how_to_go_on(), markup=False)
            return code if isinstance(code, int) else 0
        except problems.Problem as problem:
            complain(problem)
            return 2 if isinstance(problem, WRONG_USAGE) else 1
        except UsageError as error:
            complain_of_usage(error)
            return 2
        except typer.Abort:
            return 1
        except OSError as error:
            if error.errno == errno.EPIPE:
                # Who reads has enough, such as `head`. What is still buffered must not complain at the exit.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            else:
                complain_of_files(error)
            return 1


app = typer.Typer(
    name="tagloom",
    cls=Commands,
    help="User tags on every user of a product, and the tribes they make.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for part in (installing, keeping, inviting, importing, writing, targeting, syncing, shelving, demonstration):
    app.registered_commands.extend(part.app.registered_commands)
    app.registered_groups.extend(part.app.registered_groups)


def main() -> None:
    """Runs the command of the process's arguments and ends the process with its exit code."""
    app()
