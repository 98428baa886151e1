"""Commands about alerts of tribes: show, set, list and delete."""

from collections.abc import Mapping
from typing import Annotated, Any, get_args

import msgspec
import typer

from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import printable
from tagloom.cli.options import (
    DataOption,
    EnvironmentOption,
    JsonOption,
    SpaceOption,
    TokenOption,
    UrlOption,
    at_site,
    unicode_text,
    unicode_texts,
)
from tagloom.cli.output import say, say_json, say_table, tell
from tagloom.words.tribe_alerts import (
    Direction,
    TribeAlertSettings,
    TribeAlertState,
    alert_text,
    described_window,
)

app = typer.Typer()
alert_app = typer.Typer(help="Alerts of tribes: set, show, list, delete.", no_args_is_help=True)
app.add_typer(alert_app, name="alert")

TribeArgument = Annotated[str, typer.Argument(help="The id of the tribe.", callback=unicode_text)]


@alert_app.command("set")
def set_alert(
    tribe: TribeArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    share: Annotated[int, typer.Option(help="Fire above this change, in percent of the size before.")] = 20,
    direction: Annotated[str, typer.Option(help="up, down or both.", callback=unicode_text)] = "both",
    hours: Annotated[int, typer.Option(help="The window in hours, from 1 to 720.")] = 24,
    people_min: Annotated[int, typer.Option(help="Stay quiet while the tribe has fewer people.")] = 100,
    webhook: Annotated[str | None, typer.Option(help="Send the alert to this address.", callback=unicode_text)] = None,
    email: Annotated[
        list[str] | None, typer.Option(help="Send the alert to this e-mail.", callback=unicode_texts)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Set the alert of a tribe."""
    if direction not in get_args(Direction):
        raise ParameterInvalid(
            f"--direction must be one of {', '.join(get_args(Direction))}, not '{printable(direction)}'."
        )
    settings = TribeAlertSettings(
        share_percent=share,
        direction=msgspec.convert(direction, Direction),
        window_hours=hours,
        people_min=people_min,
        webhook=webhook,
        emails=tuple(email or ()),
    )
    with at_site(data, url, token, space, environment) as site:
        found = site.put_tribe_alert(tribe, settings)
    if as_json:
        say_json(found)
    else:
        say(f"Tribe {tribe}: {_described(found['settings'])}.")


@alert_app.command("show")
def show_alert(
    tribe: TribeArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Show the alert of a tribe; exit 1 if it is firing."""
    with at_site(data, url, token, space, environment) as site:
        found = site.get_tribe_alert(tribe)
    if as_json:
        say_json(found)
    else:
        settings, state = found["settings"], found["state"]
        say(f"{state['status']}: {_described(settings)}")
        if state["status"] == "firing":
            tell(
                alert_text(
                    tribe, msgspec.convert(settings, TribeAlertSettings), msgspec.convert(state, TribeAlertState)
                )
            )
        if state["problem"]:
            tell(state["problem"])
    if found["state"]["status"] == "firing":
        raise typer.Exit(1)


@alert_app.command("list")
def list_alerts(
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the alerts of tribes in an environment."""
    with at_site(data, url, token, space, environment) as site:
        found = site.list_tribe_alerts()
    if as_json:
        say_json(found)
        return
    rows = [
        (each["tribe"], each["state"]["status"], *(_number(each["state"][name]) for name in ("before", "after")))
        for each in found
    ]
    say_table(("tribe", "alert", "before", "after"), rows, numbers=(2, 3))


@alert_app.command("delete")
def delete_alert(
    tribe: TribeArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Delete the alert of a tribe."""
    with at_site(data, url, token, space, environment) as site:
        site.delete_tribe_alert(tribe)
    tell(f"The alert of tribe {tribe} was deleted.")


def _described(settings: Mapping[str, Any]) -> str:
    way = {"up": "more", "down": "less", "both": "more or less"}[settings["direction"]]
    window = described_window(settings["window_hours"])
    return (
        f"fires at over {settings['share_percent']} % {way} than {window} ago, from {settings['people_min']:,} people"
    )


def _number(value: int | None) -> int | str:
    return "" if value is None else value
