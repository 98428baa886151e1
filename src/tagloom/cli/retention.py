"""Commands about how long history is kept: retention, compact."""

from typing import Annotated, Any

import msgspec
import typer

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
from tagloom.words.model import Environment, Freed

app = typer.Typer()


@app.command("retention")
def put_retention(
    wanted: Annotated[
        str | None, typer.Argument(help="How long history is kept from now on: 90d, 26w, 1y, or forever.")
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    forget: Annotated[bool, typer.Option("--forget", help="Give up what is older, for good.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would give up.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show or set how long an environment keeps its history."""
    with at_site(data, url, token, space, environment) as site:
        found = site.retention(wanted, forget=forget, dry_run=dry_run)
    if as_json:
        say_json(found)
        return
    kept = f"{space} / {environment}: history is kept"
    tell(f"{kept} {'forever' if found['retention'] == 'forever' else 'for ' + found['retention']}.")
    if found["horizon"]["version"]:
        tell(f"All of it is there from version {found['horizon']['version']:,} on, of {found['horizon']['at']}.")
    if found["forgets"] is not None:
        tell(_told(found["forgets"], "would go" if dry_run else "go within a minute, where a server runs"))


@app.command("compact")
def compact(
    data: DataOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Delete the history that is older than its retention, where no server does."""
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
        tell(f"{where.space} / {where.name}: {_told(msgspec.to_builtins(freed), 'would go' if dry_run else 'went')}")
    if not found:
        tell("Every environment keeps its history forever.")


def _told(freed: dict[str, Any], verb: str) -> str:
    least = "" if freed["is_all"] else "at least "
    at = freed["horizon"]["at"]
    until = f" All history is kept from version {freed['horizon']['version']:,} on, of {at}." if at else ""
    return (
        f"{freed['versions']:,} versions can no longer be undone or looked back at; "
        f"{least}{freed['changes']:,} changes and {freed['bytes']:,} bytes of bitmaps {verb}.{until}"
    )
