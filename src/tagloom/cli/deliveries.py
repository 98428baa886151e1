"""Commands about deliveries: create, list, show, run, pause, resume, delete."""

from typing import Annotated, Any, get_args

import msgspec
import typer

from tagloom.base.problems import ParameterInvalid
from tagloom.base.text import plural, printable
from tagloom.cli.local_place import Plain
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
from tagloom.cli.output import say_json, say_table, tell
from tagloom.words.deliveries import DeliveryDraft, DeliveryFormat, PartCompression
from tagloom.words.runs import Alerts, Schedule

app = typer.Typer()
deliveries_app = typer.Typer(
    help="Deliveries of events: create, list, show, run, pause, resume, delete.", no_args_is_help=True
)
app.add_typer(deliveries_app, name="deliveries")

DeliveryArgument = Annotated[str, typer.Argument(help="The id of the delivery.", callback=unicode_text)]


@deliveries_app.command("create")
def create_delivery(
    delivery: DeliveryArgument,
    address: Annotated[
        str, typer.Argument(help="The folder or the prefix, such as s3://exports/events.", callback=unicode_text)
    ],
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    secret: Annotated[
        str | None, typer.Option(help="The secret of the server with the credentials.", callback=unicode_text)
    ] = None,
    format: Annotated[str, typer.Option(help="csv, ndjson or parquet.", callback=unicode_text)] = "parquet",
    compression: Annotated[
        str, typer.Option(help="none, gzip or zstd, for csv and ndjson.", callback=unicode_text)
    ] = "none",
    event: Annotated[
        list[str] | None, typer.Option(help="Only events of this type or category.", callback=unicode_texts)
    ] = None,
    tribe: Annotated[
        str | None, typer.Option(help="Only events of the members of this tribe.", callback=unicode_text)
    ] = None,
    cron: Annotated[
        str | None, typer.Option(help="When it runs: @hourly, @daily or five fields.", callback=unicode_text)
    ] = None,
    zone: Annotated[str, typer.Option(help="The time zone of the schedule.", callback=unicode_text)] = "UTC",
    webhook: Annotated[str | None, typer.Option(help="Send alerts to this address.", callback=unicode_text)] = None,
    email: Annotated[list[str] | None, typer.Option(help="Send alerts to this e-mail.", callback=unicode_texts)] = None,
    with_history: Annotated[
        bool, typer.Option("--history/--no-history", help="Deliver the events that are recorded already.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Create a delivery. Without --cron it runs when you start it."""
    draft = DeliveryDraft(
        url=address,
        secret=secret,
        format=_one_of("--format", format, DeliveryFormat),
        compression=_one_of("--compression", compression, PartCompression),
        events=tuple(event or ()),
        tribe=tribe,
        schedule=None if cron is None else Schedule(cron=cron, zone=zone),
        alerts=Alerts(webhook=webhook, emails=tuple(email or ())),
    )
    with at_site(data, url, token, space, environment) as site:
        created = site.create_delivery(delivery, draft, with_history=with_history)
    if as_json:
        say_json(created)
    else:
        tell(f"Delivery {delivery} was created. It {_when(created)}.")


@deliveries_app.command("list")
def list_deliveries(
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """List the deliveries of an environment, with the state of their newest run."""
    with at_site(data, url, token, space, environment) as site:
        found = site.list_deliveries()
        newest = [next(iter(site.list_delivery_runs(each["id"], limit=1)), None) for each in found]
    if as_json:
        say_json([{**each, "newest_run": run} for each, run in zip(found, newest, strict=True)])
        return
    rows = [
        (
            each["id"],
            each["draft"]["url"],
            each["draft"]["format"],
            each["next_run_at"] or "manual",
            run["state"] if run else "never ran",
        )
        for each, run in zip(found, newest, strict=True)
    ]
    say_table(("delivery", "address", "format", "next run", "newest run"), rows, wraps=(1,))


@deliveries_app.command("show")
def show_delivery(
    delivery: DeliveryArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    as_json: JsonOption = False,
) -> None:
    """Show a delivery and its newest runs; exit 1 if the newest run failed."""
    with at_site(data, url, token, space, environment) as site:
        found = site.get_delivery(delivery)
        runs = site.list_delivery_runs(delivery)
    if as_json:
        say_json({**found, "runs": runs})
    else:
        draft = found["draft"]
        tell(f"{delivery}: {draft['format']} to {draft['url']}. It {_when(found)}.")
        tell(f"The next run delivers events from version {found['position']['next_version']:,} on.")
        rows = [
            (run["id"], run["began_at"], run["state"], run["events"], run["parts"], run["problem"] or "")
            for run in runs
        ]
        say_table(("run", "began", "state", "events", "parts", "problem"), rows, numbers=(0, 3, 4), wraps=(5,))
    if runs and runs[0]["state"] == "failed":
        raise typer.Exit(1)


@deliveries_app.command("run")
def run_delivery(
    delivery: DeliveryArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
    waits: Annotated[bool, typer.Option("--wait", help="With --url: wait until the run ends.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Run a delivery now. In a data directory, or with --wait, exit 1 unless it is done."""
    with at_site(data, url, token, space, environment) as site:
        run = site.run_delivery(delivery, waits=waits)
    is_started_only = url is not None and not waits
    if as_json:
        say_json(run)
    elif is_started_only:
        tell(f"Run {run['id']} of {delivery} started.")
    else:
        _say_ended(run)
    if not is_started_only and run["state"] != "done":
        raise typer.Exit(1)


@deliveries_app.command("pause")
def pause_delivery(
    delivery: DeliveryArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Pause the schedule of a delivery."""
    with at_site(data, url, token, space, environment) as site:
        site.pause_delivery(delivery, is_paused=True)
    tell(f"Delivery {delivery} was paused. It runs only when you start it.")


@deliveries_app.command("resume")
def resume_delivery(
    delivery: DeliveryArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Resume the schedule of a delivery."""
    with at_site(data, url, token, space, environment) as site:
        resumed = site.pause_delivery(delivery, is_paused=False)
    tell(f"Delivery {delivery} was resumed. It {_when(resumed)}.")


@deliveries_app.command("delete")
def delete_delivery(
    delivery: DeliveryArgument,
    data: DataOption = None,
    url: UrlOption = None,
    token: TokenOption = None,
    space: SpaceOption = "main",
    environment: EnvironmentOption = "production",
) -> None:
    """Delete a delivery and its runs. The parts stay."""
    with at_site(data, url, token, space, environment) as site:
        site.delete_delivery(delivery)
    tell(f"Delivery {delivery} was deleted. Its parts stay.")


def _one_of(option: str, text: str, kind: Any) -> Any:
    """Returns the text of an option with fixed values. Raises: ParameterInvalid."""
    if text not in get_args(kind):
        raise ParameterInvalid(f"{option} must be one of {', '.join(get_args(kind))}, not '{printable(text)}'.")
    return msgspec.convert(text, kind)


def _when(delivery: Plain) -> str:
    if delivery["draft"]["is_paused"]:
        return "is paused, and runs when you start it"
    return f"runs next at {delivery['next_run_at']}" if delivery["next_run_at"] else "runs when you start it"


def _say_ended(run: Plain) -> None:
    if run["state"] == "done":
        wrote = f"{plural(run['events'], 'event')} in {plural(run['parts'], 'part')}, {run['bytes']:,} bytes"
        tell(f"Run {run['id']} of {run['delivery']} is done: {wrote}.")
    elif run["state"] == "waiting":
        tell(f"Run {run['id']} of {run['delivery']} waits for its next try at {run['retry_at']}. {run['problem']}")
    else:
        tell(f"Run {run['id']} of {run['delivery']} has failed. {run['problem'] or ''}".strip())
