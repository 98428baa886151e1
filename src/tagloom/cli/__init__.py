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
from tagloom.cli.interrupts import EXIT_CODE, stop_message, stoppable
from tagloom.cli.output import complain, complain_of_fault, complain_of_files, complain_of_usage, err
from tagloom.ports.problems import InstallationMissing

# The base class of every error about arguments. Typer does not export it by name.
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
WRONG_USAGE = (ParameterInvalid, InstallationMissing)

# The module and the line of help of each command. A module is imported only when one of its commands runs, because
# the import of all modules takes two seconds. A test compares these lines with the help of the commands.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("installation", "Create an installation if there is none, and print the administrator's token once."),
    "serve": ("installation", "Update the schema and serve the API and the console until SIGTERM or SIGINT."),
    "demo": ("demo", "Load a sample of customers with tags and tribes, and serve it."),
    "import": ("imports", "Tag people from a file; exit 3 if lines were rejected."),
    "tag": ("tags", "Add tags to a person, or remove them."),
    "attributes": ("attributes", "Attributes, typed facts about people: set, list, show, put, delete."),
    "people": ("people", "People: delete and suppress them, and write what is stored about one."),
    "events": ("events", "Events of people: record, list, recent, export, types."),
    "sources": (
        "event_sources",
        "Event sources, the apps that send events: list, show, create, change, delete, keys, rejected.",
    ),
    "show": ("tribes", "Show a person's tags and tribes, and why; exit 1 if there is no such person."),
    "tribe": ("tribes", "Tribes: list, create, count, measure, tag, delete."),
    "list": ("lists", "Lists of people: create, add, remove, replace, members, delete."),
    "alert": ("tribe_alerts", "Alerts of tribes: set, show, list, delete."),
    "export": ("tribes", "Write the people of a tribe or tag, or every tagging."),
    "history": ("tags", "List the latest versions: time, actor, source and effect."),
    "undo": ("tags", "Undo versions as one new version; taggings that others changed since are skipped."),
    "mapping": ("mappings", "Mappings of a space: list, show, infer, put, delete."),
    "sync": ("syncs", "Syncs of a server: list, put, run, approve, cancel, pause, resume, runs, delete, singer."),
    "deliveries": ("deliveries", "Deliveries of events: create, list, show, run, pause, resume, delete."),
    "token": ("installation", "Access tokens: create, list, revoke."),
    "teammate": ("teammates", "Teammates: list, invite, reset a password."),
    "retention": ("retention", "Show or set how long an environment keeps its history."),
    "time-zone": ("time_zones", "Show or set the time zone whose days an environment counts."),
    "link": ("identity", "Link a visitor to a user, or join a user into another user."),
    "separate": ("identity", "Separate a visitor, or a user who was joined, from their user."),
    "settle": ("identity", "Decide about the tags and attributes that a linked person had."),
    "open-links": ("identity", "List the links that wait for a decision: made with the policy ask."),
    "identity": ("identity", "Show or set how an environment links visitors to users."),
    "compact": ("retention", "Delete history that is older than its retention; a running server does this itself."),
    "sweep": ("installation", "Start and remove the taggings that are due; a running server does this itself."),
    "check": (
        "installation",
        "Check the stored data against every invariant; exit 1 and list the errors, if any.",
    ),
    "backup": ("installation", "Copy a live installation into one consistent file."),
    "copy": ("installation", "Copy an installation with its history into another database, and compare both."),
}


class Commands(TyperGroup):
    """The group of all commands. An error becomes a line on standard error and an exit code. There is no traceback."""

    def main(self, *args: Any, **named: Any) -> NoReturn:
        """Runs a command and exits.

        The exit code is 0 if the command succeeded, 1 if it failed or its answer is no, 2 for wrong usage, 3 if lines
        were rejected, and 130 after Ctrl-C.
        """
        sys.exit(self._run(*args, **named | {"standalone_mode": False}))

    def _run(self, *args: Any, **named: Any) -> int:
        with stoppable():
            return self._exit_code_of(*args, **named)

    def _exit_code_of(self, *args: Any, **named: Any) -> int:
        try:
            code = super().main(*args, **named)
            sys.stdout.flush()
            if code == EXIT_CODE:
                err.print(stop_message(), markup=False)
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
                # The reader of the output, such as `head`, has closed the pipe. Without this line, Python would fail at
                # exit when it flushes the rest.
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
        """Returns a command with its line of help, without importing its module."""
        found = COMMANDS.get(cmd_name)
        return None if found is None else TyperCommand(cmd_name, help=found[1])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Imports the command in the arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else load_command(name), rest


def load_command(name: str) -> Any:
    """Imports the module of a command and returns the command. Raises: KeyError: there is no such command."""
    # Imported objects stay in memory, so a garbage collection finds nothing. The collections took a fifth of the start
    # of a command.
    gc.disable()
    try:
        import_module("tagloom.cli.logs").configure_logs()
        module = import_module(f"tagloom.cli.{COMMANDS[name][0]}")
    finally:
        gc.enable()
        gc.freeze()
    return typer.main.get_group(module.app).commands[name]


app = typer.Typer(
    name="tagloom",
    cls=Commands,
    help="Tags for the users of a product, and tribes: audiences defined by rules about tags.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(is_set: bool) -> None:
    if is_set:
        typer.echo(f"tagloom {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Tags for the users of a product, and tribes: audiences defined by rules about tags."""


def main() -> None:
    """Runs the command in the arguments of the process and exits with its code."""
    app()
