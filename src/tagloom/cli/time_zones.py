"""The command about the time zone of an environment: time-zone."""

from typing import Annotated

import typer

from tagloom.cli.options import (
    DataOption,
    EnvironmentOption,
    JsonOption,
    SpaceOption,
    TokenOption,
    UrlOption,
    at_site,
    unicode_text,
)
from tagloom.cli.output import say_json, tell

app = typer.Typer()


@app.command("time-zone")
def put_time_zone(
    wanted: Annotated[
        str | None,
        typer.Argument(
            help="The new time zone, such as Europe/Berlin. Default: show the current one.", callback=unicode_text
        ),
    ] = None,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Show or set the time zone whose days an environment counts."""
    with at_site(data, url, token, space, environment) as site:
        found = site.time_zone(wanted)
    if as_json:
        say_json({"time_zone": found})
        return
    tell(f"{space} / {environment} counts the days of {found}.")
