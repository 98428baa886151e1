"""The command about the links between visitors and users: identity."""

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
)
from tagloom.cli.output import say_json, say_table
from tagloom.words.identity import LinkPolicy, ProofMode
from tagloom.words.limits import VISITORS_PER_DAY_MAX

app = typer.Typer()


@app.command("identity")
def put_identity(
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    policy: Annotated[
        LinkPolicy | None,
        typer.Option("--policy", help="take: the tags and attributes of a linked visitor go to the user. Or leave."),
    ] = None,
    proof: Annotated[
        ProofMode | None,
        typer.Option("--proof", help="Whether messages with a write key need a proof of their user id."),
    ] = None,
    visitors_per_day_max: Annotated[
        int | None,
        typer.Option(
            "--visitors-per-day-max",
            min=1,
            max=VISITORS_PER_DAY_MAX,
            help="The most visitors that are linked to one user on one day.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show or set how an environment links visitors to users."""
    given = {"policy": policy, "proof": proof, "visitors_per_day_max": visitors_per_day_max}
    with at_site(data, url, token, space, environment) as site:
        found = site.identity({name: value for name, value in given.items() if value is not None})
    if as_json:
        say_json(found)
        return
    rows = [
        ("policy", found["policy"]),
        ("proof", found["proof"]),
        ("visitors per user and day", found["visitors_per_day_max"]),
    ]
    say_table(("setting", "value"), rows)
