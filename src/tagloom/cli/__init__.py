"""The command line: `tagloom …`. Scripts rely on its options, its JSON and its exit codes."""

import sys

import typer

from tagloom import problems
from tagloom.cli import demonstration, installing, targeting, writing
from tagloom.cli.speaking import complain

app = typer.Typer(
    name="tagloom",
    help="User tags on every user of a product, and the tribes they make.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for commands in (installing.app, writing.app, targeting.app, demonstration.app):
    app.registered_commands.extend(commands.registered_commands)
    app.registered_groups.extend(commands.registered_groups)


def main() -> None:
    """Runs the command of the process's arguments and ends the process with its exit code.

    0 done, 1 the answer is no or the check failed, 2 wrong usage, 3 some lines were rejected.
    """
    try:
        app()
    except problems.Problem as problem:
        complain(problem)
        wrong_usage = (problems.ParameterInvalid, problems.InstallationMissing)
        sys.exit(2 if isinstance(problem, wrong_usage) else 1)
