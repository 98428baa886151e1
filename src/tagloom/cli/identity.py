"""Commands about the links between visitors and users: identity, link, separate, settle, open-links."""

from typing import Annotated

import typer

from tagloom.cli.options import (
    DataOption,
    DryRunOption,
    EnvironmentOption,
    JsonOption,
    SpaceOption,
    TokenOption,
    UrlOption,
    VisitorOption,
    at_site,
    person_of,
    unicode_text,
)
from tagloom.cli.output import say_json, say_receipt, say_table
from tagloom.words.identity import LinkPolicy, ProofMode, SettlePolicy
from tagloom.words.limits import VISITORS_PER_DAY_SETTING_MAX

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
        typer.Option("--policy", help="take: what a linked visitor had goes to the user. Or leave, or ask."),
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
            max=VISITORS_PER_DAY_SETTING_MAX,
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


@app.command("link")
def link_person(
    person: Annotated[str, typer.Argument(help="The user id (or visitor id with --visitor).")],
    user: Annotated[
        str, typer.Argument(help="The id of the user to whom the person is linked.", callback=unicode_text)
    ],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    policy: Annotated[
        LinkPolicy | None,
        typer.Option("--policy", help="take: their tags and attributes go to the user. Or leave, or ask."),
    ] = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Link a visitor to a user, or join a user into another user."""
    with at_site(data, url, token, space, environment) as site:
        receipt = site.link_person(person_of(person, is_visitor=visitor), user, policy=policy, dry_run=dry_run)
    if as_json:
        say_json(receipt)
    else:
        say_receipt(receipt, title=f"{person} linked to {user}")


@app.command("separate")
def separate_person(
    person: Annotated[str, typer.Argument(help="The user id (or visitor id with --visitor).")],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Separate a visitor, or a user who was joined, from their user."""
    with at_site(data, url, token, space, environment) as site:
        receipt = site.separate_person(person_of(person, is_visitor=visitor), dry_run=dry_run)
    if as_json:
        say_json(receipt)
    else:
        say_receipt(receipt, title=f"{person} separated")


@app.command("settle")
def settle_link(
    person: Annotated[str, typer.Argument(help="The user id (or visitor id with --visitor).")],
    policy: Annotated[SettlePolicy, typer.Argument(help="take: the user gets what the person had. Or leave.")],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    visitor: VisitorOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Decide about the tags and attributes that a linked person had."""
    with at_site(data, url, token, space, environment) as site:
        receipt = site.settle_link(person_of(person, is_visitor=visitor), policy, dry_run=dry_run)
    if as_json:
        say_json(receipt)
    else:
        say_receipt(receipt, title=f"Link of {person} settled")


@app.command("open-links")
def list_open_links(
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the links that wait for a decision: made with the policy ask."""
    with at_site(data, url, token, space, environment) as site:
        found = site.list_open_links()
    if as_json:
        say_json(found)
        return
    rows = [
        (
            f"{each['person']['kind']} {each['person']['id']}",
            each["user"]["id"],
            each["linked_on"],
            ", ".join([*each["tags"], *each["attributes"]]),
        )
        for each in found
    ]
    say_table(("person", "user", "linked on", "had"), rows)
