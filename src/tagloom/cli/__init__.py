"""The command line: `tagloom …`. Scripts rely on its options, its JSON and its exit codes."""

import errno
import gc
import os
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from tagloom import __version__
from tagloom.base.problems import ParameterInvalid, Problem
from tagloom.base.tracebacks import frames_of
from tagloom.cli.interrupts import EXIT_CODE, how_to_go_on, stoppable
from tagloom.cli.output import complain, complain_of_fault, complain_of_files, complain_of_usage, err
from tagloom.ports.problems import InstallationMissing

# Typer gives no name to the class above this one; every complaint about the arguments is one.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
WRONG_USAGE = (ParameterInvalid, InstallationMissing)

# Each command, the module that defines it, and its line of help. A module is imported when one of its commands runs:
# all of them take two seconds, and the help needs none. A test compares the lines with the commands' own.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("installation", "Create an installation if there is none, and print the administrator's token once."),
    "serve": ("installation", "Update the schema and serve the API and the console until SIGTERM or SIGINT."),
    "demo": ("demo", "Load a sample of customers with tags and tribes, and serve it."),
    "import": ("imports", "Tag people from a file; exit 3 when some lines were rejected."),
    "tag": ("tags", "Add tags to a person, or remove them."),
    "show": ("tribes", "Show a person's tags and tribes, and why; exit 1 when the person is unknown."),
    "tribe": ("tribes", "Tribes: list, create, count, tag, delete."),
    "export": ("tribes", "Write the people of a tribe or tag, or every tagging."),
    "history": ("tags", "List the latest versions: time, actor, source and effect."),
    "undo": ("tags", "Undo versions as one new version; what others changed since is left alone."),
    "mapping": ("mappings", "Mappings of a space: list, show, propose, put, drop."),
    "sync": ("syncs", "Syncs of a server: sources that are read on a schedule, on demand, or pushed."),
    "token": ("installation", "Access tokens: create, list, revoke."),
    "teammate": ("teammates", "Teammates: list, invite, reset a password."),
    "retention": ("retention", "Show or set how long an environment keeps its history."),
    "compact": ("retention", "Delete the history that is older than its retention, where no server does."),
    "sweep": ("installation", "Remove every tagging that has expired, where no server does."),
    "check": ("installation", "Check the stored data against every invariant; exit 1 and name what is broken."),
    "backup": ("installation", "Copy a live installation into one consistent file."),
    "copy": ("installation", "Copy an installation with its history into another database, and compare both."),
}


class Commands(TyperGroup):
    """All commands: whatever goes wrong in one becomes a line on standard error and an exit code, never a traceback."""

    def main(self, *args: Any, **named: Any) -> NoReturn:
        """Ends the process: 0 done, 1 the answer is no or the check failed, 2 wrong usage, 3 lines were rejected.

        130 is Ctrl-C.
        """
        sys.exit(self._run(*args, **named | {"standalone_mode": False}))

    def _run(self, *args: Any, **named: Any) -> int:
        with stoppable():
            return self._end_of(*args, **named)

    def _end_of(self, *args: Any, **named: Any) -> int:
        try:
            code = super().main(*args, **named)
            sys.stdout.flush()
            if code == EXIT_CODE:
                err.print(how_to_go_on(), markup=False)
            return code if isinstance(code, int) else 0
        except Problem as problem:
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
        except Exception as error:
            complain_of_fault(frames_of(error))
            return 1

    def list_commands(self, ctx: Any) -> list[str]:
        """Returns the names of all commands, the most used first."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Returns a command's name and line of help, without importing it."""
        found = COMMANDS.get(cmd_name)
        return None if found is None else TyperCommand(cmd_name, help=found[1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Imports the command that the arguments name."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else load_command(name), rest


def load_command(name: str) -> Any:
    """Imports the module of a command and returns the command. Raises: KeyError: there is none of that name."""
    # What is imported stays, so that collecting in between finds nothing: it took a fifth of a command's start.
    gc.disable()
    try:
        import_module("tagloom.cli.logs").log_troubles()
        module = import_module(f"tagloom.cli.{COMMANDS[name][0]}")
    finally:
        gc.enable()
        gc.freeze()
    return typer.main.get_group(module.app).commands[name]


app = typer.Typer(
    name="tagloom",
    cls=Commands,
    help="User tags on every user of a product, and the tribes they make.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"tagloom {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """User tags on every user of a product, and the tribes they make."""


def main() -> None:
    """Runs the command of the process's arguments and ends the process with its exit code."""
    app()
