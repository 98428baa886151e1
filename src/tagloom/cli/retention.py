"""Commands about the retention of history: retention, compact."""

from typing import Annotated, Any

import msgspec
import typer

from tagloom.base.text import plural
from tagloom.cli.options import (
    DataOption,
    EnvironmentOption,
    JsonOption,
    SpaceOption,
    TokenOption,
    UrlOption,
    at_site,
    installed,
)
from tagloom.cli.output import say_json, tell
from tagloom.services import make_services
from tagloom.words.changes import Freed
from tagloom.words.tenants import Environment

app = typer.Typer()


@app.command("retention")
def put_retention(
    wanted: Annotated[
        str | None, typer.Argument(help="The new retention: 90d, 26w, 1y, or forever. Default: show the current one.")
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    delete_history: Annotated[
        bool, typer.Option("--delete-history", help="Delete the older history. This cannot be undone.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what it would delete.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show or set how long an environment keeps its history."""
    with at_site(data, url, token, space, environment) as site:
        found = site.retention(wanted, delete_history=delete_history, dry_run=dry_run)
    if as_json:
        say_json(found)
        return
    kept = f"{space} / {environment}: history is kept"
    tell(f"{kept} {'forever' if found['retention'] == 'forever' else 'for ' + found['retention']}.")
    if found["horizon"]["version"]:
        tell(f"It is complete from version {found['horizon']['version']:,}, of {found['horizon']['at']}.")
    if found["deleted_history"] is not None:
        tell(
            _freed_sentence(
                found["deleted_history"],
                "would be deleted" if dry_run else "are deleted within a minute by a running server",
            )
        )


@app.command("compact")
def compact(
    data: DataOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what it would delete.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete history that is older than its retention; a running server does this itself."""
    found: list[tuple[Environment, Freed]] = []
    with installed(data) as installation:
        compactor = make_services(installation).compactor
        for environment in installation.control.list_retained():
            if dry_run:
                found.append((environment, compactor.preview(environment, environment.retention_seconds)))
            else:
                due = compactor.horizon_due(environment, environment.retention_seconds)
                found.append((environment, compactor.compact(environment, due)))
    if as_json:
        say_json(
            [{"space": where.space, "environment": where.name, **msgspec.to_builtins(freed)} for where, freed in found]
        )
        return
    for where, freed in found:
        sentence = _freed_sentence(msgspec.to_builtins(freed), "would be deleted" if dry_run else "were deleted")
        tell(f"{where.space} / {where.name}: {sentence}")
    if not found:
        tell("Every environment keeps its history forever.")


def _freed_sentence(freed: dict[str, Any], verb: str) -> str:
    least = "" if freed["is_all"] else "at least "
    at = freed["horizon"]["at"]
    until = f" History is complete from version {freed['horizon']['version']:,}, of {at}." if at else ""
    return (
        f"{plural(freed['versions'], 'version loses', 'versions lose')} undo and time travel: "
        f"{least}{plural(freed['changes'], 'change')} and {plural(freed['bytes'], 'byte')} of bitmaps {verb}.{until}"
    )
